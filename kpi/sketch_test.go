package kpi

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch/encoding"
)

type weighted struct{ value, weight float64 }

// exact is the smallest value such that those up to it have at least a share of the weight.
func exact(values []weighted, share float64) float64 {
	values = slices.SortedFunc(slices.Values(values), func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	total, sum := 0.0, 0.0
	for _, v := range values {
		total += v.weight
	}
	for _, v := range values {
		if sum += v.weight; sum >= share*total-roundOff*total {
			return v.value
		}
	}
	return math.NaN()
}

// distributions are values as they may come: times in ms, some of them 0.
var distributions = map[string]func(*rand.Rand) float64{
	"Times":    func(r *rand.Rand) float64 { return math.Floor(math.Exp(8 + 1.5*r.NormFloat64())) },
	"Uniform":  func(r *rand.Rand) float64 { return float64(r.IntN(86_400_001)) },
	"FewZeros": func(r *rand.Rand) float64 { return float64(r.IntN(4)) },
	"Constant": func(*rand.Rand) float64 { return 1234 },
	"TwoPeaks": func(r *rand.Rand) float64 { return []float64{3, 80_000}[r.IntN(2)] + r.Float64() },
}

var shares = []float64{0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.999, 1}

func TestQuantilesAreWithinAccuracy(t *testing.T) {
	for name, value := range distributions {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1))
				s, parts := NewSketch(), []*Sketch{NewSketch(), NewSketch(), NewSketch()}
				var values []weighted
				for range 1 + r.IntN(3000) {
					v := weighted{value(r), 1 / (0.01 + 0.99*r.Float64())}
					values = append(values, v)
					s.Add(v.value, v.weight)
					parts[r.IntN(3)].Add(v.value, v.weight)
				}
				checkQuantiles(t, "one sketch", s, values)
				checkQuantiles(t, "three added up", parts[0].Plus(parts[1]).Plus(parts[2]), values)
				back := NewSketch()
				if rest, err := back.mergeEncoded(s.append(nil)); err != nil || len(rest) > 0 {
					t.Fatalf("decoding: %v, %d bytes left", err, len(rest))
				}
				checkQuantiles(t, "written and read", back, values)
			}
		})
	}
}

func checkQuantiles(t *testing.T, what string, s *Sketch, values []weighted) {
	t.Helper()
	total := 0.0
	for _, v := range values {
		total += v.weight
	}
	if math.Abs(s.Weight()-total) > 1e-9*total {
		t.Errorf("%s: weight %v, want %v", what, s.Weight(), total)
	}
	for _, share := range shares {
		got, want := s.Quantile(share), exact(values, share)
		if math.Abs(got-want) > Accuracy*want*(1+1e-9) {
			t.Errorf("%s: quantile %v is %v, want %v", what, share, got, want)
		}
	}
}

func TestASketchTakesWhatItCan(t *testing.T) {
	s := NewSketch()
	for _, v := range []weighted{{-1, 1}, {math.NaN(), 1}, {math.Inf(1), 1}, {5, 0}, {5, -1}, {5, math.NaN()}} {
		s.Add(v.value, v.weight)
	}
	var none *Sketch
	if s.Weight() != 0 || none.Weight() != 0 || !math.IsNaN(s.Quantile(0.5)) || !math.IsNaN(none.Quantile(0.5)) || none.Plus(nil) != nil {
		t.Errorf("a sketch of nothing holds %v", s)
	}
	s.Add(7, 1e-9) // however small
	if q := none.Plus(s).Quantile(0.5); math.Abs(q-7) > 0.07 {
		t.Errorf("the median of a 7 is %v", q)
	}
}

func TestPlusChangesNeither(t *testing.T) {
	a, b := NewSketch(), NewSketch()
	a.Add(10, 1)
	b.Add(1000, 3)
	sum := a.Plus(b)
	sum.Add(5, 100)
	if a.Weight() != 1 || b.Weight() != 3 || math.Abs(a.Quantile(1)-10) > 0.1 {
		t.Errorf("they became %v and %v", a.Weight(), b.Weight())
	}
}

// A bin that no value is in is an error, however it is written: the sketch would hold room for all up to there.
func TestASketchOfDamagedBins(t *testing.T) {
	for name, flag := range map[string]encoding.SubFlag{
		"Counts": encoding.BinEncodingIndexDeltasAndCounts, "Ones": encoding.BinEncodingIndexDeltas, "Contiguous": encoding.BinEncodingContiguousCounts,
	} {
		t.Run(name, func(t *testing.T) {
			for bin, good := range map[int64]bool{0: true, int64(binOf(86_400_000)): true, 1 << 40: false, -1 << 40: false, math.MaxInt64: false} {
				var from []byte
				encoding.EncodeVarfloat64(&from, 0)
				from = append(from, 1)
				encoding.EncodeFlag(&from, encoding.NewFlag(encoding.FlagTypePositiveStore, flag))
				encoding.EncodeUvarint64(&from, 1)
				encoding.EncodeVarint64(&from, bin)
				if flag == encoding.BinEncodingContiguousCounts {
					encoding.EncodeVarint64(&from, 1)
				}
				if flag != encoding.BinEncodingIndexDeltas {
					encoding.EncodeVarfloat64(&from, 1)
				}
				s := NewSketch()
				if _, err := s.mergeEncoded(from); (err == nil) != good || good && s.Weight() != 1 {
					t.Errorf("bin %d: weight %g, %v", bin, s.Weight(), err)
				}
			}
		})
	}
}
