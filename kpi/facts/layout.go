package facts

import (
	"math"

	"brine/event"
	"brine/kpi"
	"brine/lake/duck"
)

// layout is where a fact's parts lie in the columns of its file: as few as can be, as each costs about as much to write as another.
type layout struct {
	defs    *kpi.Definitions
	columns []event.Column
	flows   int   // the first of the columns that all flows share: placeReached and what follows
	kpis    []int // by KPI: its column; 0 where the value follows from a flow

	offsets []int32 // of the fact that is appended
	left    []string
}

const (
	placeTime = iota
	placeWeight
	placeMissing
	placeSegments // the first of the segments
)

// The columns of flows, from the first of them on.
const (
	placeReached = iota // how many steps, reachedBits for each flow; null where it got into none
	placeOffsets        // of these steps, flow by flow
	placeLeft           // of each flow that it left: what came next and last
)

// reachedBits are enough for the steps that a flow may have, and few enough for as many flows as there may be.
const reachedBits = 4

func newLayout(defs *kpi.Definitions) *layout {
	l := &layout{defs: defs, columns: []event.Column{
		{Name: columnTime, Kind: event.Int64}, {Name: "weight", Kind: event.Double}, {Name: "missing", Kind: event.Int64}}}
	for _, s := range defs.Segments {
		l.columns = append(l.columns, event.Column{Name: columnOf(s.Name), Kind: event.String})
	}
	l.flows = len(l.columns)
	l.columns = append(l.columns, event.Column{Name: "reached", Kind: event.Int64},
		event.Column{Name: "offsets", Kind: event.List, Fields: []event.Column{{Kind: event.Int32}}},
		event.Column{Name: "left", Kind: event.List, Fields: []event.Column{{Kind: event.String}}})
	l.kpis = make([]int, len(defs.KPIs))
	for i, k := range defs.KPIs {
		if k.Derived() {
			continue
		}
		l.kpis[i] = len(l.columns)
		l.columns = append(l.columns, event.Column{Name: "kpi_" + k.Name, Kind: event.Double})
	}
	return l
}

// append adds a fact as a row.
func (l *layout) append(feed *duck.Feed, f *kpi.Fact) {
	feed.Next()
	feed.SetInt64(placeTime, f.Time)
	feed.SetDouble(placeWeight, f.Weight)
	feed.SetInt64(placeMissing, int64(f.Missing))
	for i, value := range f.Segments {
		feed.SetText(placeSegments+i, value)
	}
	l.appendFlows(feed, f)
	for i, value := range f.Values {
		if at := l.kpis[i]; at > 0 && !math.IsNaN(value) {
			feed.SetDouble(at, value)
		}
	}
}

func (l *layout) appendFlows(feed *duck.Feed, f *kpi.Fact) {
	var reached uint64
	l.offsets, l.left = l.offsets[:0], l.left[:0]
	for i := range f.Flows {
		w := &f.Flows[i]
		reached |= uint64(w.Reached) << (i * reachedBits)
		l.offsets = append(l.offsets, w.Offsets[:w.Reached]...)
		if w.Reached > 0 && w.Reached < len(w.Offsets) {
			l.left = append(l.left, w.Next, w.Last)
		}
	}
	if reached == 0 {
		return
	}
	feed.SetInt64(l.flows+placeReached, int64(reached))
	feed.SetInt32s(l.flows+placeOffsets, l.offsets)
	if len(l.left) > 0 {
		feed.SetTexts(l.flows+placeLeft, l.left)
	}
}

// reader reads facts out of chunks whose columns are the layout's.
type reader struct {
	*layout
	vectors []duck.Vector
	steps   duck.Vector // elements of the offsets
	events  duck.Vector // elements of what came next and last
	walker  *kpi.Walker
	fact    kpi.Fact
	texts   map[string]string
}

func (l *layout) reader() *reader {
	r := &reader{layout: l, walker: l.defs.Walker(), texts: map[string]string{}}
	r.fact.Segments = make([]string, len(l.defs.Segments))
	r.fact.Values = make([]float64, len(l.defs.KPIs))
	r.fact.Flows = make([]kpi.Walk, len(l.defs.Flows))
	for i, f := range l.defs.Flows {
		r.fact.Flows[i].Offsets = make([]int32, len(f.Steps))
	}
	return r
}

// bind takes a chunk.
func (r *reader) bind(rows *duck.Rows) {
	r.vectors = r.vectors[:0]
	for i := range r.columns {
		r.vectors = append(r.vectors, rows.Vector(i))
	}
	r.steps, r.events = r.vectors[r.flows+placeOffsets].Elements(), r.vectors[r.flows+placeLeft].Elements()
}

// read gives a row of the chunk. The fact is good until the next.
func (r *reader) read(row int) *kpi.Fact {
	f := &r.fact
	f.Time, f.Weight, f.Missing = r.vectors[placeTime].Int64(row), r.vectors[placeWeight].Double(row), uint64(r.vectors[placeMissing].Int64(row))
	for i := range f.Segments {
		f.Segments[i] = r.text(r.vectors[placeSegments+i], row)
	}
	r.walks(f, row)
	for i := range f.Values {
		f.Values[i] = math.NaN()
		if at := r.kpis[i]; at > 0 && !r.vectors[at].Null(row) {
			f.Values[i] = r.vectors[at].Double(row)
		}
	}
	r.walker.Derive(f)
	return f
}

func (r *reader) walks(f *kpi.Fact, row int) {
	var reached uint64
	if v := r.vectors[r.flows+placeReached]; !v.Null(row) {
		reached = uint64(v.Int64(row))
	}
	steps, events := r.list(placeOffsets, row), r.list(placeLeft, row)
	for i := range f.Flows {
		w := &f.Flows[i]
		w.Next, w.Last = "", ""
		w.Reached = min(int(reached>>(i*reachedBits)&(1<<reachedBits-1)), len(w.Offsets), steps.len())
		for s := range w.Offsets {
			w.Offsets[s] = -1
			if s < w.Reached {
				w.Offsets[s] = r.steps.Int32(steps.next())
			}
		}
		if w.Reached > 0 && w.Reached < len(w.Offsets) && events.len() >= 2 {
			w.Next, w.Last = r.text(r.events, events.next()), r.text(r.events, events.next())
		}
	}
}

// places are those of a list's elements that are still to be read.
type places struct{ at, end int }

func (r *reader) list(place, row int) (p places) {
	if v := r.vectors[r.flows+place]; !v.Null(row) {
		p.at, p.end = v.List(row)
	}
	return p
}

func (p *places) len() int { return p.end - p.at }

func (p *places) next() int {
	p.at++
	return p.at - 1
}

// mostTexts bounds the texts that are remembered, so that most rows cost no allocation.
const mostTexts = 4096

func (r *reader) text(v duck.Vector, row int) string {
	if v.Null(row) {
		return ""
	}
	bytes := v.String(row)
	if text, met := r.texts[string(bytes)]; met {
		return text
	}
	text := string(bytes)
	if len(r.texts) < mostTexts {
		r.texts[text] = text
	}
	return text
}
