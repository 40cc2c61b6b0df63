package kpi

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// walkerDefinitions have flows of both orders that share events.
const walkerDefinitions = `
segments:
  os: {field: user_agent.os, values: {Windows: "Win*", "Windows Phone": "Windows Ph*", Linux: [Linux, Ubuntu]}}
  screen: {field: screen_size.width, buckets: {mobile: 0, tablet: 640, desktop: 1024}}
  form: {experiment: form}
  new: {field: new_account}
flows:
  strict: {steps: [a: a, b: ["b*", x], c: c], exclude: [gone]}
  twice: {steps: [first: a, second: a, end: "screen.*"]}
  any: {order: any, steps: [a: a, b: ["b*", x], c: c]}
  other: {dialog: other, steps: [a: a, c: c]}
kpis:
  rate: {conversion: strict, better: more, smallest: 2 %}
  rest: {conversion: {flow: any, from: b}, better: more, smallest: 2 %}
  p50: {time: {flow: strict, percentile: 50}, better: less, smallest: 2s}
  between: {time: {flow: any, from: a, to: b, percentile: 75}, better: less, smallest: 2s}
  errors: {share: ["screen.error*", x], better: less, smallest: 1 %}
  emails: {mean: {field: number_emails, dialog: other}, better: more, smallest: 1}
  all: {count: all, better: more, smallest: 10}
`

func mustParse(tb testing.TB, text string) *Definitions {
	tb.Helper()
	d, mistakes := Parse("kpi.yaml", []byte(text))
	if len(mistakes) > 0 {
		tb.Fatal(mistakes)
	}
	return d
}

// blob is an interaction as the tests make them up.
type blob struct {
	fields map[string]string
	events []blobEvent
}

type blobEvent struct {
	name   string
	offset int32
}

func (b blob) through(w *Walker, f *Fact) {
	for i, path := range w.Fields() {
		if v, ok := b.fields[path]; ok {
			w.Field(i, []byte(v))
		}
	}
	for _, e := range b.events {
		w.Event([]byte(e.name), e.offset)
	}
	w.Finish(f)
}

func randomBlob(r *rand.Rand) blob {
	b := blob{fields: map[string]string{}}
	for path, values := range map[string][]string{"user_agent.os": {"Windows", "Windows Phone", "Linux", "BeOS"}, "screen_size.width": {"<320", "320-479", "640", "768-1023", "1024+", "320-1023"},
		"experiments.form": {"a", "b"}, "new_account": {"true", "false"}, "dialog": {"other", "this"}, "number_emails": {"1", "2", "3-5"}} {
		if r.IntN(5) > 0 {
			b.fields[path] = values[r.IntN(len(values))]
		}
	}
	names := []string{"a", "a", "b1", "b2", "x", "c", "c", "screen.ok", "screen.error.x", "y", "gone"}
	for range r.IntN(12) {
		b.events = append(b.events, blobEvent{names[r.IntN(len(names)-r.IntN(2))], int32(r.IntN(10))})
	}
	return b
}

// plainWalk follows a flow as the documentation says it.
func plainWalk(f Flow, b blob) Walk {
	walk := Walk{Offsets: slices.Repeat([]int32{-1}, len(f.Steps))}
	excluded := slices.ContainsFunc(b.events, func(e blobEvent) bool { return plainMatch(f.Exclude, e.name) })
	if excluded || f.Dialog != "" && f.Dialog != b.fields["dialog"] {
		return walk
	}
	events := slices.Clone(b.events)
	slices.SortStableFunc(events, func(a, b blobEvent) int { return cmp.Compare(a.offset, b.offset) })
	last, used := int32(0), map[int]bool{}
	latest := -1
	for i, s := range f.Steps {
		at := slices.IndexFunc(events, func(e blobEvent) bool { return plainMatch(s.Events, e.name) })
		if f.Strict {
			at = -1
			for j, e := range events {
				if at < 0 && !used[j] && e.offset >= last && plainMatch(s.Events, e.name) {
					at = j
				}
			}
		}
		if at < 0 {
			break
		}
		used[at], last = true, events[at].offset
		walk.Offsets[i], walk.Reached, latest = last, i+1, max(latest, at)
	}
	if walk.Reached > 0 && walk.Reached < len(f.Steps) {
		walk.Last = events[len(events)-1].name
		if latest+1 < len(events) {
			walk.Next = events[latest+1].name
		}
	}
	return walk
}

func plainMatch(patterns []string, name string) bool {
	for _, p := range patterns {
		if p == name || strings.HasSuffix(p, "*") && strings.HasPrefix(name, p[:len(p)-1]) {
			return true
		}
	}
	return false
}

func TestWalkerAgainstPlainReading(t *testing.T) {
	d := mustParse(t, walkerDefinitions)
	w := d.Walker()
	r := rand.New(rand.NewPCG(1, 2))
	var f Fact
	seen := map[string]int{}
	for range 5_000 {
		b := randomBlob(r)
		b.through(w, &f)
		for i, flow := range d.Flows {
			want := plainWalk(flow, b)
			if !reflect.DeepEqual(f.Flows[i], want) {
				t.Fatalf("%v through %s: %+v, want %+v", b, flow.Name, f.Flows[i], want)
			}
			seen[fmt.Sprint(flow.Name, want.Reached)]++
		}
		for i, k := range d.KPIs {
			if want := plainValue(d, k, b); f.Values[i] != want && !(math.IsNaN(want) && math.IsNaN(f.Values[i])) {
				t.Fatalf("%v: %s is %v, want %v", b, k.Name, f.Values[i], want)
			}
		}
	}
	if len(seen) != 4+4+4+3 {
		t.Errorf("not all was tried: %v", seen)
	}
}

// plainValue is what a blob says of a KPI.
func plainValue(d *Definitions, k KPI, b blob) float64 {
	share := func(yes bool) float64 { return map[bool]float64{true: 1}[yes] }
	var walk Walk
	var from, to int
	if k.Flow != "" {
		f := d.Flows[d.flow(k.Flow)]
		walk, from, to = plainWalk(f, b), f.step(k.From), f.step(k.To)
	}
	switch in := k.Dialog == "" || k.Dialog == b.fields["dialog"]; {
	case k.Kind == Conversion && walk.Reached > from:
		return share(walk.Reached > to)
	case k.Kind == TimeTo && walk.Reached > to && from < 0:
		return float64(walk.Offsets[to])
	case k.Kind == TimeTo && walk.Reached > to:
		return float64(max(0, walk.Offsets[to]-walk.Offsets[from]))
	case k.Kind == Share && in:
		return share(slices.ContainsFunc(b.events, func(e blobEvent) bool { return plainMatch(k.Events, e.name) }))
	case k.Kind == Mean && in && b.fields["number_emails"] == "1":
		return 1
	case k.Kind == Mean && in && b.fields["number_emails"] == "2":
		return 2
	case k.Kind == Count:
		return 1
	}
	return math.NaN()
}

func TestSegmentValues(t *testing.T) {
	d := mustParse(t, walkerDefinitions)
	for _, c := range []struct{ segment, held, want string }{
		{"os", "Windows", "Windows"}, {"os", "Windows Phone", "Windows Phone"}, {"os", "Ubuntu", "Linux"}, {"os", "Linux2", Other}, {"os", "", Unknown},
		{"screen", "0", "mobile"}, {"screen", "<320", "mobile"}, {"screen", "480-639", "mobile"}, {"screen", "640-767", "tablet"},
		{"screen", "1023", "tablet"}, {"screen", "1024-<1280.5", "desktop"}, {"screen", "2560+", "desktop"}, {"screen", "768+", Unknown},
		{"screen", "320-1023", Unknown}, {"screen", "wide", Unknown}, {"screen", "-5", "mobile"}, {"new", "true", "true"}, {"form", "b", "b"},
	} {
		if got := d.Segments[d.segment(c.segment)].value(c.held); got != c.want {
			t.Errorf("%s of %q is %s, want %s", c.segment, c.held, got, c.want)
		}
	}
}

// A row costs no allocation once its names have been seen.
func TestWalkerAllocatesNothing(t *testing.T) {
	w := Shipped().Walker()
	var f Fact
	values := make([][]byte, len(w.Fields()))
	for i := range values {
		values[i] = []byte("640-767")
	}
	names := [][]byte{[]byte("screen.rp_info"), []byte("authenticate.enter_password"), []byte("assertion_generated")}
	row := func() {
		for i, v := range values {
			w.Field(i, v)
		}
		for i, name := range names {
			w.Event(name, int32(i))
		}
		w.Finish(&f)
	}
	row()
	if n := testing.AllocsPerRun(100, row); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNamesWithoutEnd(t *testing.T) {
	w := Shipped().Walker()
	for i := range 3 * mostNames {
		w.Event(fmt.Appendf(nil, "screen.error.%d", i), 0)
		var f Fact
		w.Finish(&f)
		if got := f.Values[w.d.kpi("errors")]; got != 1 {
			t.Fatalf("errors is %v", got)
		}
	}
	if len(w.names.known) > mostNames {
		t.Errorf("%d names are remembered", len(w.names.known))
	}
}

func BenchmarkWalker(b *testing.B) {
	w := Shipped().Walker()
	names := []string{"screen.rp_info", "screen.authenticate", "user.can_interact", "authenticate.enter_password", "authenticate.password_submitted", "authenticate.password_success", "generate_assertion", "assertion_generated"}
	fields := make([][]byte, len(w.Fields()))
	for i := range fields {
		fields[i] = []byte("Windows")
	}
	bytes := make([][]byte, len(names))
	for i, n := range names {
		bytes[i] = []byte(n)
	}
	var f Fact
	for b.Loop() {
		for i, v := range fields {
			w.Field(i, v)
		}
		for i, n := range bytes {
			w.Event(n, int32(i*1000))
		}
		w.Finish(&f)
	}
}
