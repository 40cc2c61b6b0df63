package kpi

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// Segments answers how the KPIs do by the values of the view's By, or of the first segment.
func (b *Board) Segments(ctx context.Context, v View) (*Segments, error) {
	b, d, v, err := b.asked(v)
	switch {
	case err != nil:
		return nil, err
	case len(d.Segments) == 0 || len(d.KPIs) == 0:
		return nil, BadQuestion{"by", "no segment or no KPI is defined", "kpi.yaml has them under segments and kpis"}
	case v.By == "":
		v.By = d.Segments[0].Name
		if err := d.known(v); err != nil {
			return nil, err
		}
	}
	days, err := b.see(ctx, d, v, false)
	if err != nil {
		return nil, err
	}
	segment, shown := d.Segments[d.segment(v.By)], max(0, d.kpi(v.KPI))
	s := &Segments{Span: Span{v.From, v.To}, By: segment.Name, Title: segment.Title, KPI: d.KPIs[shown].Name, Values: []SegmentValue{}}
	for _, k := range d.KPIs {
		s.KPIs = append(s.KPIs, k.info())
	}
	days = joined(days, segment)
	for _, value := range valuesOf(days, segment) {
		s.Values = append(s.Values, d.segmentValue(days, value, shown))
	}
	return s, nil
}

func (d *Definitions) segmentValue(days []seenDay, value string, shown int) SegmentValue {
	t := sum(days, value, countPart, false)
	s := SegmentValue{Value: value, Interactions: t.count(), Share: t.share(allOf(days, value)), Days: points(days, value, shown, d.KPIs[shown])}
	for i, k := range d.KPIs {
		s.Figures = append(s.Figures, kpiFigure(days, value, i, k))
	}
	return s
}

// allOf is all interactions of the days on which those of a value are told.
func allOf(days []seenDay, value string) (t total) {
	for _, day := range days {
		if s, ok := day.cells[value]; day.state == hasData && (!ok || s.Cell != nil) {
			t.Moments = t.Plus(day.all.Moments)
			t.days++
		}
	}
	return t
}

// valuesOf are the values of all days: those that the segment lists in its order, others by size, [Other] and [Unknown] last.
func valuesOf(days []seenDay, s Segment) []string {
	weights := map[string]float64{}
	for _, day := range days {
		for value, c := range day.cells {
			weights[value] += 0
			if c.Cell != nil {
				weights[value] += c.Count.Weights
			}
		}
	}
	place := func(value string) int {
		i := slices.Index(s.Order, value)
		switch {
		case value == Unknown:
			return len(s.Order) + 2
		case value == Other:
			return len(s.Order) + 1
		case i < 0:
			return len(s.Order)
		}
		return i
	}
	return slices.SortedFunc(maps.Keys(weights), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
	})
}

// joined is days with no more values than a page shows: over many days there may be others each day. The rarest of all
// days become [Other]; what is withheld stays so, as cells are only added up where both are told.
func joined(days []seenDay, s Segment) []seenDay {
	values := valuesOf(days, s)
	if len(values) <= MostValues {
		return days
	}
	rare := map[string]bool{}
	for _, value := range values[MostValues-2:] {
		rare[value] = value != Other && value != Unknown
	}
	out := slices.Clone(days)
	for i, day := range days {
		out[i].cells = map[string]sight{}
		for value, c := range day.cells {
			if rare[value] {
				value = Other
			}
			out[i].cells[value] = out[i].cells[value].plus(c)
		}
	}
	return out
}

// plus is both cells as one. Of one that is withheld, and one that is not, the latter is told.
func (s sight) plus(o sight) sight {
	switch {
	case s.Cell == nil:
		return o
	case o.Cell == nil:
		return s
	}
	both := sight{Cell: s.Cell.Plus(o.Cell)}
	if s.kpis != nil {
		both.kpis, both.flows = slices.Clone(s.kpis), slices.Clone(s.flows)
		for i := range both.kpis {
			both.kpis[i] = both.kpis[i] && o.kpis[i]
		}
		for i := range both.flows {
			both.flows[i] = both.flows[i] && o.flows[i]
		}
	}
	return both
}
