package simulate

import "math"

// choice is one of several things and how likely it is; the likelihoods of a table sum to 1.
type choice[T any] struct {
	share float64
	value T
}

// pick draws one of a table's values.
func pick[T any](s *Source, table []choice[T]) T {
	at := s.random.Float64()
	for i := range table {
		if at -= table[i].share; at < 0 {
			return table[i].value
		}
	}
	return table[len(table)-1].value
}

// happens is true with the given likelihood.
func (s *Source) happens(likelihood float64) bool {
	return s.random.Float64() < likelihood
}

// logNormal draws from the log-normal distribution with this median; sigma is the standard deviation
// of its logarithm.
func (s *Source) logNormal(median, sigma float64) float64 {
	return median * math.Exp(sigma*s.random.NormFloat64())
}

// poisson draws from the Poisson distribution: by Knuth's multiplication where the mean is small,
// else by the normal approximation.
func (s *Source) poisson(mean float64) int {
	if mean > 30 {
		return int(math.Max(0, math.Round(mean+math.Sqrt(mean)*s.random.NormFloat64())))
	}
	n, limit := 0, math.Exp(-mean)
	for p := s.random.Float64(); p > limit; p *= s.random.Float64() {
		n++
	}
	return n
}
