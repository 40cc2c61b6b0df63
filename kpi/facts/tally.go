package facts

import (
	"cmp"
	"maps"
	"slices"
	"time"
	"unsafe"

	"brine/kpi"
)

// tally is what facts add up to: a cell for each day and value of each segment, and the arrivals.
type tally struct {
	defs  *kpi.Definitions
	days  map[kpi.Date]*dayTally
	slots map[int64]*kpi.Slot
	rows  int64

	at   int64 // the slot of the fact before: most come in the order of their times
	day  *dayTally
	slot *kpi.Slot

	batch *kpi.Batch // facts of the day that are in no cell yet, but for what is told of all of it
	parts []part     // by segment; where there are none, one for all
}

// part says into which cells the facts of a batch go.
type part struct {
	cells  []*kpi.Cell
	of     []uint16 // by fact: the place of its cell
	places map[*kpi.Cell]uint16
	recent [recentCells]recentCell
}

// recentCell is the cell of a text that was met lately. A walker gives the same text for the same value, so that to look where it lies
// spares to hash it.
type recentCell struct {
	text  *byte // keeps it, so that no other comes to lie there
	size  int
	place uint16
}

const recentCells = 16 // a power of 2

// dayTally is one day of a tally.
type dayTally struct {
	all      *kpi.Cell              // with Left; nothing else where there are segments, see whole
	segments []map[string]*kpi.Cell // by segment, by value
}

func newTally(defs *kpi.Definitions) *tally {
	t := &tally{defs: defs, days: map[kpi.Date]*dayTally{}, slots: map[int64]*kpi.Slot{}, batch: defs.Batch(), parts: make([]part, max(1, len(defs.Segments)))}
	for i := range t.parts {
		t.parts[i].places = map[*kpi.Cell]uint16{}
	}
	return t
}

// whole is the cell of all interactions of the day, which the values of any segment add up to.
func (d *dayTally) whole() *kpi.Cell {
	all := d.all.Clone()
	for i, cells := range d.segments {
		if i > 0 {
			break
		}
		for _, cell := range cells {
			all.Merge(cell)
		}
	}
	return all
}

func (t *tally) dayOf(date kpi.Date) *dayTally {
	day := t.days[date]
	if day == nil {
		day = &dayTally{all: t.defs.NewCell(true), segments: make([]map[string]*kpi.Cell, len(t.defs.Segments))}
		for i := range day.segments {
			day.segments[i] = map[string]*kpi.Cell{}
		}
		t.days[date] = day
	}
	return day
}

// dateOf is the day of a time in ms.
func dateOf(ms int64, zone *time.Location) kpi.Date {
	return kpi.Date(time.UnixMilli(ms).In(zone).Format(time.DateOnly))
}

func (t *tally) add(f *kpi.Fact) {
	if f.Time != t.at || t.day == nil {
		if day := t.dayOf(dateOf(f.Time, t.defs.Zone)); day != t.day {
			t.settle()
			t.day = day
		}
		t.at = f.Time
		if t.slot = t.slots[f.Time]; t.slot == nil {
			t.slot = &kpi.Slot{Time: f.Time}
			t.slots[f.Time] = t.slot
		}
	}
	t.rows++
	t.slot.N++
	t.slot.Weight += f.Weight
	t.batch.Add(f, t.day.all)
	for i, value := range f.Segments {
		t.parts[i].add(value, t.day.segments[i], t.defs)
	}
	if len(f.Segments) == 0 {
		t.parts[0].put(t.day.all)
	}
	if t.batch.Len() == kpi.BatchRoom {
		t.settle()
	}
}

// settle adds the batch to the cells.
func (t *tally) settle() {
	for i := range t.parts {
		p := &t.parts[i]
		t.batch.Into(p.cells, p.of)
		clear(p.places)
		clear(p.recent[:])
		p.cells, p.of = p.cells[:0], p.of[:0]
	}
	t.batch.Reset()
}

// add says that the next fact has a value.
func (p *part) add(value string, cells map[string]*kpi.Cell, defs *kpi.Definitions) {
	text := unsafe.StringData(value)
	recent := &p.recent[uintptr(unsafe.Pointer(text))/16%recentCells]
	if text == nil || recent.text != text || recent.size != len(value) {
		*recent = recentCell{text, len(value), p.place(cellOf(cells, value, defs))}
	}
	p.of = append(p.of, recent.place)
}

// put says that the next fact goes into a cell.
func (p *part) put(cell *kpi.Cell) { p.of = append(p.of, p.place(cell)) }

func (p *part) place(cell *kpi.Cell) uint16 {
	place, met := p.places[cell]
	if !met {
		place = uint16(len(p.cells))
		p.cells = append(p.cells, cell)
		p.places[cell] = place
	}
	return place
}

// mostTallied is how many values a segment may have while facts are added up, before the rarest are known: more
// become [kpi.Other] as they come.
const mostTallied = 2000

func cellOf(cells map[string]*kpi.Cell, value string, defs *kpi.Definitions) *kpi.Cell {
	c := cells[value]
	if c != nil {
		return c
	}
	if len(cells) >= mostTallied && value != kpi.Other {
		return cellOf(cells, kpi.Other, defs)
	}
	c = defs.NewCell(false)
	cells[value] = c
	return c
}

// cut makes the rarest values [kpi.Other] where there are more than [kpi.MostValues], and so with events after which people left.
func (t *tally) cut() {
	t.settle()
	for _, day := range t.days {
		day.all.CutLeft()
		for i := range day.segments {
			day.segments[i] = cut(day.segments[i])
		}
	}
}

// cut gives the cells themselves where they are not too many.
func cut(cells map[string]*kpi.Cell) map[string]*kpi.Cell {
	if len(cells) <= kpi.MostValues {
		return cells
	}
	values := slices.SortedFunc(maps.Keys(cells), func(a, b string) int {
		return cmp.Or(cmp.Compare(cells[b].Count.N, cells[a].Count.N), cmp.Compare(a, b))
	})
	values = slices.DeleteFunc(values, func(v string) bool { return v == kpi.Other })
	kept := make(map[string]*kpi.Cell, kpi.MostValues)
	for _, value := range values[:kpi.MostValues-1] {
		kept[value] = cells[value]
	}
	var rest *kpi.Cell
	for _, value := range values[kpi.MostValues-1:] {
		if rest == nil {
			rest = cells[value].Clone()
		} else {
			rest.Merge(cells[value])
		}
	}
	if other := cells[kpi.Other]; other != nil {
		rest.Merge(other)
	}
	kept[kpi.Other] = rest
	return kept
}

// dates are the days of a tally, in order.
func (t *tally) dates() []kpi.Date { return slices.Sorted(maps.Keys(t.days)) }

// slotsOf are the arrivals of a day, in order.
func (t *tally) slotsOf(date kpi.Date) (slots []kpi.Slot) {
	for _, at := range slices.Sorted(maps.Keys(t.slots)) {
		if dateOf(at, t.defs.Zone) == date {
			slots = append(slots, *t.slots[at])
		}
	}
	return slots
}
