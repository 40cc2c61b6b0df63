package kpi

import (
	"math"

	"brine/kpi/stat"
)

// contrast is a difference with what it rests on.
type contrast struct {
	stat.Interval
	units int     // pairs of days, or dialogs
	sd    float64 // of one unit; NaN where too few have come to say
}

// unknownContrast is a contrast that says nothing.
var unknownContrast = contrast{stat.Interval{Estimate: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}, 0, math.NaN()}

// figure is the difference as a figure.
func (c contrast) figure(n int) Figure {
	f := Figure{Value: finite(c.Estimate), Low: finite(c.Low), High: finite(c.High), Interactions: int64(n)}
	if f.Value == nil {
		f.Why, f.Low, f.High = NoData, nil, nil
	}
	return f
}

// between is the contrast of two sides, or nothing where one of them has no value.
func (c contrast) between(a, b Figure) contrast {
	if a.Value == nil || b.Value == nil {
		return unknownContrast
	}
	return c
}

// verdict judges the difference for a KPI.
func (c contrast) verdict(k KPI) stat.Verdict {
	if math.IsNaN(c.Estimate) {
		return stat.NotEnough
	}
	return stat.Judge(c.Interval, k.MoreBetter, k.Smallest)
}

// dayValue is a KPI on one day, NaN where it has no value, and how much of its variance comes of the number of dialogs alone.
type dayValue struct{ value, variance float64 }

func valueOn(day seenDay, value string, i int, k KPI) dayValue {
	t := sum([]seenDay{day}, value, kpiPart(i), false)
	f := t.figure(k)
	if f.Value == nil {
		return dayValue{math.NaN(), math.NaN()}
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
	return dayValue{*f.Value, variance}
}

// byDays compares days after a change with days before it. after is in the order of time, before runs back from the change, gap
// days lie between them. Days
// swing no less than their dialogs make them: where the days that there are swing less, by luck or as few came, the dialogs'
// share stands for it.
func byDays(s stat.Sequence, before, after []dayValue, gap int) contrast {
	b, a := values(before), values(after)
	interval, n := s.Days(b, a, gap)
	c := contrast{interval, n, math.NaN()}
	if n < stat.FirstLook {
		return c
	}
	c.sd = (interval.High - interval.Estimate) / s.Margin(float64(n), 1)
	if least := leastDeviation(before, after, gap); least > c.sd || math.IsNaN(least) || least == 0 && c.sd == 0 {
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

// leastDeviation is that of a pair of days whose dialogs alone make them differ.
func leastDeviation(before, after []dayValue, gap int) float64 {
	var variance, n float64
	for i := range after {
		if j := stat.Mirror(i, gap); j < len(before) && !math.IsNaN(after[i].value) && !math.IsNaN(before[j].value) {
			variance, n = variance+before[j].variance+after[i].variance, n+1
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
	c := contrast{stat.Interval{Estimate: math.NaN(), Low: math.Inf(-1), High: math.Inf(1)}, n, math.NaN()}
	if a.N == 0 || b.N == 0 {
		return c
	}
	if k.Percentiles() {
		c.Interval = stat.Percentiles(k.Percentile, alpha, a.Sketch.Quantile, b.Sketch.Quantile, a.Effective(), b.Effective())
	} else {
		c.Estimate = b.Mean() - a.Mean()
	}
	if min(a.Effective(), b.Effective()) < fewestDialogs {
		c.Low, c.High = math.Inf(-1), math.Inf(1)
		return c
	}
	if k.Percentiles() {
		return c
	}
	na, nb := a.Effective(), b.Effective()
	da, db := a.deviation(k), b.deviation(k)
	c.sd = math.Sqrt((na + nb) * (da*da/na + db*db/nb))
	c.Interval = stat.Sequence{Alpha: alpha, Best: looks}.Around(c.Estimate, na+nb, c.sd)
	return c
}
