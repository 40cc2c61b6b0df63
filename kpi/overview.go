package kpi

import "context"

// Overview answers how each KPI does now, and how it did before.
func (b *Board) Overview(ctx context.Context, v View) (*Overview, error) {
	v.By = ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	now, err := b.see(ctx, d, v, false)
	if err != nil {
		return nil, err
	}
	against := v.Against()
	var earlier []seenDay
	if against != (Span{}) {
		before := v
		before.From, before.To = against.From, against.To
		if earlier, err = b.see(ctx, d, before, false); err != nil {
			return nil, err
		}
	}
	o := &Overview{Span: Span{v.From, v.To}, Compare: v.Compare, Previous: against, Changes: b.marks(d, v), KPIs: []OverviewKPI{}}
	for i, k := range d.KPIs {
		told := OverviewKPI{KPI: k.info(), Now: kpiFigure(now, "", i, k), Days: points(now, "", i, k)}
		if o.Compared() {
			told.Before = kpiFigure(earlier, "", i, k)
		}
		o.KPIs = append(o.KPIs, told)
	}
	return o, nil
}

// What an overview is compared with.
const (
	ComparePrevious = "previous" // as many days, as few whole weeks before as will do; the default
	CompareYear     = "year"     // the same weekdays 52 weeks before
	CompareNone     = "none"
)

// Comparisons are all there are.
var Comparisons = []string{ComparePrevious, CompareYear, CompareNone}

// Against are the days that an overview of the view is compared with; zero where it is compared with none.
func (v View) Against() Span {
	switch v.Compare {
	case CompareNone:
		return Span{}
	case CompareYear:
		return previous(v.From, v.To, 52*7)
	}
	return previous(v.From, v.To, 7)
}

// Compared says whether there are figures of before.
func (o *Overview) Compared() bool { return o.Previous != Span{} }

// previous is the range of the same length, as few whole periods before as will do: of whole weeks, so that weekdays meet.
func previous(from, to Date, period int) Span {
	shift := (from.days(to) + period - 1) / period * period
	return Span{from.Plus(-shift), to.Plus(-shift)}
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
