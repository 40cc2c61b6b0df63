package lake

import (
	"context"
	"iter"
	"time"

	"brine/event"
)

// Imported is what an import did with the events it was given.
type Imported struct {
	Stored int64 `json:"stored"` // new in the lake
	Known  int64 `json:"known"`  // stored already, by this input or otherwise
}

// importRows is how many events of an input are sorted and stored at a time.
const importRows = 200_000

// Import files events under the hour of their own time. The source is the SHA-256, in hexadecimal, of what the
// events are made of, these and no others: it names the files, so that a repeated import adds nothing and one that
// was broken off goes on where it was.
func (l *Lake) Import(ctx context.Context, t Table, source string, rows iter.Seq2[event.Key, []byte]) (done Imported, err error) {
	leave, err := l.enter()
	if err != nil {
		return done, err
	}
	defer leave()
	var chunk uint64
	var run []row
	for key, json := range rows {
		run = append(run, row{key, json})
		if len(run) == importRows {
			chunk++
			if err := l.importRun(ctx, t, mark{source, chunk}, run, &done); err != nil {
				return done, err
			}
			run = run[:0]
		}
	}
	if len(run) == 0 {
		return done, nil
	}
	return done, l.importRun(ctx, t, mark{source, chunk + 1}, run, &done)
}

// importRun files a run of events, hour by hour. Each hour's file counts once it is in its place.
func (l *Lake) importRun(ctx context.Context, t Table, at mark, run []row, done *Imported) error {
	byHour := map[time.Time][]row{}
	for _, r := range run {
		hour := time.UnixMilli(r.key.Time).UTC().Truncate(time.Hour)
		byHour[hour] = append(byHour[hour], r)
	}
	for hour, rows := range byHour {
		stored, err := l.importHour(ctx, at, &part{table: t, hour: hour, rows: rows})
		if err != nil {
			return err
		}
		done.Stored += stored
		done.Known += int64(len(rows)) - stored
	}
	return nil
}

// importHour holds the lock for one file only, so that a flush need not wait for the import.
func (l *Lake) importHour(ctx context.Context, at mark, p *part) (stored int64, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.takeBack(ctx); err != nil {
		return 0, err
	}
	if l.holds(Name{Dataset: p.table.Dataset, Stream: p.table.Stream, Hour: p.hour, Log: at.Log, First: at.Last, Last: at.Last}) {
		return 0, nil
	}
	b := &batch{log: at.Log, packing: tight, first: at.Last, last: at.Last, unreadable: map[time.Time][]row{}}
	if err := l.commitHour(ctx, b, p); err != nil {
		l.failed = b
		return 0, err
	}
	for _, written := range b.stored {
		if written == p {
			stored = int64(len(p.rows))
		}
	}
	return stored, nil
}

func (l *Lake) commitHour(ctx context.Context, b *batch, p *part) error {
	if err := l.writePart(ctx, b, p); err != nil {
		return err
	}
	if err := l.writeUnreadable(ctx, b); err != nil {
		return err
	}
	return l.commitBatch(ctx, b)
}

// holds says whether some file has all of this range.
func (l *Lake) holds(n Name) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.cat.of(n.Dataset, n.Stream) {
		if f.sameSource(n) && f.First <= n.First && n.Last <= f.Last {
			return true
		}
	}
	return false
}
