package lake

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/google/uuid"

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
	fresh := rows[:0]
	for slot, rows := range bySlot(rows) {
		once := firstOfEach(rows)
		known, err := l.known(ctx, t, slot, once)
		if err != nil {
			return nil, err
		}
		for _, r := range once {
			if !known[r.key] {
				fresh = append(fresh, r)
			}
		}
	}
	return fresh, nil
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

// known gives those rows of one slot that are stored.
func (l *Lake) known(ctx context.Context, t Table, slot int64, rows []row) (map[event.Key]bool, error) {
	k := slotKey{t.Stream, slot}
	if err := l.openSlot(ctx, t, k); err != nil {
		return nil, err
	}
	filter := l.seen.slots[k]
	var doubtful []row
	for _, r := range rows {
		if filter == nil || filter.maybe(r.key.ID) {
			doubtful = append(doubtful, r)
		}
	}
	return l.lookUp(ctx, t, slot, doubtful)
}

// openSlot makes a filter for a recent slot, filled from the raw files.
func (l *Lake) openSlot(ctx context.Context, t Table, k slotKey) error {
	now, recent := l.opts.Now().UnixMilli(), seenRecentSlots*event.Slot.Milliseconds()
	if l.seen.has(k) || k.slot < now-recent || k.slot > now+recent {
		return nil
	}
	filter := l.seen.open(k)
	err := l.storedIDs(ctx, t, k.slot, "", func(id [16]byte) { l.seen.add(filter, id) })
	if err != nil {
		l.seen.forget(k) // it holds some of the slot's keys and would deny the others
	}
	return err
}

// lookUpAtOnce bounds the ids of one query.
const lookUpAtOnce = 512

// lookUp asks the raw files for the ids of rows of one slot, and gives the keys that are stored.
// As rows are ordered by (time, id) in every file, few row groups are read.
func (l *Lake) lookUp(ctx context.Context, t Table, slot int64, rows []row) (map[event.Key]bool, error) {
	stored := map[[16]byte]bool{}
	for part := range slices.Chunk(rows, lookUpAtOnce) {
		ids := make([]string, len(part))
		for i, r := range part {
			ids[i] = duck.Quote(uuid.UUID(r.key.ID).String()) + "::UUID"
		}
		err := l.storedIDs(ctx, t, slot, " AND "+duck.Ident(t.ID)+" IN ("+strings.Join(ids, ", ")+")",
			func(id [16]byte) { stored[id] = true })
		if err != nil {
			return nil, err
		}
	}
	known := map[event.Key]bool{}
	for _, r := range rows {
		if stored[r.key.ID] {
			known[r.key] = true
		}
	}
	return known, nil
}

func (l *Lake) storedIDs(ctx context.Context, t Table, slot int64, condition string, each func([16]byte)) error {
	end := slot + event.Slot.Milliseconds()
	return l.again(ctx, l.flusher, func() ([]*File, error) {
		files, err := l.withFooters(ctx, l.flusher, t)
		if err != nil {
			return files, err
		}
		if files = overlapTime(files, slot, end); len(files) == 0 {
			return nil, nil
		}
		release, err := l.place.hold(ctx, files)
		if err != nil {
			return files, err
		}
		defer release()
		return files, eachID(ctx, l.flusher, fmt.Sprintf("SELECT %s FROM %s WHERE %s >= %d AND %[3]s < %[5]d%[6]s",
			duck.Ident(t.ID), l.readParquet(files...), duck.Ident(t.Time), slot, end, condition), each)
	})
}

func eachID(ctx context.Context, conn *duck.Conn, sql string, each func([16]byte)) error {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		ids := rows.Vector(0)
		for i := range rows.Len() {
			each(ids.UUID(i))
		}
	}
	return rows.Err()
}

// overlapTime gives the files that may hold event times in [from, to).
func overlapTime(files []*File, from, to int64) []*File {
	return slices.DeleteFunc(slices.Clone(files), func(f *File) bool { return f.Rows == 0 || f.Max < from || f.Min >= to })
}
