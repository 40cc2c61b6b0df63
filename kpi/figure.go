package kpi

import (
	"math"

	"brine/kpi/stat"
)

// part is one of the measures of a cell; false where it is withheld.
type part func(sight) (Measure, bool)

// kpiPart is the i-th KPI.
func kpiPart(i int) part {
	return func(s sight) (Measure, bool) {
		if !s.tellsKPI(i) {
			return Measure{}, false
		}
		return s.KPIs[i], true
	}
}

// stepPart is those who reached a step of a flow, and their times.
func stepPart(flow, step int) part {
	return func(s sight) (Measure, bool) {
		if !s.tellsFlow(flow) {
			return Measure{}, false
		}
		return Measure{Moments: s.Flows[flow][step].Moments, Sketch: s.Flows[flow][step].Times}, true
	}
}

// countPart is all interactions of the cell.
func countPart(s sight) (Measure, bool) {
	if s.Cell == nil {
		return Measure{}, false
	}
	return Measure{Moments: s.Count}, true
}

// total is the sum of a part over days.
type total struct {
	Measure
	days     int   // that have data and are told
	withheld int   // days that are left out
	states   state // of the last day that had no data to tell of
}

// sum adds up a part of the cells of one value. Of a count a day that is not over has too little, so that such days are left
// out where closed is asked for, unless there are no others.
func sum(days []seenDay, value string, p part, closed bool) (t total) {
	for _, day := range days {
		if !(closed && day.Open) {
			t.add(day, value, p)
		}
	}
	if closed && t.days == 0 && t.withheld == 0 && len(days) > 0 && days[len(days)-1].Open {
		return sum(days, value, p, false)
	}
	return t
}

func (t *total) add(day seenDay, value string, p part) {
	switch day.state {
	case withheld:
		t.withheld++
		return
	case noData, notOver:
		t.states = day.state
		return
	}
	s, ok := day.cells[value]
	if !ok {
		t.days++ // a day on which nobody had this value
		return
	}
	m, told := p(s)
	if !told {
		t.withheld++
		return
	}
	t.days++
	t.Moments, t.Ones = t.Plus(m.Moments), t.Ones+m.Ones
	if t.Sketch == nil && m.Sketch != nil {
		t.Sketch = m.Sketch.clone()
	} else if m.Sketch != nil {
		t.Sketch.merge(m.Sketch)
	}
}

// looks is what the intervals of single figures are narrowest at, in dialogs.
const looks = 10_000

// Alpha is the probability that an interval is wrong at any of all looks.
const Alpha = 0.05

var dialogs = stat.Sequence{Alpha: Alpha, Best: looks}

// nothing is the figure of what has no value.
func (t total) nothing() Figure {
	f := Figure{Why: NoData, WithheldDays: t.withheld}
	switch {
	case t.withheld > 0:
		f.Why = TooFew
	case t.states == notOver && t.days == 0:
		f.Why = NotOver
	}
	return f
}

// told is a figure with what it rests on.
func (t total) told(value float64) Figure {
	return Figure{Value: finite(value), Interactions: int64(t.N), WithheldDays: t.withheld}
}

// finite is a number that can be told, nil where there is none.
func finite(v float64) *float64 {
	if v-v != 0 {
		return nil
	}
	return &v
}

// count is how many, weighted.
func (t total) count() Figure {
	if t.N == 0 && (t.days == 0 || t.withheld > 0) {
		return t.nothing()
	}
	return t.told(t.Weights)
}

// share is these of those. Both are counts over the same days.
func (t total) share(of total) Figure {
	if of.N == 0 || t.partial() {
		return t.nothing()
	}
	f := of.told(t.Weights / of.Weights)
	f.WithheldDays = t.withheld
	return f
}

// mostLeftOut is the share of days that a KPI may leave out. Which days are withheld hangs on what happened on them, as those
// with few errors are: the others alone would tell of another KPI.
const mostLeftOut = 0.25

// partial says whether too many days are left out for the rest to stand for all.
func (t total) partial() bool {
	return float64(t.withheld) > mostLeftOut*float64(t.days+t.withheld)
}

// figure is the value of a KPI.
func (t total) figure(k KPI) Figure {
	switch {
	case t.partial():
		return t.nothing()
	case k.Kind == Count:
		return t.daily()
	case t.N == 0:
		return t.nothing()
	case k.Percentiles():
		return t.percentile(k.Percentile)
	}
	f := t.told(t.Mean())
	m := dialogs.Margin(t.Effective(), t.deviation(k))
	f.Low, f.High = finite(f.at(-m)), finite(f.at(m))
	if k.Unit() == UnitShare {
		f.Low, f.High = within(f.Low), within(f.High)
	}
	return f
}

func (f Figure) at(distance float64) float64 { return *f.Value + distance }

// within holds the bound of a share between 0 and 1.
func within(v *float64) *float64 {
	if v == nil {
		return nil
	}
	return finite(min(max(*v, 0), 1))
}

// daily is how many come a day, of the days that something came.
func (t total) daily() Figure {
	if t.days == 0 || t.N == 0 && t.withheld > 0 {
		return t.nothing()
	}
	return t.told(t.Weights / float64(t.days))
}

func (t total) percentile(p float64) Figure {
	if t.Sketch.Weight() == 0 {
		return t.nothing()
	}
	f := t.told(t.Sketch.Quantile(p))
	low, high := stat.Ranks(p, t.Effective(), Alpha)
	if low >= 0 {
		f.Low = finite(t.Sketch.Quantile(low))
	}
	if high <= 1 {
		f.High = finite(t.Sketch.Quantile(high))
	}
	return f
}

// deviation is that of single dialogs. Of a share it is no less than with one more who has it and one more who has not,
// as a few who all have it do not tell that everybody has (Agresti and Caffo, "Simple and effective confidence
// intervals for proportions and differences of proportions", The American Statistician 54, 2000).
func (m Measure) deviation(k KPI) float64 {
	sd := m.Deviation()
	if k.Unit() != UnitShare || m.N == 0 {
		return sd
	}
	n := m.Effective()
	p := (m.Mean()*n + 1) / (n + 2)
	return math.Max(sd, math.Sqrt(p*(1-p)))
}
