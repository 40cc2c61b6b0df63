package couchdb_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brine/lake"
	"brine/outlet"
	"brine/sanitize"
)

// memory is a peer that keeps documents in memory, by id.
type memory struct {
	mu   sync.Mutex
	docs map[string]string
	put  func() // before documents are stored; nil for nothing
}

func (m *memory) Open(context.Context) (string, error) { return "one", nil }

func (m *memory) Put(_ context.Context, docs []outlet.Doc) error {
	if m.put != nil {
		m.put()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range docs {
		m.docs[d.ID] = string(d.Body)
	}
	return nil
}

func (m *memory) IDs(_ context.Context, prefix, after string, atMost int) (ids []string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.docs {
		if strings.HasPrefix(id, prefix) && id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(atMost, len(ids))], nil
}

func (m *memory) Remove(_ context.Context, ids []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.docs, id)
	}
	return nil
}

func (m *memory) Compact(context.Context) error { return nil }
func (m *memory) Purges() bool                  { return true }

// ids are those of all documents.
func (m *memory) ids() []string {
	ids, _ := m.IDs(context.Background(), "", "", 1<<30) // it never fails
	return ids
}

// node is an outlet to a peer in memory, with the position of one data folder.
func (h *house) node(m *memory, name, dataset string) *outlet.Follower {
	return &outlet.Follower{Name: "couchdb", Dataset: dataset, Lake: h.lake, Peer: m, Path: h.path(name + ".json"), Now: h.Wall, Streams: []string{"app"}}
}

// What the peer has of an hour stays while a file of it is damaged here; what else is to be done is done, and it is told. The hour is compared
// once it is made anew, and goes there too when it is purged.
func TestDamageHere(t *testing.T) {
	h, m := openHouse(t), &memory{docs: map[string]string{}}
	hour := h.Wall().Truncate(time.Hour)
	damage := func() {
		t.Helper()
		file := h.lake.Files(lake.Sanitized, "app", hour)[0].String()
		h.must(os.WriteFile(h.path("lake/"+file), []byte("garbage"), 0o600))
		if _, faults, err := h.lake.Summaries(t.Context()); err != nil || len(faults) != 1 {
			t.Fatal(faults, err)
		}
	}
	h.event("ada", "first")
	h.nextHour()
	f := h.node(m, "a", lake.Sanitized)
	follow(t, f)
	before := m.ids()
	h.event("bob", "second")
	h.nextHour()
	damage()
	for _, f := range []*outlet.Follower{f, h.node(m, "b", lake.Sanitized)} {
		err := f.Step(t.Context())
		if err == nil || !strings.Contains(err.Error(), "app:2026-11-21T13") {
			t.Errorf("it says %v", err)
		}
		if ids := m.ids(); len(ids) != 2 || ids[0] != before[0] {
			t.Errorf("the peer has %v, and had %v", ids, before)
		}
	}
	_, err := h.job.Run(t.Context(), sanitize.Request{}) // anew, with another id
	h.must(err)
	follow(t, f)
	if ids := m.ids(); len(ids) != 2 || ids[0] == before[0] {
		t.Errorf("the peer has %v", ids)
	}
	damage()
	if err := f.Step(t.Context()); err == nil {
		t.Error("it does not tell")
	}
	h.purge(lake.Sanitized)
	follow(t, f)
	if ids := m.ids(); len(ids) > 0 {
		t.Errorf("the peer has %v", ids)
	}
}

// What was purged goes at the peer though no position names it: another node had written it, or a node that was killed before it could note that.
func TestPurgedUnknown(t *testing.T) {
	for name, wrote := range map[string]string{"ByAnotherNode": "a", "BeforeAKill": "b"} {
		t.Run(name, func(t *testing.T) {
			h, m := openHouse(t), &memory{docs: map[string]string{}}
			h.event("ada", "first")
			h.nextHour()
			follow(t, h.node(m, "b", lake.Raw))
			position, err := os.ReadFile(h.path("b.json"))
			h.must(err)
			h.event("bob", "second")
			h.nextHour()
			follow(t, h.node(m, wrote, lake.Raw))
			h.must(os.WriteFile(h.path("b.json"), position, 0o600))
			h.purge(lake.Raw)
			follow(t, h.node(m, "b", lake.Raw))
			if ids := m.ids(); len(ids) > 0 {
				t.Errorf("the peer has %v", ids)
			}
		})
	}
}

// A node that was paused past its turn writes nothing more; what it had sent before, and is heard late, is compared once more by the node that follows.
func TestHeardLate(t *testing.T) {
	h, m := openHouse(t), &memory{docs: map[string]string{}}
	for range 600 { // more than one request
		h.event("ada", "first")
	}
	h.nextHour()
	a, b := h.node(m, "a", lake.Raw), h.node(m, "b", lake.Raw)
	a.Every, b.Every = time.Millisecond, time.Millisecond
	var over atomic.Bool
	sent, heard, puts := make(chan bool), make(chan bool), 0
	m.put = func() {
		if puts++; puts == 1 {
			close(sent)
			<-heard
		}
	}
	run := func(f *outlet.Follower, holds func() error) (stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { f.Run(ctx, holds); close(done) }()
		return func() { cancel(); <-done }
	}
	stopA := run(a, func() error {
		if over.Load() {
			return errors.New("its turn is over")
		}
		return nil
	})
	<-sent
	over.Store(true)
	h.erase("ada")
	h.event("bob", "second")
	h.nextHour()
	stopB := run(b, func() error { return nil })
	waitFor(t, "the second node writes", func() bool { return b.Followed(h.Wall().Add(-time.Second)) })
	close(heard)
	waitFor(t, "the first node finds out", func() bool { return a.Err() != nil && strings.Contains(a.Err().Error(), "its turn is over") })
	if n := len(m.ids()); n != 501 {
		t.Errorf("the peer has %d documents: the first node wrote on, or the test shows nothing", n)
	}
	h.since.Add(int64(2 * time.Minute))
	waitFor(t, "the second node compares again", func() bool { return len(m.ids()) == 1 })
	stopB()
	stopA()
	if st := a.Status(); st.Behind != 0 || st.Oldest != nil || st.Error != "" {
		t.Errorf("the node whose turn is over tells %+v", st)
	}
}

func waitFor(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatal(what + ": it did not")
		}
	}
}
