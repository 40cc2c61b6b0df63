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
	adder *kpi.Adder
	days  map[kpi.Date]*dayTally
	slots map[int64]*kpi.Slot
	rows  int64

	at     int64 // the slot of the fact before: most come in the order of their times
	day    *dayTally
	slot   *kpi.Slot
	recent [][recentCells]recentCell // of the day, by segment
}

// recentCell is the cell of a text that was met lately. A walker gives the same text for the same value, so that to look where it lies
// spares to hash it.
type recentCell struct {
	text *byte // keeps it, so that no other comes to lie there
	size int
	cell *kpi.Cell
}

const recentCells = 16 // a power of 2

// dayTally is one day of a tally.
type dayTally struct {
	all      *kpi.Cell              // with Left; nothing else where there are segments, see whole
	segments []map[string]*kpi.Cell // by segment, by value
}

func newTally(defs *kpi.Definitions) *tally {
	return &tally{defs: defs, adder: defs.Adder(), days: map[kpi.Date]*dayTally{}, slots: map[int64]*kpi.Slot{}}
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
			t.day = day
			t.recent = make([][recentCells]recentCell, len(day.segments))
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
	t.adder.Set(f)
	if len(t.day.segments) == 0 {
		t.adder.Add(t.day.all)
	} else {
		t.adder.AddLeft(t.day.all)
	}
	for i, value := range f.Segments {
		t.adder.Add(t.cellOf(i, value))
	}
}

func (t *tally) cellOf(segment int, value string) *kpi.Cell {
	text := unsafe.StringData(value)
	recent := &t.recent[segment][uintptr(unsafe.Pointer(text))/16%recentCells]
	if recent.text != text || recent.size != len(value) || recent.cell == nil {
		recent.text, recent.size, recent.cell = text, len(value), cellOf(t.day.segments[segment], value, t.defs)
	}
	return recent.cell
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
