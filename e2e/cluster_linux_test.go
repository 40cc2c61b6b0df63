package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"brine/backup"
	"brine/door/doortest"
	"brine/lake/store/s3test"
)

// betweenPlaces is the round trip between the two places.
const betweenPlaces = 20 * time.Millisecond

// What is promised after a fault of one node: see docs/operations.md, A replicated log.
const (
	maxRefused  = 15 * time.Second
	maxTakeover = 30 * time.Second
)

// node is a brine on a host of its own.
type node struct {
	*brine
	place string
}

// cluster is stores and collectors in two places, and the object store.
type cluster struct {
	t          *testing.T
	site       *site
	s3         *s3test.Server
	pair       *doortest.Pair
	stores     []*node
	collectors []*node
	said       *account
	small      *node         // the store whose data folder is a disk of its own; nil where none can be mounted
	outage     time.Duration // of the object store
	ends       []func()      // of the load and the reading
}

// newCluster starts stores and collectors, so many in each place: places are given as one letter a node. In a long round clocks of some
// are off by 5 minutes, and a store has a small disk. It is nil where the test has run elsewhere.
func newCluster(t *testing.T, stores, collectors string, long bool) *cluster {
	t.Helper()
	if long {
		buildSkewed(t)
	}
	s3test.Binary(t) // where there is a way to the outside
	c := &cluster{t: t, site: newSite(t, betweenPlaces, "east", "west"), said: newAccount(t), outage: 20 * time.Second}
	c.said.pause = 20 * time.Millisecond
	if c.site == nil {
		return nil
	}
	if long && c.site.loopback != "" && os.Getenv(onLoopback) != "1" {
		t.Fatalf("a long round parts places: run it as root, allow unprivileged user name spaces, or set %s=1 for what loopback can show", onLoopback)
	}
	s3 := c.site.host("east", "s3")
	c.s3 = s3test.StartOn(t, filepath.Join(t.TempDir(), "s3"), c.site.listen(s3, 7070))
	c.stores, c.collectors = c.add(stores, "store"), c.add(collectors, "collect")
	c.configure()
	if long {
		c.collectors[0].skew, c.collectors[len(c.collectors)-1].skew, c.stores[0].skew = 300, -300, -290
		c.outage = 5 * time.Minute
		c.said.pause = 300 * time.Millisecond // no more than can be read back whole every few seconds, to the end
	}
	if c.site.loopback == "" {
		c.apart()
		if long {
			c.small = c.stores[rand.N(len(c.stores))]
			smallDisk(t, c.small.data, diskSize)
		}
	}
	for _, n := range c.all() {
		n.launch()
	}
	c.allWell("after the start")
	return c
}

// apart finds out that the two places are.
func (c *cluster) apart() {
	c.t.Helper()
	began := time.Now()
	if conn, err := c.stores[0].host.dial(c.t.Context(), "tcp", c.in("west")[0].host.addr+":1"); err == nil {
		conn.Close()
	}
	if took := time.Since(began); took < betweenPlaces {
		c.t.Fatalf("a round trip between the places took %s, want at least %s", took, betweenPlaces)
	}
}

// add makes nodes of a role: one in each of these places, e or w.
func (c *cluster) add(places, role string) (all []*node) {
	for i, letter := range places {
		n := &node{brine: newBrine(c.t), place: map[rune]string{'e': "east", 'w': "west"}[letter]}
		n.role, n.host = role, c.site.host(n.place, fmt.Sprintf("%s%d", role, i+1))
		all = append(all, n)
	}
	return all
}

func (c *cluster) all() []*node { return slices.Concat(c.stores, c.collectors) }

func (c *cluster) configure() {
	var addrs []net.IP
	var nodes, doors []string
	for _, n := range c.stores {
		addrs = append(addrs, net.ParseIP(n.host.addr))
		nodes = append(nodes, n.host.name+"="+n.host.addr+":6222")
		doors = append(doors, "https://"+n.host.addr+":8082")
	}
	c.pair = doortest.NewPair(c.t, 24*time.Hour, addrs...)
	file := filepath.Join(c.t.TempDir(), "collectors")
	for _, n := range c.stores {
		c.pair.Files(c.t, n.dir)
		n.configure(fmt.Sprintf("lake: %q\nsalts: {manage: external}\nlog: {nodes: [\"%s\"], cluster: e2e, name: %s, replicas: 3, tls: {cert: door.pem, key: door.key, ca: door.pem}}\n"+
			"store: {addr: %q, tls: {cert: door.pem, key: door.key}, collectors_file: %q}",
			c.s3.Address("brine", "lake"), strings.Join(nodes, `","`), n.host.name, n.host.addr+":8082", file))
	}
	for _, n := range c.collectors {
		token, stderr, code := c.stores[0].command(nil, "collector", "add", n.host.name)
		if code != 0 {
			c.t.Fatalf("brine collector add: %d %s", code, stderr)
		}
		c.pair.Files(c.t, n.dir)
		if err := os.WriteFile(filepath.Join(n.dir, "token"), []byte(token), 0o600); err != nil {
			c.t.Fatal(err)
		}
		n.configure(fmt.Sprintf("forward: {to: [\"%s\"], token_file: token, ca: door.pem}", strings.Join(doors, `","`)))
	}
}

// allWell waits until each node is as it should be: a store is a node that takes events, a collector has one. A store that did not
// start, as the object store was away, is started again, as a unit of systemd is.
func (c *cluster) allWell(when string) {
	c.t.Helper()
	for _, n := range c.stores {
		n.eventually(time.Minute, n.host.name+" stores "+when, func() bool {
			if n.hasExited() {
				n.launch()
			}
			st, err := n.look()
			return err == nil && st.Ready
		})
	}
	for _, n := range c.collectors {
		n.eventually(maxRefused, n.host.name+" has a store "+when, n.ready)
	}
}

// standing is what a store says of itself and of the others.
type standing struct {
	Ready      bool
	Reason     string
	CompleteTo time.Time `json:"complete_to"`
	Cluster    struct {
		Leading bool
		Epoch   uint64
		Logs    []struct {
			Current bool
			Through string
		}
	}
	LeftOut []struct{ Path, Why string } `json:"left_out"`
}

// look asks a store how it stands. A bearer is made anew where the process is another.
func (n *node) look() (st standing, err error) {
	body, _, err := n.tryGet(context.Background(), "/api/v1/status", "application/json")
	if err == nil {
		err = json.Unmarshal(body, &st)
	}
	return st, err
}

// tryGet is get for a node that may be away, and gives Brine-Complete-To, too.
func (n *node) tryGet(ctx context.Context, route, accept string) (body []byte, complete time.Time, err error) {
	if !n.hasSocket() {
		return nil, complete, errors.New("it does not serve")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.private+route, nil)
	if err != nil {
		return nil, complete, err
	}
	req.Header.Set("Accept", accept)
	res, err := n.host.client.Do(n.identify(req))
	if err != nil {
		return nil, complete, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, complete, errors.New(res.Status)
	}
	if text := res.Header.Get("Brine-Complete-To"); text != "" {
		if complete, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, complete, err
		}
	}
	body, err = io.ReadAll(res.Body)
	return body, complete, err
}

// leader waits until one store leads, in a later epoch than this, and gives it.
func (c *cluster) leader(within time.Duration, after uint64) (leader *node, epoch uint64) {
	c.t.Helper()
	c.stores[0].eventually(within, fmt.Sprintf("a store leads, in an epoch after %d", after), func() bool {
		for _, n := range c.stores {
			if st, err := n.look(); err == nil && st.Cluster.Leading && st.Cluster.Epoch > after {
				leader, epoch = n, st.Cluster.Epoch
				return true
			}
		}
		return false
	})
	return leader, epoch
}

// account is the history of the whole: what senders were told and readers saw, of the whole.
type account struct {
	*ledger
	pause   time.Duration // the longest between two requests of a browser
	t       *testing.T
	at      map[string]time.Time    // when an event's 200 had come
	refused map[string]bool         // with 400: it is never stored
	seen    map[string]bool         // in some read
	last    map[*node]time.Time     // of a collector's 200
	gap     map[*node]time.Duration // the longest between two of these, since the fault began
	reads   map[*node]int           // whole ones
}

func newAccount(t *testing.T) *account {
	return &account{ledger: newLedger("interaction"), t: t, at: map[string]time.Time{}, refused: map[string]bool{}, seen: map[string]bool{},
		last: map[*node]time.Time{}, gap: map[*node]time.Duration{}, reads: map[*node]int{}}
}

// browse is one browser at a collector, until ctx ends: it sends up to 8 events at a time, some of them once more that were not
// acknowledged, and some that no schema takes.
func (h *account) browse(ctx context.Context, n *node) {
	for ctx.Err() == nil {
		s, err := n.trySession()
		for err == nil && ctx.Err() == nil {
			err = h.post(s, n)
			sleep(ctx, rand.N(h.pause))
		}
		sleep(ctx, 100*time.Millisecond)
	}
}

func (h *account) post(s *session, n *node) error {
	if rand.N(50) == 0 {
		return h.postBad(s)
	}
	var ids, blobs []string
	for range 1 + rand.N(8) {
		id, sent := h.next()
		ids, blobs = append(ids, id), append(blobs, sent)
	}
	r, err := s.send(blobs...)
	h.note(ids, r, err)
	if err != nil || r.status != http.StatusOK {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if before := h.last[n]; !before.IsZero() {
		h.gap[n] = max(h.gap[n], now.Sub(before))
	}
	h.last[n] = now
	for _, id := range ids {
		if h.at[id].IsZero() {
			h.at[id] = now
		}
	}
	return nil
}

// postBad sends what has to be refused.
func (h *account) postBad(s *session) error {
	id := newID()
	r, err := s.send(strings.Replace(blob(id), `"number_emails":3`, `"number_emails":"three"`, 1))
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused[id] = true
	if r.status != http.StatusBadRequest && r.status != http.StatusServiceUnavailable {
		h.odd = append(h.odd, r)
	}
	return nil
}

// gaps begins to measure how long each collector takes nothing, and gives what was measured until now: the longest, and of which collector.
func (h *account) gaps() (longest time.Duration, of *node) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n, gap := range h.gap {
		if gap > longest {
			longest, of = gap, n
		}
	}
	clear(h.gap)
	return longest, of
}

// since says whether a collector has said 200 after a time.
func (h *account) since(n *node, t time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[n].After(t)
}

// read reads everything from a store and holds it against the account: an event is there once at most, one that was refused never,
// one that was acknowledged before the time the answer is complete to is there, one that any store has shown stays, and order
// by time holds. It says how many of the acknowledged are not there yet. An error is one that a fault explains.
func (h *account) read(ctx context.Context, n *node) (missing int, err error) {
	h.mu.Lock()
	before := make(map[string]bool, len(h.seen)) // shown before this read began
	for id := range h.seen {
		before[id] = true
	}
	h.mu.Unlock()
	body, complete, err := n.tryGet(ctx, "/api/v1/events/interaction?dataset=raw", "application/x-ndjson")
	if err != nil {
		return 0, err
	}
	times, last := map[string]int{}, int64(0)
	for line := range strings.Lines(string(body)) {
		var e event
		var at int64
		if err := errors.Join(json.Unmarshal([]byte(line), &e), json.Unmarshal(e["timestamp"], &at)); err != nil {
			h.t.Errorf("%s answered a line that is none: %v", n.host.name, err)
		}
		if times[e.id()]++; at < last {
			h.t.Errorf("%s goes back in time", n.host.name)
		}
		last = at
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads[n]++
	back, late, twice, bad, foreign := 0, 0, 0, 0, 0
	for id := range before {
		if times[id] == 0 {
			back++
		}
	}
	for id, at := range h.at {
		switch {
		case times[id] > 0:
		case at.Before(complete):
			late++
		default:
			missing++
		}
	}
	for id, count := range times {
		h.seen[id] = true
		if count > 1 {
			twice++
		}
		if h.refused[id] {
			bad++
		} else if h.blobs[id] == "" {
			foreign++
		}
	}
	if back+late+twice+bad+foreign > 0 {
		h.t.Errorf("of %d events that %s has, %d are there more than once, %d were refused, %d sent by nobody; %d are not there that a store has shown, and %d that were "+
			"acknowledged before it is complete, to %s", len(times), n.host.name, twice, bad, foreign, back, late, complete)
	}
	return missing + late, nil
}

// begin lets browsers send to each collector, and reads from one store after the other meanwhile.
func (c *cluster) begin() {
	ctx, cancel := context.WithCancel(c.t.Context())
	var senders, reader sync.WaitGroup
	for _, n := range c.collectors {
		for range 2 {
			senders.Go(func() { c.said.browse(ctx, n) })
		}
	}
	reader.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			short, stop := context.WithTimeout(ctx, 10*time.Second)
			_, _ = c.said.read(short, c.stores[i%len(c.stores)])
			stop()
			sleep(ctx, time.Second)
		}
	})
	c.ends = append(c.ends, func() { cancel(); senders.Wait(); reader.Wait() })
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// takes waits until all of these collectors have said 200 to an event sent from now on.
func (c *cluster) takes(what string, collectors ...*node) {
	c.t.Helper()
	from := time.Now()
	for _, n := range collectors {
		n.eventually(max(0, maxRefused-time.Since(from)), n.host.name+" takes events "+what, func() bool { return c.said.since(n, from) })
	}
	c.t.Logf("%s: all took events within %s", what, time.Since(from).Round(time.Millisecond))
}

// refuses waits until each of these collectors fails its heartbeat and answers 503 with Retry-After.
func (c *cluster) refuses(what string, collectors ...*node) {
	c.t.Helper()
	for _, n := range collectors {
		n.eventually(maxRefused, n.host.name+" refuses events "+what, func() bool {
			s, err := n.trySession()
			return err == nil && !n.ready() && n.refused(s, c.said)
		})
	}
}

func (n *node) refused(s *session, said *account) bool {
	id, sent := said.fresh()
	r, err := s.send(sent)
	said.note([]string{id}, r, err)
	return err == nil && r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != ""
}

// end ends the load once every acknowledged event is read from every store, and looks at all once more.
func (c *cluster) end() {
	c.t.Helper()
	c.allWell("at the end")
	until := time.Now()
	leader, _ := c.leader(maxTakeover, 0)
	leader.eventually(time.Minute, "the lake is complete up to the end", func() bool { // the load goes on, so that what waits is enough for an object
		st, err := leader.look()
		return err == nil && st.CompleteTo.After(until.Add(time.Duration(leader.skew)*time.Second)) // by its own clock
	})
	for _, end := range c.ends {
		end()
	}
	c.said.mu.Lock()
	for id, at := range c.said.at {
		if at.After(until) {
			delete(c.said.at, id) // it may wait for more
		}
	}
	acked, open, refusals := len(c.said.at), len(c.said.open), c.said.refusals
	c.said.mu.Unlock()
	for _, n := range c.stores {
		if missing, err := c.said.read(c.t.Context(), n); err != nil || missing > 0 {
			c.t.Errorf("%s lacks %d of %d acknowledged events: %v", n.host.name, missing, acked, err)
		}
		if st, err := n.look(); err != nil || len(st.LeftOut) > 0 {
			c.t.Errorf("%s has left out %v: %v", n.host.name, st.LeftOut, err)
		}
		c.t.Logf("%s was read %d times", n.host.name, c.said.reads[n])
	}
	for _, r := range c.said.odd {
		c.t.Errorf("answered %d %s", r.status, r.body)
	}
	c.t.Logf("%d events acknowledged, %d requests answered 503, %d events left in doubt, %d invalid", acked, refusals, open, len(c.said.refused))
	if acked < 1000 {
		c.t.Errorf("only %d events were acknowledged: this was no load", acked)
	}
	c.backUp()
}

// backUp backs up on the node that leads; the others say that they do not.
func (c *cluster) backUp() {
	leader, _ := c.leader(maxTakeover, 0)
	for _, n := range c.stores {
		to := filepath.Join(c.t.TempDir(), "backup")
		_, stderr, code := n.command(nil, "backup", "--raw", "--to", to)
		m, err := backup.Verify(c.t.Context(), to, func(int, int) {})
		objects := slices.IndexFunc(m.Files, func(f backup.File) bool { return strings.HasPrefix(f.Path, "lake/raw/interaction/date=") })
		switch {
		case n == leader && (code != 0 || err != nil || objects < 0):
			c.t.Errorf("brine backup where %s leads: exit code %d, %v, %d files\n%s", n.host.name, code, err, len(m.Files), stderr)
		case n != leader && (code != 1 || !strings.Contains(stderr, "does not lead")):
			c.t.Errorf("brine backup on %s: exit code %d\n%s", n.host.name, code, stderr)
		}
	}
}

// in are the collectors of a place.
func (c *cluster) in(place string) (all []*node) {
	for _, n := range c.collectors {
		if n.place == place {
			all = append(all, n)
		}
	}
	return all
}

// leaderKilled kills who leads, under load: the others take events within 15 s, and one of them leads within 30 s.
func (c *cluster) leaderKilled() {
	leader, epoch := c.leader(maxTakeover, 0)
	leader.kill()
	killed := time.Now()
	c.takes("after the leader was killed", c.collectors...)
	_, next := c.leader(maxTakeover, epoch)
	c.t.Logf("epoch %d after epoch %d, %s after the kill", next, epoch, time.Since(killed).Round(time.Millisecond))
	leader.launch()
}

// without is the cluster of all other stores.
func (c *cluster) without(store *node) *cluster {
	others := *c
	others.stores = slices.DeleteFunc(slices.Clone(c.stores), func(n *node) bool { return n == store })
	return &others
}

// orderKilled kills the store through which the entries of the log pass, which need not be who leads.
func (c *cluster) orderKilled() {
	var through *node
	c.stores[0].eventually(maxRefused, "the log's entries pass through a store", func() bool {
		for _, n := range c.stores {
			st, err := n.look()
			for _, log := range st.Cluster.Logs {
				i := slices.IndexFunc(c.stores, func(n *node) bool { return n.host.name == log.Through })
				if err == nil && log.Current && i >= 0 {
					through = c.stores[i]
					return true
				}
			}
		}
		return false
	})
	through.kill()
	c.takes("after "+through.host.name+" was killed, through which entries passed", c.collectors...)
	through.launch()
}

// leaderPaused stops who leads until another does, and lets it go on.
func (c *cluster) leaderPaused() {
	leader, epoch := c.leader(maxTakeover, 0)
	leader.signal(syscall.SIGSTOP)
	c.takes("while the leader is stopped", c.collectors...)
	c.without(leader).leader(maxTakeover, epoch)
	leader.signal(syscall.SIGCONT)
}

// leaderWritesLate stops who leads while it writes a file into the object store, lets that arrive once another leads, and kills who led. The file is of
// an older epoch and in no entry: nobody reads it, as every read looks for, and whoever leads then sweeps it.
func (c *cluster) leaderWritesLate() {
	leader, epoch := c.leader(maxTakeover, 0)
	var one atomic.Bool
	held, release, arrived := make(chan string, 1), make(chan struct{}), make(chan int, 1)
	c.s3.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/raw/interaction/") || !one.CompareAndSwap(false, true) {
			next.ServeHTTP(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		held <- strings.TrimPrefix(r.URL.Path, "/brine/")
		<-release
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, late)
		arrived <- answer.Code
	})
	var key string
	select {
	case key = <-held:
	case <-time.After(time.Minute):
		c.t.Fatal("no file was written under load")
	}
	leader.signal(syscall.SIGSTOP)
	c.s3.Fail(nil)
	c.takes("while the leader is stopped as it writes", c.collectors...)
	c.without(leader).leader(maxTakeover, epoch)
	close(release)
	if code := <-arrived; code != http.StatusOK || !slices.Contains(c.s3.Keys(c.t), key) {
		c.t.Errorf("the late write of %s was answered %d: nothing is shown", key, code)
	}
	leader.kill()
	leader.launch()
	leader.eventually(2*time.Minute, "a file of an older epoch is swept: "+key, func() bool { return !slices.Contains(c.s3.Keys(c.t), key) })
}

// takesGroups asks a store's receipt door whether it takes groups.
func (c *cluster) takesGroups(n *node) bool {
	token, err := os.ReadFile(filepath.Join(c.collectors[0].dir, "token"))
	if err != nil {
		c.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, "https://"+n.host.addr+":8082/__heartbeat__", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := doortest.Client(c.pair)
	client.Transport.(*http.Transport).DialContext = n.host.dial
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// diskSize is that of the small disk, until it is full.
const diskSize = 8 << 30

// diskFull leaves a store no more space than it uses: it says so and takes nothing, the others go on, and with space it does, too.
func (c *cluster) diskFull() {
	n := c.small
	leader, epoch := c.leader(maxTakeover, 0)
	resize(c.t, n.data, 0)
	c.takes("while the disk of "+n.host.name+" is full", c.collectors...)
	n.eventually(time.Minute, n.host.name+" says that its disk is full", func() bool {
		st, err := n.look()
		return err == nil && !st.Ready && strings.Contains(st.Reason, "no space left") && !c.takesGroups(n) && strings.Contains(n.output(), "no space left")
	})
	if n == leader {
		c.without(n).leader(maxTakeover, epoch)
	}
	c.t.Logf("%s, whose disk is full, led before: %t", n.host.name, n == leader)
	c.takes("while the disk of "+n.host.name+" is full", c.collectors...)
	resize(c.t, n.data, diskSize)
}

// leaderCut parts who leads from everybody. A collector may need a try of its own to find out.
func (c *cluster) leaderCut() {
	leader, epoch := c.leader(maxTakeover, 0)
	c.site.cut(leader.host)
	c.takes("while the leader is cut off", c.collectors...)
	c.without(leader).leader(maxTakeover, epoch)
	c.site.heal(leader.host)
}

// storeKilled kills any store, and starts it again soon.
func (c *cluster) storeKilled() {
	n := c.stores[rand.N(len(c.stores))]
	n.kill()
	c.takes("after "+n.host.name+" was killed", c.collectors...)
	n.launch()
}

// placeCut parts the two places: that with the majority goes on, the other refuses.
func (c *cluster) placeCut() {
	c.site.wire.Store(true)
	c.refuses("in the place that is cut off", c.in("west")...)
	c.takes("while the other place is cut off", c.in("east")...)
	c.site.wire.Store(false)
}

// collectorPaused stops a collector for longer than a group may take, and lets it go on.
func (c *cluster) collectorPaused() {
	n := c.collectors[rand.N(len(c.collectors))]
	n.signal(syscall.SIGSTOP)
	c.takes("while "+n.host.name+" is stopped", slices.DeleteFunc(slices.Clone(c.collectors), func(o *node) bool { return o == n })...)
	sleep(c.t.Context(), maxRefused)
	n.signal(syscall.SIGCONT)
}

// collectorsKilled kills all collectors of a place.
func (c *cluster) collectorsKilled() {
	places := []string{"east", "west"}
	i := rand.N(2)
	for _, n := range c.in(places[i]) {
		n.kill()
	}
	c.takes("without the collectors in the "+places[i], c.in(places[1-i])...)
	for _, n := range c.in(places[i]) {
		n.launch()
	}
}

// objectsGone takes the object store away, in a long round for 5 minutes, and kills who leads meanwhile: events wait in the log, which is
// not led by one after the other in vain.
func (c *cluster) objectsGone() {
	c.s3.Fail(s3test.Gone)
	c.takes("while the object store is gone", c.collectors...)
	c.leaderKilled()
	before := c.terms()
	for until := time.Now().Add(c.outage); time.Now().Before(until); {
		c.takes("while the object store is gone", c.collectors...)
		sleep(c.t.Context(), min(30*time.Second, time.Until(until)))
	}
	if n := c.terms() - before; n > 20 {
		c.t.Errorf("stores led %d times within 5 minutes without the object store", n)
	}
	c.s3.Fail(nil)
}

// terms is how often a store began to lead.
func (c *cluster) terms() (n int) {
	for _, store := range c.stores {
		n += strings.Count(store.output(), "this node leads the log")
	}
	return n
}

// objectsFlaky lets requests to the object store fail, be late, or be done with nobody told, and has another store take over meanwhile.
func (c *cluster) objectsFlaky() {
	c.s3.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch rand.N(8) {
		case 0:
			s3test.Gone(w, r, next)
		case 1:
			next.ServeHTTP(httptest.NewRecorder(), r)
			s3test.Gone(w, r, next)
		case 2:
			sleep(r.Context(), rand.N(3*time.Second))
			fallthrough
		default:
			next.ServeHTTP(w, r)
		}
	})
	sleep(c.t.Context(), 10*time.Second)
	c.leaderKilled()
	sleep(c.t.Context(), 10*time.Second)
	c.s3.Fail(nil)
}

// leaderStutters stops who leads about as long as its lease lasts, so that it goes on while another takes over.
func (c *cluster) leaderStutters() {
	for range 3 {
		leader, _ := c.leader(maxTakeover, 0)
		leader.signal(syscall.SIGSTOP)
		sleep(c.t.Context(), 11*time.Second+rand.N(6*time.Second))
		leader.signal(syscall.SIGCONT)
		sleep(c.t.Context(), rand.N(3*time.Second))
	}
}

// storesGone kills all stores: collectors refuse, until they are back.
func (c *cluster) storesGone() {
	for _, n := range c.stores {
		n.kill()
	}
	c.refuses("without a store", c.collectors...)
	for _, n := range c.stores {
		n.launch()
	}
}

// faults are what may happen, by name.
var faults = []struct {
	name  string
	do    func(*cluster)
	parts bool // some collectors are meant to take nothing for a while
	short bool // every run has it; the others are for the long rounds
	apart bool // it needs name spaces
	stead bool // on loopback short rounds have it, too, in place of what needs name spaces
}{
	{name: "the leader is killed", do: (*cluster).leaderKilled, short: true},
	{name: "the places are parted", do: (*cluster).placeCut, parts: true, short: true, apart: true},
	{name: "the leader is stopped for a while", do: (*cluster).leaderPaused, stead: true},
	{name: "the leader writes late", do: (*cluster).leaderWritesLate},
	{name: "the leader is cut off", do: (*cluster).leaderCut, apart: true},
	{name: "the store through which entries pass is killed", do: (*cluster).orderKilled},
	{name: "a store is killed", do: (*cluster).storeKilled},
	{name: "a store's disk is full", do: (*cluster).diskFull, apart: true},
	{name: "all stores are killed", do: (*cluster).storesGone, parts: true},
	{name: "a collector is stopped for a while", do: (*cluster).collectorPaused, parts: true},
	{name: "the collectors of a place are killed", do: (*cluster).collectorsKilled, parts: true},
	{name: "the object store is gone", do: (*cluster).objectsGone, stead: true},
	{name: "the object store is flaky", do: (*cluster).objectsFlaky},
	{name: "the leader stutters", do: (*cluster).leaderStutters},
}

// possible are the faults of a round, as numbers.
func (c *cluster) possible(long bool) (kinds []int) {
	loopback := c.site.loopback != ""
	for i, f := range faults {
		if (long || f.short || loopback && f.stead) && !(loopback && f.apart) {
			kinds = append(kinds, i)
		}
	}
	return kinds
}

// Stores and collectors in two places, with 20 ms between them, under faults: no event that was acknowledged is lost or there twice,
// whichever store is asked. With BRINE_ROUNDS=N, as of make test-cluster, there are six collectors, the clocks of two of them and
// of a store are off by 5 minutes, and N faults of all kinds come in any order; without, two collectors, and the leader is killed and the places are parted.
// Where name spaces are not allowed the round is on loopback, with the faults that there can be.
func TestCluster(t *testing.T) {
	t.Parallel()
	long := os.Getenv("BRINE_ROUNDS") != ""
	c := newCluster(t, "eew", map[bool]string{false: "ew", true: "eeewww"}[long], long)
	if c == nil {
		return
	}
	c.begin()
	kinds := c.possible(long)
	var order []int
	for round := range roundsOr(t, len(kinds)) {
		if len(order) == 0 {
			order = rand.Perm(len(kinds))
		}
		fault := faults[kinds[order[0]]]
		order = order[1:]
		began := time.Now()
		c.said.gaps()
		fault.do(c)
		c.allWell("after " + fault.name)
		c.takes("after "+fault.name, c.collectors...)
		longest, of := c.said.gaps()
		if longest > maxRefused && !fault.parts {
			t.Errorf("%s took nothing for %s", of.host.name, longest)
		}
		t.Logf("round %d: %s, in %s; at the longest a collector took nothing for %s", round+1, fault.name, time.Since(began).Round(time.Second), longest.Round(time.Millisecond))
	}
	c.end()
}
