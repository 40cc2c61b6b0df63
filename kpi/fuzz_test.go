package kpi

import (
	"math/rand/v2"
	"testing"
)

// FuzzParse reads whatever there is: a mistake is told, and what has none can be computed by.
func FuzzParse(f *testing.F) {
	f.Add(shipped)
	f.Add([]byte(walkerDefinitions))
	f.Add([]byte(changeDefinitions))
	f.Add([]byte("kpis: {a: {time: {flow: b}}}\nflows: {b: [1, {}], c: {steps: [{a: b}, {c: [d, {}]}]}}\nchanges: {x: {at: {}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, mistakes := Parse("kpi.yaml", text)
		d.Check(keptByDefault)
		if len(mistakes) > 0 {
			return
		}
		w := d.Walker()
		w.Event([]byte("screen.rp_info"), 1)
		var fact Fact
		w.Finish(&fact)
		if len(fact.Values) != len(d.KPIs) || len(fact.Flows) != len(d.Flows) {
			t.Error("a fact without what the definitions ask for")
		}
		d.Without(Kept{})
	})
}

// FuzzCell reads cells that nobody wrote: none may end the process, nor take more memory than sketches may.
func FuzzCell(f *testing.F) {
	d := cellDefinitions()
	adder, c := d.Adder(), d.NewCell(true)
	for seed := range uint64(20) {
		adder.Set(randomFact(rand.New(rand.NewPCG(seed, 3))))
		adder.Add(c)
	}
	f.Add(c.Append(nil))
	f.Fuzz(func(t *testing.T, from []byte) {
		c := d.NewCell(true)
		NewDecoder(from).MergeCell(c)
		c.Append(nil)
	})
}
