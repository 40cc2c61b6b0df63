package kpi

import (
	"math"
	"slices"

	"brine/kpi/stat"
)

// Batch adds many facts to cells at once. Most of a fact is the same as that of many others, as how far it got in each flow: such a shape is
// counted, and added to a cell once. What is measured of each is added column by column, so that what is written to lies together. It
// serves one goroutine.
type Batch struct {
	defs     *Definitions
	weights  []float64 // by fact
	shapes   []uint16  // by fact: its place in all
	all      []string  // for each flow, and then for each KPI, a byte: steps reached; 0, 1 or byItself
	known    map[string]uint16
	shape    []byte           // of a fact
	values   []measuredValues // by KPI; of those that are measured alike by the first of them
	times    [][]binned       // by flow and step
	sums     []stat.Moments
	measures []Measure // by cell
	spreads  []float64 // by cell and bin
}

// byItself is the byte of a KPI whose value is told by itself, or is not there.
const byItself = 2

// measuredValues are the values of KPIs that are measured alike, as different percentiles of one time are.
type measuredValues struct {
	kpis   []int // none: another has them
	values []valueAt
	bins   binned
}

type valueAt struct {
	fact  int
	value float64
}

// binned are facts that go into bins of sketches.
type binned struct {
	at        []binAt
	low, high int // of the bins of values that are not 0
}

type binAt struct{ fact, bin int }

func (b *binned) add(fact, bin int) {
	if bin != zeroBin && bin != noBin {
		b.low, b.high = min(b.low, bin), max(b.high, bin)
	}
	b.at = append(b.at, binAt{fact, bin})
}

func (b *binned) reset() { b.at, b.low, b.high = b.at[:0], math.MaxInt, math.MinInt }

// BatchRoom is how many facts a batch takes.
const BatchRoom = 8192

// Batch is one without facts.
func (d *Definitions) Batch() *Batch {
	b := &Batch{defs: d, known: map[string]uint16{}, values: make([]measuredValues, len(d.KPIs)), times: make([][]binned, len(d.Flows))}
	for i, k := range d.KPIs {
		first := slices.IndexFunc(d.KPIs[:i], k.alike)
		if first < 0 {
			first = i
		}
		b.values[first].kpis = append(b.values[first].kpis, i)
	}
	for i, f := range d.Flows {
		b.times[i] = make([]binned, len(f.Steps))
	}
	b.Reset()
	return b
}

// alike says whether two KPIs' values are the same in every fact.
func (k KPI) alike(o KPI) bool {
	return k.Kind == TimeTo && o.Kind == TimeTo && k.Flow == o.Flow && k.From == o.From && k.To == o.To
}

// Len is the number of facts, up to [BatchRoom].
func (b *Batch) Len() int { return len(b.weights) }

// Reset takes the facts away.
func (b *Batch) Reset() {
	b.weights, b.shapes, b.all = b.weights[:0], b.shapes[:0], b.all[:0]
	clear(b.known)
	for i := range b.values {
		b.values[i].values = b.values[i].values[:0]
		b.values[i].bins.reset()
	}
	for _, steps := range b.times {
		for s := range steps {
			steps[s].reset()
		}
	}
}

// Add takes a fact up, but for what [Cell.AddLeft] adds.
func (b *Batch) Add(f *Fact) {
	at := len(b.weights)
	b.shape = b.shape[:0]
	for i := range f.Flows {
		w := &f.Flows[i]
		b.shape = append(b.shape, byte(w.Reached))
		for s := range w.Reached {
			b.times[i][s].add(at, binOf(w.StepTime(s)))
		}
	}
	for i, value := range f.Values {
		shape, measured := byte(byItself), b.defs.KPIs[i].Percentiles()
		switch {
		case value != value:
		case !measured && (value == 0 || value == 1):
			shape = byte(value)
		case len(b.values[i].kpis) > 0:
			b.values[i].values = append(b.values[i].values, valueAt{at, value})
			if measured {
				b.values[i].bins.add(at, binOf(value))
			}
		}
		b.shape = append(b.shape, shape)
	}
	n, met := b.known[string(b.shape)]
	if !met {
		n = uint16(len(b.all))
		b.all = append(b.all, string(b.shape))
		b.known[b.all[n]] = n
	}
	b.weights, b.shapes = append(b.weights, f.Weight), append(b.shapes, n)
}

// ones are the moments of the value 1.
func ones(weight float64) (m stat.Moments) {
	m.Add(1, weight)
	return m
}

// Into adds each fact to one of the cells, whose place of says, by fact.
func (b *Batch) Into(cells []*Cell, of []uint32) {
	b.count(cells, of)
	for i := range b.values {
		v := &b.values[i]
		b.addValues(v, cells, of)
		b.spread(&v.bins, cells, of, func(c *Cell, bin int, weight float64) {
			for _, k := range v.kpis {
				addTo(&c.KPIs[k].Sketch, bin, weight)
			}
		})
	}
	for f, steps := range b.times {
		for s := range steps {
			b.spread(&steps[s], cells, of, func(c *Cell, bin int, weight float64) { addTo(&c.Flows[f][s].Times, bin, weight) })
		}
	}
}

// addValues adds the moments of values.
func (b *Batch) addValues(v *measuredValues, cells []*Cell, of []uint32) {
	if len(v.values) == 0 {
		return
	}
	b.measures = resized(b.measures, len(cells))
	clear(b.measures)
	for _, value := range v.values {
		m := &b.measures[of[value.fact]]
		before := m.N
		if m.Add(value.value, b.weights[value.fact]); value.value > 0 {
			m.Ones += m.N - before
		}
	}
	for i := range b.measures {
		for _, k := range v.kpis {
			plus(&cells[i].KPIs[k].Moments, &b.measures[i].Moments)
			cells[i].KPIs[k].Ones += b.measures[i].Ones
		}
	}
}

// spread adds the weights of facts to bins of the cells' sketches. Where many facts share bins they are added up first, side by side in memory.
func (b *Batch) spread(some *binned, cells []*Cell, of []uint32, add func(c *Cell, bin int, weight float64)) {
	width := some.high - some.low + 1
	if some.low > some.high || len(cells)*width > 2*len(some.at) {
		for _, t := range some.at {
			add(cells[of[t.fact]], t.bin, b.weights[t.fact])
		}
		return
	}
	b.spreads = resized(b.spreads, len(cells)*width)
	clear(b.spreads)
	for _, t := range some.at {
		switch weight := b.weights[t.fact]; {
		case t.bin < some.low:
			add(cells[of[t.fact]], t.bin, weight)
		case weight > 0:
			b.spreads[int(of[t.fact])*width+t.bin-some.low] += weight
		}
	}
	for i, cell := range cells {
		for bin, weight := range b.spreads[i*width : (i+1)*width] {
			if weight > 0 {
				add(cell, some.low+bin, weight)
			}
		}
	}
}

// mostSums bounds the counts of shapes in cells.
const mostSums = 1 << 16

// count adds the shapes.
func (b *Batch) count(cells []*Cell, of []uint32) {
	if len(cells)*len(b.all) > mostSums {
		for i, weight := range b.weights {
			b.addShape(cells[of[i]], b.all[b.shapes[i]], ones(weight))
		}
		return
	}
	b.sums = resized(b.sums, len(cells)*len(b.all))
	clear(b.sums)
	for i, weight := range b.weights {
		b.sums[int(of[i])*len(b.all)+int(b.shapes[i])].Add(1, weight)
	}
	for i, m := range b.sums {
		if m.N > 0 {
			b.addShape(cells[i/len(b.all)], b.all[i%len(b.all)], m)
		}
	}
}

// addShape adds facts of a shape, given as moments of the value 1.
func (b *Batch) addShape(c *Cell, shape string, m stat.Moments) {
	plus(&c.Count, &m)
	for f, steps := range c.Flows {
		for s := range shape[f] {
			plus(&steps[s].Moments, &m)
		}
	}
	none := stat.Moments{N: m.N, Weights: m.Weights, Squares: m.Squares}
	for k := range c.KPIs {
		switch shape[len(c.Flows)+k] {
		case 0:
			plus(&c.KPIs[k].Moments, &none)
		case 1:
			plus(&c.KPIs[k].Moments, &m)
			c.KPIs[k].Ones += m.N
		}
	}
}
