package facts

import (
	"math"

	"brine/event"
	"brine/kpi"
	"brine/lake/duck"
)

// layout is where a fact's parts lie in the columns of its file.
type layout struct {
	defs    *kpi.Definitions
	columns []event.Column
	// The first of the columns of segments, flows and KPIs. A flow has three: offsets, next and last.
	segments, flows int
	kpis            []int // by KPI: its column; 0 where the value follows from a flow
}

const (
	placeTime = iota
	placeWeight
	placeMissing
	placesFixed
)

// flowColumns are those of one flow: the offsets of the steps reached, and what who left did.
const flowColumns = 3

func newLayout(defs *kpi.Definitions) *layout {
	l := &layout{defs: defs, columns: []event.Column{
		{Name: columnTime, Kind: event.Int64}, {Name: "weight", Kind: event.Double}, {Name: "missing", Kind: event.Int64}}}
	l.segments = placesFixed
	for _, s := range defs.Segments {
		l.columns = append(l.columns, event.Column{Name: columnOf(s.Name), Kind: event.String})
	}
	l.flows = len(l.columns)
	for _, f := range defs.Flows {
		l.columns = append(l.columns,
			event.Column{Name: "flow_" + f.Name, Kind: event.List, Fields: []event.Column{{Kind: event.Int32}}},
			event.Column{Name: "next_" + f.Name, Kind: event.String}, event.Column{Name: "last_" + f.Name, Kind: event.String})
	}
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
		feed.SetText(l.segments+i, value)
	}
	for i := range f.Flows {
		w := &f.Flows[i]
		if w.Reached == 0 {
			continue
		}
		at := l.flows + i*flowColumns
		feed.SetInt32s(at, w.Offsets[:w.Reached])
		if w.Reached < len(w.Offsets) {
			feed.SetText(at+1, w.Next)
			feed.SetText(at+2, w.Last)
		}
	}
	for i, value := range f.Values {
		if at := l.kpis[i]; at > 0 && !math.IsNaN(value) {
			feed.SetDouble(at, value)
		}
	}
}

// reader reads facts out of chunks whose columns are the layout's.
type reader struct {
	*layout
	vectors []duck.Vector
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
}

// read gives a row of the chunk. The fact is good until the next.
func (r *reader) read(row int) *kpi.Fact {
	f := &r.fact
	f.Time, f.Weight, f.Missing = r.vectors[placeTime].Int64(row), r.vectors[placeWeight].Double(row), uint64(r.vectors[placeMissing].Int64(row))
	for i := range f.Segments {
		f.Segments[i] = r.text(r.segments+i, row)
	}
	for i := range f.Flows {
		r.walk(&f.Flows[i], r.flows+i*flowColumns, row)
	}
	for i := range f.Values {
		f.Values[i] = math.NaN()
		if at := r.kpis[i]; at > 0 && !r.vectors[at].Null(row) {
			f.Values[i] = r.vectors[at].Double(row)
		}
	}
	r.walker.Derive(f)
	return f
}

func (r *reader) walk(w *kpi.Walk, at, row int) {
	w.Reached, w.Next, w.Last = 0, "", ""
	for i := range w.Offsets {
		w.Offsets[i] = -1
	}
	if r.vectors[at].Null(row) {
		return
	}
	from, to := r.vectors[at].List(row)
	offsets := r.vectors[at].Elements()
	for i := from; i < to && w.Reached < len(w.Offsets); i++ {
		w.Offsets[w.Reached] = offsets.Int32(i)
		w.Reached++
	}
	w.Next, w.Last = r.text(at+1, row), r.text(at+2, row)
}

// mostTexts bounds the texts that are remembered, so that most rows cost no allocation.
const mostTexts = 4096

func (r *reader) text(column, row int) string {
	if r.vectors[column].Null(row) {
		return ""
	}
	bytes := r.vectors[column].String(row)
	if text, met := r.texts[string(bytes)]; met {
		return text
	}
	text := string(bytes)
	if len(r.texts) < mostTexts {
		r.texts[text] = text
	}
	return text
}
