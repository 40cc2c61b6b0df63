package kpi

import (
	"cmp"
	"maps"
	mathbits "math/bits"
	"slices"
	"strings"
	"time"

	"brine/kpi/stat"
)

// Cell is what interactions add up to. Cells of different interactions can be added up.
type Cell struct {
	Count stat.Moments   // of the value 1: N interactions, Weights what they stand for
	KPIs  []Measure      // by KPI
	Flows [][]StepCell   // by flow and step
	Left  [][]Departures // by flow, and how many steps were reached less one; nil but in the cells of all interactions, and where asked for

	Missing []float64 // by [Fields]: weight of those without it; nil as Left
}

// Measure is the values of one KPI.
type Measure struct {
	stat.Moments
	Ones   int     // how many values are above 0: of a share, the interactions that have it
	Sketch *Sketch // nil, or without values, where the KPI is no percentile, or nothing was counted
}

// StepCell is those who reached one step of a flow.
type StepCell struct {
	stat.Moments         // of the value 1
	Times        *Sketch // ms since the step before, or the opening; nil, or without values, where nobody reached it
}

// Departures is what people did instead of going on.
type Departures struct {
	Next, Last map[string]stat.Moments // event → how many, as moments of the value 1; "" where no event came
}

// NewCell is a cell of no interactions; with left, one that has [Cell.Left] and [Cell.Missing].
func (d *Definitions) NewCell(left bool) *Cell {
	c := &Cell{KPIs: make([]Measure, len(d.KPIs)), Flows: make([][]StepCell, len(d.Flows))}
	for i, f := range d.Flows {
		c.Flows[i] = make([]StepCell, len(f.Steps))
	}
	if left {
		c.Missing = make([]float64, len(Fields))
		c.Left = make([][]Departures, len(d.Flows))
		for i, f := range d.Flows {
			c.Left[i] = make([]Departures, len(f.Steps)-1)
		}
	}
	return c
}

// Plus is the cell of both cells' interactions, as a cell of its own. It has [Cell.Left] and [Cell.Missing] where
// both have. The cells are of the same definitions.
func (c *Cell) Plus(o *Cell) *Cell {
	sum := c.Clone()
	if o.Missing == nil {
		sum.Left, sum.Missing = nil, nil
	}
	sum.Merge(o)
	return sum
}

// Clone is a copy that shares nothing with the cell.
func (c *Cell) Clone() *Cell {
	n := &Cell{KPIs: make([]Measure, len(c.KPIs)), Flows: make([][]StepCell, len(c.Flows))}
	for i := range c.Flows {
		n.Flows[i] = make([]StepCell, len(c.Flows[i]))
	}
	if c.Missing != nil {
		n.Missing = make([]float64, len(c.Missing))
		n.Left = make([][]Departures, len(c.Left))
		for i := range c.Left {
			n.Left[i] = make([]Departures, len(c.Left[i]))
		}
	}
	n.Merge(c)
	return n
}

// Reset makes it a cell of no interactions again, whose memory is used for the next.
func (c *Cell) Reset() {
	c.Count = stat.Moments{}
	for i := range c.KPIs {
		c.KPIs[i] = Measure{Sketch: c.KPIs[i].Sketch.reset()}
	}
	for _, steps := range c.Flows {
		for s := range steps {
			steps[s] = StepCell{Times: steps[s].Times.reset()}
		}
	}
	clear(c.Missing)
	for _, steps := range c.Left {
		clear(steps)
	}
}

// Merge adds another cell's interactions to this one: of [Cell.Left] and [Cell.Missing] where this one has them.
func (c *Cell) Merge(o *Cell) {
	c.Count = c.Count.Plus(o.Count)
	for i := range o.KPIs {
		c.KPIs[i].Moments = c.KPIs[i].Plus(o.KPIs[i].Moments)
		c.KPIs[i].Ones += o.KPIs[i].Ones
		mergeInto(&c.KPIs[i].Sketch, o.KPIs[i].Sketch)
	}
	for f := range o.Flows {
		for s := range o.Flows[f] {
			c.Flows[f][s].Moments = c.Flows[f][s].Plus(o.Flows[f][s].Moments)
			mergeInto(&c.Flows[f][s].Times, o.Flows[f][s].Times)
		}
	}
	if c.Missing == nil || o.Missing == nil {
		return
	}
	for i, weight := range o.Missing {
		c.Missing[i] += weight
	}
	for f := range o.Left {
		for s := range o.Left[f] {
			mergeEvents(&c.Left[f][s].Next, o.Left[f][s].Next)
			mergeEvents(&c.Left[f][s].Last, o.Left[f][s].Last)
		}
	}
}

func mergeInto(s **Sketch, o *Sketch) {
	if o == nil {
		return
	}
	if *s == nil {
		*s = NewSketch()
	}
	(*s).merge(o)
}

func mergeEvents(events *map[string]stat.Moments, o map[string]stat.Moments) {
	if *events == nil && len(o) > 0 {
		*events = make(map[string]stat.Moments, len(o))
	}
	for event, m := range o {
		addEvent(*events, event, m)
	}
}

// Adder adds facts to cells, one by one; see [Batch] for many. What is the same for all cells that a fact goes into is done once, by Set.
type Adder struct {
	fact  *Fact
	count stat.Moments // of the fact
	kpis  []addedValue
	steps []addedStep
	defs  *Definitions
}

type addedValue struct {
	kpi, bin int // bin is noBin where the KPI is no percentile
	ones     int // 1 where the value is above 0
	stat.Moments
}

type addedStep struct{ flow, step, bin int }

// plus adds in place: a fact is added to many cells, and copies of moments are most of what that costs.
func plus(m, o *stat.Moments) {
	m.N += o.N
	m.Weights += o.Weights
	m.Squares += o.Squares
	m.Sum += o.Sum
	m.SumSq += o.SumSq
}

// Adder makes one. It serves one goroutine.
func (d *Definitions) Adder() *Adder { return &Adder{defs: d} }

// Set takes a fact, which is to stay as it is until the last Add.
func (a *Adder) Set(f *Fact) {
	a.fact, a.count, a.kpis, a.steps = f, stat.Moments{}, a.kpis[:0], a.steps[:0]
	a.count.Add(1, f.Weight)
	for i, value := range f.Values {
		if value != value {
			continue
		}
		v := addedValue{kpi: i, bin: noBin}
		v.Add(value, f.Weight)
		if value > 0 {
			v.ones = v.N
		}
		if a.defs.KPIs[i].Percentiles() {
			v.bin = binOf(value)
		}
		a.kpis = append(a.kpis, v)
	}
	for i := range f.Flows {
		w := &f.Flows[i]
		for step := range w.Reached {
			a.steps = append(a.steps, addedStep{i, step, binOf(w.StepTime(step))})
		}
	}
}

// Add adds the fact to a cell.
func (a *Adder) Add(c *Cell) {
	plus(&c.Count, &a.count)
	for i := range a.kpis {
		v := &a.kpis[i]
		m := &c.KPIs[v.kpi]
		plus(&m.Moments, &v.Moments)
		m.Ones += v.ones
		if v.bin != noBin {
			addTo(&m.Sketch, v.bin, a.fact.Weight)
		}
	}
	for i := range a.steps {
		s := &a.steps[i]
		cell := &c.Flows[s.flow][s.step]
		plus(&cell.Moments, &a.count)
		addTo(&cell.Times, s.bin, a.fact.Weight)
	}
	if c.Missing != nil {
		c.addLeft(a.fact, a.count)
	}
}

func addTo(s **Sketch, bin int, weight float64) {
	if *s == nil {
		*s = NewSketch()
	}
	(*s).addBin(bin, weight)
}

// AddLeft adds to [Cell.Left] and [Cell.Missing], which the cell must have, what a fact adds to them.
func (c *Cell) AddLeft(f *Fact) { c.addLeft(f, ones(f.Weight)) }

// addLeft is AddLeft, where the fact is known as moments of the value 1.
func (c *Cell) addLeft(fact *Fact, count stat.Moments) {
	for missing := fact.Missing & (1<<len(c.Missing) - 1); missing != 0; missing &= missing - 1 {
		c.Missing[mathbits.TrailingZeros64(missing)] += fact.Weight
	}
	for f := range fact.Flows {
		w := &fact.Flows[f]
		if w.Reached == 0 || w.Reached > len(c.Left[f]) {
			continue
		}
		left := &c.Left[f][w.Reached-1]
		if left.Next == nil {
			left.Next, left.Last = map[string]stat.Moments{}, map[string]stat.Moments{}
		}
		addEvent(left.Next, w.Next, count)
		addEvent(left.Last, w.Last, count)
	}
}

// mostEvents is how many events are told apart while facts are added up, before the rarest are known; see [Cell.CutLeft].
const mostEvents = 2000

func addEvent(events map[string]stat.Moments, event string, count stat.Moments) {
	before, met := events[event]
	if !met && len(events) >= mostEvents {
		event = Other
		before = events[Other]
	}
	events[event] = before.Plus(count)
}

// CutLeft makes the rarest events of each of [Cell.Left] [Other] where there are more than [MostValues].
func (c *Cell) CutLeft() {
	for _, steps := range c.Left {
		for s := range steps {
			steps[s].Next, steps[s].Last = cutEvents(steps[s].Next), cutEvents(steps[s].Last)
		}
	}
}

func cutEvents(events map[string]stat.Moments) map[string]stat.Moments {
	if len(events) <= MostValues {
		return events
	}
	names := slices.SortedFunc(maps.Keys(events), func(a, b string) int {
		return cmp.Or(cmp.Compare(events[b].N, events[a].N), strings.Compare(a, b))
	})
	kept := make(map[string]stat.Moments, MostValues)
	for _, name := range names {
		if name == Other || len(kept) >= MostValues-1 {
			kept[Other] = kept[Other].Plus(events[name])
			continue
		}
		kept[name] = events[name]
	}
	return kept
}

// Date is a day in the definitions' time zone, as 2026-11-28.
type Date string

// Start is when the day begins in a zone: where the clock is put forward at midnight the moment that it is, and where midnight comes twice the first.
func (d Date) Start(zone *time.Location) time.Time {
	day, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	t := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	before := t.Add(-time.Nanosecond)
	switch {
	case t.Day() != day.Day(): // before the gap that midnight is in
		_, t = t.ZoneBounds()
	case before.Day() == day.Day():
		_, now := t.Zone()
		_, then := before.Zone()
		t = t.Add(time.Duration(now-then) * time.Second)
	}
	return t
}

// Day is one day's interactions, told apart by the values of one segment.
type Day struct {
	Date  Date
	Open  bool             // it is not over, or its last hours are not closed; what comes up to 7 days late is added to days that are over, too
	Cells map[string]*Cell // by value; "" where they are not told apart. Empty: a day without data
}

// Slot is the arrivals of 10 minutes of event time.
type Slot struct {
	Time   int64 // ms since the epoch
	N      int64
	Weight float64
}

// Bytes is about how much memory the cell takes.
func (c *Cell) Bytes() (n int64) {
	const moments, event = 40, 100
	n = moments + int64(len(c.Missing))*8
	for _, m := range c.KPIs {
		n += moments + m.Sketch.size()
	}
	for _, steps := range c.Flows {
		for _, s := range steps {
			n += moments + s.Times.size()
		}
	}
	for _, steps := range c.Left {
		for _, left := range steps {
			n += int64(len(left.Next)+len(left.Last)) * event
		}
	}
	return n
}
