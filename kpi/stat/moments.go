package stat

import "math"

// Moments are what a mean and its deviation need to know of weighted values. They can be added up: those
// of hours give those of a day. The zero value is no values.
type Moments struct {
	N       int     // values
	Weights float64 // their sum
	Squares float64 // the sum of the weights' squares
	Sum     float64 // of weight times value
	SumSq   float64 // of weight times value squared
}

// Add counts a value. A weight that is not above 0 counts nothing.
func (m *Moments) Add(value, weight float64) {
	if !(weight > 0) {
		return
	}
	m.N++
	m.Weights += weight
	m.Squares += weight * weight
	m.Sum += weight * value
	m.SumSq += weight * value * value
}

// Plus is the moments of both sets of values.
func (m Moments) Plus(o Moments) Moments {
	return Moments{m.N + o.N, m.Weights + o.Weights, m.Squares + o.Squares, m.Sum + o.Sum, m.SumSq + o.SumSq}
}

// Mean is the weighted mean, NaN of no values.
func (m Moments) Mean() float64 { return m.Sum / m.Weights }

// Effective is how many values of equal weight would tell as much: the square of the sum of the
// weights over the sum of their squares (Kish, "Survey Sampling", 1965, section 11.7). 0 of no values.
func (m Moments) Effective() float64 {
	if m.Squares == 0 {
		return 0
	}
	return m.Weights * m.Weights / m.Squares
}

// Deviation is the standard deviation of the values, NaN of less than two.
func (m Moments) Deviation() float64 {
	n := m.Effective()
	if m.N < 2 || n <= 1 {
		return math.NaN()
	}
	mean := m.Mean()
	return math.Sqrt(max(0, m.SumSq/m.Weights-mean*mean) * n / (n - 1))
}

// Of is the moments of values of equal weight.
func Of(values []float64) (m Moments) {
	for _, v := range values {
		m.Add(v, 1)
	}
	return m
}
