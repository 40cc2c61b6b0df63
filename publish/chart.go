package publish

import (
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"brine/kpi"
	"brine/policy"
)

// pageView is what the template shows.
type pageView struct {
	Data
	Lang      *policy.Language
	Languages []*policy.Language
	Style     template.CSS
	Last      kpi.Date // the last day that is shown
	Shown     []totalView
}

// T is a text of the page.
func (p pageView) T(key string, values ...string) string { return p.Lang.Say("kpi_"+key, values...) }

// Days, Changed and Spent are texts with values of the page.
func (p pageView) Days() string {
	return p.T("days", "from", string(p.From), "last", string(p.Last), "zone", p.Zone)
}

func (p pageView) Changed(day kpi.Date) string { return p.T("changed", "day", string(day)) }

func (p pageView) Spent() string {
	return p.T("spent", "spent", p.Lang.Number(p.Epsilon.Spent.String()), "all", p.Lang.Number(p.Epsilon.All.String()))
}

// Link is where these days are, in a language.
func (p pageView) Link(path, lang string) string {
	return path + "?" + url.Values{"from": {string(p.From)}, "to": {string(p.To)}, "lang": {lang}}.Encode()
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

func newPage(d Data, l *policy.Language) pageView {
	p := pageView{Data: d, Lang: l, Style: template.CSS(style)}
	for _, tag := range policy.Languages() {
		other, _ := policy.InLanguage(tag)
		p.Languages = append(p.Languages, other)
	}
	if d.To > d.From {
		p.Last = d.To.Plus(-1)
	}
	for _, shown := range d.Totals {
		t := said{shown, l}
		v := totalView{TotalShown: shown}
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

// said is a total as a language says it.
type said struct {
	TotalShown
	l *policy.Language
}

// text is a figure in words; nil where the value was not listed that day.
func (t said) text(f *Figure, withRange bool) string {
	switch {
	case f == nil:
		return "–"
	case f.Figure == nil:
		return t.l.Say("kpi_few")
	case withRange:
		return t.amount(*f.Figure) + " (" + t.rangeOf(f) + ")"
	}
	return t.amount(*f.Figure)
}

func (t said) rangeOf(f *Figure) string {
	return t.l.Say("kpi_range", "low", t.amount(*f.Low), "high", t.amount(*f.High))
}

func (t said) amount(v float64) string {
	if t.Unit == kpi.UnitShare {
		return t.l.Number(strconv.FormatFloat(v*100, 'f', 1, 64)) + " %"
	}
	return t.l.Number(humanize.Comma(int64(v)))
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

func (t said) cell(value string, from, to kpi.Date, top float64) cellView {
	c := cellView{Title: value, Now: t.l.Say("kpi_few"), Chart: t.chart(value, from, to, top)}
	if n := len(t.Days); n > 0 {
		last := t.Days[n-1]
		f := last.figure(value)
		c.Now = t.text(f, false)
		if f != nil && f.Figure != nil {
			c.Range = t.rangeOf(f)
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

func (t said) chart(value string, from, to kpi.Date, top float64) *chart {
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
	c.Label = t.l.Say("kpi_chart", "title", name, "n", strconv.Itoa(told), "low", t.amount(low), "high", t.amount(high))
	return c
}

func at(x, y float64) string {
	return strconv.FormatFloat(x, 'f', 1, 64) + "," + strconv.FormatFloat(y, 'f', 1, 64)
}
