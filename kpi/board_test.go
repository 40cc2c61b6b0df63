package kpi

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// dated is a blob with its weight and day.
type dated struct {
	blob
	weight float64
	date   Date
}

// randomDays are blobs of some days, one of which has none.
func randomDays(r *rand.Rand, m *memory, from Date, days, n int) (all []dated) {
	for range n {
		day := r.IntN(days)
		if day == 2 {
			continue
		}
		w := dated{randomBlob(r), []float64{1, 2, 12.5, 1 / 0.3}[r.IntN(4)], from.Plus(day)}
		for i := range w.events { // times up to a minute
			w.events[i].offset *= int32(1 + r.IntN(6000))
		}
		m.add(w.blob, w.date.Start(m.d.Zone).Add(time.Duration(r.IntN(144))*10*time.Minute), w.weight)
		all = append(all, w)
	}
	return all
}

func near(a *float64, b float64) bool {
	if a == nil {
		return math.IsNaN(b)
	}
	return math.Abs(*a-b) <= 1e-9*math.Max(1, math.Abs(b))
}

// plainKPI computes a KPI as its documentation says, over blobs.
func plainKPI(d *Definitions, k KPI, blobs []dated, days int) float64 {
	sum, weights := 0.0, 0.0
	var values []heavy
	for _, b := range blobs {
		if v := plainValue(d, k, b.blob); !math.IsNaN(v) {
			sum, weights = sum+v*b.weight, weights+b.weight
			values = append(values, heavy{v, b.weight})
		}
	}
	switch {
	case k.Kind == Count:
		return weights / float64(days)
	case k.Percentiles():
		return plainPercentile(values, k.Percentile)
	}
	return sum / weights
}

type heavy struct{ value, weight float64 }

// plainPercentile is the smallest value up to which there is at least the share of the weight.
func plainPercentile(values []heavy, p float64) float64 {
	slices.SortFunc(values, func(a, b heavy) int {
		return map[bool]int{true: -1, false: 1}[a.value < b.value]
	})
	total, below := 0.0, 0.0
	for _, v := range values {
		total += v.weight
	}
	for _, v := range values {
		if below += v.weight; below >= p*total*(1-1e-9) {
			return v.value
		}
	}
	return math.NaN()
}

// Figures over cells equal what comes of the blobs themselves, on random data with random weights.
func TestBoardAgainstPlainComputation(t *testing.T) {
	for seed := range uint64(2) {
		r := rand.New(rand.NewPCG(seed, 3))
		zone := []string{"UTC", "Europe/Berlin"}[seed%2]
		m := &memory{d: mustParse(t, "timezone: "+zone+"\n"+walkerDefinitions)}
		from := Date("2026-10-20") // the night of 25 October has an hour more in Berlin
		blobs := randomDays(r, m, from, 9, 900)
		b := m.board(from.Plus(20))
		for _, span := range []Span{{from, from.Plus(9)}, {from.Plus(1), from.Plus(4)}, {from.Plus(3), from.Plus(4)}} {
			within := func(w dated) bool { return w.date >= span.From && w.date < span.To }
			some := slices.DeleteFunc(slices.Clone(blobs), func(w dated) bool { return !within(w) })
			days := span.From.days(span.To)
			if span.From <= from.Plus(2) && span.To > from.Plus(2) {
				days-- // nothing came on one of them
			}
			v := View{From: span.From, To: span.To}
			checkOverview(t, m.d, ask(t, b.Overview, v), some, days)
			checkSegments(t, m.d, ask(t, b.Segments, View{From: span.From, To: span.To, By: "os"}), some, days)
			for _, f := range m.d.Flows {
				v.Flow = f.Name
				checkFunnel(t, f, ask(t, b.Funnel, v), some)
			}
		}
	}
}

func sameKPI(t *testing.T, what string, k KPI, got *float64, want float64) {
	t.Helper()
	if k.Percentiles() && got != nil {
		if math.Abs(*got-want) > Accuracy*want+1e-9 {
			t.Errorf("%s %s: %v, want %v", what, k.Name, *got, want)
		}
	} else if !near(got, want) {
		t.Errorf("%s %s: %v, want %v", what, k.Name, got, want)
	}
}

func checkOverview(t *testing.T, d *Definitions, o *Overview, blobs []dated, days int) {
	t.Helper()
	for i, k := range d.KPIs {
		sameKPI(t, "overview", k, o.KPIs[i].Now.Value, plainKPI(d, k, blobs, days))
		for _, p := range o.KPIs[i].Days {
			day := slices.DeleteFunc(slices.Clone(blobs), func(w dated) bool { return w.date != p.Date })
			want := math.NaN()
			if len(day) > 0 {
				want = plainKPI(d, k, day, 1)
			}
			sameKPI(t, string(p.Date), k, p.Value, want)
		}
	}
}

func checkSegments(t *testing.T, d *Definitions, s *Segments, blobs []dated, days int) {
	t.Helper()
	all := plainKPI(d, KPI{Kind: Count}, blobs, 1)
	for _, v := range s.Values {
		some := slices.DeleteFunc(slices.Clone(blobs), func(w dated) bool {
			return d.Segments[d.segment(s.By)].value(w.fields["user_agent.os"]) != v.Value
		})
		weight := plainKPI(d, KPI{Kind: Count}, some, 1)
		if !near(v.Interactions.Value, weight) || !near(v.Share.Value, weight/all) || v.Interactions.Interactions != int64(len(some)) {
			t.Errorf("%s: %v of %v", v.Value, v.Interactions, weight)
		}
		for i, k := range d.KPIs {
			sameKPI(t, v.Value, k, v.Figures[i].Value, plainKPI(d, k, some, days))
		}
	}
}

func checkFunnel(t *testing.T, f Flow, got *Funnel, blobs []dated) {
	t.Helper()
	reached := make([]float64, len(f.Steps)+1)
	times := make([][]heavy, len(f.Steps))
	next := make([]map[string]float64, len(f.Steps))
	for i := range next {
		next[i] = map[string]float64{}
	}
	for _, b := range blobs {
		w := plainWalk(f, b.blob)
		before := int32(0)
		for s := range w.Reached {
			reached[s] += b.weight
			times[s] = append(times[s], heavy{float64(max(0, w.Offsets[s]-before)), b.weight})
			before = w.Offsets[s]
		}
		if w.Reached > 0 && w.Reached < len(f.Steps) {
			next[w.Reached-1][w.Next] += b.weight
		}
	}
	for s, step := range got.Steps {
		if !near(step.Reached.Value, reached[s]) || !near(step.OfFirst.Value, reached[s]/reached[0]) || !near(step.OfBefore.Value, reached[s]/reached[max(0, s-1)]) {
			t.Errorf("%s %s: %+v, want %v", f.Name, step.Name, step, reached)
		}
		sameKPI(t, step.Name, KPI{Name: "p75", Kind: TimeTo}, step.P75.Value, plainPercentile(times[s], 0.75))
		left := reached[s] - reached[s+1]
		if s == len(f.Steps)-1 {
			left = 0
		}
		if !near(step.Left.Value, left) {
			t.Errorf("%s %s: %v left, want %v", f.Name, step.Name, *step.Left.Value, left)
		}
		for i, e := range step.NextEvent {
			if e.Event != Other && !near(e.Count.Value, next[s][e.Event]) || i > 0 && e.Event != Other && *e.Count.Value > *step.NextEvent[i-1].Count.Value {
				t.Errorf("%s %s: next %+v, want %v", f.Name, step.Name, step.NextEvent, next[s])
			}
		}
		if (len(next[s]) == 0) != (len(step.NextEvent) == 0) {
			t.Errorf("%s %s: %d events, want %v", f.Name, step.Name, len(step.NextEvent), next[s])
		}
	}
}
