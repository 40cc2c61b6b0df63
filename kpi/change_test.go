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

func (s *drawn) Span(context.Context) (Span, error) {
	return Span{s.start, s.start.Plus(len(s.days))}, nil
}

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
	return historyFrom("2026-09-01", r, text, days, n, effect)
}

// historyFrom is a history that begins some weeks before 2026-09-29, when the change is.
func historyFrom(start Date, r *rand.Rand, text string, days, n int, effect float64) *drawn {
	d, mistakes := Parse("kpi.yaml", []byte(text))
	if len(mistakes) > 0 {
		panic(mistakes)
	}
	s := &drawn{d: d, start: start}
	for day := range days {
		share := 0.3 + weekly[day%7] + 0.02*r.NormFloat64()
		if start.Plus(day) >= "2026-09-29" {
			share += effect
		}
		many := int(float64(n) * (1 + 5*weekly[day%7]))
		s.days = append(s.days, map[string]*Cell{"Firefox": s.some(many/3, share, r), "Chrome": s.some(many-many/3, share, r)})
	}
	return s
}

func (s *drawn) board() *Board {
	to := s.start.Plus(len(s.days))
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

// A change of the smallest size that matters is found, by the time that as much has come as was asked for after two weeks,
// at whatever time of day it was; one that did nothing is not.
func TestSamplesThatAreAskedForDo(t *testing.T) {
	const tried = 100
	asked, found, alarms := 0, 0, 0
	for seed := range uint64(tried) {
		at := []string{"2026-09-29", "2026-09-29T09:30:00Z", "2026-09-29T12:00:00Z", "2026-09-29T23:50:00Z"}[seed%4]
		text := strings.Replace(changeDefinitions, "at: 2026-09-29", "at: "+at, 1)
		text = strings.Replace(text, "smallest: 2 %", "smallest: 3 %", 1)
		run := func(stream uint64, after int, effect float64) *Judged {
			return judged(t, historyFrom("2026-08-04", rand.New(rand.NewPCG(seed, stream)), text, 56+after, 1000, effect).board(), "placebo", View{})
		}
		apart := func(j *Judged, above, below float64) bool {
			return slices.ContainsFunc(j.History, func(n Narrowing) bool { return n.Low != nil && (*n.Low > above || *n.High < below) })
		}
		pilot := run(20, 15, 0)
		if apart(run(21, 29, 0), 0, 0) {
			alarms++
		}
		if pilot.More == 0 {
			continue // two weeks were enough
		}
		asked++
		weeks := 2 + int(math.Ceil(2*float64(pilot.More)/float64(pilot.Diff.Interactions)))
		if apart(run(22, weeks*7+1, -0.03), math.Inf(1), 0) {
			found++
		}
	}
	if alarms > tried*6/100 || found < asked*80/100 || asked < tried/2 {
		t.Errorf("of %d: %d false alarms; of %d that ask for more %d found", tried, alarms, asked, found)
	}
}

// The same of an experiment, whose units are dialogs.
func TestSamplesOfBranchesThatAreAskedForDo(t *testing.T) {
	const tried, perDay, pilotDays = 40, 1000, 5
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29, moves", "experiment: form, branches: [control, new], moves")
	found, alarms := 0, 0
	for seed := range uint64(tried) {
		run := func(stream uint64, days int, effect float64) *Judged {
			r := rand.New(rand.NewPCG(seed, stream))
			s := history(r, text, 0, 0, 0)
			for range days {
				s.days = append(s.days, map[string]*Cell{"control": s.some(perDay/2, 0.3, r), "new": s.some(perDay/2, 0.3+effect, r)})
			}
			return judged(t, s.board(), "placebo", View{})
		}
		pilot := run(22, pilotDays, 0)
		if pilot.Verdict == string(stat.Better) || pilot.Verdict == string(stat.Worse) {
			alarms++
		}
		days := pilotDays + int(math.Ceil(float64(pilot.More)/perDay))
		if days < 2*pilotDays || days > mostTrialDays {
			t.Fatalf("%d days are asked for: %s", days, pilot.Words)
		}
		if run(23, days, -0.02).Verdict == string(stat.Better) {
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
	if soon.Verdict != "not enough data yet" || !strings.Contains(soon.Words, "There are 3 whole days to look at on each side, and it takes 7 before anything can be said. About ") || !strings.Contains(soon.Words, "more interactions would do to find a difference of 2 points, and more") || soon.More < 10_000 {
		t.Errorf("%+v", soon.Words)
	}
	few := judged(t, history(r, changeDefinitions, 43, 300, 0).board(), "placebo", View{})
	if few.Verdict != "not enough data yet" || few.More == 0 || !strings.Contains(few.Words, "more interactions would do to find a difference of 2 points") {
		t.Errorf("%d %s", few.More, few.Words)
	}
	never := judged(t, history(r, changeDefinitions, 20, 300, 0).board(), "placebo", View{})
	if never.Words != "Not enough data yet. It has not come yet." || never.A.Why != NoData {
		t.Error(never.Words)
	}
	today := history(r, changeDefinitions, 50, 300, 0).board()
	today.Added = func() []Change { return []Change{{Name: "now", At: today.Now().Add(-time.Minute), Moves: "errors"}} }
	if j := judged(t, today, "now", View{}); !strings.Contains(j.Words, "no whole day after it yet") {
		t.Error(j.Words)
	}
}

// Why nothing can be said yet, and about how much it takes, of percentiles and of days that are all the same.
func TestWhatIsMissing(t *testing.T) {
	branch := func(n int) total {
		m := Measure{Sketch: NewSketch()}
		for i := range n {
			m.Sketch.Add(1000+100*float64(i%60), 1)
			m.Add(1000+100*float64(i%60), 1)
		}
		return total{Measure: m, days: 10}
	}
	experiment, inTime := &trial{change: Change{Experiment: "e"}}, &trial{after: make([]seenDay, 14)}
	for _, c := range []struct {
		percentile float64
		n          int
		want       string
		more       bool
	}{
		{0.5, 60, "It takes at least 100 interactions in each branch before anything can be said. About ", true},
		{0.95, 300, "The difference has no bound yet: a percentile takes the more interactions, the further out it lies. About ", true},
		{0.5, 300, "The difference lies between −", true},
	} {
		k := KPI{Kind: TimeTo, Percentile: c.percentile, Smallest: 1000}
		side := branch(c.n)
		contrast := sideBySide(Alpha, k, side, side)
		more := experiment.more(contrast, k, side, side)
		if text := experiment.missing(contrast, k, more); !strings.HasPrefix(text, c.want) || (more > 0) != c.more || !strings.HasSuffix(text, "more interactions would do to find a difference of 1 s.") {
			t.Errorf("%d of percentile %v: %d more; %s", c.n, c.percentile, more, text)
		}
		enough := branch(c.n + int(more)/2)
		if then := sideBySide(Alpha, k, enough, enough); !(then.Low > -1100 && then.High < 1100) {
			t.Errorf("with %d more for percentile %v: %+v", more, c.percentile, then)
		}
	}
	k := KPI{Kind: TimeTo, Percentile: 0.5, Smallest: 1000}
	same := slices.Repeat([]dayValue{{value: 1000, n: 50}}, 14)
	c := byDays(inTime.sequence(Alpha), same, same, 0)
	if text := inTime.missing(c, k, inTime.more(c, k, branch(700), branch(700))); !strings.HasPrefix(text, "All days compared have one value on each side") {
		t.Error(text)
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

// Of a change by days the difference is that of the figures beside it, however the days differ in size and whichever are missing.
func TestFiguresAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	s := history(r, changeDefinitions, 57, 10, 0)
	for day := range s.days {
		n, p := 1000, 0.3
		if day%7 >= 5 {
			n, p = 100, 0.1
		}
		if day >= 28 && day%7 >= 5 {
			p = 0.4
		}
		s.days[day] = map[string]*Cell{"Firefox": s.some(n, p, r), "Chrome": s.some(n, p, r)}
	}
	s.days[26] = nil
	j := judged(t, s.board(), "placebo", View{})
	agree := func(what string, a, b, difference Figure) {
		if math.Abs(*b.Value-*a.Value-*difference.Value) > 1e-12 || difference.Interactions != a.Interactions+b.Interactions {
			t.Errorf("%s: from %v to %v by %v", what, *a.Value, *b.Value, *difference.Value)
		}
	}
	agree("errors", j.A, j.B, j.Diff)
	agree(j.Others[0].KPI.Name, j.Others[0].A, j.Others[0].B, j.Others[0].Diff)
	for _, s := range j.Segments {
		agree(s.Value, s.A, s.B, s.Diff)
	}
	if want := *j.A.Value; math.Abs(want-(0.3*20+0.1*7)/27) > 0.02 {
		t.Errorf("the mean of 20 days of 0.3 and 7 of 0.1 is %v", want)
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

// What is withheld from a viewer on some days neither makes a mix that moved nor a mismatch of branches.
func TestFlagsOfWhatIsWithheld(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 4))
	of := func(text string, days int, day func(s *drawn, day int) map[string]*Cell) *Judged {
		s := history(r, text, days, 10, 0)
		for i := range s.days {
			s.days[i] = day(s, i)
		}
		return judged(t, s.board(), "placebo", View{Cell: 10})
	}
	mix := of(changeDefinitions, 56, func(s *drawn, day int) map[string]*Cell {
		few := 8
		if day >= 28 { // half as many more come, of all
			few = 12
		}
		return map[string]*Cell{"Firefox": s.some(few*10, 0.3, r), "Safari": s.some(few*2, 0.3, r), "Opera": s.some(few, 0.3, r)}
	})
	if mix.Adjusted != nil || slices.ContainsFunc(mix.Flags, func(f string) bool { return strings.Contains(f, "mix of") }) {
		t.Errorf("%q, adjusted %v", mix.Flags, mix.Adjusted)
	}
	moved := of(changeDefinitions, 56, func(s *drawn, day int) map[string]*Cell {
		firefox := 100
		if day >= 28 {
			firefox = 300
		}
		return map[string]*Cell{"Firefox": s.some(firefox, 0.3, r), "Chrome": s.some(400-firefox, 0.3, r), "Safari": s.some(20, 0.3, r), "Opera": s.some(8, 0.3, r)}
	})
	if moved.Adjusted != nil || !slices.ContainsFunc(moved.Flags, func(f string) bool { return strings.Contains(f, "The mix of Browser moved: ") }) {
		t.Errorf("%q, adjusted %v", moved.Flags, moved.Adjusted)
	}
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29, moves", "experiment: form, branches: {control: 6, new: 4}, moves")
	branches := of(text, 20, func(s *drawn, day int) map[string]*Cell {
		cells := map[string]*Cell{"control": s.some(600, 0.3, r), "new": s.some(400, 0.3, r)}
		if day%5 == 0 { // few come without a branch: the smaller branch is withheld with them
			cells[Unknown] = s.some(4, 0.3, r)
		}
		return cells
	})
	if !slices.ContainsFunc(branches.Flags, func(f string) bool { return strings.Contains(f, "branches are withheld") }) ||
		slices.ContainsFunc(branches.Flags, func(f string) bool { return strings.Contains(f, "mismatch") }) {
		t.Errorf("%q", branches.Flags)
	}
}

func TestBranchesSideBySide(t *testing.T) {
	const both = ", branches: [control, new]"
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29", "experiment: form")
	for _, c := range []struct {
		name       string
		a, b       int
		shares     [2]float64
		branches   string
		verdict    string
		mismatched bool
	}{
		{"Better", 500, 500, [2]float64{0.30, 0.25}, both, "better", false},
		{"Worse", 500, 500, [2]float64{0.25, 0.30}, both, "worse", false},
		{"Same", 9000, 9000, [2]float64{0.05, 0.05}, both, "no difference that matters", false},
		{"NotEnough", 20, 20, [2]float64{0.3, 0.25}, both, "not enough data yet", false},
		{"Swapped", 500, 500, [2]float64{0.30, 0.25}, ", branches: [new, control]", "worse", false},
		{"Mismatch", 900, 1100, [2]float64{0.3, 0.3}, both, "", true},
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
			if slices.ContainsFunc(j.Others, func(o OtherKPI) bool { return o.KPI.Kind == Count }) {
				t.Error("a count is compared between branches")
			}
		})
	}
}

// Which of two branches is the one without the change cannot be told from their names.
func TestBranchesAreSaid(t *testing.T) {
	d, mistakes := Parse("kpi.yaml", []byte(strings.ReplaceAll(changeDefinitions, "at: 2026-09-29", "experiment: form")))
	want := "kpi.yaml:10: changes.placebo: it does not say which branches of the experiment are compared (like branches: [control, banner], the one without the change first)"
	if len(mistakes) != 1 || mistakes[0].Error() != want {
		t.Errorf("%s", mistakes)
	}
	for _, c := range []struct{ branches, want string }{
		{"control=0.9, banner=0.1", ""},
		{"control,banner", ""},
		{"", "change: it does not say which branches of the experiment are compared (like branches: [control, banner], the one without the change first)"},
		{"control", "change: a single branch has nothing to be compared with (name the one without the change first, then the other)"},
		{"control,control", "change: a branch without a name, or named twice (name each branch once)"},
		{"control,,banner", "change: a branch without a name, or named twice (name each branch once)"},
		{"control=0.9,banner", "change: not every branch has a share above 0 (say what each branch was meant to get, like control=0.9, or say it of none)"},
		{"control=NaN,banner=1", "change: not every branch has a share above 0 (say what each branch was meant to get, like control=0.9, or say it of none)"},
		{"control=many,banner=1", `branches: "many" is no share (like control=0.9,banner=0.1)`},
	} {
		change := Change{Name: "x", Experiment: "form", Moves: "errors"}
		var err error
		if change.Branches, change.Shares, err = ParseBranches(c.branches); err == nil {
			err = d.CheckChange(change, nil)
		}
		if err == nil && c.want != "" || err != nil && err.Error() != c.want {
			t.Errorf("%q: %v", c.branches, err)
		}
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

// Not everybody has a release: a count of who has it says nothing of it, neither as what it was meant to move nor beside.
func TestCountsOfReleases(t *testing.T) {
	for _, moves := range []string{"errors", "visits"} {
		r := rand.New(rand.NewPCG(8, 4))
		s := history(r, strings.ReplaceAll(changeDefinitions, "at: 2026-09-29, moves: errors", "release: v2, moves: "+moves), 57, 10, 0)
		for day := range s.days {
			s.days[day] = map[string]*Cell{"v1": s.some(900, 0.3, r)}
			if day >= 28 {
				s.days[day] = map[string]*Cell{"v1": s.some(450, 0.3, r), "v2": s.some(450, 0.3, r)}
			}
		}
		j := judged(t, s.board(), "placebo", View{})
		if j.Verdict == "worse" || moves == "visits" && !strings.Contains(j.Words, "A count says nothing of a release") {
			t.Errorf("moves %s: %s", moves, j.Words)
		}
		if slices.ContainsFunc(j.Others, func(o OtherKPI) bool { return o.KPI.Kind == Count }) {
			t.Errorf("moves %s: a count is compared beside", moves)
		}
	}
}

// A release that the segment tells together with others cannot be told from them.
func TestReleasesBehindAliases(t *testing.T) {
	for _, c := range []struct{ segment, want string }{
		{"{field: release}", ""},
		{`{field: release, values: {old: "1.*", new: "2.0"}}`, ""},
		{`{field: release, values: {old: "1.*"}}`, "segment release tells the release 2.0 as Other, which other releases are, too (give it a value of its own there, or take the values off)"},
		{`{field: release, values: {new: "2.*"}}`, "segment release tells the release 2.0 as new, which other releases are, too (give it a value of its own there, or take the values off)"},
		{`{field: release, values: {new: ["2.0", "2.1"]}}`, "segment release tells the release 2.0 as new, which other releases are, too (give it a value of its own there, or take the values off)"},
		{`{field: release, buckets: {old: 0, new: 2}}`, "segment release tells the release 2.0 as new, which other releases are, too (give it a value of its own there, or take the values off)"},
	} {
		text := strings.Replace(changeDefinitions, "{field: release}", c.segment, 1)
		_, mistakes := Parse("kpi.yaml", []byte(strings.Replace(text, "at: 2026-09-29", `release: "2.0"`, 1)))
		d, _ := Parse("kpi.yaml", []byte(text))
		err := d.CheckChange(Change{Name: "x", Release: "2.0", Moves: "errors"}, nil)
		if c.want == "" && (len(mistakes) > 0 || err != nil) || c.want != "" && (len(mistakes) != 1 || err == nil) {
			t.Errorf("%s: %v, %v", c.segment, mistakes, err)
		} else if c.want != "" && (err.Error() != "release: "+c.want || mistakes[0].Error() != "kpi.yaml:10: changes.placebo.release: "+c.want) {
			t.Errorf("%v\n%v", mistakes, err)
		}
	}
}

// A release is found however long ago it went out, by a viewer on the same day as by others; one that was always there has no before.
func TestReleasesOfLongAgo(t *testing.T) {
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29", "release: v2")
	r := rand.New(rand.NewPCG(8, 4))
	s := history(r, text, 300, 10, 0)
	for day := range s.days {
		s.days[day] = map[string]*Cell{"v1": s.some(300, 0.3, r)}
		if day >= 60 {
			s.days[day] = map[string]*Cell{"v2": s.some(300, 0.2, r)}
		}
		if day == 60 {
			s.days[day] = map[string]*Cell{"v1": s.some(290, 0.3, r), "v2": s.some(5, 0.2, r)}
		}
	}
	for _, days := range []int{120, 180, 300} {
		s.days = s.days[:days]
		for _, cell := range []int64{1, 10} {
			j := judged(t, s.board(), "placebo", View{Cell: cell})
			if j.Verdict != "better" || j.After.From != "2026-10-31" || j.Before.To != "2026-10-31" {
				t.Errorf("after %d days, to who sees cells of %d: %v %v %s", days, cell, j.Before, j.After, j.Words)
			}
		}
		s.days = s.days[:cap(s.days)]
	}
	s.start, s.days = s.start.Plus(60), s.days[60:]
	if j := judged(t, s.board(), "placebo", View{}); !strings.Contains(j.Words, "say so by at") {
		t.Error(j.Words)
	}
}

// An experiment without a moment begins on the day that one of its branches is first seen, and is looked at for eight weeks: a window
// that went along would show a difference some day.
func TestExperimentsBeginOnce(t *testing.T) {
	text := strings.ReplaceAll(changeDefinitions, "at: 2026-09-29, moves", "experiment: form, branches: [a, b], moves")
	wrong := 0
	const tried, days = 20, 300
	for seed := range uint64(tried) {
		r := rand.New(rand.NewPCG(seed, 77))
		s := history(r, text, 0, 10, 0)
		for day := range days {
			s.days = append(s.days, map[string]*Cell{"c": s.some(10, 0.3, r)})
			if day >= 10 {
				s.days[day] = map[string]*Cell{"a": s.some(100, 0.3, r), "b": s.some(100, 0.3, r)}
			}
		}
		all := s.days
		for n := 12; n <= days; n += 6 {
			s.days = all[:n]
			j := judged(t, s.board(), "placebo", View{})
			if want := (Span{"2026-09-11", min(s.start.Plus(n), Date("2026-09-11").Plus(mostTrialDays))}); j.After != want {
				t.Fatalf("after %d days: %v, not %v", n, j.After, want)
			}
			if j.Verdict != string(stat.NotEnough) {
				wrong++
				break
			}
		}
	}
	if wrong > 2 {
		t.Errorf("%d of %d experiments that do nothing do something at one of the looks", wrong, tried)
	}
}

func TestChangesList(t *testing.T) {
	s := history(rand.New(rand.NewPCG(9, 4)), changeDefinitions, 57, 100, 0)
	b := s.board()
	b.Added = func() []Change {
		return []Change{{Name: "later", Title: "later", At: Date("2026-10-06").Start(time.UTC), Moves: "visits"}, {Name: "placebo", Moves: "visits"},
			{Name: "gone", Title: "gone", At: Date("2026-09-02").Start(time.UTC), Moves: "no_more"}}
	}
	added, asked := b.Added, 0
	b.Added = func() []Change {
		asked++
		return added()
	}
	all, err := b.Changes(t.Context(), View{})
	if asked != 1 {
		t.Errorf("the added changes are read %d times for one answer", asked)
	}
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
		{View{From: "2030-01-01", To: "2030-02-01"}, "from: these days are still to come (today is 2026-11-28)"},
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

// Ranges without data, that end ahead of time, of a year, with one event, with weights that are tiny: honest pictures.
func TestOddQuestions(t *testing.T) {
	m := &memory{d: mustParse(t, walkerDefinitions)}
	b := m.board("2026-11-28")
	for _, v := range []View{{}, {From: "2026-11-28", To: "2027-02-01"}, {From: "2025-11-28", To: "2026-11-28"}, {Cell: 10}} {
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
