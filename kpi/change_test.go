package kpi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/kpi/stat"
)

// drawn is a Source of days whose shares are drawn, not made of blobs: for histories of many interactions.
type drawn struct {
	d     *Definitions
	start Date
	days  []map[string]*Cell // by value of the segments; "" of all is made of them
}

func (s *drawn) Definitions() *Definitions { return s.d }
func (s *drawn) Span() (from, to Date)     { return s.start, s.start.Plus(len(s.days)) }

func (s *drawn) Slots(context.Context, int64, int64) ([]Slot, error) { return nil, nil }

func (s *drawn) Days(_ context.Context, slice Slice) (days []Day, _ error) {
	for date := slice.From; date < slice.To; date = date.Plus(1) {
		day := Day{Date: date, Cells: map[string]*Cell{}}
		i := s.start.days(date)
		if day.Open = i >= len(s.days); i >= 0 && !day.Open {
			for value, c := range s.days[i] {
				if slice.Only != nil && slice.Only.Value != value {
					continue
				}
				if slice.By == "" || slice.Only != nil {
					value = ""
				}
				if day.Cells[value] == nil {
					day.Cells[value] = s.d.NewCell(false)
				}
				day.Cells[value].Merge(c)
			}
		}
		days = append(days, day)
	}
	return days, nil
}

// some is a cell of n interactions of which a share has the KPIs.
func (s *drawn) some(n int, share float64, r *rand.Rand) *Cell {
	c := s.d.NewCell(false)
	ones := 0
	for range n {
		if r.Float64() < share {
			ones++
		}
	}
	all := func(n, ones int) stat.Moments {
		return stat.Moments{N: n, Weights: float64(n), Squares: float64(n), Sum: float64(ones), SumSq: float64(ones)}
	}
	c.Count = all(n, n)
	for i, k := range s.d.KPIs {
		c.KPIs[i] = Measure{Moments: all(n, ones), Ones: ones}
		if k.Kind == Count {
			c.KPIs[i] = Measure{Moments: all(n, n), Ones: n}
		}
	}
	return c
}

const changeDefinitions = `
segments:
  browser: {title: Browser, field: user_agent.browser}
  form: {experiment: form}
  release: {field: release}
kpis:
  errors: {share: "screen.error*", title: Errors, better: less, smallest: 2 %}
  visits: {count: all, title: Visits, better: more, smallest: 50}
changes:
  placebo: {at: 2026-09-29, moves: errors}
`

// rhythm is how a share swings over the week.
var weekly = []float64{0, 0.01, 0.015, 0.01, 0, -0.03, -0.04}

// history draws days with a weekly rhythm and a swing of 2 points from day to day. effect is what the change on day 28 does.
func history(r *rand.Rand, text string, days, n int, effect float64) *drawn {
	d, mistakes := Parse("kpi.yaml", []byte(text))
	if len(mistakes) > 0 {
		panic(mistakes)
	}
	s := &drawn{d: d, start: "2026-09-01"}
	for day := range days {
		share := 0.3 + weekly[day%7] + 0.02*r.NormFloat64()
		if day >= 28 {
			share += effect
		}
		many := int(float64(n) * (1 + 5*weekly[day%7]))
		s.days = append(s.days, map[string]*Cell{"Firefox": s.some(many/3, share, r), "Chrome": s.some(many-many/3, share, r)})
	}
	return s
}

func (s *drawn) board() *Board {
	_, to := s.Span()
	return &Board{Source: s, Now: func() time.Time { return to.Start(time.UTC).Add(time.Hour) }}
}

func judged(t testing.TB, b *Board, name string, v View) *Judged {
	t.Helper()
	j, err := b.Change(t.Context(), name, v)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// Changes that did nothing, looked at daily for four weeks over a weekly rhythm, raise few false alarms; changes of three times
// the size that matters are found.
func TestChangesThroughTheBoard(t *testing.T) {
	const tried = 60
	alarms, found := 0, 0
	for seed := range uint64(tried) {
		j := judged(t, history(rand.New(rand.NewPCG(seed, 1)), changeDefinitions, 57, 600, 0).board(), "placebo", View{})
		if j.Before != (Span{"2026-09-01", "2026-09-29"}) || j.After != (Span{"2026-09-29", "2026-10-27"}) || len(j.History) != 28 {
			t.Fatalf("%v %v, %d looks", j.Before, j.After, len(j.History))
		}
		if slices.ContainsFunc(j.History, func(n Narrowing) bool { return n.Low != nil && (*n.Low > 0 || *n.High < 0) }) {
			alarms++
		}
		if j := judged(t, history(rand.New(rand.NewPCG(seed, 2)), changeDefinitions, 57, 600, -0.06).board(), "placebo", View{}); j.Verdict == string(stat.Better) {
			found++
		}
	}
	if alarms > tried*6/100 || found < tried*80/100 {
		t.Errorf("of %d: %d false alarms, %d found", tried, alarms, found)
	}
}

// A change at a time of day leaves its day out, and is judged as sharply as one at midnight: each day meets its own weekday.
func TestChangesWithinADay(t *testing.T) {
	const tried = 30
	text := strings.Replace(changeDefinitions, "at: 2026-09-29", "at: 2026-09-29T12:00:00Z", 1)
	found, wide := [2]int{}, [2]float64{}
	for i, text := range []string{changeDefinitions, text} {
		for seed := range uint64(tried) {
			j := judged(t, history(rand.New(rand.NewPCG(seed, 2)), text, 57+i, 3000, -0.03).board(), "placebo", View{})
			if i == 1 && (j.Before != (Span{"2026-09-01", "2026-09-29"}) || j.After != (Span{"2026-09-30", "2026-10-28"})) {
				t.Fatalf("%v %v", j.Before, j.After)
			}
			if j.Verdict == string(stat.Better) {
				found[i]++
			}
			wide[i] += (*j.Diff.High - *j.Diff.Low) / tried
		}
	}
	if found[1] < found[0]*9/10 || found[1] < tried*8/10 || wide[1] > 1.1*wide[0] {
		t.Errorf("found %d, by intervals of %.4f; at midnight %d, of %.4f", found[1], wide[1], found[0], wide[0])
	}
}

func TestVerdictInWords(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	better := judged(t, history(r, changeDefinitions, 57, 2000, -0.1).board(), "placebo", View{})
	if better.Verdict != "better" || !strings.HasPrefix(better.Words, "Better: Errors, from 2") || !strings.Contains(better.Words, " points, and lies between −1") {
		t.Error(better.Words)
	}
	if len(better.Others) != 1 || better.Others[0].Alpha != 0.05 || len(better.Segments) != 2 || better.Segments[0].Verdict != "better" {
		t.Errorf("%+v %+v", better.Others, better.Segments)
	}
	soon := judged(t, history(r, changeDefinitions, 31, 2000, -0.1).board(), "placebo", View{})
	if soon.Verdict != "not enough data yet" || !strings.Contains(soon.Words, "There are 3 whole days to look at on each side, and it takes 7") || soon.More != 0 {
		t.Errorf("%+v", soon.Words)
	}
	few := judged(t, history(r, changeDefinitions, 43, 300, 0).board(), "placebo", View{})
	if few.Verdict != "not enough data yet" || few.More == 0 || !strings.Contains(few.Words, "more interactions would do to find one of +2 points") {
		t.Errorf("%d %s", few.More, few.Words)
	}
	never := judged(t, history(r, changeDefinitions, 20, 300, 0).board(), "placebo", View{})
	if never.Words != "Not enough data yet. It has not come yet." || never.A.Why != NoData {
		t.Error(never.Words)
	}
}

// A day without data is named and left out, with the day that it would be compared with.
func TestGapsAreNamed(t *testing.T) {
	s := history(rand.New(rand.NewPCG(5, 4)), changeDefinitions, 57, 1000, 0)
	s.days[30], s.days[20] = nil, nil
	j := judged(t, s.board(), "placebo", View{})
	if want := "There is no data of 2026-09-21, 2026-10-01: these days are left out, and those that they would be compared with."; !slices.Contains(j.Flags, want) {
		t.Errorf("%q", j.Flags)
	}
	if j.History[2].Date != "2026-10-01" || j.A.Value == nil || *j.A.Value < 0.2 {
		t.Errorf("a day without data counts as zero: %+v", j.A)
	}
}

// A mix that moved is told, with the difference that there is without it.
func TestMixesThatMoved(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 4))
	s := history(r, changeDefinitions, 57, 10, 0)
	for day := range s.days {
		firefox := 300
		if day >= 28 {
			firefox = 800
		}
		s.days[day] = map[string]*Cell{"Firefox": s.some(firefox, 0.1, r), "Chrome": s.some(1000-firefox, 0.5, r)}
	}
	j := judged(t, s.board(), "placebo", View{})
	if j.Verdict != "better" || !slices.ContainsFunc(j.Flags, func(f string) bool {
		return f == "The mix of Browser moved: Firefox from 30 % to 80 %." || f == "The mix of Browser moved: Chrome from 70 % to 20 %."
	}) {
		t.Errorf("%s %q", j.Verdict, j.Flags)
	}
	if j.Adjusted == nil || math.Abs(*j.Adjusted.Value) > 0.02 || math.Abs(*j.Diff.Value+0.2) > 0.02 || j.AdjustBy != "Browser" {
		t.Errorf("%+v, adjusted %+v", j.Diff, j.Adjusted)
	}
}

func TestBranchesSideBySide(t *testing.T) {
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29", "experiment: form")
	for _, c := range []struct {
		name       string
		a, b       int
		shares     [2]float64
		branches   string
		verdict    string
		mismatched bool
	}{
		{"Better", 500, 500, [2]float64{0.30, 0.25}, "", "better", false},
		{"Worse", 500, 500, [2]float64{0.25, 0.30}, "", "worse", false},
		{"Same", 9000, 9000, [2]float64{0.05, 0.05}, "", "no difference that matters", false},
		{"NotEnough", 20, 20, [2]float64{0.3, 0.25}, "", "not enough data yet", false},
		{"Swapped", 500, 500, [2]float64{0.30, 0.25}, ", branches: [new, control]", "worse", false},
		{"Mismatch", 900, 1100, [2]float64{0.3, 0.3}, "", "", true},
		{"MeantSo", 900, 1100, [2]float64{0.3, 0.3}, ", branches: {control: 9, new: 11}", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 4))
			s := history(r, strings.ReplaceAll(text, "experiment: form, moves", "experiment: form"+c.branches+", moves"), 20, 10, 0)
			for day := range s.days {
				s.days[day] = map[string]*Cell{"control": s.some(c.a, c.shares[0], r), "new": s.some(c.b, c.shares[1], r), Unknown: s.some(50, 0.9, r)}
			}
			j := judged(t, s.board(), "placebo", View{})
			if c.verdict != "" && j.Verdict != c.verdict || j.Units != UnitsDialogs || len(j.History) != 20 {
				t.Errorf("%s, %d looks: %s", j.Verdict, len(j.History), j.Words)
			}
			if mismatched := slices.ContainsFunc(j.Flags, func(f string) bool { return strings.HasPrefix(f, "Sample-ratio mismatch: ") }); mismatched != c.mismatched {
				t.Errorf("%q", j.Flags)
			}
			if c.name == "NotEnough" && j.More < 1000 {
				t.Errorf("%d more: %s", j.More, j.Words)
			}
			if j.Others[0].Diff.Value != nil {
				t.Error("a count is compared between branches")
			}
		})
	}
}

// A release counts as after only where it is carried, from the day on that it is first seen.
func TestReleases(t *testing.T) {
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29", "release: v2")
	r := rand.New(rand.NewPCG(8, 4))
	s := history(r, text, 57, 10, 0)
	for day := range s.days {
		s.days[day] = map[string]*Cell{"v1": s.some(900, 0.3, r)}
		if day >= 28 {
			s.days[day] = map[string]*Cell{"v1": s.some(400, 0.3, r), "v2": s.some(500, 0.2, r)}
		}
	}
	j := judged(t, s.board(), "placebo", View{})
	if j.Verdict != "better" || j.After.From != "2026-09-29" || math.Abs(*j.B.Value-0.2) > 0.02 || math.Abs(*j.A.Value-0.3) > 0.02 {
		t.Errorf("%s %+v %+v %+v", j.Words, j.After, j.A, j.B)
	}
	if j := judged(t, s.board(), "placebo", View{Cell: 10}); j.Verdict != "better" || len(j.Segments) != 0 {
		t.Errorf("to a viewer: %s, %d segments", j.Words, len(j.Segments))
	}
}

func TestChangesList(t *testing.T) {
	s := history(rand.New(rand.NewPCG(9, 4)), changeDefinitions, 57, 100, 0)
	b := s.board()
	b.Added = func() []Change {
		return []Change{{Name: "later", Title: "later", At: Date("2026-10-06").Start(time.UTC), Moves: "visits"}, {Name: "placebo", Moves: "visits"},
			{Name: "gone", Title: "gone", At: Date("2026-09-02").Start(time.UTC), Moves: "no_more"}}
	}
	all, err := b.Changes(t.Context(), View{})
	var names []string
	for _, j := range all {
		names = append(names, j.Change.Name)
	}
	if err != nil || !slices.Equal(names, []string{"later", "placebo", "gone"}) || all[1].KPI.Name != "errors" || all[2].Verdict != "not enough data yet" {
		t.Fatal(names, err)
	}
	if !slices.Contains(all[1].Flags, "Among these days there was also gone, later: what each of them did cannot be told apart.") {
		t.Errorf("%q", all[1].Flags)
	}
	o := ask(t, b.Overview, View{From: "2026-09-01", To: "2026-10-06"})
	if fmt.Sprint(o.Changes) != "[{gone gone 2026-09-02} {placebo placebo 2026-09-29}]" {
		t.Error(o.Changes)
	}
	if _, err := b.Change(t.Context(), "placbo", View{}); err == nil || err.Error() != "change: no change has this name (did you mean placebo?)" {
		t.Error(err)
	}
}

func TestBadQuestions(t *testing.T) {
	m := &memory{d: Shipped()}
	b := m.board("2026-11-28")
	for _, c := range []struct {
		v    View
		want string
	}{
		{View{From: "2026-11-05", To: "2026-11-05"}, "to: the range is empty: 2026-11-05 does not come after 2026-11-05 (the day after the last one)"},
		{View{From: "yesterday"}, `from: "yesterday" is no day (like 2026-11-28)`},
		{View{To: "2026-02-30"}, `to: "2026-02-30" is no day (like 2026-11-28; it is not part of the range)`},
		{View{From: "1999-01-01", To: "2026-01-01"}, "from: a range of 9862 days (ask for at most 1098)"},
		{View{By: "borwser"}, `by: no segment is called "borwser" (did you mean browser?)`},
		{View{Only: &Filter{"oss", "x"}}, `only: no segment is called "oss" (did you mean os?)`},
		{View{KPI: "sign_out"}, `kpi: no KPI is called "sign_out" (did you mean sign_in?)`},
		{View{By: "os", Only: &Filter{"browser", "Firefox"}, Cell: 10}, "by: a viewer may narrow by one segment or tell apart by one, not both (an analyst may)"},
	} {
		_, err := b.Segments(t.Context(), c.v)
		if bad := (BadQuestion{}); !errors.As(err, &bad) || err.Error() != c.want {
			t.Errorf("%+v: %v", c.v, err)
		}
	}
}

// Ranges without data, ahead of time, of a year, with one event, with weights that are tiny: honest pictures.
func TestOddQuestions(t *testing.T) {
	m := &memory{d: mustParse(t, walkerDefinitions)}
	b := m.board("2026-11-28")
	for _, v := range []View{{}, {From: "2030-01-01", To: "2030-02-01"}, {From: "2025-11-28", To: "2026-11-28"}, {Cell: 10}} {
		for _, k := range ask(t, b.Overview, v).KPIs {
			if k.Now.Value != nil || k.Now.Why != NoData {
				t.Errorf("%+v: nothing came, and %s is %+v", v, k.KPI.Name, k.Now)
			}
		}
		if f := ask(t, b.Funnel, v); f.Steps[0].Reached.Why != NoData || f.Steps[1].Left.Value != nil {
			t.Errorf("%+v", f.Steps)
		}
		if s := ask(t, b.Segments, v); len(s.Values) != 0 {
			t.Errorf("%+v", s.Values)
		}
		ask(t, b.Arrivals, v)
	}
	m.add(blob{events: []blobEvent{{"a", 0}}}, Date("2026-11-20").Start(time.UTC), 1e-9)
	one := ask(t, b.Overview, View{}).KPIs[0].Now
	if one.Interactions != 1 || *one.Value != 0 || one.Low != nil {
		t.Errorf("of one: %+v", one)
	}
	if k := ask(t, b.Overview, View{Cell: 10}).KPIs[0]; k.Now.Why != TooFew || k.Now.Interactions != 0 {
		t.Errorf("of one, to a viewer: %+v", k.Now)
	}
	for i := range 10_000 {
		m.add(blob{fields: map[string]string{"new_account": fmt.Sprint(i)}}, Date("2026-11-20").Plus(i%5).Start(time.UTC), 1)
	}
	if s := ask(t, b.Segments, View{By: "new"}); len(s.Values) > MostValues+1 || !slices.ContainsFunc(s.Values, func(v SegmentValue) bool { return v.Value == Other && *v.Interactions.Value > 9000 }) {
		t.Errorf("10,000 values make %d", len(s.Values))
	}
}

func TestArrivals(t *testing.T) {
	m := &memory{d: mustParse(t, walkerDefinitions)}
	now := time.Date(2026, 11, 28, 12, 7, 0, 0, time.UTC)
	silent := now.Add(-2 * time.Hour)
	for at := now.Add(-15 * 24 * time.Hour).Truncate(slot); at.Before(silent); at = at.Add(slot) {
		for range 12 {
			m.add(blob{}, at, 2)
		}
	}
	b := &Board{Source: m, Now: func() time.Time { return now }}
	a := ask(t, b.Arrivals, View{})
	last := a.Slots[len(a.Slots)-1]
	if len(a.Slots) != shownSlots || *last.Usual != 24 || *last.Count != 0 || *a.Slots[0].Count != 24 {
		t.Errorf("%d slots, the last %v of %v", len(a.Slots), *last.Count, *last.Usual)
	}
	if want := "No interaction has arrived since 2026-11-28 10:10 UTC, where about 120 use to."; a.Alarm != want {
		t.Error(a.Alarm)
	}
	if a.Missing[0].Field != "email_type" || a.Missing[0].Share.Value == nil {
		t.Errorf("%+v", a.Missing[0])
	}
	if viewer := ask(t, b.Arrivals, View{Cell: 10}); *viewer.Slots[0].Count != 20 || *viewer.Slots[0].Usual != 20 {
		t.Errorf("a viewer is told %v", *viewer.Slots[0].Count)
	}
	m.add(blob{}, now.Truncate(slot), 1)
	if a = ask(t, b.Arrivals, View{}); a.Alarm != "" || !a.Last.Equal(now.Truncate(slot)) {
		t.Errorf("they come again: %q %v", a.Alarm, a.Last)
	}
	if a = ask(t, b.Arrivals, View{Cell: 10}); a.Alarm == "" || a.Slots[len(a.Slots)-1].Count != nil || !a.Last.Before(silent) {
		t.Errorf("one came: %q %+v", a.Alarm, a.Slots[len(a.Slots)-1])
	}
}

// An experiment goes on for days: it is named beside a change that it began before, also where it is not told when.
func TestExperimentsAmongTheDaysOfAChange(t *testing.T) {
	s := history(rand.New(rand.NewPCG(9, 4)), changeDefinitions, 57, 100, 0)
	for name, at := range map[string]time.Time{"no day": {}, "begun before": Date("2026-08-31").Start(time.UTC)} {
		b := s.board()
		b.Added = func() []Change {
			return []Change{{Name: "trial", Title: "a trial", At: at, Experiment: "form", Moves: "errors"}}
		}
		j := judged(t, b, "placebo", View{})
		if !slices.ContainsFunc(j.Flags, func(f string) bool { return strings.Contains(f, "a trial") }) {
			t.Errorf("%s: %q, with days from %s", name, j.Flags, j.Before.From)
		}
	}
}
