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

// Import files events under the hour of their own time. The source is the SHA-256 of the whole
// input in hexadecimal: it names the files, so that a repeated import adds nothing and one that
// was broken off goes on where it was.
func (l *Lake) Import(ctx context.Context, t Table, source string, rows iter.Seq2[event.Key, []byte]) (Imported, error) {
	var done Imported
	var chunk uint64
	var run []row
	store := func() error {
		chunk++
		stored, err := l.importRun(ctx, t, source, chunk, run)
		done.Stored += stored
		done.Known += int64(len(run)) - stored
		run = run[:0]
		return err
	}
	for key, json := range rows {
		run = append(run, row{key, json})
		if len(run) == importRows {
			if err := store(); err != nil {
				return done, err
			}
		}
	}
	if len(run) == 0 {
		return done, nil
	}
	return done, store()
}

func (l *Lake) importRun(ctx context.Context, t Table, source string, chunk uint64, run []row) (stored int64, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.takeBack(); err != nil {
		return 0, err
	}
	b := &batch{log: source, level: compactLevel, first: chunk, last: chunk, unreadable: map[time.Time][]row{}}
	if err := l.commitRun(ctx, b, t, run); err != nil {
		l.failed = b
		return 0, err
	}
	for _, p := range b.stored {
		if p.table.Dataset == t.Dataset {
			stored += int64(len(p.rows))
		}
	}
	return stored, nil
}

// commitRun writes a run's files, one an hour. They need no mark: each counts once it is in its place.
func (l *Lake) commitRun(ctx context.Context, b *batch, t Table, run []row) error {
	byHour := map[time.Time][]row{}
	for _, r := range run {
		hour := time.UnixMilli(r.key.Time).UTC().Truncate(time.Hour)
		byHour[hour] = append(byHour[hour], r)
	}
	for hour, rows := range byHour {
		if l.holds(Name{Dataset: t.Dataset, Stream: t.Stream, Hour: hour, Log: b.log, First: b.first, Last: b.last}) {
			continue
		}
		if err := l.writePart(ctx, b, &part{table: t, hour: hour, rows: rows}); err != nil {
			return err
		}
	}
	if err := l.writeUnreadable(ctx, b); err != nil {
		return err
	}
	if err := l.disk.publish(namesOf(b.files)); err != nil {
		return err
	}
	l.taken(b.files)
	l.remember(b.stored)
	return nil
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
