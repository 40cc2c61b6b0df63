package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The figures are of the authors' own software, which checks them against another implementation: confseq,
// TwoSidedNormalMixture of an intrinsic time of 100, alpha 0.05.
func TestMarginOfThePublishedExample(t *testing.T) {
	s := Sequence{Alpha: 0.05, Best: 100}
	near(t, "rho", 1/s.mixture(), 12.60056, 1e-5)
	near(t, "bound of the sum", 100*s.Margin(100, 1), 30.35209, 1e-5)
}

func TestMarginOfTooFewUnits(t *testing.T) {
	for _, n := range []float64{0, 1, math.NaN()} {
		if m := (Sequence{Alpha: 0.05, Best: 28}).Margin(n, 1); !math.IsInf(m, 1) {
			t.Errorf("%v units give a margin of %v", n, m)
		}
	}
}

// Looked at with each new value, the intervals of a mean are wrong at most as often as they say.
func TestMeanLookedAtAllTheTime(t *testing.T) {
	s := Sequence{Alpha: 0.05, Best: 1000}
	wrong := looks(2000, func(r *rand.Rand) bool {
		var m Moments
		for n := range 3000 {
			m.Add(r.ExpFloat64(), 1+r.Float64())
			if i := s.Around(m.Mean(), m.Effective(), m.Deviation()); n >= 100 && (i.Low > 1 || i.High < 1) {
				return true
			}
		}
		return false
	})
	if wrong > 0.06 {
		t.Errorf("%.3f of the sequences are wrong, at most 0.05 should be", wrong)
	}
}

// Many intervals at once, each at its part of 0.05, are wrong together as often as they say, from a week of days on. Without [Sequence.Few] they are not.
func TestFewDays(t *testing.T) {
	const intervals = 31
	for _, c := range []struct {
		few         bool
		least, most float64
	}{{true, 0, 0.05}, {false, 0.1, 1}} {
		s := Sequence{Alpha: Exploratory(0.05, intervals), Best: 28, Few: c.few}
		wrong := looks(500, func(r *rand.Rand) bool {
			wrong := false
			for range intervals {
				var m Moments
				for day := 1; day <= 56; day++ {
					m.Add(r.NormFloat64(), 1)
					wrong = wrong || day%7 == 0 && math.Abs(m.Mean()) > s.Margin(m.Effective(), m.Deviation())
				}
			}
			return wrong
		})
		if wrong < c.least || wrong > c.most {
			t.Errorf("few %t: %.3f of the pages are wrong, want %v to %v", c.few, wrong, c.least, c.most)
		}
	}
	many, few := Sequence{Alpha: 0.01, Best: 28}, Sequence{Alpha: 0.01, Best: 28, Few: true}
	near(t, "the margin of many", few.Margin(1e5, 1)/many.Margin(1e5, 1), 1, 1e-3)
}

// So are those of a percentile, from the first value on.
func TestPercentileLookedAtAllTheTime(t *testing.T) {
	const p, truth = 0.75, 0.75
	wrong := looks(1000, func(r *rand.Rand) bool {
		below := 0 // how many values lie below the true percentile: the interval leaves it out where their share does
		for n := 1.0; n <= 2000; n++ {
			if r.Float64() < truth {
				below++
			}
			low, high := Ranks(p, n, 0.05)
			if share := float64(below) / n; share < low || share > high {
				return true
			}
		}
		return false
	})
	if wrong > 0.05 {
		t.Errorf("%.3f of the sequences are wrong, at most 0.05 should be", wrong)
	}
}

// The number of units that is asked for is the least that is enough.
func TestUnits(t *testing.T) {
	s := Sequence{Alpha: 0.05, Best: 28}
	for _, difference := range []float64{0.01, 0.5, 1, 3} {
		n := s.Units(difference, 1)
		reach := func(n float64) float64 { return s.Margin(n, 1) + found/math.Sqrt(n) }
		if reach(n) > difference || reach(n-1) <= difference {
			t.Errorf("%v units are asked for to find %v: %v reaches %v, %v reaches %v", n, difference, n, reach(n), n-1, reach(n-1))
		}
	}
	if n := s.Units(0, 1); !math.IsInf(n, 1) {
		t.Errorf("no difference is found with %v units", n)
	}
	if n := s.Units(0.1, 0); n != 2 {
		t.Errorf("without a deviation %v units are asked for", n)
	}
}

// looks is the share of runs that come out true, each with a source of its own.
func looks(runs int, run func(*rand.Rand) bool) float64 {
	hits := 0
	for i := range runs {
		if run(rand.New(rand.NewPCG(1, uint64(i)))) {
			hits++
		}
	}
	return float64(hits) / float64(runs)
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
