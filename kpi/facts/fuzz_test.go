package facts

import (
	"math/rand/v2"
	"testing"

	"brine/kpi"
)

// FuzzBlock reads blocks that nobody wrote: none may end the process, and what is passed over is as what is read.
func FuzzBlock(f *testing.F) {
	const flows, steps = 2, 3
	defs := parseKPIs(f, flowsText(flows, steps))
	random := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 40} {
		b := newBlock(defs)
		for range n {
			fact := randomFact(random, flows, steps)
			b.addSegments(&fact)
			b.addOthers(&fact)
		}
		f.Add(n, []byte(b.row("2026-11-08").facts))
	}
	f.Fuzz(func(t *testing.T, n int, from []byte) {
		all, few := newReader(defs, func(int) bool { return true }), newReader(defs, func(int) bool { return true })
		if all.parse(n, from) != nil || few.parse(n, from) != nil {
			return
		}
		read := 0
		errAll := all.each(func(int) bool { return true }, func(*kpi.Fact) { read++ })
		errFew := few.each(func(i int) bool { return i%3 == 0 }, func(*kpi.Fact) {})
		if read != n || errAll == nil && errFew != nil {
			t.Errorf("%d of %d facts: %v, and of every third: %v", read, n, errAll, errFew)
		}
	})
}
