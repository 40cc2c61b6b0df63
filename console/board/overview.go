package board

import (
	"math"
	"net/http"
	"strings"

	"brine/kpi"
)

// overview is each KPI now, against the period before.
type overview struct{ *kpi.Overview }

func askOverview(b *Board, r *http.Request, q question) (answer, error) {
	o, err := b.KPI.Overview(r.Context(), q.View)
	return overview{o}, err
}

func (o overview) body() any { return o.Overview }

func (o overview) table() table {
	t := table{header: append([]string{"kpi", "unit", "period", "from", "to"}, figureHeader...)}
	for _, k := range o.KPIs {
		t.add(k.Now, k.KPI.Name, k.KPI.Unit, "now", string(o.Span.From), string(o.Span.To))
		if o.Compared() {
			t.add(k.Before, k.KPI.Name, k.KPI.Unit, "before", string(o.Previous.From), string(o.Previous.To))
		}
		for _, d := range k.Days {
			t.add(d.Figure, k.KPI.Name, k.KPI.Unit, "day", string(d.Date), string(d.Date.Plus(1)))
		}
	}
	return t
}

// Comparisons are links to the same view beside other days.
func (o overview) Comparisons(v *view) (links []link) {
	for _, c := range []link{{Text: "the days before", Href: kpi.ComparePrevious}, {Text: "a year before", Href: kpi.CompareYear}, {Text: "nothing", Href: kpi.CompareNone}} {
		links = append(links, link{c.Text, v.With("compare", c.Href), c.Href == o.Compare})
	}
	return links
}

// Empty says whether there is nothing at all to show.
func (o overview) Empty() bool {
	for _, k := range o.KPIs {
		if !nothing(k.Now) || !nothing(k.Before) {
			return false
		}
	}
	return true
}

// nothing says whether there is nothing, or nothing yet, behind a figure.
func nothing(f kpi.Figure) bool { return f.Value == nil && f.Why != kpi.TooFew }

// Chart is a KPI over the days.
func (o overview) Chart(k kpi.OverviewKPI) chart {
	return chart{Kind: "line", Name: k.KPI.Name, Title: k.KPI.Title + ", by day", Unit: k.KPI.Unit, Small: true,
		Points: dayPoints(k.Days), Marks: chartMarks(o.Changes, o.Span)}
}

// Shown are the changes of the days that are shown.
func (o overview) Shown() (marks []kpi.Mark) {
	for _, m := range o.Changes {
		if m.Date >= o.Span.From && m.Date < o.Span.To {
			marks = append(marks, m)
		}
	}
	return marks
}

// turn is how a KPI moved between two periods: not a verdict, which takes more than two numbers.
type turn struct {
	Sign, Text string // up or down; what it is
	Good       string // better or worse, where it is a difference that matters; else ""
}

// Turn is the difference between now and before; nil where one of them is missing.
func (o overview) Turn(k kpi.OverviewKPI) *turn {
	if k.Now.Value == nil || k.Before.Value == nil {
		return nil
	}
	d := *k.Now.Value - *k.Before.Value
	t := &turn{Sign: "=", Text: difference(d, k.KPI.Unit)}
	if k.KPI.Unit == count && *k.Before.Value > 0 {
		t.Text = signed(decimals(100*d / *k.Before.Value, 1), d) + space + "%"
	}
	switch {
	case strings.HasPrefix(t.Text, "±"): // it rounds to nothing
	case d > 0:
		t.Sign = "▲"
	case d < 0:
		t.Sign = "▼"
	}
	if math.Abs(d) >= k.KPI.Smallest {
		t.Good = map[bool]string{true: "better", false: "worse"}[(d > 0) == k.KPI.MoreBetter]
	}
	return t
}
