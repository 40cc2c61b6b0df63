package kpi

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"brine/kpi/stat"
)

const least = 10

// withheldDefinitions have what could be subtracted from each other: shares within shares, flows of a dialog, KPIs of
// several dialogs.
const withheldDefinitions = `
segments:
  os: {field: user_agent.os}
  browser: {field: user_agent.browser}
flows:
  sign_in: {steps: [a: a, b: b, c: c]}
  here: {dialog: here, steps: [a: a, c: c]}
kpis:
  rate: {conversion: sign_in, better: more, smallest: 2 %}
  first: {conversion: {flow: sign_in, to: b}, better: more, smallest: 2 %}
  p50: {time: {flow: sign_in, percentile: 50}, better: less, smallest: 2s}
  here: {conversion: here, better: more, smallest: 2 %}
  errors: {share: "e*", better: less, smallest: 1 %}
  offline: {share: e.offline, better: less, smallest: 1 %}
  here_errors: {share: {events: "e*", dialog: here}, better: less, smallest: 1 %}
  here_all: {count: {dialog: here}, better: more, smallest: 10}
  there_all: {count: {dialog: there}, better: more, smallest: 10}
  all: {count: all, better: more, smallest: 10}
`

func fewBlobs(r *rand.Rand, m *memory, from Date, days int) {
	// Each seed has shares of its own, so that groups of all sizes come.
	odds := func(values ...string) func() string {
		share := make([]float64, len(values))
		for i := range share {
			share[i] = r.Float64() * r.Float64()
		}
		return func() string {
			for {
				if i := r.IntN(len(values)); r.Float64() < share[i] {
					return values[i]
				}
			}
		}
	}
	os, browser, dialog := odds("Windows", "macOS", "Linux", "BeOS", ""), odds("Firefox", "Safari", "Lynx"), odds("here", "there", "elsewhere", "")
	way := odds("", "a", "ab", "abc", "b", "ac")
	mishap := odds("", "", "", "", "e.offline", "e.server", "y")
	for day := range days {
		for range r.IntN(150) {
			b := blob{fields: map[string]string{"user_agent.os": os(), "user_agent.browser": browser(), "dialog": dialog()}}
			for path, v := range b.fields {
				if v == "" {
					delete(b.fields, path)
				}
			}
			for i, c := range way() {
				b.events = append(b.events, blobEvent{string(c), int32(1000 * i)})
			}
			if e := mishap(); e != "" {
				b.events = append(b.events, blobEvent{e, 5000})
			}
			m.add(b, from.Plus(day).Start(time.UTC), 1)
		}
	}
}

// A viewer asks for everything, day by day and in ranges, and solves for what was not told. No number that comes out lies
// between 0 and the least.
//
// The unknowns are the groups of each day by two attributes at a time: the values of a segment, and the groups of a flow or
// share. All that answers tell of these are sums over them.
func TestNoSmallCellByQuestionsSideBySide(t *testing.T) {
	const days = 3
	tellable := 0
	for seed := range uint64(7) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := &memory{d: mustParse(t, withheldDefinitions)}
		from := Date("2026-11-02")
		fewBlobs(r, m, from, days)
		b := m.board(from.Plus(30))
		for _, a := range attributes(m.d) {
			for _, segment := range []string{"os", "browser"} {
				s := newSystem(t, m, a, segment, from, days)
				s.ask(b)
				tellable += len(s.rows)
				if small := s.small(); small != "" {
					t.Fatalf("seed %d, %s by %s: %s", seed, a.name, segment, small)
				}
			}
		}
	}
	if tellable < 700 {
		t.Errorf("only %d numbers were told: nothing was tried", tellable)
	}
}

// What is told of all dialogs and of single ones cannot be subtracted down to few in the others.
func TestNoSmallCellByDialogs(t *testing.T) {
	const means = `
  all: {mean: number_emails, better: more, smallest: 1}
  here: {percentile: {field: number_emails, percentile: 50, dialog: here}, better: more, smallest: 1}
`
	const shares = `
  all: {share: e, better: less, smallest: 1 %}
  here: {share: {events: e, dialog: here}, better: less, smallest: 1 %}
`
	const meanThere = "  there: {mean: {field: number_emails, dialog: there}, better: more, smallest: 1}\n"
	const shareThere = "  there: {share: {events: e, dialog: there}, better: less, smallest: 1 %}\n"
	few := func(i int) bool { return i < 3 }
	allButFew := func(i int) bool { return i >= 3 }
	half := func(i int) bool { return i%2 == 0 }
	for _, c := range []struct {
		kpis      string
		elsewhere func(i int) bool // which of 40 have the event, and say the number
		withheld  bool
	}{
		{means, few, true}, {means, half, false}, {means + meanThere, few, true}, {means + meanThere, half, false},
		{shares, few, true}, {shares, allButFew, true}, {shares, half, false}, {shares + shareThere, allButFew, true}, {shares + shareThere, half, false},
	} {
		m := &memory{d: mustParse(t, "kpis:"+c.kpis)}
		add := func(n int, dialog string, has func(i int) bool) {
			for i := range n {
				b := blob{fields: map[string]string{"dialog": dialog}}
				if has(i) {
					b.fields["number_emails"], b.events = "3", []blobEvent{{"e", 1}}
				}
				m.add(b, Date("2026-11-02").Start(time.UTC), 1)
			}
		}
		add(60, "here", half)
		if len(m.d.KPIs) == 3 {
			add(60, "there", half)
		}
		add(40, "elsewhere", c.elsewhere)
		var withheld []string
		for _, k := range ask(t, m.board("2026-12-01").Overview, View{From: "2026-11-02", To: "2026-11-03", Compare: CompareNone, Cell: 10}).KPIs {
			if k.Now.Value == nil {
				withheld = append(withheld, k.KPI.Name)
			}
		}
		if len(withheld) > 0 != c.withheld || len(withheld) == len(m.d.KPIs) {
			t.Errorf("%swithheld: %q", c.kpis, withheld)
		}
	}
}

// A value that tells its funnel cannot hide another one's conversion: what it tells can be subtracted.
func TestFunnelsDoNotHideConversions(t *testing.T) {
	m := &memory{d: mustParse(t, withheldDefinitions)}
	for os, reached := range map[string][]int{"a": {30, 24, 21}, "b": {40, 25, 10}, "c": {100, 95, 50}} {
		for i := range reached[0] {
			b := blob{fields: map[string]string{"user_agent.os": os}}
			for s, n := range reached {
				if i < n {
					b.events = append(b.events, blobEvent{string(rune('a' + s)), int32(s)})
				}
			}
			m.add(b, Date("2026-11-02").Start(time.UTC), 1)
		}
	}
	s := ask(t, m.board("2026-12-01").Segments, View{From: "2026-11-02", To: "2026-11-03", By: "os", Cell: least})
	told := map[string]bool{}
	for _, v := range s.Values {
		told[v.Value] = v.Figures[m.d.kpi("rate")].Value != nil
	}
	if told["a"] || !told["b"] || told["c"] {
		t.Errorf("the rate is told of %v: 9 of a left, and with c and the total they could be had", told)
	}
}

// attribute divides interactions into groups, of which answers tell sums.
type attribute struct {
	name   string
	groups int
	of     func(*Fact) int           // the group of an interaction
	told   func(answer) []toldNumber // what an answer tells of them
}

// answer is what a viewer gets for one range and value.
type answer struct {
	figures map[string]Figure // by KPI
	funnels map[string]*Funnel
	count   Figure
}

// toldNumber is a sum over groups.
type toldNumber struct {
	groups []int
	n      int
}

func numbers(f Figure, value bool) (n int, ok bool) {
	if f.Value == nil {
		return 0, false
	}
	if value {
		return int(*f.Value + 0.5), true
	}
	return int(f.Interactions), true
}

// attributes are those of the test's definitions.
func attributes(d *Definitions) (all []attribute) {
	flow := func(name string, conversions map[string][2]int) attribute {
		f := d.flow(name)
		steps := len(d.Flows[f].Steps)
		from := func(step int) (groups []int) { // who reached a step: groups step+1 …
			for g := step + 1; g <= steps; g++ {
				groups = append(groups, g)
			}
			return groups
		}
		return attribute{"flow " + name, steps + 1, func(f_ *Fact) int { return f_.Flows[f].Reached }, func(a answer) (told []toldNumber) {
			for kpi, c := range conversions {
				if n, ok := numbers(a.figures[kpi], false); ok {
					told = append(told, toldNumber{from(c[0]), n}, toldNumber{from(c[1]), int(*a.figures[kpi].Value*float64(n) + 0.5)})
				}
			}
			if n, ok := numbers(a.figures["p50"], false); ok && name == "sign_in" {
				told = append(told, toldNumber{from(steps - 1), n})
			}
			if funnel := a.funnels[name]; funnel != nil {
				for s, step := range funnel.Steps {
					if n, ok := numbers(step.Reached, true); ok {
						told = append(told, toldNumber{from(s), n})
					}
					if n, ok := numbers(step.Left, true); ok && s < steps-1 {
						told = append(told, toldNumber{[]int{s + 1}, n})
					}
				}
			}
			return told
		}}
	}
	errors, offline, here, there := d.kpi("errors"), d.kpi("offline"), d.kpi("here_errors"), d.kpi("there_all")
	return []attribute{
		flow("sign_in", map[string][2]int{"rate": {0, 2}, "first": {0, 1}}),
		flow("here", map[string][2]int{"here": {0, 1}}),
		{"errors", 3, func(f *Fact) int { return int(f.Values[errors] + f.Values[offline]) }, func(a answer) []toldNumber {
			return append(shareNumbers(a.figures["errors"], []int{0, 1, 2}, []int{1, 2}), shareNumbers(a.figures["offline"], []int{0, 1, 2}, []int{2})...)
		}},
		{"dialogs", 4, func(f *Fact) int { // of here with and without errors, of there, others
			switch {
			case f.Values[here] >= 0:
				return int(f.Values[here])
			case f.Values[there] == 1:
				return 2
			}
			return 3
		}, func(a answer) (told []toldNumber) {
			told = shareNumbers(a.figures["here_errors"], []int{0, 1}, []int{1})
			for kpi, groups := range map[string][]int{"here_all": {0, 1}, "there_all": {2}} {
				if n, ok := numbers(a.figures[kpi], false); ok {
					told = append(told, toldNumber{groups, n})
				}
			}
			return told
		}},
	}
}

func shareNumbers(f Figure, all, with []int) []toldNumber {
	n, ok := numbers(f, false)
	if !ok {
		return nil
	}
	return []toldNumber{{all, n}, {with, int(*f.Value*float64(n) + 0.5)}}
}

// system is the equations of one attribute and segment: unknowns are (day, value, group).
type system struct {
	t       *testing.T
	m       *memory
	a       attribute
	segment int
	from    Date
	days    int
	values  []string
	truth   []int       // of each unknown
	rows    [][]float64 // coefficients, then the sum
}

func newSystem(t *testing.T, m *memory, a attribute, segment string, from Date, days int) *system {
	s := &system{t: t, m: m, a: a, segment: m.d.segment(segment), from: from, days: days}
	for _, f := range m.facts {
		s.place(f.Segments[s.segment])
	}
	s.truth = make([]int, days*len(s.values)*a.groups)
	for _, f := range m.facts {
		s.truth[s.unknown(s.from.days(m.date(f)), s.place(f.Segments[s.segment]), a.of(f))]++
	}
	return s
}

func (s *system) place(value string) int {
	for i, v := range s.values {
		if v == value {
			return i
		}
	}
	s.values = append(s.values, value)
	return len(s.values) - 1
}

func (s *system) unknown(day, value, group int) int {
	return (day*len(s.values)+value)*s.a.groups + group
}

// ask asks for all ranges: all together, by the segment, and by each value alone.
func (s *system) ask(b *Board) {
	name := s.m.d.Segments[s.segment].Name
	for first := range s.days {
		for last := first; last < s.days; last++ {
			v := View{From: s.from.Plus(first), To: s.from.Plus(last + 1), Cell: least}
			s.learn(first, last, "", s.answer(b, v))
			by := v
			by.By = name
			for _, value := range ask(s.t, b.Segments, by).Values {
				a := answer{figures: map[string]Figure{}, count: value.Interactions}
				for i, k := range s.m.d.KPIs {
					a.figures[k.Name] = value.Figures[i]
				}
				s.learn(first, last, value.Value, a)
			}
			for _, value := range s.values {
				v.Only = &Filter{name, value}
				s.learn(first, last, value, s.answer(b, v))
			}
		}
	}
}

func (s *system) answer(b *Board, v View) answer {
	a := answer{figures: map[string]Figure{}, funnels: map[string]*Funnel{}}
	for _, k := range ask(s.t, b.Overview, v).KPIs {
		a.figures[k.KPI.Name] = k.Now
	}
	for _, f := range s.m.d.Flows {
		v.Flow = f.Name
		a.funnels[f.Name] = ask(s.t, b.Funnel, v)
	}
	return a
}

// learn adds what an answer tells. One that leaves days out rests on others than it was asked for; what it tells is the sum of
// the days that were told, which are asked for one by one anyhow.
func (s *system) learn(first, last int, value string, a answer) {
	told := s.a.told(a)
	if n, ok := numbers(a.figures["all"], false); ok {
		told = append(told, toldNumber{everyGroup(s.a.groups), n})
	}
	if n, ok := numbers(a.count, true); ok {
		told = append(told, toldNumber{everyGroup(s.a.groups), n})
	}
	for _, number := range told {
		row, sum := make([]float64, len(s.truth)+1), 0
		for day := first; day <= last; day++ {
			for i, v := range s.values {
				if value != "" && v != value {
					continue
				}
				for _, g := range number.groups {
					row[s.unknown(day, i, g)] = 1
					sum += s.truth[s.unknown(day, i, g)]
				}
			}
		}
		if row[len(s.truth)] = float64(number.n); number.n == sum {
			s.rows = append(s.rows, row)
		} else if first == last {
			s.t.Errorf("%s %s on day %d: told %d, and it is %d", s.a.name, value, first, number.n, sum)
		}
	}
}

func everyGroup(n int) (all []int) {
	for g := range n {
		all = append(all, g)
	}
	return all
}

// small solves the equations and names a sum of unknowns of one day and value that is known and small; "" where there is none.
func (s *system) small() string {
	basis := reduce(s.rows)
	for day := range s.days {
		for value := range s.values {
			for groups := 1; groups < 1<<s.a.groups; groups++ {
				row, n := make([]float64, len(s.truth)+1), 0
				for g := range s.a.groups {
					if groups>>g&1 == 1 {
						row[s.unknown(day, value, g)] = 1
						n += s.truth[s.unknown(day, value, g)]
					}
				}
				if n > 0 && n < least && spanned(basis, row) {
					return fmt.Sprintf("%d interactions of day %d, %s, groups %b can be told", n, day, s.values[value], groups)
				}
			}
		}
		for groups := 1; groups < 1<<s.a.groups; groups++ {
			row, n := make([]float64, len(s.truth)+1), 0
			for value := range s.values {
				for g := range s.a.groups {
					if groups>>g&1 == 1 {
						row[s.unknown(day, value, g)] = 1
						n += s.truth[s.unknown(day, value, g)]
					}
				}
			}
			if n > 0 && n < least && spanned(basis, row) {
				return fmt.Sprintf("%d interactions of day %d, groups %b can be told", n, day, groups)
			}
		}
	}
	return ""
}

// reduce brings equations into echelon form; the sum is the last column and no pivot.
func reduce(rows [][]float64) (basis [][]float64) {
	for _, row := range rows {
		row = remainder(basis, append([]float64(nil), row...))
		if p := pivot(row); p >= 0 {
			scale := row[p]
			for i := range row {
				row[i] /= scale
			}
			basis = append(basis, row)
		}
	}
	return basis
}

func pivot(row []float64) int {
	for i, v := range row[:len(row)-1] {
		if v > 1e-6 || v < -1e-6 {
			return i
		}
	}
	return -1
}

func remainder(basis [][]float64, row []float64) []float64 {
	for _, b := range basis {
		p := pivot(b)
		if f := row[p]; f > 1e-9 || f < -1e-9 {
			for i := range row {
				row[i] -= f * b[i]
			}
		}
	}
	return row
}

// spanned says whether a sum of unknowns follows from the equations.
func spanned(basis [][]float64, row []float64) bool { return pivot(remainder(basis, row)) < 0 }

// What people did who left is told in events of enough people; what is left over is as large, or nothing.
func TestEventsOfWhoLeft(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	pooled := 0
	for range 2000 {
		events, all := map[string]stat.Moments{}, 0
		for i := range 1 + r.IntN(6) {
			n := 1 + r.IntN(25)
			events[string(rune('a'+i))] = stat.Moments{N: n, Weights: float64(n)}
			all += n
		}
		if all < least {
			continue // a group as small is withheld before
		}
		rest, hidden := all, len(events)
		for name, m := range telling(events, least) {
			if m.N < least {
				t.Fatalf("%v: %s is told with %d", events, name, m.N)
			}
			if name != Other {
				rest, hidden = rest-m.N, hidden-1
			}
		}
		if rest != 0 && rest < least || hidden == 1 && rest > 0 && len(events) > 1 {
			t.Fatalf("%v: %d of %d events can be had", events, rest, hidden)
		}
		if hidden > 1 {
			pooled++
		}
	}
	if pooled < 100 {
		t.Errorf("events were joined %d times only", pooled)
	}
}

// An analyst sees a day on which nobody had a value as such, not as a day without data.
func TestDaysOnWhichNobodyHadTheValue(t *testing.T) {
	m := &memory{d: mustParse(t, withheldDefinitions)}
	m.add(blob{fields: map[string]string{"user_agent.os": "a"}}, Date("2026-11-02").Start(time.UTC), 1)
	m.add(blob{fields: map[string]string{"user_agent.os": "b"}, events: []blobEvent{{"a", 1}}}, Date("2026-11-03").Start(time.UTC), 1)
	v := View{From: "2026-11-02", To: "2026-11-05", Only: &Filter{"os", "b"}}
	days := ask(t, m.board("2026-12-01").Overview, v).KPIs[m.d.kpi("all")].Days
	if days[0].Value == nil || *days[0].Value != 0 || *days[1].Value != 1 || days[2].Why != NoData {
		t.Errorf("%+v", days)
	}
	f := ask(t, m.board("2026-12-01").Funnel, v)
	if *f.Steps[0].Reached.Value != 1 || *f.Steps[0].NextEvent[0].Count.Value != 1 {
		t.Errorf("%+v", f.Steps[0])
	}
	v.By, v.KPI = "browser", "all"
	if s := ask(t, m.board("2026-12-01").Segments, v); len(s.Values) != 1 || s.Values[0].Value != Unknown || *s.Values[0].Days[0].Value != 0 || s.Values[0].Days[2].Why != NoData {
		t.Errorf("%+v", s.Values)
	}
}

// Days with few errors are withheld, so that those with many do not stand for all.
func TestFewDaysDoNotStandForAll(t *testing.T) {
	m := &memory{d: mustParse(t, withheldDefinitions)}
	for day, errors := range []int{2, 3, 40, 1} {
		for i := range 100 {
			b := blob{events: []blobEvent{{"a", 0}}}
			if i < errors {
				b.events = append(b.events, blobEvent{"e.server", 1})
			}
			m.add(b, Date("2026-11-02").Plus(day).Start(time.UTC), 1)
		}
	}
	k := ask(t, m.board("2026-12-01").Overview, View{From: "2026-11-02", To: "2026-11-06", Cell: least}).KPIs[m.d.kpi("errors")]
	if k.Now.Value != nil || k.Now.Why != TooFew || k.Now.WithheldDays != 3 || k.Days[2].Value == nil || *k.Days[2].Value != 0.4 {
		t.Errorf("%+v", k)
	}
}
