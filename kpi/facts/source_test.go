package facts

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// slices of all kinds that there are.
func allSlices() []kpi.Slice {
	all := []kpi.Slice{{}, {Left: true}}
	for _, by := range []string{"browser", "language", "screen", "form"} {
		all = append(all, kpi.Slice{By: by})
	}
	for _, only := range []kpi.Filter{{Segment: "browser", Value: "Firefox"}, {Segment: "browser", Value: kpi.Other}, {Segment: "language", Value: "kn"},
		{Segment: "screen", Value: kpi.Unknown}, {Segment: "form", Value: "short"}, {Segment: "language", Value: "nobody's"}} {
		all = append(all, kpi.Slice{Only: &only}, kpi.Slice{Only: &only, Left: true}, kpi.Slice{Only: &only, By: only.Segment},
			kpi.Slice{Only: &only, By: "screen"}, kpi.Slice{Only: &only, By: "form"})
	}
	return all
}

// answers are those to all kinds of questions.
func (h *house) answers() map[string][]kpi.Day {
	all := map[string][]kpi.Day{}
	for _, slice := range allSlices() {
		all[name(slice)] = h.days(slice)
		slice.Prompt = true
		all[name(slice)] = h.days(slice)
	}
	return all
}

func name(s kpi.Slice) string {
	only := ""
	if s.Only != nil {
		only = s.Only.Segment + "=" + s.Only.Value
	}
	return fmt.Sprintf("by %q only %q left %t prompt %t", s.By, only, s.Left, s.Prompt)
}

// sameDays compares all that days tell, but for whether they are open.
func sameDays(t *testing.T, what string, got, want []kpi.Day) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d days, want %d", what, len(got), len(want))
	}
	for i := range want {
		at := what + ", " + string(want[i].Date)
		if got[i].Date != want[i].Date || !slices.Equal(slices.Sorted(maps.Keys(got[i].Cells)), slices.Sorted(maps.Keys(want[i].Cells))) {
			t.Errorf("%s: %v with %v, want %v", at, got[i].Date, slices.Sorted(maps.Keys(got[i].Cells)), slices.Sorted(maps.Keys(want[i].Cells)))
			continue
		}
		for value, cell := range want[i].Cells {
			sameCell(t, at+" "+value, got[i].Cells[value], cell)
		}
	}
}

func sameCell(t *testing.T, what string, got, want *kpi.Cell) {
	t.Helper()
	if got.Count != want.Count {
		t.Errorf("%s: count %+v, want %+v", what, got.Count, want.Count)
	}
	for i := range want.KPIs {
		if g, w := got.KPIs[i], want.KPIs[i]; g.Moments != w.Moments {
			t.Errorf("%s: KPI %d is %+v, want %+v", what, i, g.Moments, w.Moments)
		}
		sameSketch(t, what, got.KPIs[i].Sketch, want.KPIs[i].Sketch)
	}
	for f := range want.Flows {
		for s := range want.Flows[f] {
			if g, w := got.Flows[f][s].Moments, want.Flows[f][s].Moments; g != w {
				t.Errorf("%s: step %d of flow %d is %+v, want %+v", what, s, f, g, w)
			}
			sameSketch(t, what, got.Flows[f][s].Times, want.Flows[f][s].Times)
		}
	}
	if !slices.Equal(got.Missing, want.Missing) {
		t.Errorf("%s: missing %v, want %v", what, got.Missing, want.Missing)
	}
	for f := range want.Left {
		for s, left := range want.Left[f] {
			if g := got.Left[f][s]; !maps.Equal(g.Next, left.Next) || !maps.Equal(g.Last, left.Last) {
				t.Errorf("%s: who left flow %d after %d: %v, want %v", what, f, s, g, left)
			}
		}
	}
}

func sameSketch(t *testing.T, what string, got, want *kpi.Sketch) {
	t.Helper()
	for _, share := range []float64{0, 0.25, 0.5, 0.75, 0.95, 1} {
		g, w := got.Quantile(share), want.Quantile(share)
		if got.Weight() != want.Weight() || g != w && !(math.IsNaN(g) && math.IsNaN(w)) {
			t.Errorf("%s: quantile %v of %v is %v, want %v of %v", what, share, got.Weight(), g, w, want.Weight())
		}
	}
}

// Whatever stage events are at, the figures are the same: in the open hour, closed, sanitized, as facts, and after a restart of the source.
func TestFiguresAreTheSameBeforeAndAfterAnHourCloses(t *testing.T) {
	h := openHouse(t)
	for range 3 {
		h.hour(60)
	}
	h.bring(h.interaction(h.Wall().AddDate(0, 0, -1)), h.interaction(h.Wall()))
	h.send(h.interaction(h.Wall()), h.interaction(h.Wall()))
	open := h.answers()
	check := func(what string) {
		t.Helper()
		for question, days := range h.answers() {
			sameDays(t, what+": "+question, days, open[question])
		}
	}
	if n := len(h.files(lake.Facts)); n != 0 {
		t.Fatalf("%d files of facts before there was a job", n)
	}
	check("asked twice")
	h.pass(0)
	if err := h.lake.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("compacted")
	h.sanitize(sanitize.Request{})
	check("sanitized")
	if report := h.build(); report.Hours < 4 {
		t.Errorf("facts were made: %+v", report)
	}
	check("with facts")
	h.source = NewSource(h.source.o)
	check("with facts, by a new source")
	if again := h.build(); again.Hours != 0 {
		t.Errorf("facts were made again: %+v", again)
	}
}

// All that is asked for one answer is of one moment, whatever comes meanwhile; the next answer has it.
func TestAnAnswerIsOfOneMoment(t *testing.T) {
	h := openHouse(t)
	h.hour(30)
	slice := kpi.Slice{From: "2026-11-08", To: "2026-11-14", By: "browser"}
	answer := h.source.Pinned()
	before, err := answer.Days(t.Context(), slice)
	if err != nil {
		t.Fatal(err)
	}
	h.hour(30)
	after, err := answer.Days(t.Context(), slice)
	if err != nil {
		t.Fatal(err)
	}
	sameDays(t, "within an answer", after, before)
	n := 0
	for _, day := range h.days(slice) {
		for _, cell := range day.Cells {
			n += cell.Count.N
		}
	}
	if n != len(h.sent) {
		t.Errorf("%d of %d are in the next answer", n, len(h.sent))
	}
}

// numberKPIs measure a number, by a segment.
const numberKPIs = `
segments:
  language: {field: language}
kpis:
  emails: {mean: number_emails, better: more, smallest: 1}
`

// numberRules are an allowlist that keeps the language and the number as two rules say.
func numberRules(language, emails string) string {
	return fmt.Sprintf(`
interaction:
  timestamp: keep
  sample_rate: keep
  event_stream: keep
  language: %s
  number_emails: %s
`, language, emails)
}

// Labels of buckets are no numbers, also where a bucket is of one: the mean would be of the small ones.
func TestLabelsAreNoNumbers(t *testing.T) {
	h := openHouse(t)
	h.defs, h.list = parseKPIs(t, numberKPIs), numberRules("keep", "{bucket: [0, 1, 2, 3]}")
	for i := range 20 {
		h.send(sent{"timestamp": h.Wall().UnixMilli(), "sample_rate": 1, "event_stream": []any{}, "language": "en", "number_emails": i % 10})
	}
	h.pass(time.Hour)
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.list = numberRules("keep", "keep") // from now on
	h.build()
	met := 0
	for _, day := range h.days(kpi.Slice{}) {
		for _, c := range day.Cells {
			if met += c.Count.N; c.KPIs[0].N > 1 { // that which closed the hour
				t.Errorf("of %d interactions %d have a number", c.Count.N, c.KPIs[0].N)
			}
		}
	}
	if met < 20 {
		t.Errorf("%d interactions are told", met)
	}
}

// What is in no file yet passes the allowlist that is in force, also what was added up before it was.
func TestPendingUnderAnotherAllowlist(t *testing.T) {
	h := openHouse(t)
	h.defs, h.list = parseKPIs(t, numberKPIs), numberRules("keep", "keep")
	h.send(h.interaction(h.Wall()), h.interaction(h.Wall()), h.interaction(h.Wall()))
	languages := func() map[string]bool {
		told := map[string]bool{}
		for _, day := range h.days(kpi.Slice{By: "language"}) {
			for value := range day.Cells {
				told[value] = true
			}
		}
		return told
	}
	if before := languages(); len(before) < 2 {
		t.Fatal("before:", before)
	}
	h.list = numberRules("{only: [xx]}", "keep")
	if after := languages(); len(after) != 1 || !after[kpi.Unknown] {
		t.Error("after:", after)
	}
}
