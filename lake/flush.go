package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"brine/event"
	"brine/eventlog"
)

// Flush moves what is in the log into the lake: it writes the files of a range, commits them
// with a mark, and only then trims the log.
func (l *Lake) Flush(ctx context.Context) error {
	leave, err := l.enter()
	if err != nil {
		return err
	}
	defer leave()
	l.writing.Lock()
	defer l.writing.Unlock()
	log, err := l.owned()
	if err != nil {
		return err
	}
	err = errors.Join(l.flushLogs(ctx, log), l.sweep()) // what is swept may be the room that the flush lacked
	l.mu.Lock()
	l.fault = err
	l.mu.Unlock()
	return err
}

func (l *Lake) flushLogs(ctx context.Context, log Log) error {
	if err := l.takeBack(); err != nil {
		return err
	}
	began := l.opts.Now()
	l.unflushed.Store(0)
	hour := log.Hour() // its mark lies before the ends that are flushed up to
	logs := log.Logs()
	for i, info := range logs {
		if err := l.flushLog(ctx, log, info); err != nil {
			return fmt.Errorf("log %s: %w", info.Name, err)
		}
		if i < len(logs)-1 { // its day is done
			if err := log.Delete(ctx, info.Name); err != nil {
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

// flushLog flushes one log up to the end that it has now, as under load there always is more.
func (l *Lake) flushLog(ctx context.Context, log Log, info eventlog.Info) error {
	if err := notBehind(info, l.committed(info.Name)); err != nil {
		return err
	}
	for l.committed(info.Name).Last < info.Last {
		from := l.committed(info.Name).Last + 1
		entries, err := log.Read(ctx, info.Name, from, l.opts.FlushBytes)
		if err != nil {
			return err
		}
		b := &batch{log: info.Name, packing: quick, first: from, last: info.Last, unreadable: map[time.Time][]row{}}
		if len(entries) > 0 {
			b.last = entries[len(entries)-1].Seq
		}
		if len(entries) == 0 || entries[0].Seq > from {
			l.log.Error("entries of the log cannot be read and are passed over", "log", info.Name, "from", from)
		}
		if err := l.flushEntries(ctx, log, b, entries); err != nil {
			return err
		}
	}
	return nil
}

// notBehind refuses a log that ends before what the lake has of it, as a restored copy would: its
// next entries would be taken for ones that are stored.
func notBehind(info eventlog.Info, m mark) error {
	if m.Last > info.Last {
		return fmt.Errorf("log %s ends at %d, but the lake holds it up to %d: it is older than the lake (a restored copy?); "+
			"the lake has all that is in it: stop, move the log's folder away, and start", info.Name, info.Last, m.Last)
	}
	return nil
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
	packing     packing
	files       []*File
	stored      []*part
	unreadable  map[time.Time][]row // by hour, already wrapped for quarantine
	before      []mark              // of its log, that its own replaced
}

func (b *batch) mark() mark { return mark{b.log, b.last} }

func (l *Lake) flushEntries(ctx context.Context, log Log, b *batch, entries []eventlog.Entry) error {
	if err := l.commitEntries(ctx, b, entries); err != nil {
		l.failed = b
		return err
	}
	l.disk.point("flush-committed")
	if err := l.disk.removeMarks(b.before); err != nil {
		return err
	}
	if err := l.trim(ctx, log, b); err != nil {
		return err
	}
	l.disk.point("flush-trimmed")
	return nil
}

// trimEvery is how often a log is trimmed that holds more than was flushed. JetStream then writes
// a block file anew and holds up appends meanwhile; where nothing more is in the log it does not.
const trimEvery = 15 * time.Second

// trim takes out of the log what is flushed, at once where that is all there is.
func (l *Lake) trim(ctx context.Context, log Log, b *batch) error {
	more := slices.ContainsFunc(log.Logs(), func(info eventlog.Info) bool { return info.Name == b.log && info.Last > b.last })
	if now := l.opts.Now(); !more {
		l.trimmed = time.Time{}
	} else if now.Sub(l.trimmed) < trimEvery {
		return nil
	} else {
		l.trimmed = now
	}
	return log.Trim(ctx, b.log, b.last)
}

// Unflushed is how many entries of the log are not in the lake yet; none where another process owns it.
func (l *Lake) Unflushed() (n uint64) {
	log, err := l.owned()
	if err != nil {
		return 0
	}
	for _, info := range log.Logs() {
		if from := max(info.First, l.committed(info.Name).Last+1); info.Last >= from {
			n += info.Last - from + 1
		}
	}
	return n
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
