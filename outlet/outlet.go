// Package outlet copies what the lake holds to databases of others, and takes away there what goes here.
//
// A [Follower] follows one dataset of a lake, hour by hour, with a position of its own: an hour is written once it is closed, and
// again whenever its files are others. Its documents have ids that begin with the hour, so that what the [Peer] holds of an hour
// can always be compared with what it should hold. All is found by comparing; the position only spares it. So a kill at any
// point, of either side, costs work and neither loses nor doubles a document.
//
// It imports event and lake. Files of the lake come in, documents go out through a Peer, which is one folder below this one.
package outlet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"brine/lake"
)

// Doc is one row of the lake as a document.
type Doc struct {
	ID     string // like sanitized:interaction:2026-11-21T13:1795268400000-0b7e9a4c-…; see [hour.prefix]
	Digest string // of Body
	Body   []byte // a JSON object
}

// Peer is a database of documents.
type Peer interface {
	// Open makes what is missing, and gives the name that the database was given when it was made. Another name than before
	// says that it is another database, or was emptied.
	Open(ctx context.Context) (instance string, err error)
	// Put makes documents be as they are given, whatever is there under their ids.
	Put(ctx context.Context, docs []Doc) error
	// IDs gives up to a number of ids that begin with a prefix, in the order of their bytes, from after one on, which need not be there ("": from
	// the first).
	IDs(ctx context.Context, prefix, after string, atMost int) ([]string, error)
	// Remove takes documents away by their ids. Those that are not there are no error.
	Remove(ctx context.Context, ids []string) error
	// Compact has the peer forget what was replaced or removed.
	Compact(ctx context.Context) error
	// Purges says whether what was removed leaves nothing at the peer but what its compaction takes.
	Purges() bool
}

// Follower keeps a peer as the lake is. All fields are needed but those with a default.
type Follower struct {
	Name    string           // of the outlet, like couchdb
	Dataset string           // that is copied: [lake.Sanitized] or [lake.Raw]
	Streams []string         // that are copied; default all
	Lake    *lake.Lake       //
	Peer    Peer             //
	Path    string           // file of the position; its folder is made
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: nothing is logged
	Every   time.Duration    // how often [Follower.Run] looks; default 5 s

	mu       sync.Mutex // guards what follows
	pos      *position
	saved    time.Time
	behind   []hour // that are not as they should be
	fault    error  // of the last step
	followed time.Time

	holds func() error    // see [Follower.Run]
	sure  bool            // the peer was looked through since Run began
	early map[string]bool // hours written since then, that are compared once more; nil: none are
	late  time.Time       // when
}

// Status is how far an outlet is.
type Status struct {
	Name    string     `json:"name"`
	Behind  int        `json:"behind"`           // hours of streams that the peer does not hold as the lake does
	Files   int        `json:"files"`            // of these hours
	Oldest  *time.Time `json:"oldest,omitempty"` // of these hours
	Lost    int        `json:"lost"`             // hours that were purged here before they were written there
	Removes bool       `json:"purges"`           // the peer forgets what is removed; else old revisions are its own matter
	Error   string     `json:"error,omitempty"`  // of the last try
}

// Status tells how far it is.
func (f *Follower) Status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := Status{Name: f.Name, Behind: len(f.behind), Removes: f.Peer.Purges()}
	for _, h := range f.behind {
		st.Files += len(h.files)
		if st.Oldest == nil || h.start.Before(*st.Oldest) {
			st.Oldest = &h.start
		}
	}
	if f.pos != nil {
		st.Lost = f.pos.Lost
	}
	if f.fault != nil {
		st.Error = f.fault.Error()
	}
	return st
}

// Err is why the peer is not being kept as the lake is, nil when it is.
func (f *Follower) Err() error {
	st := f.Status()
	if st.Error == "" {
		return nil
	}
	return fmt.Errorf("outlet %s is %d hours of streams behind: %s", st.Name, st.Behind, st.Error)
}

// Followed says whether all that the lake had lost by a time is removed at the peer too.
func (f *Follower) Followed(by time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.followed.After(by)
}

// The longest pauses of [Follower.Run].
const (
	every    = 5 * time.Second
	maxPause = 5 * time.Minute
)

// lateness is how long after its turn the peer may still hear a node that was paused: a request of its ends after a minute.
const lateness = 2 * time.Minute

// Run follows until the context ends. After a failure it waits ever longer, up to five minutes. holds says whether it is this node's turn, and
// is asked before each write; nil for a node that is alone.
func (f *Follower) Run(ctx context.Context, holds func() error) {
	every := cmp.Or(f.Every, every)
	pause, told := every, ""
	f.begin(holds)
	defer f.end()
	for ctx.Err() == nil {
		err := f.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause, told = every, ""
		default:
			pause = min(2*pause, maxPause)
			if err.Error() != told {
				f.logger().Error("an outlet does not get on: trying again", "outlet", f.Name, "err", err)
			}
			told = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// begin forgets what was known of the peer: another node may have written meanwhile, and may be heard late.
func (f *Follower) begin(holds func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds, f.sure, f.early = holds, false, nil
	if holds != nil {
		f.early, f.late = map[string]bool{}, f.now().Add(lateness)
	}
}

// end forgets what was behind: another node may follow, and knows.
func (f *Follower) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind, f.fault = nil, nil
}

// compareAgain has the hours compared once more that were written while the node before may have been heard.
func (f *Follower) compareAgain() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.early == nil || f.now().Before(f.late) {
		return
	}
	for key := range f.early {
		if f.pos.Hours[key] != "" {
			f.pos.Hours[key] = begun
		}
	}
	f.sure, f.early = false, nil
}

// mayWrite is nil while it is this node's turn.
func (f *Follower) mayWrite() error {
	if f.holds == nil {
		return nil
	}
	return f.holds()
}

func (f *Follower) logger() *slog.Logger {
	if f.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return f.Logger
}

func (f *Follower) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// Step makes the peer hold what the lake holds now: what went here goes first.
func (f *Follower) Step(ctx context.Context) error {
	began := f.now()
	err := f.step(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() == nil {
		f.fault = err
	}
	if err == nil {
		f.followed = began
	}
	return err
}

func (f *Follower) step(ctx context.Context) (err error) {
	if err := f.load(); err != nil {
		return err
	}
	f.compareAgain()
	held := f.holding()
	f.look(held)
	instance, err := f.Peer.Open(ctx)
	if err != nil {
		return err
	}
	if instance != f.pos.Instance {
		if f.pos.Instance != "" {
			f.logger().Warn("an outlet's database is not the one that it was: all is written anew", "outlet", f.Name)
		}
		f.mu.Lock()
		f.pos.Instance, f.pos.Hours = instance, map[string]string{}
		f.mu.Unlock()
		f.look(held)
		f.sure = false
	}
	defer func() { err = errors.Join(err, f.save()) }()
	if err := f.removeGone(ctx, held); err != nil {
		return err
	}
	if !f.sure {
		if err := f.removeUnknown(ctx, held); err != nil {
			return err
		}
		f.sure = len(held.unsure) == 0 // else their documents may be such soon
	}
	again, fresh := f.split()
	for _, h := range slices.Concat(again, fresh) {
		if err := f.write(ctx, h); err != nil {
			return fmt.Errorf("%s: %w", h.key(), err)
		}
	}
	return errors.Join(f.compact(ctx), held.err())
}

// look notes what is behind, and what went before it was written.
func (f *Follower) look(held holding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = nil
	for _, key := range f.pos.Waiting {
		if !held.has(key) && f.pos.Hours[key] == "" {
			f.pos.Lost++
			f.logger().Warn("an hour went from the lake before an outlet had it", "outlet", f.Name, "hour", key)
		}
	}
	f.pos.Waiting = slices.DeleteFunc(f.pos.Waiting, func(key string) bool { return !held.unsure[key] })
	for key := range held.unsure {
		if f.pos.Hours[key] != "" {
			f.pos.Hours[key] = begun // it may be made anew under the name that it had
		}
	}
	for key, h := range held.hours {
		if f.pos.Hours[key] != h.state() {
			f.behind = append(f.behind, h)
			if f.pos.Hours[key] == "" {
				f.pos.Waiting = append(f.pos.Waiting, key)
			}
		}
	}
	slices.Sort(f.pos.Waiting)
	slices.SortFunc(f.behind, compareHours)
}

// split gives the hours that are behind: those that were written before, and may hold what has gone here, and those that were not.
func (f *Follower) split() (again, fresh []hour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.behind {
		if f.pos.Hours[h.key()] != "" {
			again = append(again, h)
		} else {
			fresh = append(fresh, h)
		}
	}
	return again, fresh
}

// compact has the peer forget what was taken away since it last did.
func (f *Follower) compact(ctx context.Context) error {
	f.mu.Lock()
	dirty := f.pos.Dirty
	f.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := f.Peer.Compact(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pos.Dirty = false
	return nil
}
