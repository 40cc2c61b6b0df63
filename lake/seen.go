package lake

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"brine/event"
	"brine/lake/duck"
)

// seen remembers which keys were stored lately, in bounded memory: a Bloom filter for each
// 10-minute slot of event time. What a filter may hold, and what lies in a slot without one,
// is looked up in the raw files; so a filter spares look-ups and never decides.
type seen struct {
	slots map[slotKey]*slotFilter
	bits  uint // of all filters together
	max   uint // bits that they may take
	asked int  // queries of raw files so far
}

type slotKey struct {
	stream string
	slot   int64 // event time floored to 10 minutes, ms since the epoch
}

// slotFilter grows by adding filters, larger ones up to a limit.
type slotFilter struct {
	filters []filter
	room    int // keys the last filter still takes
}

const (
	seenMaxBits     = 64 << 23 // 64 MB
	seenFirstKeys   = 4096     // of a slot's first filter; each further one takes 8 times as many,
	seenMostKeys    = 1 << 20  // up to this
	seenBits        = 48       // for each key, so that with
	seenHashes      = 7        // of them set 3 in a million new keys are looked up for nothing
	seenRecentSlots = 12       // a slot this far back (2 hours) gets a filter, an older one is looked up
)

func newSeen() *seen { return &seen{slots: map[slotKey]*slotFilter{}, max: seenMaxBits} }

func (s *seen) has(k slotKey) bool { return s.slots[k] != nil }

// open starts a filter for a slot; all its keys must be added before it is asked.
func (s *seen) open(k slotKey) *slotFilter {
	f := &slotFilter{}
	s.slots[k] = f
	return f
}

// add adds a key to a filter of one of the slots.
func (s *seen) add(f *slotFilter, id [16]byte) {
	if f.room == 0 {
		f.room = seenFirstKeys
		for range f.filters {
			f.room = min(8*f.room, seenMostKeys)
		}
		f.filters = append(f.filters, newFilter(f.room))
		s.bits += f.filters[len(f.filters)-1].bits()
	}
	f.room--
	f.filters[len(f.filters)-1].add(hashID(id))
}

// maybe says false only where the id was certainly not stored in the slot.
func (f *slotFilter) maybe(id [16]byte) bool {
	hash := hashID(id)
	return slices.ContainsFunc(f.filters, func(b filter) bool { return b.maybe(hash) })
}

// filter is a Bloom filter in which all bits of a key are in one line of the processor's cache, where those of a plain one lie in as many lines
// as there are bits (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2009).
type filter [][lineBits / 64]uint64

const lineBits = 512

func newFilter(keys int) filter { return make(filter, keys*seenBits/lineBits) }

func (f filter) bits() uint { return uint(len(f)) * lineBits }

// line is where the bits of a key lie; which ones of it, each 9 bits of places tell.
func (f filter) line(hash uint64) (line *[lineBits / 64]uint64, places uint64) {
	at, _ := bits.Mul64(hash, uint64(len(f)))
	return &f[at], hash * 0x9e3779b97f4a7c15 // other bits than those that chose the line
}

func (f filter) add(hash uint64) {
	line, places := f.line(hash)
	for range seenHashes {
		line[places/64%8] |= 1 << (places % 64)
		places >>= 9
	}
}

func (f filter) maybe(hash uint64) bool {
	line, places := f.line(hash)
	for range seenHashes {
		if line[places/64%8]&(1<<(places%64)) == 0 {
			return false
		}
		places >>= 9
	}
	return true
}

var seenSeed = maphash.MakeSeed()

func hashID(id [16]byte) uint64 { return maphash.Bytes(seenSeed, id[:]) }

// shrink forgets the oldest slots until the bound is kept.
func (s *seen) shrink() {
	if s.bits <= s.max {
		return
	}
	keys := slices.SortedFunc(maps.Keys(s.slots), func(a, b slotKey) int { return cmp.Compare(a.slot, b.slot) })
	for _, k := range keys {
		if s.bits <= s.max {
			return
		}
		s.forget(k)
	}
}

// forget drops a slot's filter; its keys are looked up from then on.
func (s *seen) forget(k slotKey) {
	for _, b := range s.slots[k].filters {
		s.bits -= b.bits()
	}
	delete(s.slots, k)
}

// once takes away the rows that are stored already and the second of two with one key. The
// rows are in order before and after; the caller adds their keys when they are committed.
func (l *Lake) once(ctx context.Context, t Table, rows []row) ([]row, error) {
	if t.Dataset != Raw {
		return rows, nil
	}
	once := rows[:0]
	var doubtful []row
	for slot, rows := range bySlot(rows) {
		rows = firstOfEach(rows)
		doubts, err := l.doubtful(ctx, t, slot, rows)
		if err != nil {
			return nil, err
		}
		once, doubtful = append(once, rows...), append(doubtful, doubts...)
	}
	if len(doubtful) == 0 {
		return once, nil
	}
	known, err := l.lookUp(ctx, t, doubtful)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(once, func(r row) bool { return known[slotted(r.key)] }), nil
}

// bySlot gives rows, which are in order, slot by slot.
func bySlot(rows []row) iter.Seq2[int64, []row] {
	return func(yield func(int64, []row) bool) {
		for len(rows) > 0 {
			slot := event.FloorMillis(rows[0].key.Time)
			n := slices.IndexFunc(rows, func(r row) bool { return r.key.Time >= slot+event.Slot.Milliseconds() })
			if n < 0 {
				n = len(rows)
			}
			if !yield(slot, rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// firstOfEach keeps the first row of each id among those of one slot. Where all have one time,
// as interactions do, equal ids lie side by side.
func firstOfEach(rows []row) []row {
	if rows[0].key.Time == rows[len(rows)-1].key.Time {
		return slices.CompactFunc(rows, func(a, b row) bool { return a.key.ID == b.key.ID })
	}
	met := make(map[[16]byte]bool, len(rows))
	return slices.DeleteFunc(rows, func(r row) bool {
		again := met[r.key.ID]
		met[r.key.ID] = true
		return again
	})
}

// doubtful gives those rows of one slot that may be stored.
func (l *Lake) doubtful(ctx context.Context, t Table, slot int64, rows []row) (some []row, err error) {
	k := slotKey{t.Stream, slot}
	if err := l.openSlot(ctx, t, k); err != nil {
		return nil, err
	}
	filter := l.seen.slots[k]
	for _, r := range rows {
		if filter == nil || filter.maybe(r.key.ID) {
			some = append(some, r)
		}
	}
	return some, nil
}

// openSlot makes a filter for a recent slot, filled from the raw files.
func (l *Lake) openSlot(ctx context.Context, t Table, k slotKey) error {
	now, recent := l.opts.Now().UnixMilli(), seenRecentSlots*event.Slot.Milliseconds()
	if l.seen.has(k) || k.slot < now-recent || k.slot > now+recent {
		return nil
	}
	filter := l.seen.open(k)
	end := k.slot + event.Slot.Milliseconds()
	err := l.again(ctx, l.flusher, func() ([]*File, error) {
		files, err := l.withFooters(ctx, l.flusher, t)
		if err != nil {
			return files, err
		}
		if files = overlapTime(files, k.slot, end); len(files) == 0 {
			return nil, nil
		}
		return files, l.storedKeys(ctx, t, files, k.slot, end, "", func(key event.Key) { l.seen.add(filter, key.ID) })
	})
	if err != nil {
		l.seen.forget(k) // it holds some of the slot's keys and would deny the others
	}
	return err
}

// slotted is what an event is known by.
func slotted(k event.Key) event.Key { return event.Key{Time: event.FloorMillis(k.Time), ID: k.ID} }

// lookUp asks the raw files for rows, which are in order, and gives the keys of those slots and ids that are stored. It opens each file a few times
// at most, however many slots there are: a day's files together, as most of a file is of about its own hour. So that few row groups are read, rows from
// before that, of about then and from after are asked for apart.
func (l *Lake) lookUp(ctx context.Context, t Table, rows []row) (known map[event.Key]bool, err error) {
	known, wanted := map[event.Key]bool{}, duck.NewFeed(nil, true)
	for _, r := range rows {
		if err := wanted.Add(r.key, []byte("{}")); err != nil {
			return nil, err
		}
	}
	const recent = seenRecentSlots * event.Slot
	err = l.again(ctx, l.flusher, func() ([]*File, error) {
		files, err := l.withFooters(ctx, l.flusher, t)
		if err != nil {
			return files, err
		}
		for day, files := range byDay(files) {
			from := int64(math.MinInt64)
			for _, to := range []int64{day.Add(-recent).UnixMilli(), day.Add(24*time.Hour + recent).UnixMilli(), math.MaxInt64} {
				if files, err := l.lookUpIn(ctx, t, files, wanted, between(rows, from, to), known); err != nil {
					return files, err
				}
				from = to
			}
		}
		return nil, nil
	})
	return known, err
}

// byDay gives files by the day of their hour.
func byDay(files []*File) map[time.Time][]*File {
	days := map[time.Time][]*File{}
	for _, f := range files {
		day := f.Hour.Truncate(24 * time.Hour)
		days[day] = append(days[day], f)
	}
	return days
}

// between gives those of rows, which are in order, whose times are in [from, to).
func between(rows []row, from, to int64) []row {
	at := func(time int64) int {
		n, _ := slices.BinarySearchFunc(rows, time, func(r row, time int64) int { return cmp.Compare(r.key.Time, time) })
		return n
	}
	return rows[at(from):at(to)]
}

// lookUpIn asks those of the files that may have some of the rows, which are in order and wanted; with an error it gives the files that it asked.
func (l *Lake) lookUpIn(ctx context.Context, t Table, files []*File, wanted *duck.Feed, rows []row, known map[event.Key]bool) ([]*File, error) {
	files = slices.DeleteFunc(slices.Clone(files), func(f *File) bool {
		return f.Rows == 0 || len(between(rows, event.FloorMillis(f.Min), event.FloorMillis(f.Max)+event.Slot.Milliseconds())) == 0
	})
	if len(files) == 0 {
		return nil, nil
	}
	table, done, err := l.flusher.Feed(wanted)
	if err != nil {
		return nil, err
	}
	defer done()
	from, to := event.FloorMillis(rows[0].key.Time), event.FloorMillis(rows[len(rows)-1].key.Time)+event.Slot.Milliseconds()
	among := fmt.Sprintf(" AND %s IN (SELECT %s FROM %s())", duck.Ident(t.ID), duck.Ident(duck.KeyColumns[1].Name), table)
	return files, l.storedKeys(ctx, t, files, from, to, among, func(key event.Key) { known[slotted(key)] = true })
}

// storedKeys gives the keys of files with times in [from, to).
func (l *Lake) storedKeys(ctx context.Context, t Table, files []*File, from, to int64, condition string, each func(event.Key)) error {
	release, err := l.place.hold(ctx, files)
	if err != nil {
		return err
	}
	defer release()
	l.seen.asked++
	rows, err := l.flusher.Query(ctx, fmt.Sprintf("SELECT %[1]s, %[2]s FROM %[3]s WHERE %[1]s >= %[4]d AND %[1]s < %[5]d%[6]s",
		duck.Ident(t.Time), duck.Ident(t.ID), l.readParquet(files...), from, to, condition))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		times, ids := rows.Vector(0), rows.Vector(1)
		for i := range rows.Len() {
			each(event.Key{Time: times.Int64(i), ID: ids.UUID(i)})
		}
	}
	return rows.Err()
}

// overlapTime gives the files that may hold event times in [from, to).
func overlapTime(files []*File, from, to int64) []*File {
	return slices.DeleteFunc(slices.Clone(files), func(f *File) bool { return f.Rows == 0 || f.Max < from || f.Min >= to })
}
