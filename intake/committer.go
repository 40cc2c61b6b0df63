package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"brine/door"
)

// MaxGroup is the most bytes that one call of [Server.Append] gets: 4 MiB.
// What comes on top while a group is being written is refused at once.
const MaxGroup = 4 << 20

// yields is how often others may run before a group is taken: handlers that are ready join it
// rather than wait for the next. BenchmarkGroupCommit, 64 clients, events a group: 29 with
// none, 41 with 1, 47 with 4, 39 with 16. Over HTTP, with both cores busy, 0 to 4 differ by less
// than the noise.
const yields = 1

var (
	errGroupFull = errors.New("the group being gathered is full")
	errClosed    = errors.New("the door is closed")
)

// besides is how many bytes a group has at least that sets out while another is on the way: what is less waits for that one, or to
// become more. A small group costs a store nearly what a large one does: bench -only cluster, 256 connections, 4 groups at a time: a
// POST took 57 µs of CPU with 46 events a group, and 48 µs with 124.
const besides = 64 << 10

// patience is how long a little waits for a group on the way: one that hangs, as a store is gone, holds nobody up for longer.
const patience = 250 * time.Millisecond

// A committer makes records durable in groups. No timer lets groups grow: while one is being written the next gathers, so that they
// grow with the load and a lone event waits for nothing. Where several may be written at a time a group that has grown to besides
// does not wait either, and none waits beyond patience.
type committer struct {
	append func(ctx context.Context, group []byte) error
	atOnce int
	log    *slog.Logger
	stats  *Stats

	mu        sync.Mutex
	gathering *group
	writing   int       // groups that are being written
	began     time.Time // when the last of them set out
	spare     []byte    // the buffer of the group written last, to gather the next but one in
	closed    bool
	failing   bool // the last group written was not stored

	wake    chan struct{} // holds one item when a group may be ready, or the committer is closed
	writers sync.WaitGroup
}

// A group is what one call of append makes durable, and what its waiters wait for.
type group struct {
	records []byte
	done    chan struct{} // closed when err is set
	err     error
}

func newGroup(buf []byte) *group {
	return &group{records: buf[:0], done: make(chan struct{})}
}

// newCommitter has so many groups being written at once.
func newCommitter(append func(context.Context, []byte) error, atOnce int, log *slog.Logger, stats *Stats) *committer {
	c := &committer{
		append:    append,
		atOnce:    atOnce,
		log:       log,
		stats:     stats,
		gathering: newGroup(nil),
		wake:      make(chan struct{}, 1),
	}
	for range atOnce {
		c.writers.Go(c.run)
	}
	return c
}

// commit returns nil once the records are durable, all of them in one group. It waits also for
// a client that has left: append bounds the wait, and what is gathered is written in any case.
func (c *committer) commit(records []byte) error {
	g, err := c.gather(records)
	if err != nil {
		return err
	}
	<-g.done
	return g.err
}

// gather puts records into the next group. The caller may wait for it, or not.
func (c *committer) gather(records []byte) (*group, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.gathering
	switch {
	case c.closed:
		return nil, errClosed
	case len(g.records)+len(records) > MaxGroup:
		return nil, errGroupFull
	}
	first, before := len(g.records) == 0, c.ready()
	g.records = append(g.records, records...)
	switch {
	case !before && c.ready():
		c.signal()
	case first && c.atOnce > 1:
		time.AfterFunc(patience, c.signal)
	}
	return g, nil
}

// ready tells whether what is gathered may be written now. The caller holds mu.
func (c *committer) ready() bool {
	n := len(c.gathering.records)
	return n >= besides || n > 0 && (c.writing == 0 || c.closed || time.Since(c.began) >= patience)
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run writes one group after the other until the committer is closed and nothing is left.
func (c *committer) run() {
	for range c.wake {
		for range yields {
			runtime.Gosched()
		}
		g, closed := c.swap()
		if g != nil {
			g.err = c.write(g.records)
			c.note(g)
			close(g.done)
			c.release(g)
		}
		if closed {
			c.signal() // the next writer ends too
			return
		}
	}
}

// swap takes the group gathered so far and begins the next. It gives nil where none is ready.
func (c *committer) swap() (g *group, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready() {
		return nil, c.closed
	}
	g, c.gathering = c.gathering, newGroup(c.spare)
	c.spare = nil
	c.writing++
	c.began = time.Now()
	return g, c.closed
}

func (c *committer) release(g *group) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spare = g.records
	c.writing--
	if c.ready() {
		c.signal()
	}
}

// write calls append. A panic there must not end the process: the group counts as not stored.
func (c *committer) write(records []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("appending to the log: %w", door.PanicError(p))
		}
	}()
	return c.append(context.Background(), records)
}

// note counts a group and logs when writing begins to fail and when it works again, not each group.
func (c *committer) note(g *group) {
	failing := g.err != nil
	c.mu.Lock()
	wasFailing := c.failing
	c.failing = failing
	c.mu.Unlock()
	if failing {
		c.stats.groupsFailed.Add(1)
	} else {
		c.stats.groups.Add(1)
		c.stats.groupBytes.Add(uint64(len(g.records)))
	}
	switch {
	case failing && !wasFailing:
		c.log.Error("events cannot be stored; clients are told to come again", "err", g.err)
	case wasFailing && !failing:
		c.log.Info("events are stored again")
	}
}

// close refuses further records and returns when what was gathered is written.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.signal()
	c.mu.Unlock()
	c.writers.Wait()
}
