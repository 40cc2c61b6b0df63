package lake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"brine/lake/duck"
)

// hourKey names an hour of a stream, over all datasets.
type hourKey struct {
	stream string
	start  int64 // s since the epoch
}

// hourQueue lets one rewriter at a time have an hour of a stream: compaction, sanitizing,
// tightening, erasure and purge take turns.
type hourQueue struct {
	mu   sync.Mutex
	held map[hourKey]chan struct{} // closed when the hour is free again
}

func (q *hourQueue) enter(ctx context.Context, k hourKey) (leave func(), err error) {
	for {
		q.mu.Lock()
		busy, held := q.held[k]
		if !held {
			free := make(chan struct{})
			q.held[k] = free
			q.mu.Unlock()
			return func() {
				q.mu.Lock()
				defer q.mu.Unlock()
				delete(q.held, k)
				close(free)
			}, nil
		}
		q.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Rewriter makes files of the lake out of others, an hour at a time. It has a DuckDB of its own,
// which never spills: what passes through it may be told by a salt.
type Rewriter struct {
	lake  *Lake
	db    *duck.DB
	conn  *duck.Conn
	leave func()
}

// RewriteMemory is how many bytes a [Rewriter] may use by default: enough for an hour of a million events.
const RewriteMemory = 320 << 20

// Rewriter opens a rewriter; it is to be closed. It serves one goroutine, and works on one thread:
// two rewriters side by side do more than two threads of one, which wait for each other.
func (l *Lake) Rewriter(memory int64) (*Rewriter, error) {
	leave, err := l.enter()
	if err != nil {
		return nil, err
	}
	r := &Rewriter{lake: l, leave: leave}
	if r.db, err = duck.Open(duck.Options{Memory: memory, Threads: 1, Folders: []string{l.disk.root}}); err != nil {
		leave()
		return nil, err
	}
	if r.conn, err = r.db.Conn(); err != nil {
		r.db.Close()
		leave()
		return nil, err
	}
	return r, nil
}

// Close ends the use of the rewriter.
func (r *Rewriter) Close() {
	r.conn.Close()
	r.db.Close()
	r.leave()
}

// Conn is the connection on which [Hour.Rewrite] runs, for functions that its SQL calls.
func (r *Rewriter) Conn() *duck.Conn { return r.conn }

// Hour is an hour of a stream that the caller has for itself.
type Hour struct {
	Stream string
	Start  time.Time
	r      *Rewriter
	holds  holds
}

// Hour waits until nobody else rewrites the hour and calls work with it.
func (r *Rewriter) Hour(ctx context.Context, stream string, start time.Time, work func(*Hour) error) error {
	leave, err := r.lake.rewrites.enter(ctx, hourKey{stream, start.Unix()})
	if err != nil {
		return err
	}
	defer leave()
	h := &Hour{Stream: stream, Start: start, r: r}
	defer h.holds.release()
	return work(h)
}

// Reader is one more connection to the rewriter's DuckDB, for what is read while [Hour.Rewrite] writes. The caller closes it.
func (r *Rewriter) Reader() (*duck.Conn, error) { return r.db.Conn() }

// Files are those of a dataset that hold the hour now.
func (h *Hour) Files(dataset string) []File { return h.r.lake.Files(dataset, h.Stream, h.Start) }

// Files are those that hold an hour of a stream, ordered by name.
func (l *Lake) Files(dataset, stream string, hour time.Time) (files []File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.cat.files {
		if f.Hour.Equal(hour) && f.Dataset == dataset && f.Stream == stream {
			files = append(files, *f)
		}
	}
	slices.SortFunc(files, func(a, b File) int { return compareNames(a.Name, b.Name) })
	return files
}

// List is all files of a stream that are read, ordered by hour and name.
func (l *Lake) List(dataset, stream string) (files []File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.cat.of(dataset, stream) {
		files = append(files, *f)
	}
	slices.SortFunc(files, func(a, b File) int { return compareNames(a.Name, b.Name) })
	return files
}

// LeftOut are the lake's own files that are not read, as they are damaged or overlap: what they hold is not gone.
func (l *Lake) LeftOut() []Name {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cat.leftOut()
}

// ClosedTo is the hour that is open: those before it are closed. A lake without its log knows it
// by the newest hour that was flushed.
func (l *Lake) ClosedTo() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, remote := l.place.(*remote); remote || l.from != nil {
		return l.closedTo
	}
	var newest time.Time
	for _, f := range l.cat.files {
		if f.Dataset == Raw && f.Hour.After(newest) {
			newest = f.Hour
		}
	}
	return newest
}

// Rewrite is a file to be made of others of the same hour and source.
type Rewrite struct {
	Table  Table             // whose file it is
	Inputs []File            // of one source; the file has their range, and none may have been replaced meanwhile
	SQL    string            // its rows, as a query
	Meta   map[string]string // kept in the file's footer
	Plain  bool              // without compression, so that a test can search its bytes
}

// From is the SQL of files' rows, a table function, while the caller has the hour.
func (h *Hour) From(ctx context.Context, files []File) (string, error) {
	return h.holds.from(ctx, h.r.lake, pointersTo(files))
}

// Rewrite makes the file, aside, and puts it in the place of what its table had of the same
// source. What was made of a sanitized file that it takes the place of goes before: nothing that is taken
// out of the one stays in the other. It is [ErrReplaced] when an input was replaced meanwhile: the hour is then as it was.
func (h *Hour) Rewrite(ctx context.Context, w Rewrite) (_ File, err error) {
	l := h.r.lake
	made := &File{Name: h.rewritten(w)}
	aside := l.disk.aside(made.Name)
	defer os.Remove(aside) // where it was not published
	if err := h.r.conn.Exec(ctx, copyWith(w, aside)); err != nil {
		return File{}, fmt.Errorf("rewrite %s: %w", made.Folder(), err)
	}
	if made.Size, err = parquetSize(aside); err != nil {
		return File{}, err
	}
	if err := h.r.lake.measure(ctx, h.r.conn, made, pointersTo(w.Inputs)); err != nil {
		return File{}, err
	}
	made.meta = w.Meta
	defer func() {
		if err != nil {
			l.place.leave(made.Name)
		}
	}()
	if err := l.place.stage(ctx, made); err != nil {
		return File{}, err
	}
	l.disk.point("rewrite-written")
	if made.Dataset == Sanitized {
		if err := h.dropFollowing(ctx, func(f File) bool { return f.Log == made.Log }); err != nil {
			return File{}, err
		}
	}
	if err := l.replace(ctx, namesOf(pointersTo(w.Inputs)), made); err != nil {
		return File{}, err
	}
	return *made, nil
}

func pointersTo(files []File) []*File {
	pointers := make([]*File, len(files))
	for i := range files {
		pointers[i] = &files[i]
	}
	return pointers
}

// rewritten is the name of the file: the inputs' range, widened by what it covers, and a
// generation above all that its table has of it.
func (h *Hour) rewritten(w Rewrite) Name {
	n := w.Inputs[0].Name
	n.Dataset, n.Stream, n.Generation, n.Epoch = w.Table.Dataset, w.Table.Stream, 1, h.r.lake.inEpoch()
	for _, f := range w.Inputs {
		n.First, n.Last = min(n.First, f.First), max(n.Last, f.Last)
	}
	for _, f := range h.Files(w.Table.Dataset) {
		if f.Overlaps(n) {
			n.First, n.Last = min(n.First, f.First), max(n.Last, f.Last)
			n.Generation = max(n.Generation, f.Generation+1)
		}
	}
	return n
}

// ErrReplaced is a rewrite whose inputs were replaced while it was made.
var ErrReplaced = errors.New("files of this hour were replaced meanwhile: try again")

// replace publishes a rewrite of files, unless one of them was replaced meanwhile: a flush or an
// import may have gone on in their hour.
func (l *Lake) replace(ctx context.Context, inputs []Name, made *File) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if !l.newest(inputs) {
		err := errors.Join(ErrReplaced, l.place.discard(ctx, made.Name))
		l.place.leave(made.Name)
		return err
	}
	if err := l.place.commit(ctx, change{files: []*File{made}}); err != nil {
		return err
	}
	l.disk.point("rewrite-published")
	l.taken([]*File{made})
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.metas, made.Name) // of a damaged file in the same place
	return nil
}

// newest says whether all files are still read.
func (l *Lake) newest(names []Name) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range names {
		if !slices.ContainsFunc(l.cat.files, func(f *File) bool { return f.Name == n }) {
			return false
		}
	}
	return true
}

// Streams are those that a dataset has files of, in order.
func (l *Lake) Streams(dataset string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := map[string]bool{}
	for _, f := range l.cat.files {
		if f.Dataset == dataset {
			names[f.Stream] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
