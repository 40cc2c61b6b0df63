package kpi

import (
	"context"
	"fmt"
	"slices"

	"brine/kpi/stat"
)

// What a change is judged by.
const (
	mostTrialDays = 56 // after it, and as many before: eight weeks
	bestDays      = 28 // pairs of days at which the interval is narrowest for its kind
)

// The units of comparison.
const (
	UnitsDays    = "days"
	UnitsDialogs = "dialogs"
)

// trial is a change with the days that tell of it. Of a change in time, before is in the order of time and as long as after.
type trial struct {
	b      *Board
	d      *Definitions
	view   View // its From and To are those of all days
	change Change
	kpi    int

	before, after []seenDay // of branches side by side after alone
	a, z          string    // the values of the cells that are compared: without the change, and with it
	gap           int       // days between before and after: 1 where the change was within a day
	segment       string    // that tells them apart; "" of a change in time
	fault         string    // why there is nothing to compare; a sentence
	start         Date      // the first day that one was looked for on, where no moment is said
}

// try finds the days that a change is judged by.
func (b *Board) try(ctx context.Context, d *Definitions, v View, c Change) (*trial, error) {
	t := &trial{b: b, d: d, view: v, change: c, kpi: d.kpi(c.Moves)}
	switch {
	case t.kpi < 0:
		t.fault = fmt.Sprintf("No KPI is called %s any more.", c.Moves)
		return t, nil
	case c.Experiment != "":
		return t, t.branches(ctx)
	case c.Release != "":
		return t, t.release(ctx)
	}
	return t, t.moment(ctx)
}

// moment finds whole days before and after.
func (t *trial) moment(ctx context.Context) error {
	first, last := t.around(DateOf(t.change.At, t.d.Zone))
	if t.change.At.After(t.b.clock()) {
		t.fault = "It has not come yet."
		return nil
	}
	return t.windows(ctx, last, first, "")
}

// around are the first whole day after the change, and the day after the last whole one before.
func (t *trial) around(day Date) (first, last Date) {
	if t.change.At.IsZero() || t.change.At.Equal(day.Start(t.d.Zone)) {
		return day, day
	}
	return day.Plus(1), day
}

// windows fetches the days from a first one on that are over, as many before the other date, and cuts both to whole
// weeks where there is one. by is the segment that tells who has the change.
func (t *trial) windows(ctx context.Context, last, first Date, by string) (err error) {
	t.gap = last.days(first)
	if t.after, err = t.closed(ctx, first, min(first.Plus(mostTrialDays), t.b.today(t.d).Plus(1)), by); err != nil {
		return err
	}
	n := len(t.after)
	all, err := t.b.Source.Span(ctx)
	if err != nil {
		return err
	}
	if all.From != "" {
		n = min(n, max(0, all.From.days(last)))
	}
	const week = 7
	if n >= week {
		n = n / week * week
	}
	t.after = t.after[:n]
	if n == 0 {
		t.fault = "There is no whole day after it yet, or none before it."
		return nil
	}
	t.before, err = t.closed(ctx, last.Plus(-n), last, "")
	return err
}

// closed are the days of a range that are over.
func (t *trial) closed(ctx context.Context, from, to Date, by string) ([]seenDay, error) {
	if from >= to {
		return nil, nil
	}
	v := t.view
	v.From, v.To, v.By = from, to, by
	days, err := t.b.see(ctx, t.d, v, false)
	for i, day := range days {
		if day.Open {
			return days[:i], err
		}
	}
	return days, err
}

// release compares those who carry a release with all before it.
func (t *trial) release(ctx context.Context) error {
	i := slices.IndexFunc(t.d.Segments, func(s Segment) bool { return s.Field == "release" })
	switch {
	case i < 0:
		t.fault = "No segment goes by the field release, which tells who has it: add one to kpi.yaml."
		return nil
	case t.d.KPIs[t.kpi].Kind == Count:
		t.fault = "A count says nothing of a release, which as many have as it was given to: choose a share, a time or a number, or say by at alone when it went out."
		return nil
	case t.view.Only != nil:
		t.fault = "A release is told apart by a segment of its own, which leaves no other to narrow by."
		return nil
	}
	s := t.d.Segments[i]
	t.segment, t.z = s.Name, s.value(t.change.Release)
	day, err := t.firstDay(ctx, t.z)
	switch {
	case err != nil:
		return err
	case day == "":
		t.fault = "Nobody has been seen with the release on a day that is over."
		return nil
	case day == t.start:
		t.fault = "The release was there on the first day that there is data of, which does not tell when it went out: say so by at."
		return nil
	}
	first, last := t.around(day)
	return t.windows(ctx, last, first, t.segment)
}

// firstDay is when a release went out or an experiment began: as is said, or else the first day that is over on which one
// of the values was seen, by anybody. It is the same whoever asks and whenever: intervals hold at all looks only where all of
// them begin on one day. "": there is none yet.
func (t *trial) firstDay(ctx context.Context, values ...string) (Date, error) {
	if !t.change.At.IsZero() {
		return DateOf(t.change.At, t.d.Zone), nil
	}
	all, err := t.b.searched(ctx, t.d)
	if err != nil {
		return "", err
	}
	t.start = all.From
	for from := all.From; from < all.To; from = from.Plus(mostTrialDays) {
		days, err := t.b.Source.Days(ctx, Slice{From: from, To: min(from.Plus(mostTrialDays), all.To), By: t.segment})
		if err != nil {
			return "", err
		}
		for _, day := range days {
			if !day.Open && slices.ContainsFunc(values, func(v string) bool { return day.Cells[v] != nil }) {
				return day.Date, nil
			}
		}
	}
	return "", nil
}

// searched are the days that a release or an experiment is looked for in, where its moment is not said: those that there is data of, but none longer ago
// than the longest range that may be asked for. What is there on the first of them may be older.
func (b *Board) searched(ctx context.Context, d *Definitions) (Span, error) {
	all, err := b.Source.Span(ctx)
	if err != nil || all == (Span{}) {
		return Span{}, err
	}
	all.From = max(all.From, b.today(d).Plus(1-MostDays))
	return all, nil
}

// branches finds those of an experiment.
func (t *trial) branches(ctx context.Context) (err error) {
	i := slices.IndexFunc(t.d.Segments, func(s Segment) bool { return s.Experiment == t.change.Experiment })
	switch {
	case i < 0:
		t.fault = "No segment goes by the experiment: add one to kpi.yaml."
		return nil
	case t.d.KPIs[t.kpi].Kind == Count:
		t.fault = "A count says nothing of branches, which are as large as they are made: choose a share, a time or a number."
		return nil
	case t.view.Only != nil && t.view.Cell > 1:
		t.fault = "An experiment is told apart by a segment of its own, which leaves no other to narrow by."
		return nil
	}
	t.segment, t.a, t.z = t.d.Segments[i].Name, t.change.Branches[0], t.change.Branches[1]
	day, err := t.firstDay(ctx, t.a, t.z)
	if err != nil {
		return err
	}
	if day != "" {
		first, _ := t.around(day)
		t.after, err = t.closed(ctx, first, min(first.Plus(mostTrialDays), t.b.today(t.d).Plus(1)), t.segment)
	}
	if len(t.after) == 0 {
		t.fault = "Nobody has been seen in a branch on a day that is over."
	}
	return err
}

// sideBySide says whether branches are compared rather than times.
func (t *trial) sideBySide() bool { return t.change.Experiment != "" }

// spans are the days of both sides.
func (t *trial) spans() (before, after Span) {
	after = spanOf(t.after)
	if t.sideBySide() {
		return after, after
	}
	return spanOf(t.before), after
}

func spanOf(days []seenDay) Span {
	if len(days) == 0 {
		return Span{}
	}
	return Span{days[0].Date, days[len(days)-1].Date.Plus(1)}
}

// totals are the sums of a KPI on both sides.
func (t *trial) totals(i int) (a, z total) {
	return sum(t.sideA(), t.a, kpiPart(i), true), sum(t.after, t.z, kpiPart(i), true)
}

func (t *trial) sideA() []seenDay {
	if t.sideBySide() {
		return t.after
	}
	return t.before
}

// sequence is the rule of the intervals.
func (t *trial) sequence(alpha float64) stat.Sequence {
	if t.sideBySide() {
		return stat.Sequence{Alpha: alpha, Best: looks}
	}
	return stat.Sequence{Alpha: alpha, Best: bestDays, Few: alpha < Alpha}
}

// contrast compares a KPI over all days.
func (t *trial) contrast(alpha float64, i int) contrast {
	if t.sideBySide() {
		return t.branchesUntil(alpha, i, len(t.after))
	}
	before, after := t.dayValues(i)
	return byDays(t.sequence(alpha), before, after, t.gap)
}

// branchesUntil compares branches over the first days.
func (t *trial) branchesUntil(alpha float64, i, days int) contrast {
	k := t.d.KPIs[i]
	if k.Kind == Count {
		return unknownContrast
	}
	a, z := sum(t.after[:days], t.a, kpiPart(i), true), sum(t.after[:days], t.z, kpiPart(i), true)
	return sideBySide(alpha, k, a, z)
}

// dayValues are the KPI of each day; those before run back in time from the change.
func (t *trial) dayValues(i int) (before, after []dayValue) {
	return dayValues(t.d.KPIs[i], i, t.before, t.after, t.a, t.z)
}

func dayValues(k KPI, i int, before, after []seenDay, a, z string) (b, c []dayValue) {
	for _, day := range slices.Backward(before) {
		b = append(b, valueOn(day, a, i, k))
	}
	for _, day := range after {
		c = append(c, valueOn(day, z, i, k))
	}
	return b, c
}
