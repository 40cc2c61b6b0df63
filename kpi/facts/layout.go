package facts

import (
	"encoding/binary"
	"math"
	"time"

	"brine/event"
	"brine/kpi"
	"brine/lake/duck"
)

// columns are those of a file of facts. A row is a [block]: what DuckDB does costs by the value and by the column of a file.
var columns = []event.Column{
	{Name: columnTime, Kind: event.Int64}, // when the day begins, ms since the epoch
	{Name: columnDate, Kind: event.String},
	{Name: "count", Kind: event.Int64}, // of facts
	{Name: "facts", Kind: event.Bytes}, // each part of the block, with its length
}

// block is facts of one day, up to [kpi.BatchRoom] of them, column by column.
type block struct {
	defs     *kpi.Definitions
	n        int
	times    numbers   // ms since the epoch
	weights  numbers   // bits of the float
	missing  numbers   // [kpi.Fact.Missing]
	reached  numbers   // how many steps, reachedBits for each flow
	offsets  steps     // of these steps, flow by flow
	left     texts     // of each flow that a fact left: what came next, and last
	segments []texts   // by segment
	kpis     []numbers // by KPI: bits of the float; none where the value follows from a flow
	written  []byte    // used again, as is part
	part     []byte
}

// reachedBits are enough for the steps that a flow may have, and few enough for as many flows as there may be.
const reachedBits = 4

func newBlock(defs *kpi.Definitions) *block {
	b := &block{defs: defs, segments: make([]texts, len(defs.Segments)), kpis: make([]numbers, len(defs.KPIs))}
	b.reset()
	return b
}

// part is one column of a block.
type part interface {
	append(dst []byte) []byte            // writes it
	parse(from []byte, values int) error // reads what append wrote of so many values
	reset()                              // makes it empty
}

// The places of the parts that are not always read.
const (
	placeMissing  = 2
	placeLeft     = 5
	placeSegments = 6 // the first of them
)

// parts are in the order in which they are written.
func (b *block) parts() []part {
	parts := []part{&b.times, &b.weights, &b.missing, &b.reached, &b.offsets, &b.left}
	for i := range b.segments {
		parts = append(parts, &b.segments[i])
	}
	for i := range b.kpis {
		parts = append(parts, &b.kpis[i])
	}
	return parts
}

func (b *block) reset() {
	b.n = 0
	for _, p := range b.parts() {
		p.reset()
	}
}

// addSegments takes up the values of a fact's segments.
func (b *block) addSegments(f *kpi.Fact) {
	for i, value := range f.Segments {
		b.segments[i].add(value)
	}
}

// addOthers takes up all else of a fact.
func (b *block) addOthers(f *kpi.Fact) {
	b.n++
	b.times.add(uint64(f.Time))
	b.weights.add(math.Float64bits(f.Weight))
	b.missing.add(f.Missing)
	var reached uint64
	var before int32
	for i := range f.Flows {
		w := &f.Flows[i]
		reached |= uint64(w.Reached) << (i * reachedBits)
		for _, offset := range w.Offsets[:w.Reached] {
			b.offsets.add(offset - before)
			before = offset
		}
		if w.Reached > 0 && w.Reached < len(w.Offsets) {
			b.left.add(w.Next)
			b.left.add(w.Last)
		}
	}
	b.reached.add(reached)
	for i, value := range f.Values {
		if !b.defs.KPIs[i].Derived() {
			b.kpis[i].add(math.Float64bits(value))
		}
	}
}

// row is a block as it is written.
type row struct {
	date  kpi.Date
	count int
	facts string
}

func (b *block) row(date kpi.Date) row {
	b.written = b.written[:0]
	for _, p := range b.parts() {
		b.part = p.append(b.part[:0])
		b.written = append(binary.AppendUvarint(b.written, uint64(len(b.part))), b.part...)
	}
	return row{date, b.n, string(b.written)}
}

func (r row) append(feed *duck.Feed, zone *time.Location) {
	feed.Next()
	feed.SetInt64(0, r.date.Start(zone).UnixMilli())
	feed.SetText(1, string(r.date))
	feed.SetInt64(2, int64(r.count))
	feed.SetBytes(3, r.facts)
}

// reader reads facts out of rows.
type reader struct {
	*block
	needs  func(place int) bool
	walker *kpi.Walker
	fact   kpi.Fact
	walked []walked // by place in reached
}

// walked is how much is written of who got so far in each flow.
type walked struct{ offsets, left int }

// newReader reads what all questions need and, of what is missing, who left, and the segments, what is needed: else that is zero.
func newReader(defs *kpi.Definitions, needs func(place int) bool) *reader {
	r := &reader{block: newBlock(defs), needs: needs, walker: defs.Walker()}
	r.fact.Segments = make([]string, len(defs.Segments))
	r.fact.Values = make([]float64, len(defs.KPIs))
	r.fact.Flows = make([]kpi.Walk, len(defs.Flows))
	for i, f := range defs.Flows {
		r.fact.Flows[i].Offsets = make([]int32, len(f.Steps))
	}
	return r
}

// parse takes a row.
func (r *reader) parse(count int, facts []byte) error {
	r.reset()
	if r.n = count; count < 0 || count > kpi.BatchRoom {
		return errBlock
	}
	kpis := placeSegments + len(r.segments)
	for place, p := range r.parts() {
		n, size := binary.Uvarint(facts)
		if size <= 0 || n > uint64(len(facts)-size) {
			return errBlock
		}
		part := facts[size : size+int(n)]
		facts = facts[size+int(n):]
		values := count
		switch {
		case place == placeLeft:
			values = r.walks()
		case place >= kpis && r.defs.KPIs[place-kpis].Derived():
			values = 0
		}
		if optional := place == placeMissing || place == placeLeft || place >= placeSegments && place < kpis; optional && !r.needs(place) {
			continue
		}
		if err := p.parse(part, values); err != nil {
			return err
		}
	}
	if len(facts) > 0 {
		return errBlock
	}
	return nil
}

// walks says how much is written of everybody, once it is known how far they got, and how many texts of those who left.
func (r *reader) walks() (left int) {
	r.walked = r.walked[:0]
	for _, reached := range r.reached.values {
		var w walked
		for i := range r.fact.Flows {
			at, steps := stepsOf(reached, i), len(r.fact.Flows[i].Offsets)
			w.offsets += min(at, steps)
			if at > 0 && at < steps {
				w.left += 2
			}
		}
		r.walked = append(r.walked, w)
	}
	for _, place := range r.reached.of {
		left += r.walked[place].left
	}
	return left
}

func stepsOf(reached uint64, flow int) int {
	return int(reached >> (flow * reachedBits) & (1<<reachedBits - 1))
}

// each gives those of the facts that are wanted. A fact is good until the next.
func (r *reader) each(wanted func(i int) bool, use func(*kpi.Fact)) error {
	offsets, left := 0, 0 // that were passed over
	for i, place := range r.reached.of {
		w := &r.walked[place]
		if wanted(i) {
			r.offsets.skip(offsets)
			r.set(i, left)
			use(&r.fact)
			offsets = 0
		} else {
			offsets += w.offsets
		}
		left += w.left
	}
	r.offsets.skip(offsets)
	if r.offsets.bad || r.offsets.taken < len(r.offsets.bytes) {
		return errBlock
	}
	return nil
}

// set makes the fact; left is the place of the first text of where it left.
func (r *reader) set(i, left int) {
	f := &r.fact
	f.Time, f.Weight, f.Missing = int64(r.times.at(i)), math.Float64frombits(r.weights.at(i)), r.missing.at(i)
	for s := range f.Segments {
		f.Segments[s] = r.segments[s].at(i)
	}
	reached := r.reached.at(i)
	var before int32
	for flow := range f.Flows {
		w := &f.Flows[flow]
		w.Reached, w.Next, w.Last = min(stepsOf(reached, flow), len(w.Offsets)), "", ""
		for s := range w.Offsets {
			w.Offsets[s] = -1
			if s < w.Reached {
				before += r.offsets.next()
				w.Offsets[s] = before
			}
		}
		if w.Reached > 0 && w.Reached < len(w.Offsets) {
			w.Next, w.Last = r.left.at(left), r.left.at(left+1)
			left += 2
		}
	}
	for k := range f.Values {
		f.Values[k] = math.Float64frombits(r.kpis[k].at(i))
	}
	r.walker.Derive(f)
}
