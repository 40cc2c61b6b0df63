package facts

import (
	"math"

	"brine/event"
	"brine/kpi"
	"brine/lake/duck"
)

// layout is the columns of a file of facts. A row is a [block] of facts, as DuckDB's work is by the value: many facts are one in each column.
type layout struct {
	defs    *kpi.Definitions
	columns []event.Column
	places  []int // by KPI: its column; 0 where the value follows from a flow
}

// The columns, and behind them a BLOB for each KPI that no flow tells.
const (
	placeTime     = iota // when the day begins, ms since the epoch
	placeDate            // the day, as in a roll-up
	placeFacts           // how many there are
	placeTimes           // a BLOB, as are all from here on
	placeWeights         //
	placeMissing         //
	placeReached         //
	placeOffsets         //
	placeLeft            //
	placeSegments        // the first of the segments
)

func newLayout(defs *kpi.Definitions) *layout {
	l := &layout{defs: defs, columns: []event.Column{{Name: columnTime, Kind: event.Int64}, {Name: columnDate, Kind: event.String}, {Name: "facts", Kind: event.Int64}}}
	for _, name := range []string{"times", "weights", "missing", "reached", "offsets", "left"} {
		l.columns = append(l.columns, event.Column{Name: name, Kind: event.Bytes})
	}
	for _, s := range defs.Segments {
		l.columns = append(l.columns, event.Column{Name: columnOf(s.Name), Kind: event.Bytes})
	}
	l.places = make([]int, len(defs.KPIs))
	for i, k := range defs.KPIs {
		if !k.Derived() {
			l.places[i] = len(l.columns)
			l.columns = append(l.columns, event.Column{Name: "kpi_" + k.Name, Kind: event.Bytes})
		}
	}
	return l
}

// block is facts of one day, up to [kpi.BatchRoom] of them, column by column.
type block struct {
	*layout
	n        int
	times    numbers   // ms since the epoch
	weights  numbers   // bits of the float
	missing  numbers   // [kpi.Fact.Missing]
	reached  numbers   // how many steps, reachedBits for each flow
	offsets  steps     // of these steps, flow by flow
	left     texts     // of each flow that a fact left: what came next, and last
	segments []texts   // by segment
	kpis     []numbers // by KPI that no flow tells: bits of the float
	written  []byte    // used again
}

// reachedBits are enough for the steps that a flow may have, and few enough for as many flows as there may be.
const reachedBits = 4

func newBlock(l *layout) *block {
	b := &block{layout: l, segments: make([]texts, len(l.defs.Segments)), kpis: make([]numbers, len(l.columns)-placeSegments-len(l.defs.Segments))}
	for _, p := range b.parts() {
		p.reset()
	}
	return b
}

// part is one column of a block.
type part interface {
	append(dst []byte) []byte            // writes it
	parse(from []byte, values int) error // reads what append wrote of so many values
	reset()                              // makes it empty
}

// parts are those of the columns from placeTimes on.
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
		if at := b.places[i]; at > 0 {
			b.kpis[at-placeSegments-len(b.segments)].add(math.Float64bits(value))
		}
	}
}

// row is a block as it is written.
type row struct {
	date  kpi.Date
	facts int
	parts []string
}

func (b *block) row(date kpi.Date) row {
	r := row{date: date, facts: b.n}
	for _, p := range b.parts() {
		b.written = p.append(b.written[:0])
		r.parts = append(r.parts, string(b.written))
	}
	return r
}

func (l *layout) append(feed *duck.Feed, r row) {
	feed.Next()
	feed.SetInt64(placeTime, r.date.Start(l.defs.Zone).UnixMilli())
	feed.SetText(placeDate, string(r.date))
	feed.SetInt64(placeFacts, int64(r.facts))
	for i, bytes := range r.parts {
		feed.SetBytes(placeTimes+i, bytes)
	}
}

// reader reads facts out of rows, of some columns.
type reader struct {
	*block
	read   []int // the places of the columns that are read, in their order
	walker *kpi.Walker
	fact   kpi.Fact
	walked []walked // by place in reached
}

// walked is how much is written of who got so far in each flow.
type walked struct{ offsets, left int }

// reader reads what all questions need, and of the rest what is needed; the others' values are zero.
func (l *layout) reader(needed func(place int) bool) *reader {
	r := &reader{block: newBlock(l), walker: l.defs.Walker()}
	for place := range l.columns {
		switch rest := place == placeMissing || place == placeLeft || place >= placeSegments && place < placeSegments+len(l.defs.Segments); {
		case place == placeTime, rest && !needed(place):
		default:
			r.read = append(r.read, place)
		}
	}
	r.fact.Segments = make([]string, len(l.defs.Segments))
	r.fact.Values = make([]float64, len(l.defs.KPIs))
	r.fact.Flows = make([]kpi.Walk, len(l.defs.Flows))
	for i, f := range l.defs.Flows {
		r.fact.Flows[i].Offsets = make([]int32, len(f.Steps))
	}
	return r
}

// names are the columns that are read, as SQL.
func (r *reader) names() (names []string) {
	for _, place := range r.read {
		names = append(names, duck.Ident(r.columns[place].Name))
	}
	return names
}

// parse takes a row of so many facts, and the bytes of the columns that are read, by their place among these.
func (r *reader) parse(facts int, bytes func(i int) []byte) error {
	r.reset()
	if r.n = facts; facts < 0 || facts > kpi.BatchRoom {
		return errBlock
	}
	parts := r.parts()
	for i, place := range r.read {
		if place < placeTimes {
			continue
		}
		values := facts
		if place == placeLeft {
			values = r.walks()
		}
		if err := parts[place-placeTimes].parse(bytes(i), values); err != nil {
			return err
		}
	}
	r.walks()
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
	left := 0
	for i := range r.n {
		w := r.walked[r.reached.of[i]]
		if wanted(i) {
			r.set(i, left)
			use(&r.fact)
		} else {
			r.offsets.skip(w.offsets)
		}
		left += w.left
	}
	if r.offsets.bad {
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
	for k, place := range r.places {
		if place > 0 {
			f.Values[k] = math.Float64frombits(r.kpis[place-placeSegments-len(r.segments)].at(i))
		}
	}
	r.walker.Derive(f)
}
