package canary

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"brine/lake"
)

// Watch knows of each collector when its canaries became readable here. Its fields are set before use.
type Watch struct {
	Lake     *lake.Lake
	Patience time.Duration    // without a readable canary of a collector before it counts as missing
	Now      func() time.Time // default time.Now
	Logger   *slog.Logger

	looking sync.Mutex // one look at a time

	mu         sync.Mutex              // guards what follows
	pending    map[uuid.UUID]time.Time // when canaries were taken here that are not readable yet
	names      []lake.Name             // of the files that were read last
	known      map[uuid.UUID]bool      // the canaries in them
	looked     bool
	collectors map[string]*collector
	told       string // of Run, the last problem in the log
}

// collector is one that sends canaries.
type collector struct {
	since    time.Time // when it was heard of
	taken    time.Time // when this node took its last one; zero for none
	readable time.Time // when its last one was seen first among what can be read; zero for those that were there at the start
	travel   time.Duration
	ahead    *int64
	way      *int64
}

// These bound what a collector that lies can do: its names are labels of metrics.
const (
	mostCollectors = 64
	mostPending    = 1024
)

// forgetAfter is how long a collector is told to be missing.
const forgetAfter = 24 * time.Hour

// lookEvery is how exact travel times are.
const lookEvery = 2 * time.Second

// Taken is told of each group that was made durable here; what is no canary costs nothing.
func (w *Watch) Taken(group []byte) {
	id, r, ok := parseGroup(group)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Leaving { // its name may go to another at once
		delete(w.collectors, r.Collector)
		return
	}
	c := w.collector(r.Collector)
	if c == nil || len(w.pending) >= mostPending {
		return
	}
	if w.pending == nil {
		w.pending = map[uuid.UUID]time.Time{}
	}
	c.taken, c.way, c.ahead = w.now(), r.Way, r.Ahead
	w.pending[id] = c.taken
}

// collector finds one by its name, or makes it; nil where there are too many.
func (w *Watch) collector(name string) *collector {
	if c := w.collectors[name]; c != nil {
		return c
	}
	if len(w.collectors) >= mostCollectors {
		return nil
	}
	if w.collectors == nil {
		w.collectors = map[string]*collector{}
	}
	c := &collector{since: w.now()}
	w.collectors[name] = c
	return c
}

func (w *Watch) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

// Run looks until the context ends.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		err := w.Look(ctx)
		if ctx.Err() != nil {
			return
		}
		w.tell(err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// tell logs what changed.
func (w *Watch) tell(err error) {
	if err == nil {
		err = w.Err()
	}
	now := ""
	if err != nil {
		now = err.Error()
	}
	if now != w.told && now != "" {
		w.Logger.Warn("canaries", "problem", now)
	}
	w.told = now
}

// Look takes up the canaries that can be read now. They are told apart by the hours of the log, so that the collectors' clocks
// have no say.
func (w *Watch) Look(ctx context.Context) error {
	files := newest(w.Lake.List(lake.Canary, Stream))
	names := make([]lake.Name, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	w.looking.Lock()
	defer w.looking.Unlock()
	w.mu.Lock()
	w.forget()
	same := w.looked && slices.Equal(names, w.names)
	w.mu.Unlock()
	if same {
		return nil
	}
	rows, err := w.read(ctx, files)
	if err != nil {
		return fmt.Errorf("canaries cannot be read: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take(rows)
	w.names, w.looked = names, true
	return nil
}

// newest are the files of the last two hours of which there are some: no canary is on the way for longer.
func newest(files []lake.File) []lake.File {
	if len(files) == 0 {
		return nil
	}
	from := files[len(files)-1].Hour.Add(-time.Hour)
	return files[slices.IndexFunc(files, func(f lake.File) bool { return !f.Hour.Before(from) }):]
}

func (w *Watch) read(ctx context.Context, files []lake.File) (map[uuid.UUID]row, error) {
	rows := map[uuid.UUID]row{}
	var text []byte
	err := w.Lake.Rows(ctx, Table(), files, func(all *lake.Rows) error {
		for i := range all.Len() {
			text = all.AppendJSON(text[:0], i)
			if r, err := parseRow(text); err == nil {
				rows[all.Key(i).ID] = r
			}
		}
		return nil
	})
	return rows, err
}

// take notes the canaries that were not readable before; w.mu is held. Those that were there at the start tell only whose they are.
func (w *Watch) take(rows map[uuid.UUID]row) {
	now, left := w.now(), map[string]bool{}
	for id, r := range rows {
		if r.Leaving && !w.known[id] {
			left[r.Collector] = true
			delete(w.collectors, r.Collector)
		}
	}
	known := make(map[uuid.UUID]bool, len(rows))
	for id, r := range rows {
		known[id] = true
		taken, here := w.pending[id]
		delete(w.pending, id)
		if w.known[id] || left[r.Collector] {
			continue
		}
		c := w.collector(r.Collector)
		if c == nil {
			continue
		}
		if w.looked {
			c.readable, c.ahead = now, r.Ahead
		}
		if here {
			c.readable, c.travel = now, now.Sub(taken)+orZero(c.way)
		}
	}
	w.known = known
}

// forget drops what has been waited for long enough; w.mu is held.
func (w *Watch) forget() {
	now := w.now()
	maps.DeleteFunc(w.collectors, func(_ string, c *collector) bool { return now.Sub(c.last()) > forgetAfter })
	maps.DeleteFunc(w.pending, func(_ uuid.UUID, taken time.Time) bool { return now.Sub(taken) > forgetAfter })
}

// last is since when a canary of it is waited for.
func (c *collector) last() time.Time {
	if c.readable.After(c.since) {
		return c.readable
	}
	return c.since
}

// Status is how the canaries of a collector stand, by the clock of who tells it.
type Status struct {
	Collector string        `json:"collector"`
	Taken     time.Time     `json:"taken,omitzero"`      // when this node took the last one
	Readable  time.Time     `json:"readable,omitzero"`   // when the last one could first be read here
	Travel    time.Duration `json:"travel_ns,omitempty"` // that it took to there, from when it was sent; 0 where another node took it
	Ahead     time.Duration `json:"ahead_ns,omitempty"`  // of the collector's clock; below 0 it is behind
	Missing   bool          `json:"missing,omitempty"`   // none could be read for longer than the patience
}

// Collectors tells how each stands, by name.
func (w *Watch) Collectors() []Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, all := w.now(), []Status{}
	for _, name := range slices.Sorted(maps.Keys(w.collectors)) {
		c := w.collectors[name]
		all = append(all, Status{name, c.taken, c.readable, c.travel, orZero(c.ahead), now.Sub(c.last()) > w.Patience})
	}
	return all
}

// Err names the collectors whose canaries are missing.
func (w *Watch) Err() error {
	var missing []string
	for _, c := range w.Collectors() {
		if c.Missing {
			missing = append(missing, c.Collector)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("for over %s no canary could be read of %s: is it down, or what it sends on the way?", w.Patience, strings.Join(missing, ", "))
}
