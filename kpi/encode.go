package kpi

import (
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/encoding"

	"brine/kpi/stat"
)

// Append writes a cell behind dst, compactly: what is 0 takes a byte.
func (c *Cell) Append(dst []byte) []byte {
	dst = appendOnes(dst, c.Count)
	for _, m := range c.KPIs {
		dst = appendMoments(dst, m.Moments)
		encoding.EncodeUvarint64(&dst, uint64(m.Ones))
		dst = appendSketch(dst, m.Sketch)
	}
	for _, steps := range c.Flows {
		for _, s := range steps {
			dst = appendOnes(dst, s.Moments)
			dst = appendSketch(dst, s.Times)
		}
	}
	if c.Missing == nil {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	for _, weight := range c.Missing {
		encoding.EncodeVarfloat64(&dst, weight)
	}
	for _, steps := range c.Left {
		for _, left := range steps {
			dst = appendEvents(appendEvents(dst, left.Next), left.Last)
		}
	}
	return dst
}

// appendOnes writes the moments of the value 1, of which three sums are the same.
func appendOnes(dst []byte, m stat.Moments) []byte {
	encoding.EncodeUvarint64(&dst, uint64(m.N))
	if m.N > 0 {
		encoding.EncodeVarfloat64(&dst, m.Weights)
		encoding.EncodeVarfloat64(&dst, m.Squares)
	}
	return dst
}

func appendMoments(dst []byte, m stat.Moments) []byte {
	if dst = appendOnes(dst, m); m.N > 0 {
		encoding.EncodeVarfloat64(&dst, m.Sum)
		encoding.EncodeVarfloat64(&dst, m.SumSq)
	}
	return dst
}

func appendSketch(dst []byte, s *Sketch) []byte {
	if s.Weight() == 0 {
		return append(dst, 0)
	}
	return s.append(append(dst, 1))
}

func appendEvents(dst []byte, events map[string]stat.Moments) []byte {
	encoding.EncodeUvarint64(&dst, uint64(len(events)))
	names := make([]string, 0, len(events))
	for name := range events {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		dst = appendOnes(AppendText(dst, name), events[name])
	}
	return dst
}

// AppendText writes a text with its length behind dst.
func AppendText(dst []byte, text string) []byte {
	encoding.EncodeUvarint64(&dst, uint64(len(text)))
	return append(dst, text...)
}

// Decoder reads what [Cell.Append] and [AppendText] wrote. After a fault it gives zero values, and [Decoder.Err] says so.
type Decoder struct {
	rest []byte
	bad  bool
}

// NewDecoder reads from bytes.
func NewDecoder(from []byte) *Decoder { return &Decoder{rest: from} }

// Err is nil as long as all was read as it was written.
func (d *Decoder) Err() error {
	if d.bad {
		return errEncoded
	}
	return nil
}

// More says whether there is more to read.
func (d *Decoder) More() bool { return !d.bad && len(d.rest) > 0 }

// Uint reads a number.
func (d *Decoder) Uint() uint64 {
	n, err := encoding.DecodeUvarint64(&d.rest)
	d.bad = d.bad || err != nil
	return n
}

// Float reads a number.
func (d *Decoder) Float() float64 {
	f, err := encoding.DecodeVarfloat64(&d.rest)
	d.bad = d.bad || err != nil
	return f
}

// Text reads a text.
func (d *Decoder) Text() string {
	n := d.Uint()
	if n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}

func (d *Decoder) flag() bool {
	if d.bad = d.bad || len(d.rest) == 0; d.bad {
		return false
	}
	set := d.rest[0] == 1
	d.rest = d.rest[1:]
	return set
}

// MergeCell adds a cell that was written to one of the same definitions.
func (d *Decoder) MergeCell(c *Cell) {
	c.Count = c.Count.Plus(d.ones())
	for i := range c.KPIs {
		c.KPIs[i].Moments = c.KPIs[i].Plus(d.moments())
		c.KPIs[i].Ones += int(d.Uint())
		d.sketch(&c.KPIs[i].Sketch)
	}
	for _, steps := range c.Flows {
		for s := range steps {
			steps[s].Moments = steps[s].Plus(d.ones())
			d.sketch(&steps[s].Times)
		}
	}
	if !d.flag() {
		return
	}
	if d.bad = d.bad || c.Missing == nil; d.bad {
		return
	}
	for i := range c.Missing {
		c.Missing[i] += d.Float()
	}
	for _, steps := range c.Left {
		for s := range steps {
			d.events(&steps[s].Next)
			d.events(&steps[s].Last)
		}
	}
}

func (d *Decoder) ones() (m stat.Moments) {
	if n := d.Uint(); n > 0 && !d.bad {
		m = stat.Moments{N: int(n), Weights: d.Float(), Squares: d.Float()}
		m.Sum, m.SumSq = m.Weights, m.Weights
	}
	return m
}

func (d *Decoder) moments() stat.Moments {
	m := d.ones()
	if m.N > 0 {
		m.Sum, m.SumSq = d.Float(), d.Float()
	}
	return m
}

func (d *Decoder) sketch(s **Sketch) {
	if !d.flag() {
		return
	}
	if *s == nil {
		*s = NewSketch()
	}
	rest, err := (*s).mergeEncoded(d.rest)
	d.rest, d.bad = rest, d.bad || err != nil
}

func (d *Decoder) events(events *map[string]stat.Moments) {
	n := d.Uint()
	if *events == nil && n > 0 {
		*events = map[string]stat.Moments{}
	}
	for ; n > 0 && !d.bad; n-- {
		name := d.Text()
		(*events)[name] = (*events)[name].Plus(d.ones())
	}
}
