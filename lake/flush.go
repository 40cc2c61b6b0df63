package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake/duck"
)

// row is one event on its way from the log into a file.
type row struct {
	key  event.Key
	json []byte
}

func compareRows(a, b row) int {
	return cmp.Or(cmp.Compare(a.key.Time, b.key.Time), bytes.Compare(a.key.ID[:], b.key.ID[:]))
}

// part is the rows of one table and hour in a range of the log.
type part struct {
	table Table
	hour  time.Time
	rows  []row
}

// smallRows is how many rows a stream's last file of an hour may hold to be replaced by the
// next flush rather than joined by another file.
const smallRows = 20_000

// Flush moves what is in the log into the lake: it writes the files of a range, commits them
// with a mark, and only then trims the log.
func (l *Lake) Flush(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	err := errors.Join(l.flushLogs(ctx), l.sweep()) // what is swept may be the room that the flush lacked
	l.mu.Lock()
	l.fault = err
	l.mu.Unlock()
	return err
}

func (l *Lake) flushLogs(ctx context.Context) error {
	if err := l.takeBack(); err != nil {
		return err
	}
	began := l.opts.Now()
	l.unflushed.Store(0)
	logs := l.opts.Log.Logs()
	var hour time.Time
	for i, info := range logs {
		last, err := l.flushLog(ctx, info.Name, info.Last)
		if err != nil {
			return fmt.Errorf("log %s: %w", info.Name, err)
		}
		if last.After(hour) {
			hour = last
		}
		if i < len(logs)-1 { // its day is done
			if err := l.opts.Log.Delete(ctx, info.Name); err != nil {
				return err
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.completeTo = began
	if hour.After(l.closedTo) {
		l.closedTo = hour
	}
	return nil
}

// flushLog flushes one log up to the end that it has now, as under load there always is more. It
// gives the hour of the last entry that it flushed.
func (l *Lake) flushLog(ctx context.Context, log string, end uint64) (hour time.Time, err error) {
	for l.committed(log).Last < end {
		from := l.committed(log).Last + 1
		entries, err := l.opts.Log.Read(ctx, log, from, l.opts.FlushBytes)
		if err != nil || len(entries) == 0 {
			return hour, err
		}
		if entries[0].Seq > from {
			l.log.Debug("the log begins later than the lake ends", "log", log, "from", from, "first", entries[0].Seq)
		}
		b := &batch{log: log, level: flushLevel, first: from, last: entries[len(entries)-1].Seq, unreadable: map[time.Time][]row{}}
		if err := l.flushEntries(ctx, b, entries); err != nil {
			return hour, err
		}
		hour = entries[len(entries)-1].Hour
	}
	return hour, nil
}

func (l *Lake) committed(log string) mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cat.marks[log]
}

// batch is one range of a log on its way into files.
type batch struct {
	log         string
	first, last uint64
	level       int // of compression
	files       []*File
	stored      []*part
	unreadable  map[time.Time][]row // by hour, already wrapped for quarantine
	before      []mark              // of its log, that its own replaced
}

func (b *batch) mark() mark { return mark{b.log, b.last} }

func (l *Lake) flushEntries(ctx context.Context, b *batch, entries []eventlog.Entry) error {
	if err := l.commitEntries(ctx, b, entries); err != nil {
		l.failed = b
		return err
	}
	l.disk.point("flush-committed")
	if err := l.disk.removeMarks(b.before); err != nil {
		return err
	}
	if err := l.opts.Log.Trim(ctx, b.log, b.last); err != nil {
		return err
	}
	l.disk.point("flush-trimmed")
	return nil
}

// commitEntries writes the files of a range and its mark. After an error none of it counts.
func (l *Lake) commitEntries(ctx context.Context, b *batch, entries []eventlog.Entry) error {
	for _, p := range l.parts(b, entries) {
		if err := l.writePart(ctx, b, p); err != nil {
			return err
		}
	}
	if err := l.writeUnreadable(ctx, b); err != nil {
		return err
	}
	l.disk.point("flush-written")
	if err := l.disk.publish(namesOf(b.files)); err != nil {
		return err
	}
	l.disk.point("flush-published")
	if err := l.disk.commit(b.mark()); err != nil {
		return err
	}
	l.mu.Lock()
	if m, ok := l.cat.marks[b.log]; ok {
		b.before = []mark{m}
	}
	l.cat.marks[b.log] = b.mark()
	l.mu.Unlock()
	l.taken(b.files)
	l.remember(b.stored)
	return nil
}

// writeUnreadable writes the quarantine files of a batch aside.
func (l *Lake) writeUnreadable(ctx context.Context, b *batch) error {
	for hour, rows := range b.unreadable {
		if err := l.writePart(ctx, b, &part{table: QuarantineTable(), hour: hour, rows: rows}); err != nil {
			return err
		}
	}
	return nil
}

// takeBack removes what a write that failed has left, before anything else is written: the next
// range begins where this one did, and would overlap it. The mark goes first, for good, as one
// without its files would lose them.
func (l *Lake) takeBack() error {
	if l.failed == nil {
		return nil
	}
	if err := l.disk.removeMarks([]mark{l.failed.mark()}); err != nil {
		return err
	}
	if err := l.disk.withdraw(namesOf(l.failed.files)); err != nil {
		return err
	}
	l.failed = nil
	return nil
}

func namesOf(files []*File) []Name {
	names := make([]Name, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return names
}

// taken takes up files that were just committed.
func (l *Lake) taken(files []*File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat.add(files)
}

// remember notes the keys of what was just committed; l.writing is held.
func (l *Lake) remember(parts []*part) {
	for _, p := range parts {
		for _, r := range p.rows {
			l.seen.add(slotKey{p.table.Stream, event.FloorMillis(r.key.Time)}, r.key.ID)
		}
	}
	l.seen.shrink()
}

// parts sorts the records of a range by hour and table.
func (l *Lake) parts(b *batch, entries []eventlog.Entry) []*part {
	type partKey struct {
		tableKey
		hour time.Time
	}
	index := map[partKey]*part{}
	var parts []*part
	var key partKey // of the record before: most are of one part
	var p *part
	for _, e := range entries {
		for r, err := range event.Records(e.Group) {
			if err != nil {
				l.quarantine(b, e.Hour, r, err)
				continue
			}
			if k := (partKey{tableKey{r.Dataset, r.Stream}, e.Hour}); p == nil || k != key {
				t, err := l.Table(r.Dataset, r.Stream)
				if err != nil {
					l.quarantine(b, e.Hour, r, err)
					continue
				}
				if key, p = k, index[k]; p == nil {
					p = &part{table: t, hour: e.Hour}
					index[k], parts = p, append(parts, p)
				}
			}
			p.rows = append(p.rows, row{r.Key, r.Row})
		}
	}
	return parts
}

// quarantine keeps a line whole that the flush cannot read, so that it stops nothing.
func (l *Lake) quarantine(b *batch, hour time.Time, r event.Record, why error) {
	l.log.Error("a line of the log cannot be read: it goes to quarantine", "dataset", r.Dataset, "stream", r.Stream, "why", why)
	q := quarantineRecord(r, why.Error(), l.opts.Now())
	b.unreadable[hour] = append(b.unreadable[hour], row{q.Key, q.Row})
}

// writePart writes a part's file aside: what is not stored yet, in order.
func (l *Lake) writePart(ctx context.Context, b *batch, p *part) (err error) {
	slices.SortFunc(p.rows, compareRows)
	if p.rows, err = l.once(ctx, p.table, p.rows); err != nil {
		return err
	}
	p.rows = b.once(p)
	n := Name{Dataset: p.table.Dataset, Stream: p.table.Stream, Hour: p.hour, Log: b.log, First: b.first, Last: b.last, Generation: 1}
	last := l.lastSmall(n)
	if last != nil {
		n.First, n.Generation = last.First, last.Generation+1
	}
	f := &File{Name: n, known: true}
	b.files = append(b.files, f) // now, so that what a failed write leaves is found
	if err := l.copyRows(ctx, b, p, f, last); err != nil {
		return err
	}
	if len(p.rows) == 0 { // all were stored before, or cannot be read
		b.files = b.files[:len(b.files)-1]
		return os.Remove(l.disk.aside(n))
	}
	f.Rows, f.Min, f.Max = int64(len(p.rows)), p.rows[0].key.Time, p.rows[len(p.rows)-1].key.Time
	if last != nil {
		f.Rows, f.Min, f.Max = f.Rows+last.Rows, min(f.Min, last.Min), max(f.Max, last.Max)
	}
	b.stored = append(b.stored, p)
	f.Size, err = parquetSize(l.disk.aside(n))
	return err
}

// copyRows writes a part's rows, with those of the small file that it replaces, into a file aside.
// Afterwards the part has those that could be read; the others go to quarantine.
func (l *Lake) copyRows(ctx context.Context, b *batch, p *part, f, last *File) error {
	all, next := p.rows, 0
	readable := make([]row, 0, len(all))
	table, done, err := l.flusher.Feed(&duck.Feed{
		Columns: p.table.Columns, Keyed: p.table.keyed,
		Next: func() (event.Key, []byte, bool) {
			if next == len(all) {
				return event.Key{}, nil, false
			}
			readable = append(readable, all[next])
			next++
			return all[next-1].key, all[next-1].json, true
		},
		Refused: func(why error) {
			r := all[next-1]
			readable = readable[:len(readable)-1]
			l.quarantine(b, p.hour, event.Record{Dataset: p.table.Dataset, Stream: p.table.Stream, Key: r.key, Row: r.json}, why)
		},
	})
	if err != nil {
		return err
	}
	defer done()
	source := "(FROM " + table + "())"
	if last != nil {
		source = l.ordered(p.table, "FROM "+table+"() UNION ALL BY NAME FROM "+l.readParquet(last))
	}
	if err := l.flusher.Exec(ctx, copyTo(source, l.disk.aside(f.Name), b.level)); err != nil {
		return err
	}
	p.rows = readable
	return nil
}

// once takes away the rows that an earlier hour of the same batch holds.
func (b *batch) once(p *part) []row {
	for _, before := range b.stored {
		if before.table.Dataset == Raw && p.table.Dataset == Raw && before.table.Stream == p.table.Stream {
			p.rows = slices.DeleteFunc(p.rows, func(r row) bool {
				_, found := slices.BinarySearchFunc(before.rows, r, compareRows)
				return found
			})
		}
	}
	return p.rows
}

func (l *Lake) ordered(t Table, from string) string {
	return fmt.Sprintf("(SELECT * FROM (%s) ORDER BY %s, %s)", from, duck.Ident(t.Time), duck.Ident(t.ID))
}

// readParquet is the table function over files. The folders' names are not columns.
func (l *Lake) readParquet(files ...*File) string {
	return fmt.Sprintf("read_parquet(%s, hive_partitioning=false, union_by_name=%t)", duck.List(l.paths(files)), len(files) > 1)
}

// lastSmall is the file that a flush replaces: the stream's last one of the hour, while it is small.
func (l *Lake) lastSmall(n Name) *File {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last *File
	for _, f := range l.cat.of(n.Dataset, n.Stream) {
		if f.sameSource(n) && (last == nil || f.Last > last.Last) {
			last = f
		}
	}
	if last == nil || !last.known || last.Rows >= smallRows {
		return nil
	}
	return last
}

const (
	flushLevel   = 1 // of zstd: flushed files are soon compacted
	compactLevel = 9
	// rowGroup is small enough that looking up one id costs little, and a multiple of a chunk.
	rowGroup = 30 * duck.ChunkRows
)

func copyTo(source, path string, level int) string {
	return fmt.Sprintf("COPY %s TO %s (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL %d, ROW_GROUP_SIZE %d)",
		source, duck.Quote(path), level, rowGroup)
}

// sweepDelay is how long a covered file stays, for readers of other processes that began before.
const sweepDelay = 30 * time.Second

// sweep removes files that have been covered for a while.
func (l *Lake) sweep() error {
	now := l.opts.Now()
	l.mu.Lock()
	var due []Name
	l.cat.covered = slices.DeleteFunc(l.cat.covered, func(n Name) bool {
		since, ok := l.coveredSince[n]
		if !ok {
			l.coveredSince[n] = now
			return false
		}
		if now.Sub(since) < sweepDelay {
			return false
		}
		due = append(due, n)
		delete(l.coveredSince, n)
		return true
	})
	l.mu.Unlock()
	return l.disk.remove(due)
}
