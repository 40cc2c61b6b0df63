package publish

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"math"
	"math/rand/v2"

	"brine/kpi"
)

// scale is how wide noise is: the parameter of a discrete Laplace distribution, epsilon over sensitivity, as a fraction of integers.
type scale struct{ num, den uint64 }

func scaleOf(e kpi.Epsilon, sensitivity int64) scale {
	return scale{uint64(e), uint64(sensitivity) * kpi.EpsilonOne}
}

// cryptographic is a source of randomness that nobody can foresee.
type cryptographic struct{}

// Uint64 is 64 bits of the system's. It never fails: a system without any ends the program.
func (cryptographic) Uint64() uint64 {
	var b [8]byte
	cryptorand.Read(b[:])
	return binary.LittleEndian.Uint64(b[:])
}

// sampler draws noise. Only integers are computed with, so that no rounding tells what was added: Canonne, Kamath and Steinke, The Discrete
// Gaussian for Differential Privacy (NeurIPS 2020), algorithms 1 and 2.
type sampler struct{ *rand.Rand }

func newSampler() sampler { return sampler{rand.New(cryptographic{})} }

// laplace draws an integer x with a probability in proportion to exp(-|x|·num/den).
func (s sampler) laplace(by scale) int64 {
	for {
		u := s.Uint64N(by.den)
		if !s.expMinus(u, by.den) {
			continue
		}
		v := uint64(0)
		for s.expMinus(1, 1) {
			v++
		}
		y := int64((u + by.den*v) / by.num)
		switch negative := s.Uint64N(2) == 1; {
		case !negative:
			return y
		case y != 0: // else 0 would come twice as often
			return -y
		}
	}
}

// expMinus is true with the probability exp(-num/den), of 0 ≤ num ≤ den.
func (s sampler) expMinus(num, den uint64) bool {
	k := uint64(1)
	for s.Uint64N(den*k) < num {
		k++
	}
	return k%2 == 1
}

// tail is the probability that noise, or the sum of two, is over q. For words beside figures alone, so floating point will do.
func (by scale) tail(q int64, two bool) float64 {
	p := math.Exp(-float64(by.num) / float64(by.den))
	if !two { // Σ over k > q of (1-p)/(1+p)·p^k
		return math.Pow(p, float64(q+1)) / (1 + p)
	}
	// P(X+Y = k) = ((1-p)/(1+p))²·p^k·(k + (1+p²)/(1-p²)) of k ≥ 0; summed up over k > q.
	c, n := (1+p*p)/(1-p*p), float64(q+1)
	return (1 - p) / ((1 + p) * (1 + p)) * math.Pow(p, n) * (n + c + p/(1-p))
}

// within is the smallest q that noise, or the sum of two, is over with at most this probability, to one side.
func (by scale) within(probability float64, two bool) int64 {
	high := int64(1)
	for by.tail(high, two) > probability {
		high *= 2
	}
	low := int64(-1)
	for low+1 < high {
		if middle := (low + high) / 2; by.tail(middle, two) > probability {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
