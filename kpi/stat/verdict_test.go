package stat

import (
	"math"
	"testing"
)

func TestJudge(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		low, high float64
		more      bool
		want      Verdict
	}{
		{0.01, 0.05, true, Better},
		{0.01, 0.05, false, Worse},
		{-0.05, -0.01, true, Worse},
		{-0.05, -0.01, false, Better},
		{-0.01, 0.01, true, Same},
		{0.001, 0.01, true, Same},
		{-0.01, 0.05, true, NotEnough},
		{-inf, inf, true, NotEnough},
		{math.NaN(), math.NaN(), true, NotEnough},
	} {
		if got := Judge(Interval{(c.low + c.high) / 2, c.low, c.high}, c.more, 0.02); got != c.want {
			t.Errorf("%v to %v, more is better %t: %s, want %s", c.low, c.high, c.more, got, c.want)
		}
	}
}

func TestExploratory(t *testing.T) {
	near(t, "four", Exploratory(0.05, 4), 0.0125, 1e-15)
	near(t, "none", Exploratory(0.05, 0), 0.05, 0)
}
