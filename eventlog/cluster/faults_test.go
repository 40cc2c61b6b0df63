package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brine/eventlog"
	"brine/lease"
)

// maxRefused is how long writes may be refused after a fault of one node, by [running].
const maxRefused = 15 * time.Second

// load appends on a node until it is stopped, one group after the other, and notes what was acknowledged.
type load struct {
	mu     sync.Mutex
	acked  []string
	last   time.Duration // of an acknowledgement, by [running]
	gap    time.Duration // the longest without one
	errors int
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// run appends on whichever node get gives.
func run(ctx context.Context, name string, get func() *Log) *load {
	ctx, stop := context.WithCancel(ctx)
	d := &load{stop: stop, last: running.now()}
	d.done.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			group := fmt.Sprintf("%s-%06d", name, i)
			l := get()
			if l == nil {
				lease.Pause(ctx, 10*time.Millisecond)
				continue
			}
			if err := l.Append(ctx, []byte(group)); err != nil {
				d.mu.Lock()
				d.errors++
				d.mu.Unlock()
				lease.Pause(ctx, 10*time.Millisecond)
				continue
			}
			d.ack(group)
			lease.Pause(ctx, 2*time.Millisecond)
		}
	})
	return d
}

func (d *load) ack(group string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.acked = append(d.acked, group)
	now := running.now()
	d.gap, d.last = max(d.gap, now-d.last), now
}

func (d *load) end() []string {
	d.stop()
	d.done.Wait()
	return d.acked
}

// takeGap is the longest time without an acknowledgement since the last call.
func (d *load) takeGap() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	gap := d.gap
	d.gap = 0
	return gap
}

func (d *load) acks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.acked)
}

// at gives the node of a name as it is now, nil while it is down.
func (s *site) at(name string) func() *Log {
	return func() *Log {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.logs[name]
	}
}

// rounds is how many faults the model test makes.
func rounds(t *testing.T) int {
	if text := os.Getenv("BRINE_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		return n
	}
	return 4
}

// Whatever happens to one node at a time, what was acknowledged is read, nothing is passed over, and hours never go back.
func TestModel(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.skew = map[string]time.Duration{"a": -140 * time.Second, "b": 140 * time.Second}
	s.watch()
	s.startAll()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	leading, epoch := "a", uint64(1)
	s.lead(leading, epoch)
	s.append(s.logs["a"], "first")
	var loads []*load
	for _, name := range []string{"a", "b", "c"} {
		loads = append(loads, run(t.Context(), name, s.at(name)))
	}
	r := newReader()
	for round := range rounds(t) {
		name := s.nodes[random.IntN(3)].Name
		what := s.harm(random, round, name)
		if name == leading && !s.leads(name) || random.IntN(3) == 0 {
			others := s.others(name)
			leading = others[random.IntN(2)]
			epoch++
			s.lead(leading, epoch)
			what += ", " + leading + " leads"
		}
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // a leader that is cut off tries for longer
			if err := r.round(ctx, s.logs[leading]); err != nil && !isPassing(err) {
				t.Errorf("a round of reading: %v", err)
			}
			cancel()
		}
		s.mend(name)
		eventually(t, maxRefused, "all nodes work after "+what, func() bool {
			for _, l := range s.logs {
				if l.Err() != nil {
					return false
				}
			}
			return true
		})
		for i, d := range loads {
			mended := d.acks()
			eventually(t, maxRefused, s.nodes[i].Name+" takes groups after "+what, func() bool { return d.acks() > mended })
			gap := d.takeGap() // of the node that was harmed it has been over
			if s.nodes[i].Name != name && gap > maxRefused {
				t.Errorf("%s refused writes for %s", s.nodes[i].Name, gap)
			}
		}
		t.Logf("round %d: %s", round, what)
	}
	acked := []string{"first"}
	for _, d := range loads {
		acked = append(acked, d.end()...)
	}
	r.drain(t, s.logs[leading])
	r.check(t, acked)
	t.Logf("%d groups acknowledged, %d read", len(acked), len(r.got))
	if len(r.got) < len(acked) || len(acked) < 100 {
		t.Errorf("%d groups acknowledged and %d read: that is no test", len(acked), len(r.got))
	}
}

// isPassing tells errors that a fault explains.
func isPassing(err error) bool {
	return errors.Is(err, eventlog.ErrUnavailable) || errors.Is(err, ErrNotLeader) || errors.Is(err, context.DeadlineExceeded)
}

// harm does something to a node, and says what.
func (s *site) harm(random *rand.Rand, round int, name string) string {
	switch round % 4 {
	case 0:
		s.cut(name)
		return name + " cut off"
	case 1:
		s.leap.Add(int64(time.Hour))
		return "an hour later"
	case 2:
		s.cut(name) // so that nothing is handed over
		s.stop(name)
		return name + " stopped"
	default:
		s.leap.Add(int64(24 * time.Hour))
		return "a day later"
	}
}

func (s *site) mend(name string) {
	s.heal(name)
	if s.logs[name] == nil {
		s.start(name)
	}
}

func (s *site) leads(name string) bool { return s.logs[name] != nil && s.logs[name].Leading() }

// After an erasure, a turn takes the bytes of what was trimmed from every node's disk.
func TestErasedBytesAreGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	leader := s.lead("a", 1)
	secret := []byte("install-id-that-is-to-be-forgotten")
	s.append(s.logs["b"], "x"+string(secret)+"x")
	if n := s.filesWith(secret); n < 2 {
		t.Fatalf("%d files hold the group, want that of a majority: the search finds nothing", n)
	}
	r := newReader()
	must(t, r.round(t.Context(), leader))
	must(t, leader.Turn(t.Context()))
	r.drain(t, leader)
	r.check(t, []string{"x" + string(secret) + "x"})
	eventually(t, 20*time.Second, "no file of any node holds the value", func() bool { return s.filesWith(secret) == 0 })
}

// filesWith counts the files of all nodes that hold the text.
func (s *site) filesWith(text []byte) (n int) {
	filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, text) {
			n++
		}
		return nil
	})
	return n
}

// A node that was down while logs came and went catches up and has none of the old ones.
func TestComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	leader := s.lead("a", 1)
	s.append(leader, "one")
	old := leader.Logs()[0].Name
	s.stop("c")
	if len(filesOf(t, s.options("c").Dir, old)) == 0 {
		t.Fatal("the node has no folder of the log: the search finds nothing")
	}
	s.leap.Add(int64(24 * time.Hour))
	r := newReader()
	eventually(t, 30*time.Second, "the day's log is made and the old one deleted", func() bool {
		return r.round(t.Context(), leader) == nil && leader.Logs()[0].Name != old && len(leader.Logs()) == 1
	})
	s.append(leader, "two")
	s.start("c")
	eventually(t, time.Minute, "the node that comes back deletes the old log", func() bool {
		return len(filesOf(t, s.options("c").Dir, old)) == 0
	})
	s.append(s.logs["c"], "three")
	r.drain(t, leader)
	r.check(t, []string{"one", "two", "three"})
	for _, group := range []string{"two", "three"} {
		if !r.hours[group].After(r.hours["one"]) {
			t.Errorf("%s belongs to %s, and one to %s", group, r.hours[group], r.hours["one"])
		}
	}
}

// A node that is dead is taken out, and one with a new name takes its place, with all that is acknowledged.
func TestReplace(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	leader := s.lead("a", 1)
	s.append(s.logs["b"], "before")
	if err := s.logs["a"].Remove(t.Context(), "b"); err == nil {
		t.Error("a node that works was removed")
	}
	s.stop("c")
	s.append(leader, "without c")
	eventually(t, time.Minute, "c is removed", func() bool { return s.logs["a"].Remove(t.Context(), "c") == nil })
	s.nodes = s.nodes[:2]
	s.add("d")
	s.start("d")
	for _, name := range []string{"b", "a"} { // each has the new list of nodes
		s.stop(name)
		s.start(name)
		eventually(t, 30*time.Second, name+" works again", func() bool { return s.logs[name].Err() == nil })
	}
	leader = s.lead("b", 2)
	s.append(s.logs["d"], "by d")
	eventually(t, time.Minute, "all that there is lies on three nodes", func() bool {
		for _, log := range leader.Status().Logs {
			if log.Replicas != 3 {
				return false
			}
		}
		return len(leader.Logs()) > 0
	})
	s.stop("a")
	s.append(s.logs["d"], "without a")
	r := newReader()
	eventually(t, 30*time.Second, "everything is read", func() bool { return r.round(t.Context(), leader) == nil })
	r.check(t, []string{"before", "without c", "by d", "without a"})
}

// What is no node of this cluster is refused, or told by name.
func TestForeign(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.startAll()
	s.lead("a", 1)
	s.append(s.logs["b"], "x")
	s.stop("c")

	other := s.options("c")
	other.Cluster = "other"
	if _, err := Open(t.Context(), other); !errors.Is(err, ErrForeign) {
		t.Errorf("a folder of another cluster: %v", err)
	}
	other = s.options("c")
	other.Dir = s.options("b").Dir
	if _, err := Open(t.Context(), other); !errors.Is(err, ErrForeign) {
		t.Errorf("a folder of another node: %v", err)
	}
	other = s.options("c")
	other.Nodes[2].Addr = "localhost:6222" // which is not in its certificate
	if err := CheckTLS(other); err == nil {
		t.Error("a certificate for another host was taken")
	}
	stranger := newAuthority(t)
	stranger.sign(t, "c", stranger)
	other = s.options("c")
	other.Certificate = stranger.shows("c")
	if _, err := Open(t.Context(), other); err == nil {
		t.Error("a certificate of another root was taken")
	}
	other.CA = stranger.roots() // it believes in itself, and the others do not
	l, err := Open(t.Context(), other)
	must(t, err)
	if err := l.Append(t.Context(), []byte("y")); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("a node that the others refuse took a group: %v", err)
	}
	must(t, l.Close())

	prints := fingerprint{Cluster: "test", Node: "c", ID: "of an earlier life"}
	must(t, prints.save(s.options("c").Dir))
	l = s.start("c")
	eventually(t, 30*time.Second, "a folder of an earlier cluster of this name is told", func() bool {
		return errors.Is(l.Err(), ErrForeign)
	})
	s.append(s.logs["a"], "the others go on")
	lease.Pause(t.Context(), 1500*time.Millisecond) // what looks at the server each second finds that there is none
	if err := l.Err(); !errors.Is(err, ErrForeign) {
		t.Errorf("later: %v", err)
	}
}

// A node shows the certificate that is in force when a connection begins, and judges others by the roots that are: nothing of it needs a restart.
func TestRenewedCertificate(t *testing.T) {
	s := newSite(t, "a", "b", "c")
	var mu sync.Mutex
	shown := map[string][]byte{} // the last, by node
	s.tune = func(o *Options) {
		show, name := o.Certificate, o.Name
		o.Certificate = func() *tls.Certificate {
			pair := show()
			mu.Lock()
			defer mu.Unlock()
			shown[name] = pair.Certificate[0]
			return pair
		}
	}
	s.watch()
	s.startAll()
	s.lead("a", 1)
	s.append(s.logs["b"], "x")
	next := newAuthority(t)
	old, err := os.ReadFile(s.ca.file("ca.pem"))
	must(t, err)
	root, err := os.ReadFile(next.file("ca.pem"))
	must(t, err)
	must(t, os.WriteFile(s.ca.file("ca.pem"), slices.Concat(old, root), 0o600))
	fresh := map[string][]byte{}
	for _, n := range s.nodes {
		cert, _ := s.ca.sign(t, n.Name, next)
		fresh[n.Name] = cert.Raw
	}
	comesBack := func(name string) {
		s.cut(name)
		s.heal(name)
		eventually(t, 30*time.Second, name+" shows its new certificate", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return bytes.Equal(shown[name], fresh[name])
		})
		eventually(t, 30*time.Second, "all nodes are there", func() bool {
			st := s.logs["a"].Status()
			return !slices.ContainsFunc(st.Nodes, func(n NodeStatus) bool { return !n.Here })
		})
	}
	comesBack("a")
	s.append(s.logs["a"], "y")
	must(t, os.WriteFile(s.ca.file("ca.pem"), root, 0o600))
	comesBack("b")
	s.append(s.logs["b"], "z")
}

// Nodes whose configs differ tell of it, as they are now.
func TestDisagreement(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	one, two := "s3://one", "s3://two"
	var lake atomic.Pointer[string] // of c
	lake.Store(&two)
	s.tune = func(o *Options) {
		o.Same = func() map[string]string { return map[string]string{"lake": "s3://one"} }
		if o.Name == "c" {
			o.Replicas, o.Same = 2, func() map[string]string { return map[string]string{"lake": *lake.Load()} }
		}
	}
	s.startAll()
	s.lead("a", 1)
	eventually(t, 30*time.Second, "a tells of c", func() bool { return len(s.logs["a"].Disagreements()) > 0 })
	if got, want := s.logs["a"].Disagreements(), []string{"log.replicas is 3 on a and 2 on c", "lake is s3://one on a and s3://two on c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	lake.Store(&one)
	eventually(t, 30*time.Second, "c's lake is that of a", func() bool { return len(s.logs["a"].Disagreements()) == 1 })
}

// lookout sends the lines of a log that have a text.
type lookout struct {
	text  string
	lines chan<- string
}

func (w lookout) Write(line []byte) (int, error) {
	if strings.Contains(string(line), w.text) {
		w.lines <- string(line)
	}
	return len(line), nil
}

// Entries whose file cannot be read for a while are passed over, and for a moment only are not.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	lines := make(chan string, 100)
	s.tune = func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(lookout{"asked for again", lines}, nil)) }
	s.startAll()
	leader := s.lead("a", 1)
	for range 2 { // each in a file of its own
		s.append(leader, strings.Repeat("x", eventlog.MaxGroup*5/8))
	}
	var blocks []string
	for _, n := range s.nodes {
		block := filesOf(t, s.options(n.Name).Dir, leader.Logs()[0].Name)[0] + "/msgs/1.blk"
		must(t, os.Rename(block, block+".away"))
		must(t, os.Mkdir(block, 0o700))
		blocks = append(blocks, block)
	}
	leader.patience = 0
	if n := len(groups(t, leader)); n != 1 {
		t.Errorf("read %d groups, want the one that is in another file", n)
	}
	<-lines
	leader.patience = time.Minute
	read := make(chan int, 1)
	go func() { read <- len(groups(t, leader)) }()
	<-lines
	for _, block := range blocks {
		must(t, os.Remove(block))
		must(t, os.Rename(block+".away", block))
	}
	if n := <-read; n != 2 {
		t.Errorf("read %d groups of 2", n)
	}
}

// One that leads no more can trim, delete and turn nothing, and a leader whose clock is behind begins no hour.
func TestOldLeader(t *testing.T) {
	t.Parallel()
	s := newSite(t, "a", "b", "c")
	s.skew["c"] = -2 * time.Hour // one is little in the last minutes of an hour
	s.startAll()
	old := s.lead("a", 1)
	s.append(old, "x")
	info := old.Logs()[0]
	hour := old.Hour()
	must(t, s.lead("b", 2).Trim(t.Context(), info.Name, info.Last))
	s.append(s.logs["b"], "y")
	if got, err := old.Read(t.Context(), info.Name, 1, 1<<20); !errors.Is(err, ErrNotLeader) {
		t.Errorf("an old leader read what another has trimmed: %d entries, %v", len(got), err)
	}
	if err := old.Trim(t.Context(), info.Name, info.Last); !errors.Is(err, ErrNotLeader) {
		t.Errorf("trim of an old leader: %v", err)
	}
	if old.Leading() {
		t.Error("an old leader still believes to lead")
	}
	if err := old.Lead(t.Context(), 1); !errors.Is(err, ErrNotLeader) {
		t.Errorf("an old epoch: %v", err)
	}
	if err := s.logs["c"].Lead(t.Context(), 3); !errors.Is(err, eventlog.ErrClock) {
		t.Errorf("a leader two hours behind: %v", err)
	}
	if err := s.logs["c"].Append(t.Context(), []byte("y")); !errors.Is(err, eventlog.ErrClock) {
		t.Errorf("an append by a node whose clock is not trusted: %v", err)
	}
	if got := s.lead("b", 4).Hour(); got.Before(hour) {
		t.Errorf("the hour went back from %s to %s", hour, got)
	}
	if got := groups(t, s.logs["b"]); len(got) != 1 || got[0] != "y" {
		t.Errorf("read %q", got)
	}
}
