package facts

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"brine/kpi"
)

// TestFactsAreReadAsTheyWereWritten has as many flows of as many steps as there may be.
func TestFactsAreReadAsTheyWereWritten(t *testing.T) {
	const flows, steps, rows = 16, 12, 5000
	defs, random := parseKPIs(t, flowsText(flows, steps)), rand.New(rand.NewPCG(1, 1))
	written, date := newBlock(defs), kpi.Date("2026-11-08")
	var want []kpi.Fact
	for range rows {
		f := randomFact(random, flows, steps)
		written.addSegments(&f)
		written.addOthers(&f)
		want = append(want, f)
	}
	bytes := written.row(date).facts
	for name, needed := range map[string]bool{"All": true, "Few": false} {
		t.Run(name, func(t *testing.T) {
			read := newReader(defs, func(int) bool { return needed })
			for _, every := range []int{1, 3, 1} { // the others are passed over
				if err := read.parse(rows, []byte(bytes)); err != nil {
					t.Fatal(err)
				}
				at := 0
				err := read.each(func(i int) bool { return i%every == 0 }, func(got *kpi.Fact) {
					if f := want[at]; needed && !reflect.DeepEqual(*got, f) || !reflect.DeepEqual(got.Values, f.Values) || got.Flows[3].Reached != f.Flows[3].Reached {
						t.Fatalf("fact %d is %+v, want %+v", at, *got, f)
					}
					at += every
				})
				if err != nil || at < rows {
					t.Fatalf("%d facts: %v", at, err)
				}
			}
		})
	}
	t.Run("Damaged", func(t *testing.T) { testDamagedFacts(t, defs, bytes, random) })
}

// flowsText is definitions of so many flows of so many steps.
func flowsText(flows, steps int) string {
	var text strings.Builder
	text.WriteString("segments:\n  language: {field: language}\nflows:\n")
	for f := range flows {
		fmt.Fprintf(&text, "  flow_%d:\n    steps:\n", f)
		for s := range steps {
			fmt.Fprintf(&text, "      - step_%d: {events: event_%d_%d}\n", s, f, s)
		}
	}
	text.WriteString("kpis:\n  errors: {share: \"screen.error*\", better: less, smallest: 1 %}\n")
	return text.String()
}

// Bytes that were cut, or of which there are more, are an error; others that are not as they were written are one, or other facts.
func testDamagedFacts(t *testing.T, defs *kpi.Definitions, bytes string, random *rand.Rand) {
	refuses := func(count int, damaged []byte) bool {
		read := newReader(defs, func(int) bool { return true })
		err := read.parse(count, damaged)
		if err == nil {
			err = read.each(func(i int) bool { return i%2 == 0 }, func(*kpi.Fact) {})
		}
		return err != nil
	}
	for range 150 {
		if n := random.IntN(len(bytes)); !refuses(5000, []byte(bytes[:n])) {
			t.Errorf("the first %d of %d bytes were taken", n, len(bytes))
		}
	}
	if !refuses(5000, []byte(bytes+"x")) || !refuses(4999, []byte(bytes)) || !refuses(5001, []byte(bytes)) || !refuses(-1, []byte(bytes)) {
		t.Error("a byte, or a fact, too many or too few was taken")
	}
	refused := 0
	for range 150 {
		damaged := []byte(bytes)
		damaged[random.IntN(len(damaged))] ^= byte(1 << random.IntN(8))
		if refuses(5000, damaged) {
			refused++
		}
	}
	if refused < 15 {
		t.Errorf("%d of 150 with another bit were refused", refused)
	}
}

// randomFact got into few flows, as most do, or into none.
func randomFact(r *rand.Rand, flows, steps int) kpi.Fact {
	f := kpi.Fact{Time: r.Int64N(1 << 40), Weight: r.Float64(), Missing: r.Uint64N(1 << 10), Segments: []string{[]string{"", "en", "a language of many letters"}[r.IntN(3)]},
		Flows: make([]kpi.Walk, flows), Values: []float64{float64(r.IntN(2))}}
	for i := range f.Flows {
		w := &f.Flows[i]
		w.Offsets = make([]int32, steps)
		if r.IntN(4) == 0 {
			w.Reached = r.IntN(steps + 1)
		}
		for s := range w.Offsets {
			if w.Offsets[s] = -1; s < w.Reached {
				w.Offsets[s] = r.Int32()
			}
		}
		if w.Reached > 0 && w.Reached < steps {
			w.Next, w.Last = []string{"", "screen.rp_info"}[r.IntN(2)], fmt.Sprint("last ", r.IntN(9))
		}
	}
	return f
}
