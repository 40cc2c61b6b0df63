package couchdb_test

import (
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/door/doortest"
	"brine/lake"
	"brine/outlet"
	"brine/outlet/couchdb"
)

// peer is a PouchDB Server that keeps all in memory: after a restart it is empty.
type peer struct {
	tb   testing.TB
	addr string
	cmd  *exec.Cmd
}

func startPeer(tb testing.TB) *peer {
	tb.Helper()
	p := &peer{tb: tb, addr: doortest.FreeAddr(tb)}
	p.start()
	tb.Cleanup(p.kill)
	return p
}

func (p *peer) start() {
	p.tb.Helper()
	server, err := filepath.Abs("node_modules/.bin/pouchdb-server")
	if err != nil {
		p.tb.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(p.addr)
	p.cmd = exec.Command(server, "--in-memory", "--host", host, "--port", port, "--no-stdout-logs")
	p.cmd.Dir = p.tb.TempDir()
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatal(err, "(run make test-needs)")
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + p.addr + "/")
		if err == nil {
			res.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			p.tb.Fatal("the peer does not answer: ", err)
		}
	}
}

func (p *peer) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func (p *peer) restart() { p.kill(); p.start() }

// get asks the peer without Brine's own code.
func (p *peer) get(path string) string {
	p.tb.Helper()
	res, err := http.Get("http://" + p.addr + "/brine" + path)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.tb.Fatal(err)
	}
	return string(body)
}

// ids are those of all rows at the peer.
func (p *peer) ids() (ids []string) {
	p.tb.Helper()
	var all struct{ Rows []struct{ ID string } }
	if err := json.Unmarshal([]byte(p.get("/_all_docs")), &all); err != nil {
		p.tb.Fatal(err)
	}
	for _, row := range all.Rows {
		if row.ID != "brine:instance" && !strings.HasPrefix(row.ID, "_design/") {
			ids = append(ids, row.ID)
		}
	}
	return ids
}

// everything is all that the peer says of each document, its old revisions included.
func (p *peer) everything() string {
	var all strings.Builder
	all.WriteString(p.get("/_all_docs?include_docs=true"))
	var changes struct {
		Results []struct {
			ID      string
			Changes []struct{ Rev string }
		}
	}
	text := p.get("/_changes?style=all_docs&include_docs=true")
	if err := json.Unmarshal([]byte(text), &changes); err != nil {
		p.tb.Fatal(err)
	}
	all.WriteString(text)
	for _, c := range changes.Results {
		path := "/" + strings.ReplaceAll(c.ID, "/", "%2F")
		if strings.HasPrefix(c.ID, "_design/") {
			continue
		}
		revs := p.get(path + "?revs=true&open_revs=all")
		all.WriteString(revs)
		for _, rev := range revisions(p.tb, p.get(path+"?revs_info=true")+"\n"+p.get(path+"?revs_info=true&rev="+c.Changes[0].Rev)) {
			all.WriteString(p.get(path + "?rev=" + rev))
		}
	}
	all.WriteString(p.get("/_design/brine/_view/by_timestamp?include_docs=true"))
	return all.String()
}

// revisions are those that the peer names.
func revisions(tb testing.TB, lines string) (revs []string) {
	tb.Helper()
	for line := range strings.Lines(lines) {
		var doc struct {
			Info []struct{ Rev string } `json:"_revs_info"`
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &doc); err != nil {
			tb.Fatal(err)
		}
		for _, r := range doc.Info {
			revs = append(revs, r.Rev)
		}
	}
	return revs
}

func (h *house) follower(url, dataset string) *outlet.Follower {
	h.tb.Helper()
	db, err := couchdb.New(couchdb.Options{URL: url})
	if err != nil {
		h.tb.Fatal(err)
	}
	return &outlet.Follower{Name: "couchdb", Dataset: dataset, Streams: []string{"app"}, Lake: h.lake, Peer: db, Path: h.path("outlets/couchdb.json")}
}

// follow steps until the peer is as the lake is.
func follow(tb testing.TB, f *outlet.Follower) {
	tb.Helper()
	if err := f.Step(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if st := f.Status(); st.Behind != 0 || st.Error != "" {
		tb.Fatalf("it is behind: %+v", st)
	}
}

// The peer dies at random and forgets all, Brine dies at random and remembers an old position: in the end the documents are the events.
func TestDocumentsAreTheEvents(t *testing.T) {
	h, p := openHouse(t), startPeer(t)
	random := rand.New(rand.NewPCG(7, 13))
	var want []string
	for range 3 {
		for range 700 {
			want = append(want, h.event("i", "home"))
		}
		h.nextHour()
	}
	slices.Sort(want)
	var old []byte // a position that a killed Brine may find
	for round := range 12 {
		f := h.follower("http://"+p.addr+"/brine", lake.Raw)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(50+random.IntN(500))*time.Millisecond)
		stepped := make(chan error, 1)
		go func() { stepped <- f.Step(ctx) }()
		if round%3 == 1 {
			<-time.After(time.Duration(random.IntN(300)) * time.Millisecond) // any moment will do
			p.restart()
		}
		<-stepped
		cancel()
		if old != nil && random.IntN(2) == 0 {
			if err := os.WriteFile(h.path("outlets/couchdb.json"), old, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if content, err := os.ReadFile(h.path("outlets/couchdb.json")); err == nil && random.IntN(2) == 0 {
			old = content
		}
	}
	follow(t, h.follower("http://"+p.addr+"/brine", lake.Raw))
	if got := p.ids(); !slices.Equal(got, want) {
		t.Fatalf("the peer has %d documents of %d events", len(got), len(want))
	}
	var view struct {
		Rows []struct{ Key int64 }
	}
	if err := json.Unmarshal([]byte(p.get("/_design/brine/_view/by_timestamp?limit=1")), &view); err != nil || len(view.Rows) != 1 || view.Rows[0].Key != h.first {
		t.Errorf("the view begins with %+v: %v", view, err)
	}
	p.restart()
	follow(t, h.follower("http://"+p.addr+"/brine", lake.Raw))
	if got := p.ids(); !slices.Equal(got, want) {
		t.Errorf("after a restart the peer has %d documents of %d", len(got), len(want))
	}
}

// What erasure, tightening and retention take out of the lake is in no answer of the peer.
func TestWhatGoesHereGoesThere(t *testing.T) {
	for _, dataset := range []string{lake.Raw, lake.Sanitized} {
		t.Run(dataset, func(t *testing.T) {
			h, p := openHouse(t), startPeer(t)
			for range 30 {
				h.event("ada-install-0001", "secret-screen")
				h.event("bob-install-0002", "home")
			}
			h.nextHour()
			h.event("bob-install-0002", "later")
			h.nextHour()
			f := h.follower("http://"+p.addr+"/brine", dataset)
			follow(t, f)
			if n := len(p.ids()); n != 61 {
				t.Fatalf("the peer has %d documents", n)
			}
			if said := p.everything(); !strings.Contains(said, "secret-screen") {
				t.Fatal("the test would not find it")
			}
			h.erase("ada-install-0001")
			follow(t, f)
			if n := len(p.ids()); n != 31 {
				t.Errorf("after an erasure the peer has %d documents", n)
			}
			if said := p.everything(); strings.Contains(said, "secret-screen") || strings.Contains(said, "ada-install") {
				t.Error("the peer tells of who was erased")
			}
			if !f.Followed(time.Time{}) {
				t.Error("it does not know that it followed")
			}
			if dataset == lake.Sanitized {
				h.tighten("app: {install: hash}\n")
				follow(t, f)
				if said := p.everything(); strings.Contains(said, "home") || len(p.ids()) != 31 {
					t.Error("the peer tells what the allowlist no longer keeps")
				}
			}
			h.purge(dataset)
			follow(h.tb, f)
			if ids := p.ids(); len(ids) != 0 {
				t.Errorf("after a purge the peer has %v", ids)
			}
		})
	}
}

// What goes before it was written is told, and an outlet that lost its position takes nothing for its own that has gone.
func TestLostAndUnknown(t *testing.T) {
	h, p := openHouse(t), startPeer(t)
	h.event("i", "home")
	h.nextHour()
	f := h.follower("http://"+p.addr+"/brine", lake.Raw)
	follow(t, f)
	p.kill()
	h.event("i", "later")
	h.nextHour()
	if err := f.Step(t.Context()); err == nil || f.Status().Behind != 1 || f.Err() == nil {
		t.Fatalf("without a peer: %v, %+v", err, f.Status())
	}
	h.purge(lake.Raw)
	p.start()
	follow(t, f)
	if st := f.Status(); st.Lost != 1 || len(p.ids()) != 0 {
		t.Errorf("the status is %+v, the peer has %v", st, p.ids())
	}
	h.event("i", "third")
	h.nextHour()
	follow(t, f)
	if err := os.Remove(h.path("outlets/couchdb.json")); err != nil {
		t.Fatal(err)
	}
	h.purge(lake.Raw)
	follow(t, h.follower("http://"+p.addr+"/brine", lake.Raw))
	if ids := p.ids(); len(ids) != 0 {
		t.Errorf("the peer has %v", ids)
	}
	if err := h.follower("http://"+p.addr+"/brine", lake.Sanitized).Step(t.Context()); err == nil || !strings.Contains(err.Error(), "database of its own") {
		t.Errorf("another dataset: %v", err)
	}
}
