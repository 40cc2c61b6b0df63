package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMoments(t *testing.T) {
	m := Of([]float64{2, 4, 4, 4, 5, 5, 7, 9})
	near(t, "mean", m.Mean(), 5, 1e-12)
	near(t, "deviation", m.Deviation(), math.Sqrt(32.0/7), 1e-12)
	near(t, "effective", m.Effective(), 8, 1e-12)
}

// A weight of k tells of the mean what k equal values would, and of the certainty less.
func TestWeights(t *testing.T) {
	var m Moments
	m.Add(1, 3)
	m.Add(0, 1)
	m.Add(5, 0)
	m.Add(5, math.NaN())
	near(t, "mean", m.Mean(), 0.75, 1e-12)
	near(t, "effective", m.Effective(), 1.6, 1e-12) // 4² / (9 + 1)
	if m.N != 2 {
		t.Errorf("%d values are counted: one of weight 0 and one of none are not", m.N)
	}
}

func TestNoMoments(t *testing.T) {
	var m Moments
	if !math.IsNaN(m.Mean()) || !math.IsNaN(m.Deviation()) || m.Effective() != 0 {
		t.Errorf("no values have the mean %v, the deviation %v and the size %v", m.Mean(), m.Deviation(), m.Effective())
	}
	m.Add(1, 1)
	if !math.IsNaN(m.Deviation()) {
		t.Errorf("one value has the deviation %v", m.Deviation())
	}
}

// The moments of two parts are those of the whole.
func TestPlus(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var a, b, both Moments
	for i := range 100 {
		part, v, w := &a, r.NormFloat64(), r.Float64()
		if i%3 == 0 {
			part = &b
		}
		part.Add(v, w)
		both.Add(v, w)
	}
	sum := a.Plus(b)
	near(t, "mean", sum.Mean(), both.Mean(), 1e-12)
	near(t, "deviation", sum.Deviation(), both.Deviation(), 1e-12)
	near(t, "effective", sum.Effective(), both.Effective(), 1e-9)
}
