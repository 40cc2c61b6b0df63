package kpi

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Board answers questions. Errors are [BadQuestion], or of its Source.
type Board struct {
	Source Source
	Added  func() []Change  // changes beside those of the definitions; nil: none
	Now    func() time.Time // default time.Now
}

// pinner is a Source that can be held as it is for all of one answer, though other definitions come into force meanwhile.
type pinner interface{ Pinned() Source }

// preparer is a Source that reads less where it knows of several questions before they are asked.
type preparer interface {
	Prepare(ctx context.Context, questions []Slice) error
}

// asked is a board for one answer, with the definitions, and the view completed by them. Added changes are fetched once, and only
// where they are needed.
func (b *Board) asked(v View) (*Board, *Definitions, View, error) {
	b = &Board{b.Source, b.Added, b.Now}
	if p, ok := b.Source.(pinner); ok {
		b.Source = p.Pinned()
	}
	if b.Added != nil {
		b.Added = sync.OnceValue(b.Added)
	}
	d := b.Source.Definitions()
	v, err := d.Complete(v, b.clock())
	return b, d, v, err
}

// changes are all that the board knows of.
func (b *Board) changes(d *Definitions) []Change {
	if b.Added == nil {
		return d.Changes
	}
	return d.AllChanges(b.Added())
}

// see gives the days of the view as who asks may see them, by the view's By.
func (b *Board) see(ctx context.Context, d *Definitions, v View, left bool) ([]seenDay, error) {
	s := Slice{From: v.From, To: v.To, By: v.By, Left: left && v.By == "", Prompt: v.Cell > 1}
	if v.Only != nil {
		s.By, s.Left = v.Only.Segment, false
	}
	days, err := b.Source.Days(ctx, s)
	if err != nil {
		return nil, err
	}
	seen := openly(days)
	if v.Cell > 1 {
		seen = withhold(d, days, int(v.Cell))
	}
	switch {
	case v.Only == nil:
		return seen, nil
	case v.Cell > 1 || v.By == "" && !left:
		return narrowed(seen, v.Only.Value), nil
	}
	return b.closer(ctx, v, seen, left)
}

// closer gives the days of a question about a value that needs more than its cells: another segment within it, or who left. A day
// on which others came and nobody had the value is not a day without data.
func (b *Board) closer(ctx context.Context, v View, all []seenDay, left bool) ([]seenDay, error) {
	days, err := b.Source.Days(ctx, Slice{From: v.From, To: v.To, By: v.By, Only: v.Only, Left: left && v.By == ""})
	seen := openly(days)
	for i := range seen {
		seen[i].state = all[i].state
	}
	return seen, err
}

// seenDay is one day as who asks may see it.
type seenDay struct {
	Date  Date
	Open  bool
	state state
	all   Measure          // of the value 1: all interactions of the day; none where they are not told
	cells map[string]sight // by value
}

// state is why a day has no cells to tell of.
type state uint8

const (
	hasData  state = iota
	noData         // nothing came
	notOver        // what is prompt may still come
	withheld       // too few came
)

// sight is one cell as it may be seen.
type sight struct {
	*Cell        // nil: withheld
	flows []bool // by flow: whether the numbers of its steps are told; nil: all are
	kpis  []bool // by KPI; nil: all are told
}

func (s sight) tellsFlow(i int) bool { return s.Cell != nil && (s.flows == nil || s.flows[i]) }
func (s sight) tellsKPI(i int) bool  { return s.Cell != nil && (s.kpis == nil || s.kpis[i]) }

// openly is days of which nothing is withheld.
func openly(days []Day) (seen []seenDay) {
	for _, day := range days {
		s := seenDay{Date: day.Date, Open: day.Open, cells: map[string]sight{}}
		for value, c := range day.Cells {
			s.cells[value] = sight{Cell: c}
			s.all.Moments = s.all.Plus(c.Count)
		}
		if len(day.Cells) == 0 {
			s.state = noData
		}
		seen = append(seen, s)
	}
	return seen
}

// narrowed is days with the cells of one value alone.
func narrowed(days []seenDay, value string) []seenDay {
	days = slices.Clone(days)
	for i := range days {
		s, ok := days[i].cells[value]
		days[i].cells, days[i].all = map[string]sight{}, Measure{}
		if ok {
			days[i].cells[""] = s
		}
		if s.Cell != nil {
			days[i].all.Moments = s.Count
		}
	}
	return days
}
