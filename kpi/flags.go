package kpi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"brine/kpi/stat"
)

// flags are what makes a verdict less sure, each a sentence.
func (t *trial) flags() (all []string) {
	all = append(all, t.gaps(append(slices.Clone(t.before), t.after...))...)
	if others := t.neighbours(); len(others) > 0 {
		all = append(all, "Among these days there was also "+strings.Join(others, ", ")+": what each of them did cannot be told apart.")
	}
	if t.sideBySide() && len(t.after) > 0 && t.after[0].Date == t.start {
		all = append(all, "The experiment was there on the first day that there is data of: should the first days go, say by at when it began, as each look has to begin there.")
	}
	return append(all, t.mismatch()...)
}

// gaps names the days without data.
func (t *trial) gaps(days []seenDay) (all []string) {
	var missing []string
	few := 0
	for _, day := range days {
		switch day.state {
		case noData:
			missing = append(missing, string(day.Date))
		case withheld:
			few++
		}
	}
	if len(missing) > 0 {
		const named = 10
		text := strings.Join(missing[:min(named, len(missing))], ", ")
		if len(missing) > named {
			text += fmt.Sprintf(" and %d more days", len(missing)-named)
		}
		all = append(all, "There is no data of "+text+": these days are left out, and those that they would be compared with.")
	}
	if few > 0 {
		all = append(all, fmt.Sprintf("On %d of the days too few came to be told.", few))
	}
	return all
}

// neighbours are other changes among the days.
func (t *trial) neighbours() (titles []string) {
	before, after := t.spans()
	for _, c := range t.b.changes(t.d) {
		if from, to := t.lasts(c); c.Name != t.change.Name && from < after.To && to > before.From {
			titles = append(titles, c.Title)
		}
	}
	return titles
}

// lasts are the days of a change: that of its moment, those of an experiment; none of a release that was not told when.
func (t *trial) lasts(c Change) (from, to Date) {
	today := t.b.today(t.d)
	switch {
	case !c.At.IsZero():
		from = DateOf(c.At, t.d.Zone)
	case c.Experiment != "":
		from = today.Plus(-mostTrialDays)
	default:
		return "", ""
	}
	if c.Experiment == "" {
		return from, from.Plus(1)
	}
	return from, min(from.Plus(mostTrialDays), today.Plus(1))
}

// mismatch tells of branches that got other shares than they were meant to.
func (t *trial) mismatch() []string {
	if !t.sideBySide() {
		return nil
	}
	names, shares := t.change.Branches, t.change.Shares
	if len(shares) != len(names) {
		shares = slices.Repeat([]float64{1}, len(names))
	}
	var weights []float64
	var all stat.Moments
	for _, name := range names {
		if hiddenOn(t.after, name) {
			return []string{"On some days branches are withheld, so that whether they got the shares that they were meant to get is told to analysts alone."}
		}
		m := sum(t.after, name, countPart, false).Moments
		weights, all = append(weights, m.Weights), all.Plus(m)
	}
	if p := stat.Mismatch(shares, weights, all.Effective()); p >= stat.Suspicious {
		return nil
	}
	var got, want []string
	for i, name := range names {
		got = append(got, fmt.Sprintf("%s %s", name, KPI{Kind: Share}.Text(weights[i]/all.Weights)))
		want = append(want, KPI{Kind: Share}.Text(shares[i]/floatSum(shares)))
	}
	return []string{fmt.Sprintf("Sample-ratio mismatch: the branches got %s, and were meant to get %s. Who is in which branch is not left to chance, so that no figure here can be trusted.",
		strings.Join(got, ", "), strings.Join(want, ", "))}
}

func floatSum(values []float64) (s float64) {
	for _, v := range values {
		s += v
	}
	return s
}

// mattersInMix is how much of the mix has to move before it is told of. With many dialogs every mix moves a little.
const mattersInMix = 0.02

// mixes looks at each segment: whether its mix moved between the sides, what the difference is without that, and what it is
// by value.
func (t *trial) mixes(ctx context.Context, j *Judged) error {
	if t.segment != "" && t.view.Cell > 1 {
		return nil // it would take two segments at once
	}
	if err := t.prepare(ctx); err != nil {
		return err
	}
	worst := 1.0
	var splits []split
	for i, s := range t.d.Segments {
		if !t.mixed(s) {
			continue
		}
		before, after, err := t.by(ctx, s.Name)
		if err != nil {
			return err
		}
		m := mixOf(before, after, s, t.kpi)
		splits = append(splits, t.split(s, before, after)...)
		if p := m.shift(); p < stat.Suspicious/float64(len(t.d.Segments)) && m.moved() >= mattersInMix {
			j.Flags = append(j.Flags, fmt.Sprintf("The mix of %s moved: %s.", s.Title, m.text()))
			if p < worst || j.Adjusted == nil {
				worst = p
				t.adjust(j, m, t.d.Segments[i])
			}
		}
	}
	t.exploratory(j, splits)
	return nil
}

// mixed says whether a change's page tells of the segment.
func (t *trial) mixed(s Segment) bool {
	switch only := t.view.Only; {
	case s.Name == t.segment, only != nil && (only.Segment == s.Name || t.view.Cell > 1):
		return false
	}
	return s.Field != "release" && s.Experiment == "" // a release is another one after most changes, and an experiment is judged by itself
}

// prepare tells the source of all segments on both sides: each would be a reading of its own.
func (t *trial) prepare(ctx context.Context) error {
	source, can := t.b.Source.(preparer)
	if !can {
		return nil
	}
	var questions []Slice
	for _, s := range t.d.Segments {
		if !t.mixed(s) {
			continue
		}
		for _, side := range []struct {
			days  []seenDay
			value string
		}{{t.sideA(), t.a}, {t.after, t.z}} {
			if span := spanOf(side.days); span != (Span{}) {
				questions = append(questions, Slice{From: span.From, To: span.To, By: s.Name, Only: t.within(side.value), Prompt: t.view.Cell > 1})
			}
		}
	}
	return source.Prepare(ctx, questions)
}

// within is what one side's days are narrowed to, when they are told by another segment.
func (t *trial) within(value string) *Filter {
	if t.segment != "" && value != "" {
		return &Filter{t.segment, value}
	}
	return t.view.Only
}

// by are the days of both sides by a segment, under its values.
func (t *trial) by(ctx context.Context, segment string) (before, after []seenDay, err error) {
	side := func(days []seenDay, value string) ([]seenDay, error) {
		span, sub := spanOf(days), *t
		sub.view.Only = t.within(value)
		return sub.closed(ctx, span.From, span.To, segment)
	}
	if before, err = side(t.sideA(), t.a); err != nil {
		return nil, nil, err
	}
	after, err = side(t.after, t.z)
	return before, after, err
}

// mix is both sides by the values of a segment.
type mix struct {
	values        []string
	before, after []stat.Moments // interactions
	a, z          []stat.Moments // the KPI's
	partly        bool           // some are withheld on some days, and are one value here, which a and z lack
}

func mixOf(before, after []seenDay, s Segment, kpi int) (m mix) {
	all := append(slices.Clone(before), after...)
	for _, v := range valuesOf(all, s) {
		if hiddenOn(all, v) {
			m.partly = true
			continue
		}
		m.values = append(m.values, v)
	}
	for _, v := range m.values {
		m.before, m.after = append(m.before, sum(before, v, countPart, false).Moments), append(m.after, sum(after, v, countPart, false).Moments)
		m.a, m.z = append(m.a, sum(before, v, kpiPart(kpi), false).Moments), append(m.z, sum(after, v, kpiPart(kpi), false).Moments)
	}
	if m.partly {
		m.addRest(before, after)
	}
	return m
}

// addRest adds what is in no value that is told on all days: the days' totals are told.
func (m *mix) addRest(before, after []seenDay) {
	rest := func(days []seenDay, told []stat.Moments) (r stat.Moments) {
		for _, day := range days {
			if day.state == hasData {
				r = r.Plus(day.all.Moments)
			}
		}
		for _, t := range told {
			r = r.Plus(stat.Moments{N: -t.N, Weights: -t.Weights, Squares: -t.Squares, Sum: -t.Sum, SumSq: -t.SumSq})
		}
		return r
	}
	b, a := rest(before, m.before), rest(after, m.after)
	m.values, m.before, m.after = append(m.values, "all others"), append(m.before, b), append(m.after, a)
}

// hiddenOn says whether a value is withheld on one of the days: what is told of it is not all that came.
func hiddenOn(days []seenDay, value string) bool {
	return slices.ContainsFunc(days, func(day seenDay) bool {
		s, had := day.cells[value]
		return had && s.Cell == nil
	})
}

func (m mix) shift() float64 {
	if len(m.values) < 2 {
		return 1
	}
	return stat.Shift(m.before, m.after)
}

// shares are those of a value on both sides.
func (m mix) shares(i int) (before, after float64) {
	var a, z float64
	for j := range m.values {
		a, z = a+m.before[j].Weights, z+m.after[j].Weights
	}
	return m.before[i].Weights / a, m.after[i].Weights / z
}

// moved is the share of interactions that would have to have another value for the mixes to be equal.
func (m mix) moved() (distance float64) {
	for i := range m.values {
		a, z := m.shares(i)
		distance += math.Abs(z-a) / 2
	}
	return distance
}

// text is the value that moved most.
func (m mix) text() string {
	most, text := -1.0, ""
	for i, v := range m.values {
		if a, z := m.shares(i); math.Abs(z-a) > most {
			share := KPI{Kind: Share}
			most, text = math.Abs(z-a), fmt.Sprintf("%s from %s to %s", v, share.Text(a), share.Text(z))
		}
	}
	return text
}

// adjust puts the difference beside the verdict that there would be had the mix stayed.
func (t *trial) adjust(j *Judged, m mix, s Segment) {
	if k := t.d.KPIs[t.kpi]; k.Percentiles() || k.Kind == Count || m.partly {
		return // neither is a mean over dialogs
	}
	difference, covered := stat.Adjusted(m.a, m.z)
	if covered == 0 {
		return
	}
	n := 0
	for i := range m.a {
		n += m.a[i].N + m.z[i].N
	}
	j.Adjusted, j.AdjustBy = &Figure{Value: finite(difference), Interactions: int64(n)}, s.Title
}

// split is one value of a segment with what it needs to be judged.
type split struct {
	segment       Segment
	value         string
	before, after []seenDay
}

func (t *trial) split(s Segment, before, after []seenDay) (all []split) {
	for _, v := range valuesOf(append(slices.Clone(before), after...), s) {
		all = append(all, split{s, v, before, after})
	}
	return all
}

// exploratory judges the values of all segments, at a level that all of them share.
func (t *trial) exploratory(j *Judged, splits []split) {
	k, alpha := t.d.KPIs[t.kpi], stat.Exploratory(Alpha, len(splits))
	for _, s := range splits {
		a, z := sum(s.before, s.value, kpiPart(t.kpi), true), sum(s.after, s.value, kpiPart(t.kpi), true)
		var c contrast
		if t.sideBySide() {
			c = sideBySide(alpha, k, a, z)
		} else {
			before, after := dayValues(k, t.kpi, s.before, s.after, s.value, s.value)
			c = byDays(t.sequence(alpha), before, after, t.gap)
		}
		c, left, right := c.between(a.figure(k), z.figure(k))
		j.Segments = append(j.Segments, Split{s.segment.Name, s.value, left, right, c.figure(left, right), string(c.verdict(k))})
	}
}
