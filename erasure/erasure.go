// Package erasure takes the events of one install out of everything that is kept: whoever holds an
// install id may have it forgotten.
//
// A request comes in ([Erasures.Accept]) and is durable when that returns: one work file, which holds
// the id until all is done. Passes over the files of all streams that have a unit take the rows out,
// many requests at a time: of raw by the id, of sanitized by the pseudonym that the hour's salt makes
// of it, of quarantine by the line. A receipt goes out, which says what was removed and what is out of
// reach, and never holds the id. Rejected events keep shapes and no values, so there is nothing to take.
//
//	accepted → removed from files → complete
//
// A request is complete when no log is left that could hold what was acknowledged before the files
// were rewritten, and no file or read that could still show it. Before that a last pass takes out what has
// arrived meanwhile. Passes find what they are to do in the files alone, so that a crash at any point costs
// only the work of that pass.
//
// The id is in the work file, in memory, and in Go functions that DuckDB calls: in no query, error, log
// line or receipt. It imports event, eventlog, lake with lake/duck, salt and sanitize.
package erasure

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"brine/event"
	"brine/lake"
	"brine/salt"
)

// Options say what is erased from, and where requests and receipts lie. All but those with a default are needed.
type Options struct {
	Dir      string                                                         // folder of the work files, 0700
	Receipts string                                                         // folder of receipts, 0700
	Lake     *lake.Lake                                                     //
	Log      lake.Log                                                       //
	Streams  map[string]*event.Stream                                       // by name
	Salts    func(hour time.Time) (*salt.Salt, error)                       // of an hour; see [salt.Folder.For]
	Redo     func(ctx context.Context, stream string, hour time.Time) error // sanitizes an hour anew from its raw events; default: it cannot be done
	Now      func() time.Time                                               // default time.Now
	Complete func(Receipt)                                                  // told of each receipt that is complete, once or, after a crash, again; default: nobody is
	Copies   func(removed time.Time) []Copy                                 // how the copies of others stand, of what was removed by then; default: there are none
	Held     func() bool                                                    // whether a copy is being made that may hold what was in files before; default: none is
	Logger   *slog.Logger                                                   // default: nothing is logged
	Point    func(string)                                                   // called at each named step, so that tests can end the process there; default: nothing
	Shared   bool                                                           // other nodes have the same requests, see [Erasures.Done]; default false
	Plain    bool                                                           // files without compression, for tests that search their bytes
	Places   int                                                            // for requests that wait; default 20,000
}

// The bounds of what waits.
const (
	MaxUnit  = 10 << 10 // bytes of an install id: no event is larger
	places   = 20_000
	maxBytes = 32 << 20 // of the ids of all requests together
)

// The errors of [Erasures.Accept] that the caller is to blame for, or has to wait for.
var (
	ErrUnit = fmt.Errorf("an install id is text of 1 to %d bytes", MaxUnit)
	ErrFull = errors.New("too many erasures are waiting: try again later")
)

// Erasures are all requests that are not complete. Its methods may be called from any goroutine.
type Erasures struct {
	o      Options
	files  *workFiles
	broken error // work files that cannot be read

	stepping sync.Mutex // one pass at a time
	wake     chan struct{}

	mu       sync.Mutex // guards what follows
	requests map[string]*request
	fresh    map[string]*request // those that are only accepted, by id
	bytes    int                 // of all ids
	done     map[string]Receipt  // complete, and other nodes may not know it
	fault    error               // of the last pass
}

// Open reads the work files that are there, which a crash may have left.
func Open(o Options) (*Erasures, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Held == nil {
		o.Held = func() bool { return false }
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	if o.Places == 0 {
		o.Places = places
	}
	e := &Erasures{o: o, files: &workFiles{dir: o.Dir, now: o.Now}, wake: make(chan struct{}, 1),
		requests: map[string]*request{}, fresh: map[string]*request{}, done: map[string]Receipt{}}
	all, broken, err := e.files.open()
	if err != nil {
		return nil, fmt.Errorf("open the erasures: %w", err)
	}
	if e.broken = broken; broken != nil {
		e.o.Logger.Error("requests to erase cannot be read", "err", broken)
	}
	for _, r := range all {
		e.add(r)
	}
	return e, nil
}

func (e *Erasures) add(r *request) {
	e.requests[r.Receipt.Number] = r
	e.bytes += len(r.Unit)
	if r.Receipt.State == Accepted {
		e.fresh[r.Unit] = r
	}
}

func isUnit(unit string) bool { return unit != "" && len(unit) <= MaxUnit && utf8.ValidString(unit) }

// Accept makes a request durable and gives the number of its receipt. One that waits already for the
// same id is the same request; where nodes share requests, only within a second. quiet is one of the public door: it leaves a receipt only where
// something was found. So one that is not is never the same as a quiet one: somebody waits for its receipt.
// The errors are [ErrUnit], [ErrFull] and those of the disk; none holds the id.
func (e *Erasures) Accept(unit string, quiet bool) (number string, err error) {
	if !isUnit(unit) {
		return "", ErrUnit
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.fresh[unit]; r != nil && (quiet || !r.Quiet) && (!e.o.Shared || e.o.Now().Sub(r.came) < soon) { // where nodes share it may be done by now, and not known here
		return r.Receipt.Number, nil
	}
	if e.full(unit) {
		return "", ErrFull
	}
	r := newRequest(unit, quiet, e.o.Now())
	if err := e.files.save(r); err != nil {
		return "", fmt.Errorf("keep a request to erase: %w", err)
	}
	e.o.Point("accepted")
	e.add(r)
	select {
	case e.wake <- struct{}{}:
	default:
	}
	return r.Receipt.Number, nil
}

// full says whether there is no place for one more.
func (e *Erasures) full(unit string) bool {
	return len(e.requests) >= e.o.Places || e.bytes+len(unit) > maxBytes
}

// crowded says whether places are taken that requests should come into.
func (e *Erasures) crowded() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.requests) > e.o.Places/2 || e.bytes > maxBytes/2
}

// Status counts the requests that are not complete.
type Status struct {
	Accepted int    `json:"accepted"` // nothing is removed yet
	Removed  int    `json:"removed"`  // removed from files; the log and readers are waited for
	Error    string `json:"error,omitempty"`
}

// Status is how the requests stand.
func (e *Erasures) Status() (st Status) {
	e.mu.Lock()
	defer e.mu.Unlock()
	st = count(slices.Collect(maps.Values(e.requests)))
	if err := errors.Join(e.broken, e.fault); err != nil {
		st.Error = err.Error()
	}
	return st
}

func count(requests []*request) (st Status) {
	for _, r := range requests {
		if r.Receipt.State == Accepted {
			st.Accepted++
		} else {
			st.Removed++
		}
	}
	return st
}

// How often [Erasures.Run] looks: soon after a request, so that those of a while share a pass, and
// else now and again for what is waited for.
const (
	soon     = time.Second
	nowAgain = time.Minute
)

// Run works until the context ends. A pass that took long is followed by a longer pause, of a minute at most.
func (e *Erasures) Run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		if err := e.Step(ctx); err != nil && ctx.Err() == nil {
			e.o.Logger.Error("an erasure is not done: trying again", "err", err)
		}
		e.rest(ctx, min(nowAgain, max(soon, 5*time.Since(began))))
	}
}

// rest waits for the next request or a minute, and then for others that may join it.
func (e *Erasures) rest(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(nowAgain):
		return
	case <-e.wake:
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// Step does what can be done now: it ends reads that keep erased rows open for too long, completes
// what is waited for no longer, and takes the rows of new requests out of all files.
func (e *Erasures) Step(ctx context.Context) error {
	e.stepping.Lock()
	defer e.stepping.Unlock()
	err := e.complete()
	if batch := e.due(); err == nil && len(batch) > 0 {
		err = e.pass(ctx, batch)
	}
	if err == nil {
		err = e.makeRoom()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault = err; ctx.Err() != nil {
		e.fault = nil
	}
	return err
}

// Again takes out what came in since the last pass, of all requests: a copy that is made then holds none of it. They wait on as they did.
func (e *Erasures) Again(ctx context.Context) error {
	e.stepping.Lock()
	defer e.stepping.Unlock()
	e.mu.Lock()
	var batch []*request
	for _, number := range slices.Sorted(maps.Keys(e.requests)) {
		if r := e.requests[number]; !r.Last {
			batch = append(batch, r)
		}
	}
	e.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	return e.pass(ctx, batch)
}

// due are the requests for which a pass is to be made: new ones, and those whose logs are gone.
func (e *Erasures) due() (batch []*request) {
	left := e.logs()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, number := range slices.Sorted(maps.Keys(e.requests)) {
		if r := e.requests[number]; r.Receipt.State == Accepted || !r.Last && !r.waitsFor(left) {
			batch = append(batch, r)
		}
	}
	return batch
}

// logs are the names of the logs that are on disk.
func (e *Erasures) logs() (names []string) {
	for _, info := range e.o.Log.Logs() {
		names = append(names, info.Name)
	}
	return names
}

// maxRead is how long a read may go on that began before the rows were taken out.
const maxRead = 10 * time.Minute

// elsewhere is for how long after the last pass another node may still read, or have a copy of, a file that has the rows: this one's reads
// keep it in the store for maxRead at most, and theirs, which end by themselves, go on for as long after that.
const elsewhere = 2*maxRead + time.Minute

// complete ends the requests that wait for nothing any more.
func (e *Erasures) complete() error {
	covered, now := e.o.Lake.Covered(), e.o.Now()
	e.mu.Lock()
	all := slices.Collect(maps.Values(e.requests))
	e.mu.Unlock()
	for _, r := range all {
		if e.o.Shared && r.Last && r.removed.IsZero() { // another node made the last pass: what it left is still there
			r.covered, r.removed = covered, now
		}
		if !r.removed.IsZero() && now.Sub(r.removed) > maxRead {
			e.o.Lake.EndReads(r.removed)
		}
		waits := e.o.Shared && now.Sub(r.removed) <= elsewhere
		if r.Last && !waits && !r.held(covered) && !e.o.Lake.ReadsBefore(r.removed) && !e.o.Held() {
			if err := e.finish(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeRoom ends requests of the public door whose ids were looked for and found nowhere, once half of the places are taken: what somebody
// makes up must not keep others out until the day's log is gone. Those that were looked for last stay: what is on its way may
// still come, and the last pass is for that.
func (e *Erasures) makeRoom() error {
	if !e.crowded() {
		return nil
	}
	e.mu.Lock()
	empty := slices.SortedFunc(maps.Values(e.requests), func(a, b *request) int { return a.removed.Compare(b.removed) })
	e.mu.Unlock()
	empty = slices.DeleteFunc(empty, func(r *request) bool {
		return !r.Quiet || r.Receipt.State == Accepted || len(r.Receipt.Removed) > 0
	})
	for _, r := range empty {
		if !e.crowded() {
			break
		}
		if err := e.finish(r); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the receipt, and only then forgets the id.
func (e *Erasures) finish(r *request) error {
	receipt := r.Receipt
	receipt.complete(e.o.Now())
	if e.o.Copies != nil {
		receipt.Outlets = e.o.Copies(r.removed)
	}
	if !r.Quiet || len(receipt.Removed) > 0 {
		if err := writeReceipt(e.o.Dir, e.o.Receipts, receipt, e.o.Now()); err != nil {
			return fmt.Errorf("write the receipt of an erasure: %w", err)
		}
		if e.o.Complete != nil {
			e.o.Complete(receipt)
		}
	}
	e.o.Point("receipt-written")
	if err := e.files.remove(r); err != nil {
		return fmt.Errorf("remove the work file of an erasure: %w", err)
	}
	e.o.Point("work-file-removed")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(r)
	if e.o.Shared {
		e.done[r.Receipt.Number] = receipt
	}
	return nil
}

// Receipt is how a request stands, or stood at its end.
func (e *Erasures) Receipt(number string) (Receipt, error) {
	e.mu.Lock()
	r := e.requests[number]
	if r != nil {
		defer e.mu.Unlock()
		return r.Receipt, nil // a pass makes it anew, and changes nothing in it
	}
	e.mu.Unlock()
	return ReadReceipt(e.o.Dir, e.o.Receipts, number)
}
