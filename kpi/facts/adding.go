package facts

import (
	"maps"
	"slices"

	"brine/kpi"
)

// adding is what facts are added up in.
type adding interface {
	add(*kpi.Fact)
	rest()                       // lets go of what it takes to add more, until more is added; before held and bytes
	held(view) map[kpi.Date]held // of days; the cells are shared
	bytes() int64                // about how much memory it takes
}

// held gives the cells that a view without a filter asks for.
func (t *tally) held(v view) map[kpi.Date]held {
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

// filter adds up the facts that have one value of a segment, for several views of it.
type filter struct {
	only  kpi.Filter
	defs  *kpi.Definitions
	place int // of the segment
	// named are the values of a day that are told by name: Other are all but these. nil where the filter is for another value.
	named map[kpi.Date]map[string]bool
	views []*filtered

	at    int64
	date  kpi.Date
	batch *kpi.Batch // facts that are in no cell yet, but for what is told of all of them; nil: none are
}

// filtered is what the facts of a filter add up to by the values of another segment.
type filtered struct {
	view
	place  int                 // of that segment; -1 where nothing is told apart
	wanted func(kpi.Date) bool // nil: all days are
	days   map[kpi.Date]held

	cells  []*kpi.Cell // of the facts of the batch
	of     []uint32    // by fact: the place of its cell
	places map[*kpi.Cell]uint32
	other  *kpi.Cell // of facts of days that are not wanted
}

func newFilter(defs *kpi.Definitions, only kpi.Filter) *filter {
	return &filter{only: only, defs: defs, place: segmentPlace(defs, only.Segment), named: map[kpi.Date]map[string]bool{}}
}

// view adds up for a view of the filter, too; named are the values that are told by name on its days.
func (f *filter) view(v view, named map[kpi.Date]map[string]bool, wanted func(kpi.Date) bool) *filtered {
	o := &filtered{view: v, place: segmentPlace(f.defs, v.by), wanted: wanted, days: map[kpi.Date]held{}, places: map[*kpi.Cell]uint32{}, other: f.defs.NewCell(true)}
	maps.Copy(f.named, named)
	f.views = append(f.views, o)
	return o
}

func (f *filter) add(fact *kpi.Fact) {
	if fact.Time != f.at || f.date == "" {
		f.at, f.date = fact.Time, dateOf(fact.Time, f.defs.Zone)
	}
	if !f.has(f.date, fact.Segments[f.place]) {
		return
	}
	if f.batch == nil {
		f.batch = f.defs.Batch()
	}
	f.batch.Add(fact)
	for _, o := range f.views {
		o.add(fact, f.date, f.defs)
	}
	if f.batch.Len() == kpi.BatchRoom {
		f.settle()
	}
}

// has says whether facts with a value are counted on a day.
func (f *filter) has(date kpi.Date, value string) bool {
	return value == f.only.Value || f.only.Value == kpi.Other && !f.named[date][value]
}

// settle adds the batch to the cells.
func (f *filter) settle() {
	if f.batch == nil {
		return
	}
	for _, o := range f.views {
		f.batch.Into(o.cells, o.of)
		clear(o.places)
		o.cells, o.of = o.cells[:0], o.of[:0]
	}
	f.batch.Reset()
}

func (o *filtered) add(fact *kpi.Fact, date kpi.Date, defs *kpi.Definitions) {
	cell := o.other
	if o.wanted == nil || o.wanted(date) {
		day, met := o.days[date]
		if !met {
			day = newHeld()
			o.days[date] = day
		}
		value := ""
		if o.place >= 0 {
			value = fact.Segments[o.place]
		}
		if o.left && day.cells[""] == nil {
			day.cells[""] = defs.NewCell(true)
		}
		cell = cellOf(day.cells, value, func() *kpi.Cell { return defs.NewCell(false) })
		if o.left {
			cell.AddLeft(fact)
		}
	}
	place, met := o.places[cell]
	if !met {
		place = uint32(len(o.cells))
		o.cells = append(o.cells, cell)
		o.places[cell] = place
	}
	o.of = append(o.of, place)
}

// held gives the days of the one view that there is.
func (f *filter) held(view) map[kpi.Date]held { return f.views[0].days }

func (f *filter) rest() {
	f.settle()
	f.batch = nil
}

func (f *filter) bytes() (n int64) {
	for _, o := range f.views {
		for _, h := range o.days {
			n += rememberedBytes + h.bytes()
		}
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
