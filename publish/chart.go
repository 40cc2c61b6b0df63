package publish

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"brine/kpi"
)

// pageView is what the template shows.
type pageView struct {
	Data
	Style template.CSS
	Last  kpi.Date // the last day that is shown
	Shown []totalView
}

type totalView struct {
	TotalShown
	Cells []cellView
	Rows  []rowView // the newest day first
}

// cellView is one value of a total: its newest figure, and a chart of all days.
type cellView struct {
	Title string // of the value; "" for all
	Now   string
	Range string
	Chart *chart // nil: no day has a figure
}

type rowView struct {
	Date  kpi.Date
	Cells []string
}

func newPage(d Data) pageView {
	p := pageView{Data: d, Style: template.CSS(style)}
	if d.To > d.From {
		p.Last = d.To.Plus(-1)
	}
	for _, t := range d.Totals {
		v := totalView{TotalShown: t}
		top := t.top()
		for _, value := range t.Values {
			v.Cells = append(v.Cells, t.cell(value, d.From, d.To, top))
		}
		for _, day := range slices.Backward(t.Days) {
			row := rowView{Date: day.Date}
			for _, value := range t.Values {
				row.Cells = append(row.Cells, t.text(day.figure(value), true))
			}
			v.Rows = append(v.Rows, row)
		}
		p.Shown = append(p.Shown, v)
	}
	return p
}

func (d DayShown) figure(value string) *Figure {
	i := slices.IndexFunc(d.Cells, func(c Figure) bool { return c.Value == value })
	if i < 0 {
		return nil
	}
	return &d.Cells[i]
}

// text is a figure in words; nil where the value was not listed that day.
func (t TotalShown) text(f *Figure, withRange bool) string {
	switch {
	case f == nil:
		return "–"
	case f.Figure == nil:
		return "too few"
	case withRange:
		return t.amount(*f.Figure) + " (" + t.amount(*f.Low) + " to " + t.amount(*f.High) + ")"
	}
	return t.amount(*f.Figure)
}

func (t TotalShown) amount(v float64) string {
	if t.Unit == kpi.UnitShare {
		return strconv.FormatFloat(v*100, 'f', 1, 64) + " %"
	}
	return humanize.Comma(int64(v))
}

// top is the highest that any chart of the total shows: they have one scale.
func (t TotalShown) top() (top float64) {
	for _, day := range t.Days {
		for _, c := range day.Cells {
			if c.High != nil {
				top = max(top, *c.High)
			}
		}
	}
	return nice(top)
}

// nice is the next higher 1, 2 or 5 of its decade.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 5} {
		if v <= step*decade {
			return step * decade
		}
	}
	return 10 * decade
}

func (t TotalShown) cell(value string, from, to kpi.Date, top float64) cellView {
	c := cellView{Title: value, Now: "too few", Chart: t.chart(value, from, to, top)}
	if n := len(t.Days); n > 0 {
		last := t.Days[n-1]
		f := last.figure(value)
		c.Now = t.text(f, false)
		if f != nil && f.Figure != nil {
			c.Range = t.amount(*f.Low) + " to " + t.amount(*f.High)
		}
	}
	return c
}

// chart is what is drawn, in the units of its view box: a line with a band, each in pieces where days have no figure.
type chart struct {
	Lines, Bands []string // points
	Top, Label   string
}

// The view box of a chart, and the room within it.
const (
	chartWidth  = 600.0
	chartHeight = 120.0
)

func (t TotalShown) chart(value string, from, to kpi.Date, top float64) *chart {
	c := &chart{Top: t.amount(top)}
	days := 0
	places := map[kpi.Date]int{}
	for date := from; date < to; date = date.Plus(1) {
		places[date] = days
		days++
	}
	x := func(date kpi.Date) float64 {
		return chartWidth * (float64(places[date]) + 0.5) / float64(max(1, days))
	}
	y := func(v float64) float64 { return chartHeight * (1 - min(v/top, 1)) }
	var line, above, below []string
	var before kpi.Date
	end := func() {
		if len(line) == 1 { // with round ends a line to itself is a dot
			line = append(line, line[0])
		}
		if len(line) > 0 {
			slices.Reverse(below)
			c.Lines, c.Bands = append(c.Lines, strings.Join(line, " ")), append(c.Bands, strings.Join(append(above, below...), " "))
		}
		line, above, below = nil, nil, nil
	}
	low, high, told := math.Inf(1), 0.0, 0
	for _, day := range t.Days {
		f := day.figure(value)
		if before != "" && before.Plus(1) != day.Date || f == nil || f.Figure == nil || slices.Contains(t.Changed, day.Date) {
			end()
		}
		before = day.Date
		if f == nil || f.Figure == nil {
			continue
		}
		line, above, below = append(line, at(x(day.Date), y(*f.Figure))), append(above, at(x(day.Date), y(*f.High))), append(below, at(x(day.Date), y(*f.Low)))
		low, high, told = min(low, *f.Figure), max(high, *f.Figure), told+1
	}
	end()
	if told == 0 {
		return nil
	}
	name := t.Title
	if value != "" {
		name += ": " + value
	}
	c.Label = fmt.Sprintf("%s, day by day: %d days between %s and %s. The table below has all figures.", name, told, t.amount(low), t.amount(high))
	return c
}

func at(x, y float64) string {
	return strconv.FormatFloat(x, 'f', 1, 64) + "," + strconv.FormatFloat(y, 'f', 1, 64)
}
