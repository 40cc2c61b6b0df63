package facts

import (
	"maps"
	"slices"

	"brine/kpi"
)

// adding is what facts are added up in.
type adding interface {
	add(*kpi.Fact)
	held(view) map[kpi.Date]held // of days; the cells are shared
	bytes() int64                // about how much memory it takes
}

// held gives the cells that a view without a filter asks for.
func (t *tally) held(v view) map[kpi.Date]held {
	t.settle()
	all := map[kpi.Date]held{}
	by := segmentPlace(t.defs, v.by)
	for date, day := range t.days {
		h := newHeld()
		switch {
		case v.slots:
			for _, slot := range t.slotsOf(date) {
				h.slots[slot.Time] = slot
			}
		case v.by == "":
			h.cells[""] = day.whole()
		default:
			h.cells = day.segments[by]
		}
		all[date] = h
	}
	return all
}

func (t *tally) bytes() int64 {
	t.settle()
	n := int64(len(t.slots)) * 128
	for _, day := range t.days {
		n += day.all.Bytes()
		for _, cells := range day.segments {
			n += held{cells: cells}.bytes()
		}
	}
	return n
}

func segmentPlace(defs *kpi.Definitions, name string) int {
	return slices.IndexFunc(defs.Segments, func(s kpi.Segment) bool { return s.Name == name })
}

// filter adds up the facts that have one value of a segment, by the values of another.
type filter struct {
	view
	defs     *kpi.Definitions
	adder    *kpi.Adder
	only, by int // places of the segments; by is -1 where nothing is told apart
	wanted   func(kpi.Date) bool
	// named are the values of a day that are told by name: Other are all but these. nil where the filter is for another value.
	named map[kpi.Date]map[string]bool
	days  map[kpi.Date]held

	at   int64
	date kpi.Date
}

func newFilter(defs *kpi.Definitions, v view, named map[kpi.Date]map[string]bool) *filter {
	f := &filter{view: v, defs: defs, adder: defs.Adder(), only: segmentPlace(defs, v.only.Segment), by: segmentPlace(defs, v.by), days: map[kpi.Date]held{}}
	if v.only.Value == kpi.Other {
		f.named = named
	}
	return f
}

func (f *filter) add(fact *kpi.Fact) {
	f.adder.Set(fact)
	f.addSet(fact, f.adder)
}

// addSet adds a fact that an adder has taken.
func (f *filter) addSet(fact *kpi.Fact, adder *kpi.Adder) {
	if fact.Time != f.at || f.date == "" {
		f.at, f.date = fact.Time, dateOf(fact.Time, f.defs.Zone)
	}
	if f.wanted != nil && !f.wanted(f.date) || !f.has(fact.Segments[f.only]) {
		return
	}
	day, met := f.days[f.date]
	if !met {
		day = newHeld()
		f.days[f.date] = day
	}
	value := ""
	if f.by >= 0 {
		value = fact.Segments[f.by]
	}
	if f.left && day.cells[""] == nil {
		day.cells[""] = f.defs.NewCell(true)
	}
	adder.Add(cellOf(day.cells, value, f.defs))
}

func (f *filter) has(value string) bool {
	if value == f.view.only.Value {
		return true
	}
	return f.view.only.Value == kpi.Other && !f.named[f.date][value]
}

func (f *filter) held(view) map[kpi.Date]held { return f.days }

func (f *filter) bytes() (n int64) {
	for _, h := range f.days {
		n += rememberedBytes + h.bytes()
	}
	return n
}

// total adds up days of several, as cells of its own.
func total(defs *kpi.Definitions, parts []map[kpi.Date]held) map[kpi.Date]held {
	sum := map[kpi.Date]held{}
	for _, part := range parts {
		for date, h := range part {
			if _, met := sum[date]; !met {
				sum[date] = newHeld()
			}
			sum[date].merge(h, defs)
		}
	}
	return sum
}

// merge adds to what is the caller's own.
func (h held) merge(o held, defs *kpi.Definitions) {
	for value, cell := range o.cells {
		if before := h.cells[value]; before != nil {
			before.Merge(cell)
		} else {
			h.cells[value] = cell.Clone()
		}
	}
	for at, slot := range o.slots {
		before := h.slots[at]
		h.slots[at] = kpi.Slot{Time: at, N: before.N + slot.N, Weight: before.Weight + slot.Weight}
	}
}

// cut is what a roll-up would hold of the same facts.
func (h held) cut() held {
	h.cells = cut(h.cells)
	for _, cell := range h.cells {
		cell.CutLeft()
	}
	return h
}

// namesOf are the values that are told by name on each day.
func namesOf(days map[kpi.Date]held) map[kpi.Date]map[string]bool {
	named := map[kpi.Date]map[string]bool{}
	for date, h := range days {
		named[date] = map[string]bool{}
		for value := range maps.Keys(cut(h.cells)) {
			if value != kpi.Other {
				named[date][value] = true
			}
		}
	}
	return named
}
