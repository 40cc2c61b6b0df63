package kpi

import (
	"math"
	"slices"
	"strconv"
)

// Walker makes facts of interactions, one after the other, as they are in sanitized rows. It remembers names and
// values that it has seen, so that a row costs no allocation. It serves one goroutine.
//
//	w := definitions.Walker()
//	for each interaction {
//		w.Field(i, text)           // each of w.Fields() that is there
//		w.Event(name, offset)      // each entry of event_stream
//		w.Finish(&fact)            // all but Time, Weight and Missing, and ready for the next
//	}
type Walker struct {
	d      *Definitions
	fields []string
	values [][]byte // by field; nil where it is absent
	dialog int      // its place in fields

	names   names
	flows   []walkedFlow
	kpis    []measured
	valuers []*valuer
	places  []int // by segment, of its field
	events  []happened
	met     bits // the lists that name one of the events
}

// happened is one entry of an event stream.
type happened struct {
	*name
	offset int32
	used   bool // by a step of the flow that is looked at
}

// walkedFlow is a flow with the bits of its patterns.
type walkedFlow struct {
	Flow
	steps   []int
	exclude int // -1: none
}

// measured is a KPI with the places of what it refers to.
type measured struct {
	KPI
	flow, from, to int // from -1: the opening
	events         int // bit of a Share's patterns
	field          int // of a Mean or Quantile
}

// Walker is a new one for the definitions.
func (d *Definitions) Walker() *Walker {
	w := &Walker{d: d, names: names{known: map[string]*name{}}}
	w.dialog = w.field("dialog")
	for _, s := range d.Segments {
		w.places = append(w.places, w.field(s.path()))
		w.valuers = append(w.valuers, newValuer(s))
	}
	for _, f := range d.Flows {
		w.flows = append(w.flows, w.flow(f))
	}
	for _, k := range d.KPIs {
		w.kpis = append(w.kpis, w.kpi(k))
	}
	w.values = make([][]byte, len(w.fields))
	return w
}

// path is that of the field that says the segment's value.
func (s Segment) path() string {
	if s.Experiment != "" {
		return "experiments." + s.Experiment
	}
	return s.Field
}

// field is the place of a field among those that are asked for.
func (w *Walker) field(path string) int {
	i := slices.Index(w.fields, path)
	if i < 0 {
		i, w.fields = len(w.fields), append(w.fields, path)
	}
	return i
}

func (w *Walker) flow(f Flow) walkedFlow {
	walked := walkedFlow{Flow: f, exclude: -1}
	for _, s := range f.Steps {
		walked.steps = append(walked.steps, w.names.add(s.Events))
	}
	if len(f.Exclude) > 0 {
		walked.exclude = w.names.add(f.Exclude)
	}
	return walked
}

func (w *Walker) kpi(k KPI) measured {
	m := measured{KPI: k}
	switch k.Kind {
	case Conversion, TimeTo:
		m.flow = w.d.flow(k.Flow)
		m.from, m.to = w.d.Flows[m.flow].step(k.From), w.d.Flows[m.flow].step(k.To)
	case Share:
		m.events = w.names.add(k.Events)
	case Mean, Quantile:
		m.field = w.field(k.Field)
	}
	return m
}

// Fields are the paths of the fields that are needed, like user_agent.os or experiments.short_form.
func (w *Walker) Fields() []string { return w.fields }

// Number says whether the i-th of [Walker.Fields] is measured as a number: the label of a bucket must not be taken for one, as those that are
// one number would then stand for all.
func (w *Walker) Number(i int) bool {
	return slices.ContainsFunc(w.kpis, func(k measured) bool { return (k.Kind == Mean || k.Kind == Quantile) && k.field == i })
}

// Field says what the i-th of [Walker.Fields] holds, as text; one that is not called is absent. The bytes have to stay as
// they are until [Walker.Finish].
func (w *Walker) Field(i int, value []byte) { w.values[i] = value }

// Event adds an entry of the event stream; offset in ms.
func (w *Walker) Event(name []byte, offset int32) {
	n := w.names.of(name)
	w.events = append(w.events, happened{n, offset, false})
	w.met.add(&n.in)
}

// Finish fills in the fact of what was said since the last one, but for Time, Weight and Missing. The fact's slices are used
// again where they are long enough.
func (w *Walker) Finish(f *Fact) {
	w.sort()
	f.Segments = resized(f.Segments, len(w.valuers))
	for i, v := range w.valuers {
		f.Segments[i] = v.of(w.values[w.places[i]])
	}
	f.Flows = resized(f.Flows, len(w.flows))
	for i := range w.flows {
		w.walk(&w.flows[i], &f.Flows[i])
	}
	f.Values = resized(f.Values, len(w.kpis))
	for i := range w.kpis {
		f.Values[i] = w.measure(&w.kpis[i], f)
	}
	w.events, w.met = w.events[:0], bits{}
	clear(w.values)
}

func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// sort puts events in the order of their offsets; most are. A client records what takes time at its end, under the offset
// of its beginning.
func (w *Walker) sort() {
	for i := 1; i < len(w.events); i++ {
		e, j := w.events[i], i
		for ; j > 0 && w.events[j-1].offset > e.offset; j-- {
			w.events[j] = w.events[j-1]
		}
		w.events[j] = e
	}
}

// walk follows one flow.
func (w *Walker) walk(f *walkedFlow, out *Walk) {
	out.Offsets = resized(out.Offsets, len(f.steps))
	out.Reached, out.Next, out.Last = 0, "", ""
	for i := range out.Offsets {
		out.Offsets[i] = -1
	}
	if !w.met.has(f.steps[0]) || !w.in(f.Dialog) || f.exclude >= 0 && w.met.has(f.exclude) {
		return
	}
	at := w.steps(f, out)
	if out.Reached > 0 && out.Reached < len(f.steps) {
		if at+1 < len(w.events) {
			out.Next = w.events[at+1].text
		}
		out.Last = w.events[len(w.events)-1].text
	}
}

// in says whether the interaction is of the dialog; "" is any.
func (w *Walker) in(dialog string) bool { return dialog == "" || string(w.values[w.dialog]) == dialog }

// steps are reached one after the other, until one is not. The result is the place of the latest event among
// those that reached one.
func (w *Walker) steps(f *walkedFlow, out *Walk) (latest int) {
	for i := range w.events {
		w.events[i].used = false
	}
	from, latest := 0, -1
	for i, bit := range f.steps {
		at := w.find(bit, from)
		if at < 0 {
			return latest
		}
		out.Offsets[i], out.Reached = w.events[at].offset, i+1
		latest = max(latest, at)
		if f.Strict {
			w.events[at].used = true
			from = w.sameTime(at)
		}
	}
	return latest
}

// find is the place of the first event, from a place on, that a list names and no step has used; -1 where there is none.
func (w *Walker) find(bit, from int) int {
	for i := from; i < len(w.events); i++ {
		if e := &w.events[i]; e.in.has(bit) && !e.used {
			return i
		}
	}
	return -1
}

// sameTime is the place of the first event of the same ms.
func (w *Walker) sameTime(at int) int {
	for at > 0 && w.events[at-1].offset == w.events[at].offset {
		at--
	}
	return at
}

// Derived says whether the KPI's value follows from how an interaction went through a flow; see [Walker.Derive].
func (k KPI) Derived() bool { return k.Kind == Conversion || k.Kind == TimeTo }

// Derive fills in the values that follow from the fact's flows: what is stored of facts has no place for them.
func (w *Walker) Derive(f *Fact) {
	for i := range w.kpis {
		if k := &w.kpis[i]; k.Derived() {
			f.Values[i] = w.measure(k, f)
		}
	}
}

// measure is what the interaction says of a KPI, NaN where it says nothing.
func (w *Walker) measure(k *measured, f *Fact) float64 {
	switch k.Kind {
	case Conversion:
		if walk := &f.Flows[k.flow]; walk.Reached > k.from {
			return oneIf(walk.Reached > k.to)
		}
	case TimeTo:
		return f.Flows[k.flow].between(k.from, k.to)
	case Share:
		if w.in(k.Dialog) {
			return oneIf(w.met.has(k.events))
		}
	case Mean, Quantile:
		if v, err := strconv.ParseFloat(string(w.values[k.field]), 64); err == nil && w.in(k.Dialog) {
			return v
		}
	case Count:
		if w.in(k.Dialog) {
			return 1
		}
	}
	return math.NaN()
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
