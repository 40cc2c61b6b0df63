package lake

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/google/uuid"

	"brine/event"
	"brine/lake/duck"
	"brine/lake/store"
)

// Query is a range of one stream. Rows come ordered by (time, id).
type Query struct {
	Table    Table
	From, To int64      // event time in ms since the epoch, From inclusive, To exclusive
	After    *event.Key // only what comes after this row; nil for all
	Descend  bool       // the newest first
	Limit    int        // rows at most; 0 for all
}

// Rows is a run of rows of a query, good until the next one.
type Rows struct {
	n        int
	times    duck.Vector
	ids      duck.Vector
	renderer *duck.Renderer
}

// Len is how many rows there are.
func (r *Rows) Len() int { return r.n }

// Key is a row's time and id.
func (r *Rows) Key(i int) event.Key { return event.Key{Time: r.times.Int64(i), ID: r.ids.UUID(i)} }

// AppendJSON appends a row as JSON, as it was sent.
func (r *Rows) AppendJSON(dst []byte, i int) []byte { return r.renderer.Append(dst, i) }

// AppendCSV appends a row as a line of CSV; see [duck.Renderer.AppendCSV].
func (r *Rows) AppendCSV(dst []byte, i int) []byte { return r.renderer.AppendCSV(dst, i) }

// Scan reads a query window by window, each one bounded query, so that memory does not grow with
// the range. A window whose files were swept meanwhile is read again from their covers, after
// the last row that was given.
func (l *Lake) Scan(ctx context.Context, q Query, each func(*Rows) error) error {
	conn, done, err := l.readConn()
	if err != nil {
		return err
	}
	defer done()
	if err := l.upToDate(ctx); err != nil {
		return err
	}
	ctx, ended := l.reading(ctx)
	defer ended()
	s := &scan{lake: l, conn: conn, q: q, each: each, left: math.MaxInt}
	if q.Limit > 0 {
		s.left = q.Limit
	}
	return s.run(ctx)
}

type scan struct {
	lake *Lake
	conn *duck.Conn
	q    Query
	each func(*Rows) error
	left int        // rows still wanted
	last *event.Key // the last row given
}

// sweptAtMost bounds how often one read is begun anew because files were swept under it.
const sweptAtMost = 100

func (s *scan) run(ctx context.Context) error {
	s.last = s.q.After
	return s.lake.again(ctx, s.conn, func() ([]*File, error) { return s.windows(ctx) })
}

// again runs a read until none of its files was swept under it or turned out to be damaged. The
// read gives the files that it was at when it failed.
func (l *Lake) again(ctx context.Context, conn *duck.Conn, read func() ([]*File, error)) error {
	for range sweptAtMost {
		files, err := read()
		if err == nil {
			return nil
		}
		if errors.Is(err, errDamaged) {
			continue // it is left out
		}
		lost := errors.Is(err, store.ErrNotExist) // by the store, unless the owner took it out meanwhile
		if !lost && l.place.present(files) && !l.examine(ctx, conn, err, files) {
			return err
		}
		if err := l.refresh(ctx); err != nil {
			return err
		}
		if lost && l.place.present(files) {
			return fmt.Errorf("%w: it has lost a file of the lake: %w", store.ErrWrong, err)
		}
	}
	return errors.New("files were swept under this read again and again: try a smaller range")
}

// windows reads from the last row on.
func (s *scan) windows(ctx context.Context) (at []*File, err error) {
	files, err := s.lake.withFooters(ctx, s.conn, s.q.Table)
	if err != nil {
		return files, err
	}
	from, to := s.q.From, s.q.To
	if s.last != nil && s.q.Descend {
		to = min(to, s.last.Time+1)
	} else if s.last != nil {
		from = max(from, s.last.Time)
	}
	for _, w := range makeWindows(files, from, to, min(s.left, windowRows), s.q.Descend) {
		if s.left <= 0 {
			break
		}
		if err := s.window(ctx, w); err != nil {
			return w.files, err
		}
	}
	return nil, nil
}

// refresh looks anew at a lake that another process writes.
func (l *Lake) refresh(ctx context.Context) error {
	if _, ok := l.place.(*remote); ok {
		return l.upToDate(ctx)
	}
	if _, err := l.owned(); err == nil {
		return nil // the owner's catalogue is true
	}
	cat, err := l.place.look(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.cat = cat
	l.mu.Unlock()
	return nil
}

func (s *scan) window(ctx context.Context, w window) error {
	release, err := s.lake.place.hold(ctx, w.files)
	if err != nil {
		return err
	}
	defer release()
	rows, err := s.conn.Query(ctx, s.sql(w))
	if err != nil {
		return err
	}
	defer rows.Close()
	out := &Rows{renderer: duck.NewRenderer(s.q.Table.Columns)}
	keyAt := len(s.q.Table.Columns)
	for rows.Next() {
		out.renderer.Bind(rows)
		out.n, out.times, out.ids = min(rows.Len(), s.left), rows.Vector(keyAt), rows.Vector(keyAt+1)
		if err := s.each(out); err != nil {
			return err
		}
		last := out.Key(out.n - 1)
		if s.last, s.left = &last, s.left-out.n; s.left == 0 {
			return nil
		}
	}
	return rows.Err()
}

// sql is the query of one window.
func (s *scan) sql(w window) string {
	t := s.q.Table
	names := columnList(t) + ", " + duck.Ident(t.Time) + ", " + duck.Ident(t.ID)
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s >= %d AND %[3]s < %[5]d",
		names, s.lake.typed(t, w.files...), duck.Ident(t.Time), w.from, w.to)
	direction, beyond := "", ">"
	if s.q.Descend {
		direction, beyond = " DESC", "<"
	}
	if s.last != nil && s.last.Time >= w.from && s.last.Time < w.to {
		sql += fmt.Sprintf(" AND (%s, %s) %s (%d, %s::UUID)", duck.Ident(t.Time), duck.Ident(t.ID), beyond, s.last.Time, duck.Quote(uuid.UUID(s.last.ID).String()))
	}
	if !w.inOrder() || s.q.Descend {
		sql += fmt.Sprintf(" ORDER BY %s%s, %s%[2]s", duck.Ident(t.Time), direction, duck.Ident(t.ID))
	}
	if s.left < windowRows {
		sql += fmt.Sprintf(" LIMIT %d", s.left)
	}
	return sql
}

// Reading lets its work query files on a connection of its own, from the lake's catalogue as it is: [Reader.From]. It is
// done again, from its beginning, where a file was swept or dropped under it.
func (l *Lake) Reading(ctx context.Context, work func(context.Context, *Reader) ([]File, error)) error {
	conn, done, err := l.readConn()
	if err != nil {
		return err
	}
	defer done()
	if err := l.upToDate(ctx); err != nil {
		return err
	}
	ctx, ended := l.reading(ctx)
	defer ended()
	return l.again(ctx, conn, func() ([]*File, error) {
		r := &Reader{Conn: conn, lake: l}
		defer r.holds.release()
		files, err := work(ctx, r)
		return pointersTo(files), err
	})
}

// Apart is [Lake.Reading] for work of minutes, on a DuckDB of its own with so many bytes of memory: what it holds more is in a folder of its
// own below the lake's temporary one. Nothing is left of either.
func (l *Lake) Apart(ctx context.Context, memory int64, work func(context.Context, *Reader) ([]File, error)) (err error) {
	leave, err := l.enter()
	if err != nil {
		return err
	}
	defer leave()
	o := duck.Options{Memory: memory, Folders: []string{l.disk.root}}
	if l.opts.Temp != "" {
		if o.Temp, err = os.MkdirTemp(l.opts.Temp, "apart-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Temp)) }()
	}
	if err := l.upToDate(ctx); err != nil {
		return err
	}
	ctx, ended := l.reading(ctx)
	defer ended()
	db, err := duck.Open(o)
	if err != nil {
		return err
	}
	defer db.Close()
	outer, err := db.Conn() // looks at files that are damaged
	if err != nil {
		return err
	}
	defer outer.Close()
	return l.again(ctx, outer, func() ([]*File, error) {
		conn, err := db.Conn() // its temporary tables end with it
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		r := &Reader{Conn: conn, lake: l}
		defer r.holds.release()
		files, err := work(ctx, r)
		return pointersTo(files), err
	})
}

// Reader is what a [Lake.Reading] reads with.
type Reader struct {
	*duck.Conn
	lake  *Lake
	holds holds
}

// From is the SQL of files' rows, a table function, until the reading ends.
func (r *Reader) From(ctx context.Context, files []File) (string, error) {
	return r.holds.from(ctx, r.lake, pointersTo(files))
}

// Rows is the SQL of a table's rows of a range of event time, in ms, its end exclusive, with each column as it is today, until the reading
// ends; "" where there are none. The files are those that they lie in.
func (r *Reader) Rows(ctx context.Context, t Table, from, to int64) (sql string, files []File, err error) {
	all, err := r.lake.withFooters(ctx, r.Conn, t)
	for _, f := range overlapTime(all, from, to) {
		files = append(files, *f)
	}
	if err != nil || len(files) == 0 {
		return "", files, err
	}
	if _, err := r.From(ctx, files); err != nil {
		return "", files, err
	}
	at := duck.Ident(t.Time)
	return fmt.Sprintf("(FROM %s WHERE %s >= %d AND %[2]s < %[4]d)", r.lake.typed(t, pointersTo(files)...), at, from, to), files, nil
}

// Paths are where files lie until the reading ends, as SQL reads them.
func (r *Reader) Paths(ctx context.Context, files []File) ([]string, error) {
	_, err := r.From(ctx, files)
	return r.lake.paths(pointersTo(files)), err
}

// holds are files that can be read until they are released.
type holds []func()

func (h *holds) from(ctx context.Context, l *Lake, files []*File) (string, error) {
	release, err := l.place.hold(ctx, files)
	if err != nil {
		return "", err
	}
	*h = append(*h, release)
	return l.readParquet(files...), nil
}

func (h *holds) release() {
	for _, release := range *h {
		release()
	}
	*h = nil
}

// Count is how many rows a query has.
func (l *Lake) Count(ctx context.Context, q Query) (n int64, err error) {
	conn, done, err := l.readConn()
	if err != nil {
		return 0, err
	}
	defer done()
	if err := l.upToDate(ctx); err != nil {
		return 0, err
	}
	err = l.again(ctx, conn, func() (partly []*File, err error) {
		files, err := l.withFooters(ctx, conn, q.Table)
		if err != nil {
			return files, err
		}
		n = 0
		for _, f := range overlapTime(files, q.From, q.To) {
			if f.Min >= q.From && f.Max < q.To {
				n += f.Rows
			} else {
				partly = append(partly, f)
			}
		}
		more, err := l.countIn(ctx, conn, q, partly)
		n += more
		return partly, err
	})
	return n, err
}

// countIn counts the rows of files that a query takes only a part of.
func (l *Lake) countIn(ctx context.Context, conn *duck.Conn, q Query, files []*File) (n int64, err error) {
	if len(files) == 0 {
		return 0, nil
	}
	release, err := l.place.hold(ctx, files)
	if err != nil {
		return 0, err
	}
	defer release()
	return number(ctx, conn, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s >= %d AND %[2]s < %[4]d",
		l.readParquet(files...), duck.Ident(q.Table.Time), q.From, q.To))
}

// number runs a query whose answer is one number.
func number(ctx context.Context, conn *duck.Conn, sql string) (n int64, err error) {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		n += rows.Vector(0).Int64(0)
	}
	return n, rows.Err()
}

// Export writes a query as one Parquet file at path, which must lie in the lake's temporary folder, and calls use with how many rows it
// holds. The read goes on until use has returned, and the file is gone then: an erasure waits for it, and may end its context.
func (l *Lake) Export(ctx context.Context, q Query, path string, use func(ctx context.Context, rows int64) error) error {
	conn, done, err := l.readConn()
	if err != nil {
		return err
	}
	defer done()
	if err := l.upToDate(ctx); err != nil {
		return err
	}
	ctx, ended := l.reading(ctx)
	defer ended()
	defer os.Remove(path)
	if err := conn.Exec(ctx, "CREATE TEMP TABLE nothing ("+duck.SQLColumns(q.Table.Columns)+")"); err != nil {
		return err
	}
	err = l.again(ctx, conn, func() ([]*File, error) {
		files, err := l.withFooters(ctx, conn, q.Table)
		if err != nil {
			return files, err
		}
		source := "nothing"
		if files = overlapTime(files, q.From, q.To); len(files) > 0 {
			release, err := l.place.hold(ctx, files)
			if err != nil {
				return files, err
			}
			defer release()
			source = fmt.Sprintf("(SELECT %s FROM %s WHERE %s >= %d AND %[3]s < %[5]d ORDER BY %[3]s, %[6]s)",
				columnList(q.Table), l.typed(q.Table, files...), duck.Ident(q.Table.Time), q.From, q.To, duck.Ident(q.Table.ID))
		}
		return files, conn.Exec(ctx, quick.copyTo(source, path))
	})
	if err != nil {
		return err
	}
	rows, err := number(ctx, conn, "SELECT num_rows FROM parquet_file_metadata("+duck.Quote(path)+")")
	if err != nil {
		return err
	}
	return use(ctx, rows)
}
