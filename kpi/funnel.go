package kpi

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"brine/kpi/stat"
)

// Funnel answers how people went through the view's flow, or the first one.
func (b *Board) Funnel(ctx context.Context, v View) (*Funnel, error) {
	v.By = ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	if len(d.Flows) == 0 {
		return nil, BadQuestion{"flow", "no flow is defined", "kpi.yaml has them under flows"}
	}
	days, err := b.see(ctx, d, v, true)
	if err != nil {
		return nil, err
	}
	i := max(0, d.flow(v.Flow))
	flow := d.Flows[i]
	f := &Funnel{Span: Span{v.From, v.To}, Flow: flow.Name, Title: flow.Title, Steps: []FunnelStep{}}
	var totals []total
	for s := range flow.Steps {
		totals = append(totals, sum(days, "", stepPart(i, s), false))
	}
	for s, step := range flow.Steps {
		f.Steps = append(f.Steps, funnelStep(step, totals, s))
	}
	for s := range len(flow.Steps) - 1 {
		departed(&f.Steps[s], days, i, s, int(v.Cell))
	}
	return f, nil
}

func funnelStep(step Step, totals []total, s int) FunnelStep {
	t := totals[s]
	f := FunnelStep{Name: step.Name, Title: step.Title, Reached: t.count(), OfFirst: t.share(totals[0]), OfBefore: t.share(totals[max(0, s-1)]),
		P50: t.time(0.5), P75: t.time(0.75), P95: t.time(0.95), NextEvent: []EventFigure{}, LastEvent: []EventFigure{}}
	if s+1 < len(totals) {
		f.Left = t.less(totals[s+1]).count()
	} else {
		f.Left = total{days: t.days, withheld: t.withheld, states: t.states}.count()
	}
	return f
}

// time is a percentile of a step's times.
func (t total) time(p float64) Figure {
	if t.N == 0 {
		return t.nothing()
	}
	return t.percentile(p)
}

// less is those of t who are not among o, which are all of t.
func (t total) less(o total) total {
	t.N -= o.N
	t.Weights, t.Squares = max(0, t.Weights-o.Weights), max(0, t.Squares-o.Squares)
	return t
}

// shownEvents is how many events are told apart of those who left.
const shownEvents = 5

// departed fills in what those who left at a step did next and last.
func departed(step *FunnelStep, days []seenDay, flow, s, least int) {
	next, last := map[string]stat.Moments{}, map[string]stat.Moments{}
	for _, day := range days {
		if c := day.cells[""]; c.tellsFlow(flow) && c.Left != nil {
			addEvents(next, telling(c.Left[flow][s].Next, least))
			addEvents(last, telling(c.Left[flow][s].Last, least))
		}
	}
	step.NextEvent, step.LastEvent = eventFigures(next), eventFigures(last)
}

func addEvents(sum, some map[string]stat.Moments) {
	for event, m := range some {
		sum[event] = sum[event].Plus(m)
	}
}

// eventFigures are the most common events, and the rest as [Other].
func eventFigures(events map[string]stat.Moments) []EventFigure {
	var all, rest stat.Moments
	names := slices.Collect(maps.Keys(events))
	for _, m := range events {
		all = all.Plus(m)
	}
	rest = events[Other]
	names = slices.DeleteFunc(names, func(n string) bool { return n == Other })
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(events[b].Weights, events[a].Weights), cmp.Compare(a, b))
	})
	for _, name := range names[min(len(names), shownEvents):] {
		rest = rest.Plus(events[name])
	}
	figures := []EventFigure{}
	add := func(name string, m stat.Moments) {
		t := total{Measure: Measure{Moments: m}, days: 1}
		figures = append(figures, EventFigure{name, t.count(), t.share(total{Measure: Measure{Moments: all}})})
	}
	for _, name := range names[:min(len(names), shownEvents)] {
		add(name, events[name])
	}
	if rest.N > 0 {
		add(Other, rest)
	}
	return figures
}
