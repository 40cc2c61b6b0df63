package kpi

import (
	"context"
	"time"
)

// What answers that have days of their own may read, told before they read it: a read is recorded with its days before it begins.

// ArrivalsReach is the time that Arrivals tells of: the days that are shown, and the weeks that they are measured by.
func (b *Board) ArrivalsReach() (from, to time.Time) {
	now := b.clock().Truncate(slot)
	return now.Add((1 - shownSlots - usualWeeks*weekSlots) * slot), now.Add(slot)
}

// ChangesReach is the days that the verdict on a change may rest on; with "" those of all changes. It is zero where there is none.
func (b *Board) ChangesReach(ctx context.Context, name string) (reach Span, err error) {
	d := b.Source.Definitions()
	for _, c := range b.changes(d) {
		if name != "" && c.Name != name {
			continue
		}
		of, err := b.reach(ctx, d, c)
		if err != nil {
			return Span{}, err
		}
		if reach == (Span{}) {
			reach = of
		}
		reach = Span{min(reach.From, of.From), max(reach.To, of.To)}
	}
	return reach, nil
}

// reach are as many days as are compared at most on either side of a change. One whose moment is not said is looked for in all that there
// is.
func (b *Board) reach(ctx context.Context, d *Definitions, c Change) (Span, error) {
	first, tomorrow := DateOf(c.At, d.Zone), b.today(d).Plus(1)
	if c.At.IsZero() {
		all, err := b.searched(ctx, d)
		if all.From == "" {
			all.From = tomorrow.Plus(-1)
		}
		return Span{all.From, tomorrow}, err
	}
	before := first.Plus(-mostTrialDays)
	if c.Experiment != "" {
		before = first
	}
	return Span{before, max(min(first.Plus(mostTrialDays+1), tomorrow), before.Plus(1))}, nil
}
