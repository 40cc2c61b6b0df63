package board

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"brine/kpi"
)

// segments are the KPIs by the values of a segment.
type segments struct{ *kpi.Segments }

func askSegments(b *Board, r *http.Request, q question) (answer, error) {
	empty := &kpi.Segments{Span: kpi.Span{From: q.From, To: q.To}, KPIs: []kpi.KPIInfo{}, Values: []kpi.SegmentValue{}}
	if q.By == "" || q.KPI == "" {
		return segments{empty}, nil
	}
	s, err := b.KPI.Segments(r.Context(), q.View)
	if err != nil {
		return nil, err
	}
	return segments{s}, segments{s}.order(q.sort)
}

func (s segments) body() any { return s.Segments }

func (s segments) table() table {
	t := table{header: append([]string{"segment", "segment_value", "measure", "unit", "date"}, figureHeader...)}
	for _, v := range s.Values {
		t.add(v.Interactions, s.By, v.Value, "interactions_in_all", count, "")
		t.add(v.Share, s.By, v.Value, "share_of_all", share, "")
		for i, k := range s.KPIs {
			t.add(v.Figures[i], s.By, v.Value, k.Name, k.Unit, "")
		}
		for _, d := range v.Days {
			t.add(d.Figure, s.By, v.Value, s.KPI, s.Shown().Unit, string(d.Date))
		}
	}
	return t
}

// order sorts by a column: value, interactions, or a KPI's name, with - before it the other way round. "" leaves the order as it is.
func (s segments) order(column string) error {
	column, down := strings.CutPrefix(column, "-")
	if column == "" {
		return nil
	}
	figure, ok := s.column(column)
	if !ok {
		return badRequest("sort is value, interactions or a KPI, with - before it for the other way round")
	}
	slices.SortStableFunc(s.Values, func(a, b kpi.SegmentValue) int {
		if figure == nil {
			return turned(strings.Compare(a.Value, b.Value), down)
		}
		return compare(figure(a).Value, figure(b).Value, down)
	})
	return nil
}

// column gives what a value has in a column; nil for the value itself.
func (s segments) column(name string) (figure func(kpi.SegmentValue) kpi.Figure, ok bool) {
	switch name {
	case "value":
		return nil, true
	case "interactions":
		return func(v kpi.SegmentValue) kpi.Figure { return v.Interactions }, true
	}
	i := slices.IndexFunc(s.KPIs, func(k kpi.KPIInfo) bool { return k.Name == name })
	return func(v kpi.SegmentValue) kpi.Figure { return v.Figures[i] }, i >= 0
}

// compare puts what has no value last, either way round.
func compare(a, b *float64, down bool) int {
	if a == nil || b == nil {
		return cmp.Compare(bit(a == nil), bit(b == nil))
	}
	return turned(cmp.Compare(*a, *b), down)
}

func turned(order int, down bool) int {
	if down {
		return -order
	}
	return order
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Shown is the KPI that the charts are of.
func (s segments) Shown() kpi.KPIInfo {
	for _, k := range s.KPIs {
		if k.Name == s.KPI {
			return k
		}
	}
	return kpi.KPIInfo{}
}

// How many values a page shows, the most frequent ones: in the table, and day by day. JSON and CSV have all.
const (
	mostRows   = 200
	mostCharts = 12
)

// frequent are so many of the values, the most frequent ones, in the order that they have.
func (s segments) frequent(most int) []kpi.SegmentValue {
	if len(s.Values) <= most {
		return s.Values
	}
	byCount := func(a, b kpi.SegmentValue) int { return compare(a.Interactions.Value, b.Interactions.Value, true) }
	last := slices.SortedStableFunc(slices.Values(s.Values), byCount)[most-1]
	var kept []kpi.SegmentValue
	for _, v := range s.Values {
		if byCount(v, last) <= 0 && len(kept) < most {
			kept = append(kept, v)
		}
	}
	return kept
}

// Rows are the values of the table.
func (s segments) Rows() []kpi.SegmentValue { return s.frequent(mostRows) }

// Daily are the values that are told day by day.
func (s segments) Daily() []kpi.SegmentValue { return s.frequent(mostCharts) }

// LeftOut is how many values the table does not have.
func (s segments) LeftOut() int { return len(s.Values) - len(s.Rows()) }

// Charts are one for each value that is told day by day, all of one scale.
func (s segments) Charts() (charts []chart) {
	values := s.Daily()
	var days [][]kpi.Point
	for _, v := range values {
		days = append(days, v.Days)
	}
	domain := domainOf(days...)
	for i, d := range days {
		charts = append(charts, chart{Kind: "line", Name: s.By + "-" + fileName(values[i].Value), Title: values[i].Value, Unit: s.Shown().Unit,
			Small: true, Domain: domain, Points: dayPoints(d)})
	}
	return charts
}

// fileName is a text as a part of a file's name.
func fileName(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, text)
}
