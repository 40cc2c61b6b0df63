package attack

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

// value is one of a trait: an hour, a day of the week, or what a partial identifier says.
type value struct{ trait, text string }

// profile is what is seen of a pseudonym: its rows, by value of each trait.
type profile struct {
	rows   int
	counts map[value]int
}

func (p *profile) add(values []value) {
	p.rows++
	for _, v := range values {
		p.counts[v]++
	}
}

// with is a profile all of whose rows have one more value.
func (p *profile) with(v value) *profile {
	more := &profile{p.rows, maps.Clone(p.counts)}
	more.counts[v] = p.rows
	return more
}

// match pairs each profile of a period with one of another, -1 where there are not enough: the assignment of the greatest sum of Bayes
// factors, in logarithms.
func match(first, second []*profile) (paired []int) {
	if len(first) > len(second) {
		paired = slices.Repeat([]int{-1}, len(first))
		for i, j := range match(second, first) {
			paired[j] = i
		}
		return paired
	}
	m := newModel(first, second)
	cost := make([][]float64, len(first))
	others := make([]sparse, len(second))
	for j, p := range second {
		others[j] = m.sparse(p)
	}
	own := make([]int, len(m.alphas))
	for i, p := range first {
		cost[i] = make([]float64, len(second))
		clear(own)
		for _, e := range m.sparse(p) {
			own[e.bin] = e.n
		}
		for j := range second {
			cost[i][j] = -m.weigh(p, second[j], own, others[j])
		}
	}
	return assign(cost)
}

// model is what is known of the population: the share of each value and how alike one install's rows are, and how much installs are used.
type model struct {
	bins   map[value]int
	alphas []float64   // of each value, in its trait's Dirichlet distribution
	gammas [][]float64 // of each value and of each count n: lnΓ(n+alpha)-lnΓ(alpha)
	traits []string
	totals [][]float64 // of each trait, the same for the sum of its alphas
	of     []int       // the trait of each value
	shape  float64     // of the gamma distribution of rates
	mean   float64     // rows of a pseudonym
	rates  []float64   // of each count n: lnΓ(n+shape)-lnΓ(shape)
}

// entry is how often a profile has a value.
type entry struct{ bin, n int }

type sparse []entry

func (m *model) sparse(p *profile) (all sparse) {
	for v, n := range p.counts {
		all = append(all, entry{m.bins[v], n})
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.bin, b.bin) })
	return all
}

func newModel(first, second []*profile) *model {
	all := slices.Concat(first, second)
	m := &model{bins: map[value]int{}}
	sums, most, rows := map[value]int{}, 0, 0
	for _, p := range all {
		most, rows = max(most, p.rows), rows+p.rows
		for v, n := range p.counts {
			sums[v] += n
		}
	}
	m.mean = float64(rows) / float64(len(all))
	values := slices.SortedFunc(maps.Keys(sums), func(a, b value) int {
		return cmp.Or(strings.Compare(a.trait, b.trait), strings.Compare(a.text, b.text))
	})
	for i, v := range values {
		m.bins[v] = i
		if !slices.Contains(m.traits, v.trait) {
			m.traits = append(m.traits, v.trait)
		}
		m.of = append(m.of, len(m.traits)-1)
	}
	m.alphas = make([]float64, len(values))
	entries := make([]sparse, len(all))
	for i, p := range all {
		entries[i] = m.sparse(p)
	}
	for t := range m.traits {
		share := func(bin int) float64 { return float64(sums[values[bin]]) / float64(rows) }
		alpha := m.concentration(all, entries, share, t)
		for i := range values {
			if m.of[i] == t {
				m.alphas[i] = alpha * share(i)
			}
		}
		m.totals = append(m.totals, gammaTable(alpha, 2*most))
	}
	for _, alpha := range m.alphas {
		m.gammas = append(m.gammas, gammaTable(alpha, 2*most))
	}
	m.shape = best(func(shape float64) (sum float64) {
		for _, p := range all {
			n := float64(p.rows)
			sum += lnGamma(shape+n) - lnGamma(shape) + shape*math.Log(shape) + n*math.Log(m.mean) - (shape+n)*math.Log(shape+m.mean)
		}
		return sum
	})
	m.rates = gammaTable(m.shape, 2*most)
	return m
}

// concentration is the sum of a trait's alphas under which its counts are likeliest.
func (m *model) concentration(all []*profile, entries []sparse, share func(bin int) float64, trait int) float64 {
	return best(func(alpha float64) (sum float64) {
		for i, p := range all {
			sum += lnGamma(alpha) - lnGamma(alpha+float64(p.rows))
			for _, e := range entries[i] {
				if m.of[e.bin] == trait {
					a := alpha * share(e.bin)
					sum += lnGamma(a+float64(e.n)) - lnGamma(a)
				}
			}
		}
		return sum
	})
}

// best is the power of 2 for which a likelihood is greatest.
func best(likelihood func(float64) float64) (at float64) {
	top := math.Inf(-1)
	for exponent := -4; exponent <= 10; exponent++ {
		x := math.Ldexp(1, exponent)
		if l := likelihood(x); l > top {
			at, top = x, l
		}
	}
	return at
}

func gammaTable(alpha float64, most int) []float64 {
	table := make([]float64, most+1)
	for n := range table {
		table[n] = lnGamma(alpha+float64(n)) - lnGamma(alpha)
	}
	return table
}

func lnGamma(x float64) float64 {
	l, _ := math.Lgamma(x)
	return l
}

// weigh is the logarithm of the Bayes factor of one install against two, for a profile whose counts are own and one whose counts are others.
func (m *model) weigh(p, q *profile, own []int, others sparse) (sum float64) {
	for _, e := range others {
		if n := own[e.bin]; n > 0 {
			table := m.gammas[e.bin]
			sum += table[n+e.n] - table[n] - table[e.n]
		}
	}
	for _, table := range m.totals {
		sum -= table[p.rows+q.rows] - table[p.rows] - table[q.rows]
	}
	n, k := p.rows+q.rows, m.shape
	return sum + m.rates[n] - m.rates[p.rows] - m.rates[q.rows] +
		(2*k+float64(n))*math.Log(k+m.mean) - (k+float64(n))*math.Log(k+2*m.mean) - k*math.Log(k)
}

func join(list []string) string { return strings.Join(list, ", ") }
