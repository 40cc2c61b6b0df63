package stat

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Suspicious is the probability below which a mismatch is flagged: it is looked at often, and a flag stops
// people from trusting a result.
const Suspicious = 0.001

// Mismatch is the probability that branches which were meant to get these shares of the dialogs got so uneven
// ones by chance: Pearson's chi-squared test. weights are the branches' counts, and effective the number of
// units that all of them together are worth (Kish). 1 where it cannot be told.
func Mismatch(shares, weights []float64, effective float64) float64 {
	expected, total := sum(shares), sum(weights)
	if len(shares) < 2 || expected <= 0 || total <= 0 {
		return 1
	}
	x := 0.0
	for i, w := range weights {
		want, got := shares[i]/expected, w/total
		if want == 0 {
			continue
		}
		x += (got - want) * (got - want) / want
	}
	return distuv.ChiSquared{K: float64(len(shares) - 1)}.Survival(x * effective)
}

// Shift is the probability that two times have mixes of segments as different as these by chance: the chi-squared test
// of homogeneity. Segments that neither has are left out. 1 where it cannot be told.
func Shift(before, after []Moments) float64 {
	a, b := whole(before), whole(after)
	na, nb := a.Effective(), b.Effective()
	x, segments := 0.0, 0
	for i := range before {
		pa, pb := before[i].Weights/a.Weights, after[i].Weights/b.Weights
		all := (pa*na + pb*nb) / (na + nb)
		if !(all > 0) {
			continue
		}
		segments++
		x += na*(pa-all)*(pa-all)/all + nb*(pb-all)*(pb-all)/all
	}
	if segments < 2 || na == 0 || nb == 0 {
		return 1
	}
	return distuv.ChiSquared{K: float64(segments - 1)}.Survival(x)
}

// Adjusted is the difference of the means, after less before, as if the mix of segments had stayed what it
// was in both times together (direct standardization). A segment that one of the times lacks is left
// out; the second result is the share of the weight that is in the others.
func Adjusted(before, after []Moments) (difference, covered float64) {
	var weight, all float64
	for i := range before {
		w := before[i].Weights + after[i].Weights
		all += w
		if before[i].N > 0 && after[i].N > 0 {
			difference += w * (after[i].Mean() - before[i].Mean())
			weight += w
		}
	}
	if weight == 0 {
		return math.NaN(), 0
	}
	return difference / weight, weight / all
}

func whole(parts []Moments) (m Moments) {
	for _, p := range parts {
		m = m.Plus(p)
	}
	return m
}

func sum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}
