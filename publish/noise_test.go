package publish

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"brine/kpi"
)

// falseAlarm is the probability with which a statistical test of this package fails although all is well, at most. The bounds hold for every number of
// draws, as they are no approximations: Dvoretzky, Kiefer and Wolfowitz (with Massart's constant), and Chernoff in the form of Kullback and Leibler.
const falseAlarm = 1e-10

// How often noise is drawn, and figures are made of neighbouring data sets.
const draws, fewer, neighbours = 1_000_000, 200_000, 100_000

// The noise is distributed as its formula says: P(x) = (1-p)/(1+p)·p^|x| with p = exp(-epsilon/sensitivity).
func TestNoiseIsDiscreteLaplace(t *testing.T) {
	for _, c := range []struct {
		epsilon     kpi.Epsilon
		sensitivity int64
	}{{33_333, 1}, {700, 1}, {10_000, 3}} {
		t.Run(fmt.Sprintf("%s_%d", c.epsilon, c.sensitivity), func(t *testing.T) {
			by := scaleOf(c.epsilon, c.sensitivity)
			if why := unlike(draw(newSampler(), by), draws, exactly(by)); why != "" {
				t.Error(why)
			}
		})
	}
}

// The test above finds what is only slightly another distribution: by a tenth more noise, a 0 that comes too seldom, a rounded continuous one, and one draw
// in twenty-five that has no noise.
func TestNoiseTestCanFail(t *testing.T) {
	by := scaleOf(10_000, 1)
	s := newSampler()
	for name, other := range map[string]func() int64{
		"wider":     func() int64 { return s.laplace(scale{9, 10}) },
		"zero":      func() int64 { x := s.laplace(by); return x + int64(1-min(1, x*x))*int64(s.Uint64N(20)/19) },
		"rounded":   func() int64 { return int64(math.Round(s.ExpFloat64() * (1 - 2*float64(s.IntN(2))))) },
		"sometimes": func() int64 { return s.laplace(by) * int64(min(1, s.Uint64N(25))) },
	} {
		counts := map[int64]int{}
		for range fewer {
			counts[other()]++
		}
		if unlike(counts, fewer, exactly(by)) == "" {
			t.Errorf("%s is not told from the right distribution", name)
		}
	}
}

func draw(s sampler, by scale) map[int64]int {
	counts := map[int64]int{}
	for range draws {
		counts[s.laplace(by)]++
	}
	return counts
}

func exactly(by scale) func(int64) float64 {
	p := math.Exp(-float64(by.num) / float64(by.den))
	return func(x int64) float64 { return (1 - p) / (1 + p) * math.Pow(p, math.Abs(float64(x))) }
}

// unlike says where n draws are not of a distribution, "" where they may be.
func unlike(counts map[int64]int, n float64, of func(int64) float64) string {
	most := int64(0)
	for x := range counts {
		most = max(most, x, -x)
	}
	bins := float64(2*most + 1)
	got, want := 0.0, 0.0
	below := 1.0
	for x := -most; x <= most; x++ {
		below -= of(x)
	}
	want = max(0, below) / 2
	for x := -most; x <= most; x++ {
		share, p := float64(counts[x])/n, of(x)
		got, want = got+share, want+p
		if math.Abs(got-want) > math.Sqrt(math.Log(4/falseAlarm)/(2*n)) {
			return fmt.Sprintf("%.5f of the draws are up to %d, want %.5f", got, x, want)
		}
		if n*divergence(share, p) > math.Log(4*bins/falseAlarm) {
			return fmt.Sprintf("%.6f of the draws are %d, want %.6f", share, x, p)
		}
	}
	return ""
}

// divergence is that of Kullback and Leibler, between two coins.
func divergence(q, p float64) float64 {
	term := func(q, p float64) float64 {
		if q == 0 {
			return 0
		}
		return q * math.Log(q/p)
	}
	return term(q, p) + term(1-q, 1-p)
}

// What stands beside a figure is so: the probability that noise, and the sum of two, is over a bound, against the sum of the formula.
func TestTail(t *testing.T) {
	for _, by := range []scale{{1, 2}, {1, 1}, {3, 1}, {1, 100}} {
		p := exactly(by)
		two := func(k int64) (sum float64) {
			for j := int64(-400); j <= 400; j++ { // beyond there is less than e^-200
				sum += p(j) * p(k-j)
			}
			return sum
		}
		for _, q := range []int64{0, 1, 5, 20} {
			one, both := 0.0, 0.0
			for k := q + 1; k < q+1500; k++ {
				one += p(k)
				if by.den < 100 && k < q+200 {
					both += two(k)
				}
			}
			if got := by.tail(q, false); math.Abs(got-one) > 1e-6 {
				t.Errorf("%v: over %d with %v, want %v", by, q, got, one)
			}
			if got := by.tail(q, true); by.den < 100 && math.Abs(got-both) > 1e-6 {
				t.Errorf("%v: two are over %d with %v, want %v", by, q, got, both)
			}
		}
		for _, probability := range []float64{0.4, 0.025, 1e-6} {
			q := by.within(probability, true)
			if by.tail(q, true) > probability || q > 0 && by.tail(q-1, true) <= probability {
				t.Errorf("%v: within %d with %v", by, q, probability)
			}
		}
	}
}

// The draws are of a source that nobody can foresee, and a source that is the same gives the same.
func TestSampler(t *testing.T) {
	if _, ok := any(cryptographic{}).(rand.Source); !ok {
		t.Fatal("no source")
	}
	by := scaleOf(100, 1)
	var a, b [8]int64
	x, y := sampler{rand.New(rand.NewPCG(1, 2))}, sampler{rand.New(rand.NewPCG(1, 2))}
	for i := range a {
		a[i], b[i] = x.laplace(by), y.laplace(by)
	}
	if a != b {
		t.Error(a, b)
	}
	for i := range a {
		b[i] = newSampler().laplace(by)
	}
	if a == b {
		t.Error("the same without a seed")
	}
}

// Two data sets that differ in one interaction give each figure with probabilities that differ at most by e to the power of epsilon: over
// all that noisy tells, whether a cell is told among it. With half the epsilon the same test fails.
func TestNeighboursAreAlike(t *testing.T) {
	share, count := kpi.Total{Epsilon: 15_000}, kpi.Total{Epsilon: 15_000}
	for _, c := range []struct {
		name        string
		share       bool
		sensitivity int64
		one, other  Split
	}{
		{"count", false, 1, Split{With: 20}, Split{With: 21}},
		{"none", false, 1, Split{}, Split{With: 1}},
		{"install", false, 2, Split{With: 25}, Split{With: 27}},
		{"with", true, 1, Split{12, 9}, Split{13, 9}},
		{"without", true, 1, Split{12, 9}, Split{12, 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			total := count
			if c.share {
				total = share
			}
			of := func(exact Split) map[string]int {
				s, counts := newSampler(), map[string]int{}
				for range neighbours {
					f := s.noisy(total, c.share, c.sensitivity, []string{""}, map[string]Split{"": exact}).Cells[0]
					switch {
					case f.Figure == nil:
						counts["too few"]++
					case c.share:
						counts[fmt.Sprint(*f.Number, " of ", *f.Of)]++
					default:
						counts[fmt.Sprint(*f.Figure)]++
					}
				}
				return counts
			}
			one, other := of(c.one), of(c.other)
			if why := unlikeBy(one, other, 1.5); why != "" {
				t.Error(why)
			}
			if c.name != "none" && unlikeBy(one, other, 0.75) == "" {
				t.Error("they are as alike as with half the epsilon: the test cannot tell")
			}
		})
	}
}

// unlikeBy says which outcome is, beyond chance, more than e to the power of epsilon times as likely in one as in the other.
func unlikeBy(one, other map[string]int, epsilon float64) string {
	outcomes := map[string]bool{}
	for o := range one {
		outcomes[o] = true
	}
	for o := range other {
		outcomes[o] = true
	}
	chance := math.Log(8 * float64(len(outcomes)) / falseAlarm)
	for o := range outcomes {
		for _, pair := range [][2]int{{one[o], other[o]}, {other[o], one[o]}} {
			if low, high := surely(pair[0], chance, -1), surely(pair[1], chance, 1); low > math.Exp(epsilon)*high {
				return fmt.Sprintf("%q: %d times of one and %d of the other", o, pair[0], pair[1])
			}
		}
	}
	return ""
}

// surely is how small, or how large, the probability of what came so often may be.
func surely(count int, chance, side float64) float64 {
	q := float64(count) / neighbours
	near, far := q, 0.0
	if side > 0 {
		far = 1
	}
	for range 60 {
		middle := (near + far) / 2
		if neighbours*divergence(q, middle) > chance {
			far = middle
		} else {
			near = middle
		}
	}
	return far
}

// The range beside a figure has what was there before noise as often as it says.
func TestRangesHold(t *testing.T) {
	s := newSampler()
	for _, share := range []bool{false, true} {
		exact := Split{With: 3_000, Without: 2_000} // far above what is told, so that each is
		held, truth := 0, 3_000.0
		if share {
			truth = 0.6
		}
		const times = 20_000
		for range times {
			f := s.noisy(kpi.Total{Epsilon: 1_000}, share, 1, []string{""}, map[string]Split{"": exact}).Cells[0]
			if f.Figure == nil {
				t.Fatal("not told")
			}
			if *f.Low <= truth && truth <= *f.High {
				held++
			}
			if *f.Figure < *f.Low || *f.Figure > *f.High || share && (*f.Low < 0 || *f.High > 1) {
				t.Fatal(*f.Low, *f.Figure, *f.High)
			}
		}
		if rate := float64(held) / times; rate < 1-outside && times*divergence(rate, 1-outside) > math.Log(2/falseAlarm) {
			t.Errorf("share %v: the range holds in %.3f", share, rate)
		}
	}
}

// One interaction alone, and none, are not told.
func TestOneAloneIsNotTold(t *testing.T) {
	s := newSampler()
	for _, share := range []bool{false, true} {
		told := 0
		for range 100_000 {
			for _, f := range s.noisy(kpi.Total{Epsilon: 5_000}, share, 1, []string{"a", "b"}, map[string]Split{"a": {With: 1}}).Cells {
				if f.Figure != nil {
					told++
				}
			}
		}
		if told > 12 { // at most 0.2 are expected: over 12 with less than 1e-17
			t.Errorf("share %v: told %d times in 200000", share, told)
		}
	}
}
