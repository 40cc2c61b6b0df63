package facts

import (
	"cmp"
	"maps"
	"slices"
	"time"

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

	batch *kpi.Batch // facts of the day that are in no cell yet, but for what is told of all of it; nil: none are
	block *block     // the same facts: the values of their segments, and all else where they are written
	write func(row)  // nil: they are not
	cells []*kpi.Cell
	spare []*kpi.Cell // of earlier facts, to be used again
}

// dayTally is one day of a tally.
type dayTally struct {
	all      *kpi.Cell              // with Left; nothing else where there are segments, see whole
	segments []map[string]*kpi.Cell // by segment, by value
}

func newTally(defs *kpi.Definitions) *tally {
	return &tally{defs: defs, days: map[kpi.Date]*dayTally{}, slots: map[int64]*kpi.Slot{}}
}

// reset makes it one of no facts, which are then given to write. Its memory is used again: nobody may have cells of it.
func (t *tally) reset(write func(row)) {
	for _, day := range t.days {
		for _, cells := range day.segments {
			for _, cell := range cells {
				if len(t.spare) < mostSpare {
					cell.Reset()
					t.spare = append(t.spare, cell)
				}
			}
		}
	}
	if t.batch != nil {
		t.batch.Reset()
		t.block.reset()
	}
	clear(t.days)
	clear(t.slots)
	t.day, t.slot, t.rows, t.write = nil, nil, 0, write
}

// mostSpare are the cells of a few days; each may have some 10 kB of sketches.
const mostSpare = 500

// newCell is one of no interactions.
func (t *tally) newCell() *kpi.Cell {
	n := len(t.spare)
	if n == 0 {
		return t.defs.NewCell(false)
	}
	cell := t.spare[n-1]
	t.spare = t.spare[:n-1]
	return cell
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
	if t.batch == nil {
		t.batch, t.block = t.defs.Batch(), newBlock(t.defs)
	}
	t.batch.Add(f)
	t.day.all.AddLeft(f)
	t.block.addSegments(f)
	if t.write != nil {
		t.block.addOthers(f)
	}
	if t.batch.Len() == kpi.BatchRoom {
		t.settle()
	}
}

// settle adds the batch to the cells.
func (t *tally) settle() {
	if t.batch == nil || t.batch.Len() == 0 {
		return
	}
	for i := range t.block.segments {
		values := &t.block.segments[i]
		t.cells = t.cells[:0]
		for _, value := range values.values {
			t.cells = append(t.cells, cellOf(t.day.segments[i], value, t.newCell))
		}
		t.batch.Into(t.cells, values.of)
	}
	if len(t.block.segments) == 0 {
		t.batch.Into([]*kpi.Cell{t.day.all}, make([]uint32, t.batch.Len()))
	}
	if t.write != nil {
		t.write(t.block.row(dateOf(t.at, t.defs.Zone)))
	}
	t.batch.Reset()
	t.block.reset()
}

// rest lets go of the batch.
func (t *tally) rest() {
	t.settle()
	t.batch, t.block = nil, nil
}

// mostTallied is how many values a segment may have while facts are added up, before the rarest are known: more
// become [kpi.Other] as they come.
const mostTallied = 2000

// cellOf is the cell of a value, a new one where there is none.
func cellOf(cells map[string]*kpi.Cell, value string, newCell func() *kpi.Cell) *kpi.Cell {
	c := cells[value]
	if c != nil {
		return c
	}
	if len(cells) >= mostTallied && value != kpi.Other {
		return cellOf(cells, kpi.Other, newCell)
	}
	c = newCell()
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
