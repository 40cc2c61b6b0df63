package kpi

import "context"

// Overview answers how each KPI does now, and how it did before.
func (b *Board) Overview(ctx context.Context, v View) (*Overview, error) {
	v.By = ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	before := v
	before.From, before.To = previous(v.From, v.To)
	now, err := b.see(ctx, d, v, false)
	if err != nil {
		return nil, err
	}
	earlier, err := b.see(ctx, d, before, false)
	if err != nil {
		return nil, err
	}
	o := &Overview{Span: Span{v.From, v.To}, Previous: Span{before.From, before.To}, Changes: b.marks(d, v), KPIs: []OverviewKPI{}}
	for i, k := range d.KPIs {
		o.KPIs = append(o.KPIs, OverviewKPI{KPI: k.info(), Now: kpiFigure(now, "", i, k), Before: kpiFigure(earlier, "", i, k), Days: points(now, "", i, k)})
	}
	return o, nil
}

// previous is the range of the same length, as few whole weeks before as will do, so that weekdays meet.
func previous(from, to Date) (Date, Date) {
	const week = 7
	shift := (from.days(to) + week - 1) / week * week
	return from.Plus(-shift), to.Plus(-shift)
}

func (k KPI) info() KPIInfo {
	return KPIInfo{Name: k.Name, Title: k.Title, Kind: k.Kind, Unit: k.Unit(), MoreBetter: k.MoreBetter, Smallest: k.Smallest}
}

// kpiFigure is the i-th KPI over days.
func kpiFigure(days []seenDay, value string, i int, k KPI) Figure {
	return sum(days, value, kpiPart(i), k.Kind == Count).figure(k)
}

// points are the KPI's figures of each day.
func points(days []seenDay, value string, i int, k KPI) []Point {
	all := make([]Point, len(days))
	for j, day := range days {
		all[j] = Point{day.Date, day.Open, kpiFigure(days[j:j+1], value, i, k)}
	}
	return all
}

// marks are the changes whose moments lie in the range.
func (b *Board) marks(d *Definitions, v View) []Mark {
	marks := []Mark{}
	for _, c := range b.changes(d) {
		if c.At.IsZero() {
			continue
		}
		if date := DateOf(c.At, d.Zone); date >= v.From && date < v.To {
			marks = append(marks, Mark{c.Name, c.Title, date})
		}
	}
	return marks
}
