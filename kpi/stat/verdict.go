package stat

import "math"

// Verdict is what can be said of a change, in words.
type Verdict string

// The verdicts.
const (
	Better    Verdict = "better"
	Worse     Verdict = "worse"
	Same      Verdict = "no difference that matters"
	NotEnough Verdict = "not enough data yet"
)

// Judge says what an interval of a difference means for a KPI of which more is better, or less; smallest is the
// smallest difference that matters, above 0.
//
// Better and worse are said as soon as the interval leaves out 0, and no difference that matters where
// it lies within the smallest one to both sides. An interval that does both is a difference too small to matter.
func Judge(difference Interval, moreIsBetter bool, smallest float64) Verdict {
	switch low, high := difference.Low, difference.High; {
	case -smallest < low && high < smallest:
		return Same
	case low > 0 && moreIsBetter, high < 0 && !moreIsBetter:
		return Better
	case low > 0, high < 0:
		return Worse
	}
	return NotEnough
}

// Exploratory is the level at which each of n KPIs beside the one that a change is meant to move is judged, so that
// all of them together are wrong no oftener than one alone (Bonferroni).
func Exploratory(alpha float64, n int) float64 { return alpha / math.Max(1, float64(n)) }
