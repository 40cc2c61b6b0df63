package kpi

import "brine/kpi/stat"

// Batch adds many facts to cells at once. Most of a fact is the same as that of many others, as how far it got in each flow: such a shape is
// counted, and added to a cell once. What is measured of each is added column by column, so that what is written to lies together. It
// serves one goroutine.
type Batch struct {
	defs    *Definitions
	weights []float64 // by fact
	shapes  []uint16  // by fact: its place in all
	all     []string  // for each flow, and then for each KPI, a byte: steps reached; 0, 1 or byItself
	known   map[string]uint16
	shape   []byte         // of a fact
	values  [][]measuredAt // by KPI
	times   [][][]binAt    // by flow and step
	sums    []stat.Moments
}

// byItself is the byte of a KPI whose value is told by itself, or is not there.
const byItself = 2

type binAt struct{ fact, bin int }

type measuredAt struct {
	binAt
	value float64
}

// BatchRoom is how many facts a batch takes.
const BatchRoom = 8192

// Batch is one without facts.
func (d *Definitions) Batch() *Batch {
	b := &Batch{defs: d, known: map[string]uint16{}, values: make([][]measuredAt, len(d.KPIs)), times: make([][][]binAt, len(d.Flows))}
	for i, f := range d.Flows {
		b.times[i] = make([][]binAt, len(f.Steps))
	}
	return b
}

// Len is the number of facts, up to [BatchRoom].
func (b *Batch) Len() int { return len(b.weights) }

// Reset takes the facts away.
func (b *Batch) Reset() {
	b.weights, b.shapes, b.all = b.weights[:0], b.shapes[:0], b.all[:0]
	clear(b.known)
	for i := range b.values {
		b.values[i] = b.values[i][:0]
	}
	for _, steps := range b.times {
		for s := range steps {
			steps[s] = steps[s][:0]
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
			b.times[i][s] = append(b.times[i][s], binAt{at, binOf(w.StepTime(s))})
		}
	}
	for i, value := range f.Values {
		shape, measured := byte(byItself), b.defs.KPIs[i].Percentiles()
		switch {
		case value != value:
		case !measured && (value == 0 || value == 1):
			shape = byte(value)
		default:
			v := measuredAt{binAt{at, noBin}, value}
			if measured {
				v.bin = binOf(value)
			}
			b.values[i] = append(b.values[i], v)
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
	for k, values := range b.values {
		for i := range values {
			v := &values[i]
			m, weight := &cells[of[v.fact]].KPIs[k], b.weights[v.fact]
			before := m.N
			m.Add(v.value, weight)
			if v.value > 0 {
				m.Ones += m.N - before
			}
			if v.bin != noBin {
				addTo(&m.Sketch, v.bin, weight)
			}
		}
	}
	for f, steps := range b.times {
		for s, times := range steps {
			for _, t := range times {
				addTo(&cells[of[t.fact]].Flows[f][s].Times, t.bin, b.weights[t.fact])
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
