package lake_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/store/s3test"
)

// Who comes new begins with a snapshot, and what stands before one that is a week old goes, but for the first entry.
func TestSnapshots(t *testing.T) {
	h := inStore(t)
	var all []event.Record
	flush := func(n int) {
		r := click(h.clock.Wall(), n)
		all = append(all, r)
		h.append(r)
		h.flush()
	}
	for n := range 300 {
		flush(n)
	}
	var read atomic.Int64
	h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/_journal/") {
			read.Add(1)
		}
		next.ServeHTTP(w, r)
	})
	wantRows(t, readClicks(t, h.mustFollow()), all...)
	if n := read.Load(); n == 0 || n > 60 {
		t.Errorf("%d entries were read", n)
	}
	h.store.Fail(nil)
	h.clock.advance(time.Since(h.clock.Wall()) + 8*24*time.Hour) // the store's clock, by which snapshots age, is the real one
	if before := journalKeys(t, h.store); len(before) < 301 {
		t.Fatalf("%d entries are there", len(before))
	}
	for n := range 256 {
		flush(1000 + n)
	}
	after := journalKeys(t, h.store)
	if len(after) > 320 || !strings.HasSuffix(after[0], "/00000000000000000001") {
		t.Errorf("%d entries are there from %s on", len(after), after[0])
	}
	wantRows(t, readClicks(t, h.mustFollow()), all...)
	h.reopen()
	wantRows(t, readClicks(t, h.lake), all...)
}

// busyLog has more whenever it is read.
type busyLog struct {
	*eventlog.Log
	more func()
}

func (l busyLog) Read(ctx context.Context, log string, from uint64, maxBytes int) ([]eventlog.Entry, error) {
	l.more()
	return l.Log.Read(ctx, log, from, maxBytes)
}

// Who reads hears how far the lake is complete, and which hours are closed, under load too, when a flush takes more than there was as it began.
func TestCompleteUnderLoad(t *testing.T) {
	h := inStore(t)
	h.lake.Close()
	n := 0
	more := func() {
		n++
		h.append(click(h.clock.Wall(), n))
	}
	more()
	h.lake = h.openLake(busyLog{h.log, more})
	h.flush()
	reader := h.mustFollow()
	if slot, hour := testStart.Truncate(10*time.Minute), testStart.Truncate(time.Hour); !reader.CompleteTo().Equal(slot) || !reader.ClosedTo().Equal(hour) {
		t.Errorf("it is complete up to %s, and closed up to %s: want %s and %s", reader.CompleteTo(), reader.ClosedTo(), slot, hour)
	}
	if got := len(readClicks(t, reader)); got != 2 || n != 2 {
		t.Errorf("%d of %d rows are there: want 2", got, n)
	}
}

func readClicks(t *testing.T, l *lake.Lake) []string { return read(t, l, lake.Raw, "click") }

func journalKeys(t *testing.T, s *s3test.Server) []string {
	return slices.DeleteFunc(s.Keys(t), func(key string) bool { return !strings.Contains(key, "/_journal/") })
}

// An owner that was paused past its lease comes back: it reads what the next owner did, writes nothing, and takes nothing away
// from it, unless its lease is the newer one after all.
func TestAPausedOwnerComesBack(t *testing.T) {
	h := inStore(t)
	h.lake.Disown()
	one, other := h.lake, h.mustFollow()
	a, b, c := click(testStart, 1), click(testStart, 2), click(testStart, 3)
	mustOwn(t, one, h.log, 7)
	h.append(a)
	mustFlush(t, one)
	mustOwn(t, other, h.log, 9)
	h.append(b)
	mustFlush(t, other)
	wantRows(t, readClicks(t, one), a, b) // it does not go back
	h.append(c)
	for range 2 {
		if err := one.Flush(t.Context()); !errors.Is(err, lake.ErrFenced) {
			t.Errorf("the paused owner writes: %v", err)
		}
		if one.Err() != nil || !errors.Is(one.Trouble(), lake.ErrFenced) {
			t.Errorf("its door should be open and its trouble told: %v, %v", one.Err(), one.Trouble())
		}
	}
	mustFlush(t, other)
	wantRows(t, readClicks(t, one), a, b, c)
	one.Disown()
	mustOwn(t, one, h.log, 7) // it believes in its lease still
	h.append(click(testStart, 4))
	if err := other.Flush(t.Context()); !errors.Is(err, lake.ErrFenced) {
		t.Error(err)
	}
	mustFlush(t, other) // its lease is newer: it has taken the lake back
	wantRows(t, readClicks(t, other), a, b, c, click(testStart, 4))
}

func mustFlush(t *testing.T, l *lake.Lake) {
	t.Helper()
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Nodes take turns at random over a store that fails at random. Every acknowledged event is in every complete read, once
// and in order, and no read goes back.
func TestRandomOwnersAndFaults(t *testing.T) {
	h := inStore(t)
	h.lake.Disown()
	nodes := []*lake.Lake{h.lake, h.mustFollow(), h.mustFollow()}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var broken atomic.Int32
	var dice atomic.Uint64
	h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if x := rand.New(rand.NewPCG(seed, dice.Add(1))); x.Int32N(100) < broken.Load() {
			if x.IntN(2) == 0 {
				next.ServeHTTP(discard{}, r) // done, and the answer is lost
			}
			s3test.Gone(w, r, nil)
			return
		}
		next.ServeHTTP(w, r)
	})
	var all []event.Record
	lease, most := uint64(0), 0
	owner := 0
	for step := range 120 {
		switch random.IntN(8) {
		case 0:
			h.clock.advance(7 * time.Minute)
		case 1:
			broken.Store(random.Int32N(60))
		case 2: // another node has the lease; the one before knows, or was paused
			if random.IntN(2) == 0 {
				nodes[owner].Disown()
			}
			lease++
			owner = random.IntN(len(nodes))
			if err := nodes[owner].Own(t.Context(), h.log, lease); err != nil && !lake.Unavailable(err) && !errors.Is(err, lake.ErrFenced) {
				t.Fatal(err)
			}
		case 3, 4, 5:
			var group []event.Record
			for range 1 + random.IntN(5) {
				group = append(group, click(h.clock.Wall(), random.IntN(500)))
			}
			for _, r := range group {
				if !slices.ContainsFunc(all, func(o event.Record) bool { return o.Key == r.Key }) {
					all = append(all, r)
				}
			}
			h.append(group...)
		default:
			who := nodes[random.IntN(len(nodes))] // the owner, or one that takes itself for it
			for _, work := range []func() error{func() error { return who.Flush(t.Context()) }, func() error { return who.Compact(t.Context()) }} {
				if err := work(); err != nil && !lake.Unavailable(err) && !errors.Is(err, lake.ErrNotOwner) {
					t.Fatalf("step %d: %v", step, err)
				}
			}
		}
		if broken.Load() == 0 || random.IntN(4) == 0 {
			broken.Store(0)
			n := len(readClicks(t, nodes[random.IntN(len(nodes))]))
			if n < most {
				t.Fatalf("step %d: a read went back from %d rows to %d", step, most, n)
			}
			most = n
		}
	}
	broken.Store(0)
	mustOwn(t, nodes[owner], h.log, lease+1)
	mustFlush(t, nodes[owner])
	for i, l := range append(nodes, h.mustFollow()) {
		t.Run(fmt.Sprint("node ", i), func(t *testing.T) { wantRows(t, readClicks(t, l), all...) })
	}
	if err := nodes[owner].SweepStrays(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRows(t, readClicks(t, h.mustFollow()), all...)
}

// discard takes an answer that nobody gets.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
