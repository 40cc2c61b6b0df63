package canary_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"brine/canary"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
)

// house is a log and a lake with canaries alone, and a node that watches them.
type house struct {
	tb    testing.TB
	log   *eventlog.Log
	lake  *lake.Lake
	watch *canary.Watch

	mu   sync.Mutex
	time time.Time
}

var quiet = slog.New(slog.DiscardHandler)

func openHouse(t *testing.T) *house {
	t.Helper()
	h := &house{tb: t, time: time.Now()}
	dir := t.TempDir()
	var err error
	if h.log, err = eventlog.Open(t.Context(), eventlog.Options{Dir: filepath.Join(dir, "log"), Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	if h.lake, err = lake.Open(t.Context(), lake.Options{Dir: filepath.Join(dir, "lake"), Tables: []lake.Table{canary.Table(), lake.QuarantineTable()}, Log: h.log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.lake.Close(); h.log.Close() })
	h.watch = h.newWatch()
	h.look()
	return h
}

func (h *house) newWatch() *canary.Watch {
	return &canary.Watch{Lake: h.lake, Patience: 5 * time.Minute, Now: h.now, Logger: quiet}
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.time
}

func (h *house) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.time = h.time.Add(d)
}

// take is what a node does with a group that reaches it.
func (h *house) take(ctx context.Context, group []byte) error {
	err := h.log.Append(ctx, group)
	if err == nil {
		h.watch.Taken(group)
	}
	return err
}

func (h *house) sender(name string, ahead time.Duration) *canary.Sender {
	return &canary.Sender{Name: name, Every: time.Minute, Append: h.take, Logger: quiet,
		Ahead: func() (time.Duration, bool) { return ahead, true }}
}

func (h *house) send(s *canary.Sender) {
	h.tb.Helper()
	_ = s.Send(h.tb.Context())
}

func (h *house) flush() {
	h.tb.Helper()
	if err := h.lake.Flush(h.tb.Context()); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) look() {
	h.tb.Helper()
	if err := h.watch.Look(h.tb.Context()); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) of(name string) canary.Status {
	h.tb.Helper()
	for _, c := range h.watch.Collectors() {
		if c.Collector == name {
			return c
		}
	}
	h.tb.Fatalf("no collector %s among %+v", name, h.watch.Collectors())
	return canary.Status{}
}

// A canary's travel time is from when it was taken until it is readable, and what the one before took to get there: a clock that is
// off by hours changes nothing of it, and is told.
func TestTravelTime(t *testing.T) {
	h := openHouse(t)
	web1 := h.sender("web1", -3*time.Hour)
	h.send(web1)
	if c := h.of("web1"); !c.Readable.IsZero() || c.Travel != 0 || !c.Taken.Equal(h.now()) {
		t.Errorf("before a flush: %+v", c)
	}
	h.advance(7 * time.Second)
	h.look()
	if c := h.of("web1"); !c.Readable.IsZero() {
		t.Errorf("what is not flushed counts as readable: %+v", c)
	}
	h.flush()
	h.look()
	c := h.of("web1")
	if !c.Readable.Equal(h.now()) || c.Travel != 7*time.Second || c.Ahead != -3*time.Hour || c.Missing {
		t.Errorf("after it: %+v", c)
	}
	h.advance(time.Minute)
	slow := web1.Append
	web1.Append = func(ctx context.Context, group []byte) error {
		time.Sleep(20 * time.Millisecond) // of a way that is slow: it is the machine's clock that has to tell it
		return slow(ctx, group)
	}
	h.send(web1)
	h.send(web1) // says how long the one before took
	h.flush()
	h.look()
	if c := h.of("web1"); c.Travel < 20*time.Millisecond {
		t.Errorf("the way is not in the travel time: %+v", c)
	}
	if err := web1.Err(); err == nil || !strings.Contains(err.Error(), "3h0m0s behind") {
		t.Errorf("the collector says of its clock: %v", err)
	}
}

// Nothing of a canary at rest is finer than ten minutes: beside the range of its file, a time would say when events of the same
// range came.
func TestNoFineTimeAtRest(t *testing.T) {
	h := openHouse(t)
	for range 3 {
		h.send(h.sender("web1", 0))
	}
	h.flush()
	rows := 0
	err := h.lake.Scan(t.Context(), lake.Query{Table: canary.Table(), To: 1 << 60}, func(r *lake.Rows) error {
		for i := range r.Len() {
			rows++
			row := string(r.AppendJSON(nil, i))
			if at := r.Key(i).Time; at != event.FloorMillis(at) || !strings.Contains(row, `"sent":`+strconv.FormatInt(at, 10)+`,`) {
				t.Errorf("the key is of %d, and the row %s", at, row)
			}
			if id := uuid.UUID(r.Key(i).ID); id.Version() != 4 {
				t.Errorf("the id %s is of version %d", id, id.Version())
			}
		}
		return nil
	})
	if err != nil || rows != 3 {
		t.Errorf("%v, %d rows", err, rows)
	}
}

// A collector that is silent is missing once the patience is over, is so after a restart of the watch too, and forgotten after a day.
func TestMissing(t *testing.T) {
	h := openHouse(t)
	web1, web2 := h.sender("web1", 0), h.sender("web2", 0)
	for range 4 {
		h.send(web1)
		h.send(web2)
		h.flush()
		h.look()
		h.advance(time.Minute)
	}
	h.watch = h.newWatch() // as after a restart
	h.look()
	for range 6 {
		h.send(web1)
		h.flush()
		h.look()
		h.advance(time.Minute)
	}
	if err := h.watch.Err(); err == nil || !strings.Contains(err.Error(), "web2") || strings.Contains(err.Error(), "web1") {
		t.Errorf("of a collector that is silent: %v", err)
	}
	h.send(web2)
	h.flush()
	h.look()
	if err := h.watch.Err(); err != nil {
		t.Errorf("of one that sends again: %v", err)
	}
	h.advance(25 * time.Hour)
	h.look()
	if all := h.watch.Collectors(); len(all) != 0 {
		t.Errorf("after a day of silence: %+v", all)
	}
}

// What is taken and never becomes readable is missing, as it should be.
func TestTakenAndNotReadable(t *testing.T) {
	h := openHouse(t)
	web1 := h.sender("web1", 0)
	for range 7 {
		h.send(web1)
		h.look()
		h.advance(time.Minute)
	}
	if c := h.of("web1"); !c.Missing {
		t.Errorf("%+v", c)
	}
}

// Of a collector that ends nothing is missing; one that is there again counts again.
func TestBye(t *testing.T) {
	h := openHouse(t)
	var sent [][]byte
	synctest.Test(t, func(t *testing.T) {
		s := &canary.Sender{Name: "web1", Every: time.Minute, Bye: true, Logger: quiet,
			Append: func(_ context.Context, group []byte) error { sent = append(sent, group); return nil }}
		ctx, end := context.WithTimeout(t.Context(), 150*time.Second)
		defer end()
		s.Run(ctx)
	})
	if len(sent) != 3 {
		t.Fatalf("%d canaries in two and a half minutes and at the end, want 3", len(sent))
	}
	for _, group := range sent[:2] {
		if err := h.take(t.Context(), group); err != nil {
			t.Fatal(err)
		}
	}
	h.flush()
	h.look()
	h.of("web1")
	if err := h.take(t.Context(), sent[2]); err != nil {
		t.Fatal(err)
	}
	h.flush()
	h.look()
	if all := h.watch.Collectors(); len(all) != 0 {
		t.Errorf("after its end: %+v", all)
	}
	h.send(h.sender("web1", 0))
	h.flush()
	h.look()
	h.of("web1")
}

// A canary that is not stored is told, and the next one that is ends it.
func TestNotStored(t *testing.T) {
	var fail error
	s := &canary.Sender{Name: "web1", Logger: quiet, Append: func(context.Context, []byte) error { return fail }}
	fail = errors.New("no store")
	if err := s.Send(t.Context()); err == nil || !strings.Contains(err.Error(), "no store") {
		t.Error(err)
	}
	fail = nil
	if err := s.Send(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whoever has a collector's token makes no more labels than there may be, and none that is no name.
func TestNames(t *testing.T) {
	h := openHouse(t)
	for i := range 100 {
		h.send(h.sender("web"+strconv.Itoa(i), 0))
	}
	for _, name := range []string{"", "Web", "a b", strings.Repeat("x", 65), `x"} 1`} {
		h.send(h.sender(name, 0))
	}
	h.flush()
	h.look()
	all := h.watch.Collectors()
	if len(all) != 64 {
		t.Errorf("%d collectors", len(all))
	}
	for _, c := range all {
		if !strings.HasPrefix(c.Collector, "web") || c.Readable.IsZero() {
			t.Errorf("%+v", c)
		}
	}
}

// Those that leave at once keep no other from being told, however many they are.
func TestNamesThatLeave(t *testing.T) {
	h := openHouse(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, reads := range []bool{false, true} { // all are taken here; then by another node
		take := h.take
		if reads {
			take = h.log.Append
		}
		for i := range 100 {
			s := h.sender("web"+strconv.Itoa(i), 0)
			s.Append, s.Bye = take, true
			h.send(s)
			s.Run(gone)
		}
		h.send(h.sender("steady", 0))
		h.of("steady")
		h.flush()
		h.look()
		if all := h.watch.Collectors(); len(all) != 1 || all[0].Readable.IsZero() {
			t.Errorf("%+v", all)
		}
		h.watch = h.newWatch()
		h.look()
	}
}
