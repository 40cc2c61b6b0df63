package stat

import (
	"math"
	"slices"
)

// weekDays is a week, in whose rhythm days repeat.
const weekDays = 7

// FirstLook is how many pairs of days there must be before anything is said: one week. Before that the
// sample's deviation is too uncertain for an asymptotic interval.
const FirstLook = weekDays

// Days compares the time after a change with the time before it. The unit is the difference of a pair of
// days: what swings from day to day swings in it, and the rhythm of the week does not.
//
// after[0] is the first whole day after the change, before[0] the last whole day before it, so before runs back
// in time; NaN is a day without data, and its pair is left out. Both are daily values of the KPI; gap is how many
// days lie between them, as that of a change at noon does. The second result is the number of pairs.
func (s Sequence) Days(before, after []float64, gap int) (Interval, int) {
	m := Of(pairs(before, after, gap))
	if m.N < FirstLook {
		return Interval{m.Mean(), math.Inf(-1), math.Inf(1)}, m.N
	}
	return s.Around(m.Mean(), float64(m.N), m.Deviation()), m.N
}

// pairs are the differences of the days after from those of the same weekday as many weeks before.
func pairs(before, after []float64, gap int) (differences []float64) {
	for i, a := range after {
		if j := Mirror(i, gap); j < len(before) && !math.IsNaN(a) && !math.IsNaN(before[j]) {
			differences = append(differences, a-before[j])
		}
	}
	return differences
}

// Mirror is the place, counted back from the last whole day before a change, of the day that a day after it, counted from
// the first whole one, is compared with: as many weeks away from the change, and the same weekday. gap is how many days lie
// between the two.
func Mirror(day, gap int) int {
	week, weekday := day/weekDays, (day+gap)%weekDays
	return week*weekDays + weekDays - 1 - weekday
}

// Branches compares two branches that run side by side, by the difference of their means: that of b less that of
// a. The unit is the dialog.
func (s Sequence) Branches(a, b Moments) Interval {
	difference := b.Mean() - a.Mean()
	n, sd := pooled(a, b)
	if math.IsNaN(sd) {
		return Interval{difference, math.Inf(-1), math.Inf(1)}
	}
	return s.Around(difference, n, sd)
}

// pooled are the effective number of units of both branches, and the deviation that gives, over that number, the
// variance of the difference.
func pooled(a, b Moments) (n, sd float64) {
	na, nb := a.Effective(), b.Effective()
	da, db := a.Deviation(), b.Deviation()
	n = na + nb
	return n, math.Sqrt(n * (da*da/na + db*db/nb))
}

// Percentiles compares the p-quantiles of two samples: that of b less that of a. The quantile function of a sample
// gives its value at a share, and is asked only between 0 and 1. na and nb are effective numbers of units.
func Percentiles(p, alpha float64, a, b func(share float64) float64, na, nb float64) Interval {
	lowA, highA := bounds(p, alpha/2, a, na)
	lowB, highB := bounds(p, alpha/2, b, nb)
	return Interval{b(p) - a(p), lowB - highA, highB - lowA}
}

// PercentileUnits is about how many units both samples together would need, each in its share of them, for [Percentiles] to find a
// difference with a probability of 0.8, were their quantiles those of the samples that there are; infinity where no number would do,
// as of values that lie further apart than that.
func PercentileUnits(p, alpha, difference float64, a, b func(share float64) float64, na, nb float64) float64 {
	enough := func(factor float64) bool {
		lowA, highA, errA := reach(p, alpha/2, a, factor*na)
		lowB, highB, errB := reach(p, alpha/2, b, factor*nb)
		return max(lowB+highA, highB+lowA)+found*math.Hypot(errA, errB) <= math.Abs(difference)
	}
	low, high := 0.0, 1.0
	for !enough(high) {
		if high > 1e9 {
			return math.Inf(1)
		}
		low, high = high, 2*high
	}
	for high-low > high/100 {
		if mid := (low + high) / 2; enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high * (na + nb)
}

// reach is how far the bounds of a percentile lie below and above it at n units, and its standard error.
func reach(p, alpha float64, quantile func(float64) float64, n float64) (below, above, err float64) {
	low, high := bounds(p, alpha, quantile, n)
	e := math.Sqrt(p * (1 - p) / n)
	return quantile(p) - low, high - quantile(p), (quantile(min(1, p+e)) - quantile(max(0, p-e))) / 2
}

func bounds(p, alpha float64, quantile func(float64) float64, n float64) (low, high float64) {
	low, high = Ranks(p, n, alpha)
	if low, high = at(quantile, low), at(quantile, high); math.IsNaN(low) || math.IsNaN(high) {
		return math.Inf(-1), math.Inf(1)
	}
	return low, high
}

func at(quantile func(float64) float64, share float64) float64 {
	switch {
	case share < 0:
		return math.Inf(-1)
	case share > 1:
		return math.Inf(1)
	}
	return quantile(share)
}

// Sample is the quantile function of values of equal weight, as the inverse of their distribution function.
func Sample(values []float64) func(share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return func(share float64) float64 {
		if len(sorted) == 0 {
			return math.NaN()
		}
		return sorted[min(len(sorted)-1, max(0, int(math.Ceil(share*float64(len(sorted))))-1))]
	}
}
