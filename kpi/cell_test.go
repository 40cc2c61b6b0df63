package kpi

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"brine/kpi/stat"
)

func cellDefinitions() *Definitions {
	steps := func(n int) []Step { return make([]Step, n) }
	return &Definitions{
		Flows: []Flow{{Name: "long", Steps: steps(4), Strict: true}, {Name: "short", Steps: steps(2)}},
		KPIs:  []KPI{{Name: "done", Kind: Conversion}, {Name: "time", Kind: TimeTo, Percentile: 0.5}, {Name: "emails", Kind: Mean}, {Name: "slow", Kind: TimeTo, Percentile: 0.9}},
	}
}

// randomFact has weights in eighths, so that sums are exact in any order.
func randomFact(r *rand.Rand) *Fact {
	f := &Fact{Weight: float64(1+r.IntN(80)) / 8, Missing: r.Uint64() & (1<<len(Fields) - 1)}
	f.Values = []float64{float64(r.IntN(2)), float64(r.IntN(60_000)), float64(r.IntN(9))}
	f.Values[r.IntN(3)] = math.NaN()
	f.Values = append(f.Values, f.Values[1])
	for _, steps := range []int{4, 2} {
		w := Walk{Reached: r.IntN(steps + 1), Offsets: make([]int32, steps)}
		at := int32(0)
		for s := range w.Offsets {
			if w.Offsets[s] = -1; s < w.Reached {
				at += r.Int32N(10_000)
				w.Offsets[s] = at
			}
		}
		if w.Reached > 0 && w.Reached < steps {
			w.Next, w.Last = []string{"", "screen.error"}[r.IntN(2)], []string{"", "window.unload", "screen.error"}[r.IntN(3)]
		}
		f.Flows = append(f.Flows, w)
	}
	return f
}

func TestCellsAddUp(t *testing.T) {
	d := cellDefinitions()
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		adder, whole, parts := d.Adder(), d.NewCell(true), []*Cell{d.NewCell(true), d.NewCell(true)}
		for range r.IntN(200) {
			adder.Set(randomFact(r))
			adder.Add(whole)
			adder.Add(parts[r.IntN(2)])
		}
		sameCell(t, "two added up", d, parts[0].Plus(parts[1]), whole)
		back, dec := d.NewCell(true), NewDecoder(whole.Append(nil))
		if dec.MergeCell(back); dec.Err() != nil || dec.More() {
			t.Fatalf("decoding: %v", dec.Err())
		}
		sameCell(t, "written and read", d, back, whole)
		if without := whole.Plus(d.NewCell(false)); without.Missing != nil || without.Left != nil || without.Count != whole.Count {
			t.Error("a sum tells who left though one of its cells does not")
		}
	}
}

// sameCell compares all that a cell says.
func sameCell(t *testing.T, what string, d *Definitions, got, want *Cell) {
	t.Helper()
	bare := func(c *Cell) *Cell { // without sketches
		c = c.Clone()
		for i := range c.KPIs {
			c.KPIs[i].Sketch = nil
		}
		for _, steps := range c.Flows {
			for s := range steps {
				steps[s].Times = nil
			}
		}
		return c
	}
	if !reflect.DeepEqual(bare(got), bare(want)) {
		t.Errorf("%s: %+v, want %+v", what, bare(got), bare(want))
	}
	for i := range d.KPIs {
		sameSketch(t, what, got.KPIs[i].Sketch, want.KPIs[i].Sketch)
	}
	for f, steps := range want.Flows {
		for s := range steps {
			sameSketch(t, what, got.Flows[f][s].Times, steps[s].Times)
		}
	}
}

func sameSketch(t *testing.T, what string, got, want *Sketch) {
	t.Helper()
	if (got == nil) != (want == nil) || got.Weight() != want.Weight() {
		t.Errorf("%s: a sketch of %v, want %v", what, got.Weight(), want.Weight())
	}
	for _, share := range shares {
		if g, w := got.Quantile(share), want.Quantile(share); g != w && want.Weight() > 0 {
			t.Errorf("%s: quantile %v is %v, want %v", what, share, g, w)
		}
	}
}

func TestAFactIsCountedWhereItBelongs(t *testing.T) {
	d := cellDefinitions()
	c, adder := d.NewCell(true), d.Adder()
	adder.Set(&Fact{Weight: 4, Values: []float64{1, math.NaN(), 3}, Missing: 1 << 2,
		Flows: []Walk{{Offsets: []int32{100, 1100, -1, 7000}, Reached: 2, Next: "a", Last: "b"}, {Offsets: []int32{5000, 2000}, Reached: 2}}})
	adder.Add(c)
	ones := stat.Moments{N: 1, Weights: 4, Squares: 16, Sum: 4, SumSq: 4}
	if c.Count != ones || c.KPIs[0].Moments != ones || c.KPIs[1].N != 0 || c.KPIs[2].Sum != 12 || c.KPIs[2].SumSq != 36 {
		t.Errorf("count %+v, KPIs %+v", c.Count, c.KPIs)
	}
	if f := c.Flows[0]; f[1].Moments != ones || f[2].N != 0 || math.Abs(f[1].Times.Quantile(0.5)-1000) > 10 {
		t.Errorf("a flow left at its second step: %+v", f)
	}
	if f := c.Flows[1]; f[1].Moments != ones || f[1].Times.Quantile(0.5) != 0 {
		t.Errorf("steps in another order: %+v", f)
	}
	if l := c.Left[0][1]; l.Next["a"] != ones || l.Last["b"] != ones || c.Left[0][0].Next != nil || c.Left[1][0].Next != nil || c.Missing[2] != 4 || c.Missing[1] != 0 {
		t.Errorf("who left: %+v, missing %v", c.Left, c.Missing)
	}
}

func TestBrokenBytesAreAnError(t *testing.T) {
	d := cellDefinitions()
	adder, c := d.Adder(), d.NewCell(true)
	for seed := range uint64(20) {
		adder.Set(randomFact(rand.New(rand.NewPCG(seed, 3))))
		adder.Add(c)
	}
	whole := c.Append(nil)
	for n := range whole {
		dec := NewDecoder(whole[:n])
		if dec.MergeCell(d.NewCell(true)); dec.Err() == nil {
			t.Errorf("the first %d of %d bytes were taken for a cell", n, len(whole))
		}
	}
}

// TestABatchAddsWhatAnAdderAdds holds facts that are added at once against the same facts added one by one.
func TestABatchAddsWhatAnAdderAdds(t *testing.T) {
	d := cellDefinitions()
	for _, places := range []int{1, 3, 4000} { // of 4000, too many counts of shapes would be needed
		r := rand.New(rand.NewPCG(uint64(places), 4))
		adder, batch := d.Adder(), d.Batch()
		want, got := make([]*Cell, places), make([]*Cell, places)
		for i := range places {
			want[i], got[i] = d.NewCell(false), d.NewCell(false)
		}
		all, wantAll := d.NewCell(true), d.NewCell(true)
		for range 3 {
			of := make([]uint32, 0, 500)
			for range r.IntN(500) {
				f := randomFact(r)
				of = append(of, uint32(r.IntN(places)))
				if r.IntN(50) == 0 {
					f.Weight = 0
				}
				adder.Set(f)
				adder.Add(want[of[len(of)-1]])
				adder.Add(wantAll)
				batch.Add(f)
				all.AddLeft(f)
			}
			if batch.Len() != len(of) {
				t.Fatalf("%d facts, want %d", batch.Len(), len(of))
			}
			batch.Into(got, of)
			batch.Into([]*Cell{all}, make([]uint32, len(of)))
			batch.Reset()
		}
		for i := range places {
			sameCell(t, "in a batch", d, got[i], want[i])
		}
		sameCell(t, "all in a batch", d, all, wantAll)
	}
}

// A day begins where the one before ends, in every zone: where midnight is left out, as when a clock is put forward there, and where it comes twice.
func TestDaysBegin(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Santiago", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Atlantic/Azores", "America/Asuncion", "Australia/Lord_Howe", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for d := Date("2015-01-01"); d < "2030-01-01"; d = d.Plus(1) {
			if at := d.Start(zone); DateOf(at, zone) != d || DateOf(at.Add(-time.Nanosecond), zone) != d.Plus(-1) {
				t.Errorf("%s: %s begins at %s", name, d, at)
			}
		}
	}
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := ParseMoment("2026-09-06", zone); !ok || !at.Equal(time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC)) {
		t.Errorf("a change of the day is at %s", at)
	}
}
