package kpi

import (
	"errors"
	"math"

	"github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// Accuracy is the relative error of a sketch's quantiles.
const Accuracy = 0.01

// Sketch is the distribution of weighted values, none of them negative, from which quantiles are read within
// [Accuracy]. Sketches can be added up. It is a DDSketch (Masson, Rim and Lee, "DDSketch: A fast and
// fully-mergeable quantile sketch with relative-error guarantees", 2019). The zero value holds no values.
type Sketch struct {
	zero float64          // weight of the values too small for a bin: 0
	bins store.DenseStore // by the logarithm of the value
}

// scale says which bin a value is in. It is that of all sketches, so that any two can be added up.
var scale = mustScale()

func mustScale() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(Accuracy)
	if err != nil {
		panic(err) // Accuracy is a constant
	}
	return m
}

// NewSketch is a sketch without values.
func NewSketch() *Sketch { return &Sketch{bins: *store.NewDenseStore()} }

// zeroBin stands for the values that are 0; noBin for those that no sketch takes.
const (
	zeroBin = math.MinInt
	noBin   = math.MinInt + 1
)

// binOf is where a value is counted. It costs more than to count it, so that it is asked once where a value goes into several sketches.
func binOf(value float64) int {
	switch {
	case value > scale.MaxIndexableValue() || value < 0 || value != value:
		return noBin
	case value <= scale.MinIndexableValue():
		return zeroBin
	}
	return scale.Index(value)
}

// Add counts a value. One that is negative, infinite or NaN, and a weight that is not above 0, count nothing.
func (s *Sketch) Add(value, weight float64) { s.addBin(binOf(value), weight) }

func (s *Sketch) addBin(bin int, weight float64) {
	switch {
	case bin == noBin || !(weight > 0):
	case bin == zeroBin:
		s.zero += weight
	default:
		s.bins.AddWithCount(bin, weight)
	}
}

// Weight is the weight of all values.
func (s *Sketch) Weight() float64 {
	if s == nil {
		return 0
	}
	return s.zero + s.bins.TotalCount()
}

// Plus is the distribution of both sketches' values, as a sketch of its own. Either may be nil.
func (s *Sketch) Plus(o *Sketch) *Sketch {
	switch {
	case s == nil && o == nil:
		return nil
	case s == nil:
		return o.clone()
	}
	sum := s.clone()
	sum.merge(o)
	return sum
}

// reset takes the values away, of a sketch that may be nil.
func (s *Sketch) reset() *Sketch {
	if s != nil {
		s.zero = 0
		s.bins.Clear()
	}
	return s
}

func (s *Sketch) clone() *Sketch {
	return &Sketch{s.zero, *s.bins.Copy().(*store.DenseStore)}
}

// merge adds the values of another sketch, which may be nil.
func (s *Sketch) merge(o *Sketch) {
	if o == nil {
		return
	}
	s.zero += o.zero
	s.bins.MergeWith(&o.bins)
}

// roundOff is the share of the weight within which two sums of weights are taken for the same.
const roundOff = 1e-9

// Quantile is the smallest value such that the values up to it have at least a share of the weight, within
// [Accuracy]; NaN where there are no values. The share is held within 0..1.
func (s *Sketch) Quantile(share float64) float64 {
	total := s.Weight()
	if total == 0 {
		return math.NaN()
	}
	wanted := min(max(share, 0), 1)*total - roundOff*total
	if s.zero > 0 && s.zero >= wanted {
		return 0
	}
	sum, value := s.zero, 0.0
	s.bins.ForEach(func(bin int, weight float64) (stop bool) {
		sum += weight
		value = scale.Value(bin)
		return sum >= wanted
	})
	return value
}

// append writes the sketch behind dst: the weight at 0, then the bins in DataDog's encoding.
func (s *Sketch) append(dst []byte) []byte {
	encoding.EncodeVarfloat64(&dst, s.zero)
	if s.bins.IsEmpty() {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	s.bins.Encode(&dst, encoding.FlagTypePositiveStore)
	return dst
}

var errEncoded = errors.New("not the encoding of cells")

// mergeEncoded adds the values of a sketch that append wrote, and gives what comes behind it.
func (s *Sketch) mergeEncoded(from []byte) (rest []byte, err error) {
	zero, err := encoding.DecodeVarfloat64(&from)
	if err != nil || len(from) == 0 {
		return nil, errEncoded
	}
	s.zero += zero
	some := from[0] == 1
	if from = from[1:]; !some {
		return from, nil
	}
	flag, err := encoding.DecodeFlag(&from)
	if err != nil || flag.Type() != encoding.FlagTypePositiveStore {
		return nil, errEncoded
	}
	bins := &decodedBins{DenseStore: &s.bins}
	if err := store.DecodeAndMergeWith(bins, &from, flag.SubFlag()); err != nil || bins.bad {
		return nil, errEncoded
	}
	return from, nil
}

// decodedBins takes none that no value is in: a sketch holds room for all between its lowest and its highest, so that one that is damaged
// would take all memory there is.
type decodedBins struct {
	*store.DenseStore
	bad bool
}

var lowestBin, highestBin = scale.Index(scale.MinIndexableValue()), scale.Index(scale.MaxIndexableValue())

// AddWithCount adds to a bin.
func (d *decodedBins) AddWithCount(bin int, weight float64) {
	if bin < lowestBin || bin > highestBin || !(weight >= 0) {
		d.bad = true
		return
	}
	d.DenseStore.AddWithCount(bin, weight)
}

// Add adds 1 to a bin.
func (d *decodedBins) Add(bin int) { d.AddWithCount(bin, 1) }

// size is about how many bytes of memory the sketch takes.
func (s *Sketch) size() int64 {
	const fixed, growth = 80, 64 // growth is how many bins there is room for beyond those used
	if s == nil {
		return 8
	}
	low, err := s.bins.MinIndex()
	high, _ := s.bins.MaxIndex()
	if err != nil {
		return fixed
	}
	return fixed + int64(high-low+growth)*8
}
