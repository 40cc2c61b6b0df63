package lake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"brine/eventlog"
	"brine/lake/duck"
)

// Flush moves what is in the log into the lake: it writes the files of a range, commits them
// with a mark, and only then trims the log.
func (l *Lake) Flush(ctx context.Context) error { return l.flush(ctx, true) }

// flushDue is Flush, but for what is to wait; see [Lake.waits].
func (l *Lake) flushDue(ctx context.Context) error { return l.flush(ctx, false) }

func (l *Lake) flush(ctx context.Context, all bool) error {
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
	began, some := time.Now(), l.Unflushed() > 0
	err = errors.Join(l.flushLogs(ctx, log, all), l.sweep(ctx)) // what is swept may be the room that the flush lacked
	err = l.ownAgain(ctx, err)
	if some {
		l.opts.Flushed(time.Since(began))
	}
	if ctx.Err() == nil { // else it was broken off, which says nothing of the lake
		l.mu.Lock()
		l.fault = err
		l.mu.Unlock()
	}
	return err
}

func (l *Lake) flushLogs(ctx context.Context, log Log, all bool) error {
	if err := l.takeBack(ctx); err != nil {
		return err
	}
	began := l.opts.Now()
	l.unflushed.Store(0)
	hour := log.Hour() // its mark lies before the ends that are flushed up to
	logs, err := log.LogsNow(ctx)
	if err != nil {
		return err
	}
	for i, info := range logs {
		done := i < len(logs)-1 // its day is
		at := change{}
		if !done {
			at = change{hour: hour, completeTo: began}
		}
		switch waits, err := l.flushLog(ctx, log, info, at, all || done); {
		case err != nil:
			return fmt.Errorf("log %s: %w", info.Name, err)
		case waits:
			return nil
		}
		if done {
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

// flushLog flushes one log up to the end that it has now, as under load there always is more, or says that the rest waits.
// At is what is true once it is flushed.
func (l *Lake) flushLog(ctx context.Context, log Log, info eventlog.Info, at change, all bool) (waits bool, err error) {
	if err := notBehind(info, l.committed(info.Name)); err != nil {
		return false, err
	}
	for l.committed(info.Name).Last < info.Last {
		from := l.committed(info.Name).Last + 1
		entries, err := log.Read(ctx, info.Name, from, l.opts.FlushBytes)
		if err != nil {
			return false, err
		}
		b := &batch{marked: true, log: info.Name, packing: quick, first: from, last: info.Last, unreadable: map[time.Time][]row{}}
		if len(entries) > 0 {
			b.last = entries[len(entries)-1].Seq
		}
		if len(entries) == 0 || entries[0].Seq > from {
			l.log.Error("entries of the log cannot be read and are passed over", "log", info.Name, "from", from)
		}
		if b.last >= info.Last { // under load more has come meanwhile
			b.at = at
		}
		if !all && b.last >= info.Last && l.waits(info.Name, entries) {
			if b.at, entries = untilMark(entries); len(entries) == 0 {
				return true, nil
			}
			b.last = entries[len(entries)-1].Seq
		}
		if err := l.flushDivided(ctx, log, b, entries); err != nil {
			return false, err
		}
		delete(l.waiting, info.Name)
	}
	return false, nil
}

// waits says whether the last entries of a log are to wait until there are more of them: an object store says when it was
// given each object, so that one event by itself would be told by that.
func (l *Lake) waits(log string, entries []eventlog.Entry) bool {
	if _, ok := l.place.(*remote); !ok {
		return false
	}
	rows := 0
	for _, e := range entries {
		rows += bytes.Count(e.Group, []byte{'\n'})
	}
	since, waiting := l.waiting[log]
	if !waiting {
		since = l.opts.Now()
		l.waiting[log] = since
	}
	return rows < waitRows && l.opts.Now().Sub(since) < waitFor
}

// untilMark gives the entries up to the last hour mark among them, and what is true once they are flushed: the hours
// before it are closed, and need not wait.
func untilMark(entries []eventlog.Entry) (change, []eventlog.Entry) {
	for i, e := range slices.Backward(entries) {
		if e.Mark {
			return change{hour: e.Hour}, entries[:i+1]
		}
	}
	return change{}, nil
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
	at          change              // what it commits beside its files
	marked      bool                // it is of a log, and has a mark
	divided     bool                // it is a part of what there was too little memory for: it is merged with nothing
	strict      bool                // and cannot be divided further: what is too large in it goes to quarantine
}

func (b *batch) mark() mark { return mark{b.log, b.last} }

// flushDivided flushes entries by halves where there is too little memory for all at once. The last has what the whole is to commit.
func (l *Lake) flushDivided(ctx context.Context, log Log, b *batch, entries []eventlog.Entry) error {
	err := l.flushEntries(ctx, log, b, entries)
	if !errors.Is(err, errLarge) && !duck.OutOfMemory(err) || b.strict {
		return err
	}
	if err := l.takeBack(ctx); err != nil {
		return err
	}
	strict := len(entries) == 1
	for _, entries := range [][]eventlog.Entry{entries[:len(entries)/2], entries[len(entries)/2:]} {
		if len(entries) == 0 {
			continue
		}
		half := &batch{marked: true, divided: true, strict: strict, log: b.log, packing: b.packing, first: l.committed(b.log).Last + 1, last: entries[len(entries)-1].Seq,
			unreadable: map[time.Time][]row{}}
		if half.last == b.last {
			half.at = b.at
		}
		if err := l.flushDivided(ctx, log, half, entries); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lake) flushEntries(ctx context.Context, log Log, b *batch, entries []eventlog.Entry) error {
	if err := l.commitEntries(ctx, b, entries); err != nil {
		l.failed = b
		return err
	}
	l.disk.point("flush-committed")
	if err := l.place.forget(b.before); err != nil {
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
	return l.commitBatch(ctx, b)
}

// commitBatch makes the files of a batch count that lie aside.
func (l *Lake) commitBatch(ctx context.Context, b *batch) error {
	c := b.at
	c.files = b.files
	if b.marked {
		m := b.mark()
		c.mark = &m
	}
	if err := l.place.commit(ctx, c); err != nil {
		return err
	}
	l.accept(b)
	return nil
}

// accept takes up what was committed.
func (l *Lake) accept(b *batch) {
	if b.marked {
		l.mu.Lock()
		if m, ok := l.cat.marks[b.log]; ok {
			b.before = []mark{m}
		}
		l.cat.marks[b.log] = b.mark()
		l.mu.Unlock()
	}
	l.taken(b.files)
	l.remember(b.stored)
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.at.hour.After(l.closedTo) {
		l.closedTo = b.at.hour
	}
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
// range begins where this one did, and would overlap it. One that turns out to be committed counts.
func (l *Lake) takeBack(ctx context.Context) error {
	if l.failed == nil {
		return nil
	}
	committed, err := l.place.takeBack(ctx, l.failed)
	if err != nil {
		return err
	}
	if committed {
		l.accept(l.failed)
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
	l.cat.add(files)
	l.mu.Unlock()
	l.sync()
}

// remember notes the keys of what was just committed; l.writing is held.
func (l *Lake) remember(parts []*part) {
	for _, p := range parts {
		for slot, rows := range bySlot(p.rows) {
			filter := l.seen.slots[slotKey{p.table.Stream, slot}]
			if filter == nil {
				continue
			}
			for _, r := range rows {
				l.seen.add(filter, r.key.ID)
			}
		}
	}
	l.seen.shrink()
}
