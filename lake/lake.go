// Package lake holds events at rest: Parquet files in Hive-style folders, whose names say what
// they hold and whose marks say which are committed.
//
// Events come in from the log ([Lake.Flush]) or from an import ([Lake.Import]), are stored once,
// lie ordered by (event time, id), are compacted when their hour is closed, and go out by ranges
// of event time ([Lake.Scan]). One process at a time owns a lake and writes it ([Lake.Own]). In an object store
// (lake/store) a journal takes the place of the marks: journal.go says why. It imports event and eventlog, and runs
// DuckDB through lake/duck.
package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake/duck"
	"brine/lake/store"
)

// Table is one stream of one dataset, as it is stored. Its rows are ordered by (Time, ID).
type Table struct {
	Dataset, Stream string
	Columns         []event.Column
	Time, ID        string // the columns of the key: ms since the epoch (BIGINT), and a UUID
	keyed           bool   // these are [duck.KeyColumns], stored in front of Columns
}

// NewTable makes a table. Where time and id are not columns that hold a row's key as it is, an
// Int64 and a UUID at the top level, the key is stored in columns of its own.
func NewTable(dataset, stream string, columns []event.Column, time, id string) Table {
	t := Table{Dataset: dataset, Stream: stream, Columns: columns, Time: time, ID: id}
	has := func(name string, kind event.Kind) bool {
		return slices.ContainsFunc(columns, func(c event.Column) bool { return c.Name == name && c.Kind == kind })
	}
	if !has(time, event.Int64) || !has(id, event.UUID) {
		t.Time, t.ID, t.keyed = duck.KeyColumns[0].Name, duck.KeyColumns[1].Name, true
	}
	return t
}

// Options say where a lake is and how it is kept. Only Tables and Dir or Store are needed.
type Options struct {
	Dir        string                   // the lake's folder
	Store      *store.Bucket            // where the lake lies instead of in Dir; closed with it
	CacheDir   string                   // of a lake in Store: where copies lie of what is in use
	CacheBytes int64                    // how many bytes these take at most; default 1 GB
	Temp       string                   // a folder for spilling; "" forbids it
	Tables     []Table                  // all streams of all datasets it may hold
	ID         string                   // that a lake in Store must have, see [Lake.ID]; "" for any
	Wait       bool                     // Open also where the object store cannot be reached: see [Lake.Unknown], and [Lake.Own] of who has a Log
	Log        Log                      // where events come from, for a lake that is owned from the start; nil for one that is read, or see [Lake.Own]
	FlushEvery time.Duration            // default 5 s
	FlushBytes int                      // bytes of the log that are flushed at once; default 32 MB
	Memory     int64                    // bytes DuckDB may use; default 192 MB
	Now        func() time.Time         // default time.Now
	Logger     *slog.Logger             // default: nothing is logged
	Point      func(string)             // called at each named step of a write, so that tests can end the process there; default: nothing
	RetryPause time.Duration            // the longest pause after a failed flush; default 2 s
	Flushed    func(took time.Duration) // told of each flush of a log that was not empty; default: nothing
}

func (o *Options) defaults() {
	if o.FlushEvery == 0 {
		o.FlushEvery = 5 * time.Second
	}
	if o.FlushBytes == 0 {
		o.FlushBytes = 32 << 20
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 30
	}
	if o.Memory == 0 {
		o.Memory = 192 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Point == nil {
		o.Point = func(string) {}
	}
	if o.Flushed == nil {
		o.Flushed = func(time.Duration) {}
	}
	if o.RetryPause == 0 {
		o.RetryPause = 2 * time.Second
	}
}

// Lake is the events at rest. Its methods may be called from any goroutine.
type Lake struct {
	opts   Options
	disk   *disk    // where files are written
	place  place    // where they lie
	db     *duck.DB // for reading
	writer *duck.DB // for flush, compaction and import
	tables map[tableKey]Table
	log    *slog.Logger

	mu           sync.Mutex // guards what follows
	from         Log        // nil where another process owns the lake
	lease        uint64     // what the ownership rests on
	epoch        uint64     // of the ownership, as names bear it
	cat          *catalogue
	coveredSince map[Name]time.Time
	completeTo   time.Time
	closedTo     time.Time // hours before this one are closed
	fault        error     // why the last flush failed
	reads        reads
	metas        map[Name]map[string]string // of footers; see [Rewriter.Meta]
	closed       bool

	users sync.WaitGroup // reads and writes under way

	unflushed atomic.Int64  // bytes of the log since the last flush began
	full      chan struct{} // there is enough for a flush

	rewrites hourQueue

	footers sync.Mutex // footers are read by one goroutine at a time
	writing sync.Mutex // flush and import add events one after the other, so that each is stored once
	seen    *seen
	flusher *duck.Conn              // of the writer, used while writing is held
	feeds   map[tableKey]*duck.Feed // by table, as their memory is used again
	trimmed time.Time               // when a log was last trimmed that held more than was flushed
	failed  *batch                  // a write that failed and has not been taken back yet
	waiting map[string]time.Time    // since when what is in a log waits until there is more of it; see [Lake.waits]

	stop      context.CancelFunc // ends following; nil for a folder
	goneSince time.Time          // since when a read holds copies of files that are gone; guarded by mu
	trouble   error              // why the object store cannot be used; guarded by mu
	unknown   error              // why it was not known from the start what there is; nil once it is; guarded by mu
}

type tableKey struct{ dataset, stream string }

// Open reads the lake's folder. With a log it is the lake's owner; see [Lake.Own].
func Open(ctx context.Context, o Options) (*Lake, error) {
	o.defaults()
	l := &Lake{opts: o, log: o.Logger, tables: map[tableKey]Table{}, coveredSince: map[Name]time.Time{},
		seen: newSeen(), feeds: map[tableKey]*duck.Feed{}, waiting: map[string]time.Time{},
		reads: reads{}, metas: map[Name]map[string]string{}, rewrites: hourQueue{held: map[hourKey]chan struct{}{}}, full: make(chan struct{}, 1)}
	for _, t := range o.Tables {
		l.tables[tableKey{t.Dataset, t.Stream}] = t
	}
	err := l.findPlace()
	if err != nil {
		return nil, fmt.Errorf("open the lake: %w", err)
	}
	engine := duck.Options{Memory: o.Memory, Temp: o.Temp, Folders: []string{l.disk.root}}
	if l.db, err = duck.Open(engine); err != nil {
		return nil, err
	}
	engine.Threads = 1 // with two, COPY took at times twice the processor for the same time
	if l.writer, err = duck.Open(engine); err != nil {
		return nil, err
	}
	if l.flusher, err = l.writer.Conn(); err != nil {
		return nil, err
	}
	if err := l.begin(ctx); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the lake: %w", err)
	}
	l.sync()
	if _, ok := l.place.(*remote); ok {
		following, stop := context.WithCancel(context.WithoutCancel(ctx))
		l.stop = stop
		l.users.Go(func() { l.follow(following) })
	}
	if o.Log == nil {
		l.cat.logFaults(l.log)
	}
	return l, nil
}

// patience is how long Open tries to reach an object store before it goes on without.
const patience = 10 * time.Second

// begin owns the lake, or looks at it.
func (l *Lake) begin(ctx context.Context) (err error) {
	first := ctx
	if l.opts.Wait {
		var cancel context.CancelFunc
		first, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if l.opts.Log != nil {
		err = l.Own(first, l.opts.Log, 0)
	} else {
		l.cat, err = l.place.look(first)
	}
	if !l.opts.Wait || !Unavailable(err) || ctx.Err() != nil {
		return err
	}
	l.cat, l.trouble = l.place.current(), err
	l.unknown = fmt.Errorf("it is not known yet what the lake holds: %w", err)
	l.log.Error("the lake cannot be reached: events wait in the log, reads are refused, and it is tried again", "err", err)
	return nil
}

// Unknown is why nothing is known of what the lake holds: its object store was not reached since the start. Then what is asked
// without a query, as [Lake.List], says that there is nothing. It is nil once the store was reached.
func (l *Lake) Unknown() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unknown
}

// ErrClosed is a use of a lake after Close.
var ErrClosed = errors.New("the lake is closed")

// Close ends the use of the lake, after the reads and writes under way. What was not flushed stays in the log.
func (l *Lake) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if l.stop != nil {
		l.stop()
	}
	l.users.Wait()
	l.flusher.Close()
	l.writer.Close()
	l.db.Close()
	if err := l.place.close(); err != nil {
		l.log.Error("cannot remove what the lake has copied", "err", err)
	}
}

// findPlace finds where files lie and where they are written: for an object store the latter is the folder of its cache.
func (l *Lake) findPlace() error {
	o := l.opts
	l.disk = &disk{root: o.Dir, now: o.Now, point: o.Point}
	l.place = folder{l.disk}
	if o.Store == nil {
		return nil
	}
	cache, err := store.OpenCache(o.CacheDir, o.CacheBytes)
	if err != nil {
		return err
	}
	l.disk.root = cache.Dir()
	r := newRemote(o.Store, cache, l.disk, o)
	r.damaged = func(n Name) { l.leaveOut(Fault{n.String(), damagedObject}) }
	l.place = r
	return nil
}

// enter begins a use of the lake; the caller calls leave at its end.
func (l *Lake) enter() (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	l.users.Add(1)
	return l.users.Done, nil
}

// readConn is a connection for one read.
func (l *Lake) readConn() (conn *duck.Conn, done func(), err error) {
	leave, err := l.enter()
	if err != nil {
		return nil, nil, err
	}
	if conn, err = l.db.Conn(); err != nil {
		leave()
		return nil, nil, err
	}
	return conn, func() { conn.Close(); leave() }, nil
}

// Run flushes and compacts until the context ends, and then flushes once more, but where nodes take turns: there the next owner has
// what is left. A flush that
// fails is tried again; meanwhile [Lake.Err] says why.
func (l *Lake) Run(ctx context.Context) error {
	var rounds sync.WaitGroup
	rounds.Go(func() { l.every(ctx, "compact closed hours", l.opts.FlushEvery, nil, l.Compact) })
	soon := make(chan struct{}, 1)
	after := time.AfterFunc(straysSoon, func() { soon <- struct{}{} })
	defer after.Stop()
	rounds.Go(func() { l.every(ctx, "remove what was never committed", straysEvery, soon, l.sweepStrays) })
	select { // the first at once: it tells which hours are closed
	case l.full <- struct{}{}:
	default:
	}
	l.every(ctx, "flush the log into the lake", l.opts.FlushEvery, l.full, l.flushDue)
	rounds.Wait()
	if l.leased() {
		return nil
	}
	return l.flushDue(context.WithoutCancel(ctx))
}

// every does a piece of work now and again, sooner when there is much of it or it failed.
func (l *Lake) every(ctx context.Context, what string, period time.Duration, early <-chan struct{}, work func(context.Context) error) {
	pause := period
	for {
		select {
		case <-ctx.Done():
			return
		case <-early:
		case <-time.After(pause):
		}
		pause = period
		if err := work(ctx); err != nil && ctx.Err() == nil {
			pause = min(pause, l.opts.RetryPause)
			l.log.Error("cannot "+what+": trying again", "err", err)
		}
	}
}

// Appended tells the lake how many bytes the log has taken, so that a flush begins before FlushEvery is over when there is nearly
// enough for one: more comes until it has begun, and would be a small file by itself.
func (l *Lake) Appended(bytes int) {
	if l.unflushed.Add(int64(bytes)) < int64(l.opts.FlushBytes)/4*3 {
		return
	}
	select {
	case l.full <- struct{}{}:
	default: // a flush is due already
	}
}

// Err is why events cannot be moved from the log into the lake, nil when they can. An object store that is gone for a
// while is no reason to refuse events, as the log holds them, nor is another owner, nor a log that cannot be read now: see [Lake.Trouble].
func (l *Lake) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if heldByLog(l.fault) {
		return nil
	}
	return l.fault
}

// Trouble is why the lake in an object store cannot be written or followed, or the log not be read to its end; nil when they can.
func (l *Lake) Trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if heldByLog(l.fault) {
		return l.fault
	}
	return l.trouble
}

// heldByLog says whether a flush failed for a reason that events may wait for in the log.
func heldByLog(err error) bool {
	return Unavailable(err) || errors.Is(err, ErrNotOwner) || errors.Is(err, eventlog.ErrUnavailable)
}

// CompleteTo is the time up to which every event that was acknowledged can be read.
func (l *Lake) CompleteTo() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.completeTo
}

// ErrNoTable is a stream or dataset that the lake does not have.
var ErrNoTable = errors.New("no such stream in this dataset")

// SetTable puts a table in the place of the one of its dataset and stream: a new allowlist keeps other columns.
func (l *Lake) SetTable(t Table) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables[tableKey{t.Dataset, t.Stream}] = t
}

// Table finds a stream of a dataset.
func (l *Lake) Table(dataset, stream string) (Table, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.tables[tableKey{dataset, stream}]
	if !ok {
		return t, fmt.Errorf("%s/%s: %w", dataset, stream, ErrNoTable)
	}
	return t, nil
}

// Summary is what a table holds.
type Summary struct {
	Dataset string `json:"dataset"`
	Stream  string `json:"stream"`
	Files   int    `json:"files"`
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	Oldest  int64  `json:"oldest,omitempty"` // event time, ms since the epoch
	Newest  int64  `json:"newest,omitempty"`
}

// Summaries tells what is held, table by table, and what was left out.
func (l *Lake) Summaries(ctx context.Context) ([]Summary, []Fault, error) {
	conn, done, err := l.readConn()
	if err != nil {
		return nil, nil, err
	}
	defer done()
	var sums []Summary
	for _, t := range l.allTables() {
		files, err := l.withFooters(ctx, conn, t)
		if err != nil {
			return nil, nil, err
		}
		sums = append(sums, summarize(t, files))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return sums, append([]Fault(nil), l.cat.faults...), nil
}

func (l *Lake) allTables() []Table {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.tables))
}

func summarize(t Table, files []*File) Summary {
	s := Summary{Dataset: t.Dataset, Stream: t.Stream, Files: len(files)}
	for _, f := range files {
		s.Rows += f.Rows
		s.Bytes += f.Size
		if f.Rows == 0 {
			continue
		}
		if s.Oldest == 0 || f.Min < s.Oldest {
			s.Oldest = f.Min
		}
		s.Newest = max(s.Newest, f.Max)
	}
	return s
}
