// Package stat has the statistics that a change is judged by: means of weighted values, intervals that
// stay valid however often one looks at them, and the verdict in words.
//
// It imports nothing of the house and knows nothing of events: numbers come in, intervals and verdicts go
// out. Formulas cite their source. A unit is what varies by itself: a day, where a time before is compared
// with a time after; a dialog, where branches run side by side.
package stat

import "math"

// Interval is an estimate with the bounds between which the truth is thought to lie, all in the unit of what
// was measured. Bounds may be infinite: nothing can be said yet.
type Interval struct{ Estimate, Low, High float64 }

// Sequence is a confidence sequence: a rule for intervals, all of which hold the truth at once with
// probability 1 - Alpha, so that one may look at each of them and stop when one likes.
//
// It is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
// "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of Statistics 52, 2024,
// theorem 2.2): a normal mixture, as if the sample's deviation were the true one.
type Sequence struct {
	Alpha float64 // the probability that any of the intervals is wrong, like 0.05
	Best  float64 // the number of units at which the interval shall be narrowest for its kind

	// Few says that units are few for so small an Alpha, so that the deviation being the sample's own has to be reckoned with. The interval is then of the
	// martingale of the t-test under a normal mixture (Lai, Annals of Statistics 4, 1976; Wang and Ramdas, "Anytime-valid t-tests and confidence
	// sequences for Gaussian means with unknown variance", 2023): exact for normal units, and the other one as they get many.
	Few bool
}

// mixture is the variance of the mixture that makes the boundary tight at Best: the reciprocal of rho in
// Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences"
// (Annals of Statistics 49, 2021, section 3.5).
func (s Sequence) mixture() float64 {
	a := -2 * math.Log(s.Alpha)
	return (a + math.Log(1+a)) / s.Best
}

// Margin is how far an interval reaches to either side of the mean of n units whose standard deviation is
// sd. Less than two units give infinity.
func (s Sequence) Margin(n, sd float64) float64 {
	if !(n >= 2) {
		return math.Inf(1)
	}
	r := s.mixture()
	if s.Few {
		a := math.Pow(math.Sqrt(n*r+1)/s.Alpha, 2/n)
		if a >= n*r+1 {
			return math.Inf(1)
		}
		return sd * math.Sqrt((n-1)*(a-1)/(1-a/(n*r+1))/n)
	}
	return sd * math.Sqrt(2*(n*r+1)/(n*n*r)*math.Log(math.Sqrt(n*r+1)/s.Alpha))
}

// Around is the interval of the mean of n units.
func (s Sequence) Around(mean, n, sd float64) Interval {
	m := s.Margin(n, sd)
	return Interval{mean, mean - m, mean + m}
}

// found is how many standard errors a mean lies below the truth in 1 of 5 cases: what is to be found with a
// probability of 0.8 has to stand out by so many more.
const found = 0.8416

// Units is how many units it takes to find a difference with a probability of at least 0.8; infinity
// where there is none to find.
func (s Sequence) Units(difference, sd float64) float64 {
	difference = math.Abs(difference)
	if sd == 0 {
		return 2
	}
	enough := func(n float64) bool { return s.Margin(n, sd)+found*sd/math.Sqrt(n) <= difference }
	low, high := 1.0, 2.0
	for !enough(high) {
		if high > 1e12 {
			return math.Inf(1)
		}
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := math.Floor((low + high) / 2); enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// Ranks are the shares of the values below and above which the bounds of a percentile lie: with probability
// 1 - alpha the true p-quantile lies, at each n at once, between the quantiles of the sample at
// low and high. Below 0 or above 1 the sample has no bound.
//
// Source: Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and
// best-arm identification" (Bernoulli 28, 2022, theorem 1 with the constants of its equation 7).
func Ranks(p, n, alpha float64) (low, high float64) {
	if n < 1 {
		return math.Inf(-1), math.Inf(1)
	}
	l := 1.4*math.Log(math.Log(2.1*n)) + math.Log(10/alpha)
	f := 1.5*math.Sqrt(p*(1-p)*l/n) + 0.8*l/n
	return p - f, p + f
}
