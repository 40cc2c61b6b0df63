package stat

import (
	"math"
	"testing"
)

// Mendel's peas of two traits (1866), which should come as 9 : 3 : 3 : 1: chi-squared 0.470 of 3 degrees of
// freedom, as in Fisher, "Has Mendel's work been rediscovered?" (1936).
func TestMismatchOfMendelsPeas(t *testing.T) {
	peas := []float64{315, 108, 101, 32}
	near(t, "probability", Mismatch([]float64{9, 3, 3, 1}, peas, sum(peas)), 0.9254, 1e-4)
	if p := Mismatch([]float64{1, 1}, []float64{5200, 4800}, 10_000); p > Suspicious {
		t.Errorf("5,200 to 4,800 instead of halves: %v", p)
	}
	if p := Mismatch([]float64{1, 1}, []float64{52, 48}, 100); p < 0.5 {
		t.Errorf("52 to 48 instead of halves: %v", p)
	}
}

// Kidney stones, in Julious and Mullee, "Confounding and Simpson's paradox" (BMJ 309, 1994): open surgery cures
// 273 of 350 and the other way 289 of 350, yet open surgery is better for small stones and for large ones.
func TestAdjustedOfKidneyStones(t *testing.T) {
	open := []Moments{cured(81, 87), cured(192, 263)}
	other := []Moments{cured(234, 270), cured(55, 80)}
	near(t, "crude", whole(open).Mean()-whole(other).Mean(), -0.0457, 1e-4)
	difference, covered := Adjusted(other, open)
	near(t, "adjusted", difference, (357*(81.0/87-234.0/270)+343*(192.0/263-55.0/80))/700, 1e-12)
	near(t, "covered", covered, 1, 0)
	if p := Shift(other, open); p > Suspicious {
		t.Errorf("the mix of stones is as good as the same: %v", p)
	}
}

// A mix that stayed the same is not flagged, and a segment that only one time has is left out.
func TestMixesThatStay(t *testing.T) {
	before, after := []Moments{cured(50, 100), cured(10, 100), {}}, []Moments{cured(60, 110), cured(10, 95), cured(5, 5)}
	if p := Shift(before[:2], after[:2]); p < 0.1 {
		t.Errorf("a mix that stayed is thought to have shifted: %v", p)
	}
	difference, covered := Adjusted(before, after)
	near(t, "covered", covered, 405.0/410, 1e-12)
	near(t, "difference", difference, (210*(60.0/110-0.5)+195*(10.0/95-0.1))/405, 1e-12)
	if d, covered := Adjusted(before[2:], after[2:]); !math.IsNaN(d) || covered != 0 {
		t.Errorf("without a common segment the difference is %v of %v", d, covered)
	}
	if p := Shift(nil, nil); p != 1 {
		t.Errorf("no segments at all: %v", p)
	}
}

func cured(n, of int) (m Moments) {
	for i := range of {
		m.Add(float64(b2i(i < n)), 1)
	}
	return m
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
