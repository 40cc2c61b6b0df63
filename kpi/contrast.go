package kpi

import (
	"math"

	"brine/kpi/stat"
)

// contrast is a difference with what it rests on.
type contrast struct {
	stat.Interval
	units int        // pairs of days, or dialogs
	sides *[2]Figure // of days: the means of those that are paired, before and after, of which Estimate is the difference
	sd    float64    // of one unit; NaN where it is not known; of less than a week of days, what their dialogs alone make of it
	few   bool       // there are too few to say anything: less than a week of pairs, or 100 dialogs in a branch
}

// unknownContrast is a contrast that says nothing.
var unknownContrast = contrast{Interval: stat.Interval{Estimate: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}, sd: math.NaN()}

// figure is the difference between two sides as a figure.
func (c contrast) figure(a, b Figure) Figure {
	f := Figure{Value: finite(c.Estimate), Low: finite(c.Low), High: finite(c.High), Interactions: a.Interactions + b.Interactions}
	if f.Value == nil {
		f.Why, f.Low, f.High = NoData, nil, nil
	}
	return f
}

// between is the contrast of two sides, or nothing where one of them has no value. Sides that come of days become the means of the
// days that are compared, so that the difference is theirs.
func (c contrast) between(a, b Figure) (contrast, Figure, Figure) {
	switch {
	case a.Value == nil || b.Value == nil:
		return unknownContrast, a, b
	case c.sides != nil:
		left, right := c.sides[0], c.sides[1]
		left.WithheldDays, right.WithheldDays = a.WithheldDays, b.WithheldDays
		return c, left, right
	}
	return c, a, b
}

// verdict judges the difference for a KPI.
func (c contrast) verdict(k KPI) stat.Verdict {
	if math.IsNaN(c.Estimate) {
		return stat.NotEnough
	}
	return stat.Judge(c.Interval, k.MoreBetter, k.Smallest)
}

// dayValue is a KPI on one day, NaN where it has no value, how much of its variance comes of the number of dialogs alone, and
// how many interactions it rests on.
type dayValue struct {
	value, variance float64
	n               int
}

func valueOn(day seenDay, value string, i int, k KPI) dayValue {
	t := sum([]seenDay{day}, value, kpiPart(i), false)
	f := t.figure(k)
	if f.Value == nil {
		return dayValue{math.NaN(), math.NaN(), 0}
	}
	variance := 0.0
	switch {
	case k.Kind == Count:
		variance = t.Squares // that of a Poisson process
	case !k.Percentiles():
		sd := t.deviation(k)
		if variance = sd * sd / t.Effective(); math.IsNaN(variance) {
			variance = 0 // of a single value nothing is known
		}
	}
	return dayValue{*f.Value, variance, t.N}
}

// byDays compares days after a change with days before it. after is in the order of time, before runs back from the change, and
// gap days lie between them. Days swing no less than their dialogs make them: where the days that there are swing less, by luck or as few came, the dialogs'
// share stands for it.
func byDays(s stat.Sequence, before, after []dayValue, gap int) contrast {
	interval, n := s.Days(values(before), values(after), gap)
	if n < stat.FirstLook {
		c := contrast{Interval: interval, units: n, sd: math.Hypot(dialogsDeviation(before), dialogsDeviation(after)), few: true}
		c.sides = sidesOf(paired(before, after, gap))
		return c
	}
	before, after = paired(before, after, gap)
	c := contrast{Interval: interval, units: n, sides: sidesOf(before, after)}
	c.sd = (interval.High - interval.Estimate) / s.Margin(float64(n), 1)
	if least := math.Hypot(dialogsDeviation(before), dialogsDeviation(after)); least > c.sd || math.IsNaN(least) || least == 0 && c.sd == 0 {
		c.sd = least
		if !(least > 0) {
			c.sd = math.NaN()
			c.Low, c.High = math.Inf(-1), math.Inf(1)
			return c
		}
		c.Interval = s.Around(interval.Estimate, float64(n), least)
	}
	return c
}

// paired are the days that are compared with each other, by pair.
func paired(before, after []dayValue, gap int) (b, a []dayValue) {
	for i := range after {
		if j := stat.Mirror(i, gap); j < len(before) && !math.IsNaN(after[i].value) && !math.IsNaN(before[j].value) {
			b, a = append(b, before[j]), append(a, after[i])
		}
	}
	return b, a
}

// sidesOf are the means of paired days; nil where there are none.
func sidesOf(before, after []dayValue) *[2]Figure {
	if len(after) == 0 {
		return nil
	}
	return &[2]Figure{meanOf(before), meanOf(after)}
}

func meanOf(days []dayValue) Figure {
	n := 0
	for _, d := range days {
		n += d.n
	}
	return Figure{Value: finite(stat.Of(values(days)).Mean()), Interactions: int64(n)}
}

// dialogsDeviation is that of days which differ by their dialogs alone.
func dialogsDeviation(days []dayValue) float64 {
	variance, n := 0.0, 0.0
	for _, d := range days {
		if !math.IsNaN(d.value) {
			variance, n = variance+d.variance, n+1
		}
	}
	return math.Sqrt(variance / n)
}

func values(days []dayValue) []float64 {
	all := make([]float64, len(days))
	for i, d := range days {
		all[i] = d.value
	}
	return all
}

// fewestDialogs is how many each branch needs, by their effective number, before anything is said: the intervals hold for
// many, and a branch of a few is not.
const fewestDialogs = 100

// sideBySide compares branches, b less a.
func sideBySide(alpha float64, k KPI, a, b total) contrast {
	n := a.N + b.N
	c := contrast{Interval: stat.Interval{Estimate: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}, units: n, sd: math.NaN()}
	if a.N == 0 || b.N == 0 {
		return c
	}
	na, nb := a.Effective(), b.Effective()
	if k.Percentiles() {
		c.Interval = stat.Percentiles(k.Percentile, alpha, a.Sketch.Quantile, b.Sketch.Quantile, na, nb)
	} else {
		da, db := a.deviation(k), b.deviation(k)
		c.sd = math.Sqrt((na + nb) * (da*da/na + db*db/nb))
		c.Interval = stat.Sequence{Alpha: alpha, Best: looks}.Around(b.Mean()-a.Mean(), na+nb, c.sd)
	}
	if c.few = min(na, nb) < fewestDialogs; c.few {
		c.Low, c.High = math.Inf(-1), math.Inf(1)
	}
	return c
}
