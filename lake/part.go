package lake

import (
	"bytes"
	"cmp"
	"context"
	"errors"
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
	if a.key.Time != b.key.Time {
		return cmp.Compare(a.key.Time, b.key.Time)
	}
	return bytes.Compare(a.key.ID[:], b.key.ID[:])
}

// part is the rows of one table and hour in a range of the log.
type part struct {
	table Table
	hour  time.Time
	rows  []row
}

// smallRows is how many rows a stream's last file of an hour may hold, and the next flush may bring, for the two to become one file:
// to merge a small one with many rows would have DuckDB sort them all again. A variable, as the tests make hours of several files of less.
var smallRows = 20_000

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
	feed, err := l.feed(b, p)
	if err != nil {
		return err
	}
	if len(p.rows) == 0 { // all were stored before, or cannot be read
		return nil
	}
	n := Name{Dataset: p.table.Dataset, Stream: p.table.Stream, Hour: p.hour, Log: b.log, First: b.first, Last: b.last, Generation: 1, Epoch: l.inEpoch()}
	var last *File
	if !b.divided {
		last = l.lastSmall(n, len(p.rows))
	}
	if last != nil {
		n.First, n.Generation = last.First, last.Generation+1
	}
	f := &File{Name: n, known: true}
	b.files = append(b.files, f) // now, so that what a failed write leaves is found
	if err := l.copyRows(ctx, b, p.table, feed, f, last); err != nil {
		if last != nil && l.examine(ctx, l.flusher, err, []*File{last}) {
			err = errors.Join(err, errors.New("the small file that was to be replaced is damaged; the next flush leaves it alone"))
		}
		return err
	}
	f.Rows, f.Min, f.Max = int64(len(p.rows)), p.rows[0].key.Time, p.rows[len(p.rows)-1].key.Time
	if last != nil {
		f.Rows, f.Min, f.Max = f.Rows+last.Rows, min(f.Min, last.Min), max(f.Max, last.Max)
	}
	b.stored = append(b.stored, p)
	if f.Size, err = parquetSize(l.disk.aside(n)); err != nil {
		return err
	}
	return l.place.stage(ctx, f)
}

// mostElements is how many bytes the elements of arrays may take of a part, as columns: a few bytes of JSON, like "{},", may have hundreds of columns. Of
// one entry, which cannot be divided, rows go to quarantine of which that is a multiple of their JSON, which is at most [eventlog.MaxGroup].
const (
	mostElements = 64 << 20
	mostMultiple = 8
	leastLarge   = 4 << 10 // a row's elements may take so much
)

// errLarge is a batch that has to be divided.
var errLarge = errors.New("the arrays of the events take too much memory as columns")

// feed reads a part's rows into columns. Afterwards the part has those that could be read; the others go to quarantine.
func (l *Lake) feed(b *batch, p *part) (*duck.Feed, error) {
	k := tableKey{p.table.Dataset, p.table.Stream}
	feed := l.feeds[k]
	if feed == nil {
		feed = duck.NewFeed(p.table.Columns, p.table.keyed)
		l.feeds[k] = feed
	}
	feed.Reset()
	readable := p.rows[:0]
	for _, r := range p.rows {
		if feed.Most = 0; b.strict {
			feed.Most = max(leastLarge, mostMultiple*len(r.json))
		}
		if err := feed.Add(r.key, r.json); err != nil {
			l.quarantine(b, p.hour, event.Record{Dataset: p.table.Dataset, Stream: p.table.Stream, Key: r.key, Row: r.json}, err)
			continue
		}
		if readable = append(readable, r); feed.Elements() > mostElements && b.marked && !b.strict {
			return nil, errLarge
		}
	}
	p.rows = readable
	return feed, nil
}

// copyRows writes rows, with those of the small file that they replace, into a file aside.
func (l *Lake) copyRows(ctx context.Context, b *batch, t Table, feed *duck.Feed, f, last *File) error {
	table, done, err := l.flusher.Feed(feed)
	if err != nil {
		return err
	}
	defer done()
	source := "(FROM " + table + "())"
	if last != nil {
		release, err := l.place.hold(ctx, []*File{last})
		if err != nil {
			return err
		}
		defer release()
		source = l.ordered(t, "FROM "+table+"() UNION ALL BY NAME FROM "+l.readParquet(last))
	}
	return l.flusher.Exec(ctx, b.packing.copyTo(source, l.disk.aside(f.Name)))
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

// lastSmall is the file that a flush of so many rows replaces: the stream's last one of the hour, where both are small.
func (l *Lake) lastSmall(n Name, rows int) *File {
	if rows >= smallRows {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var last *File
	for _, f := range l.cat.of(n.Dataset, n.Stream) {
		if f.sameSource(n) && (last == nil || f.Last > last.Last) {
			last = f
		}
	}
	if last == nil || !last.known || last.Rows >= int64(smallRows) {
		return nil
	}
	return last
}
