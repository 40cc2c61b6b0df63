package facts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"brine/kpi"
	"brine/lake/duck"
)

// TestFactsAreReadAsTheyWereWritten has as many flows of as many steps as there may be.
func TestFactsAreReadAsTheyWereWritten(t *testing.T) {
	const flows, steps, rows = 16, 12, 5000
	var text strings.Builder
	text.WriteString("segments:\n  language: {field: language}\nflows:\n")
	for f := range flows {
		fmt.Fprintf(&text, "  flow_%d:\n    steps:\n", f)
		for s := range steps {
			fmt.Fprintf(&text, "      - step_%d: {events: event_%d_%d}\n", s, f, s)
		}
	}
	text.WriteString("kpis:\n  errors: {share: \"screen.error*\", better: less, smallest: 1 %}\n")
	layout, random := newLayout(parseKPIs(t, text.String())), rand.New(rand.NewPCG(1, 1))
	feed := duck.NewFeed(layout.columns, false)
	var want []kpi.Fact
	for range rows {
		f := randomFact(random, flows, steps)
		layout.append(feed, &f)
		want = append(want, f)
	}
	db, err := duck.Open(duck.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	name, done, err := conn.Feed(feed)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	var names []string
	for _, c := range layout.columns {
		names = append(names, duck.Ident(c.Name)+"::"+duck.SQLType(c))
	}
	result, err := conn.Query(context.Background(), "SELECT "+strings.Join(names, ", ")+" FROM "+name+"()")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	read, at := layout.reader(), 0
	for result.Next() {
		read.bind(result)
		for i := range result.Len() {
			if got := read.read(i); !reflect.DeepEqual(*got, want[at]) {
				t.Fatalf("row %d is %+v, want %+v", at, *got, want[at])
			}
			at++
		}
	}
	if result.Err() != nil || at != rows {
		t.Fatalf("%d rows: %v", at, result.Err())
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
