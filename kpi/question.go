package kpi

import (
	"fmt"
	"time"

	"brine/event"
)

// BadQuestion says what is wrong with what was asked: for who asked, not for the log.
type BadQuestion struct {
	Param string // from, to, compare, only, by, flow, kpi or change
	What  string
	Fix   string
}

// Error is one line.
func (b BadQuestion) Error() string {
	text := b.Param + ": " + b.What
	if b.Fix != "" {
		text += " (" + b.Fix + ")"
	}
	return text
}

// MostDays is the longest range that is answered.
const MostDays = 3 * 366

// usualDays is the range where none is said: four whole weeks.
const usualDays = 28

// Plus is the date so many days later.
func (d Date) Plus(days int) Date {
	t, _ := time.Parse(time.DateOnly, string(d))
	return Date(t.AddDate(0, 0, days).Format(time.DateOnly))
}

// days is how many days lie between two dates.
func (d Date) days(to Date) int {
	a, _ := time.Parse(time.DateOnly, string(d))
	b, _ := time.Parse(time.DateOnly, string(to))
	return int(b.Sub(a).Hours() / 24)
}

// Valid says whether it is a day.
func (d Date) Valid() bool {
	t, err := time.Parse(time.DateOnly, string(d))
	return err == nil && t.Year() >= 1970 && t.Year() < 2200
}

// DateOf is the day of a moment in a zone.
func DateOf(t time.Time, zone *time.Location) Date { return Date(t.In(zone).Format(time.DateOnly)) }

// today is the day it is in the definitions' zone.
func (b *Board) today(d *Definitions) Date {
	return DateOf(b.clock(), d.Zone)
}

// Complete is the view with what it does not say filled in, as of a moment, or a [BadQuestion].
func (d *Definitions) Complete(v View, now time.Time) (View, error) {
	if v.Cell < 1 {
		v.Cell = 1
	}
	if v.Compare == "" {
		v.Compare = ComparePrevious
	}
	if v.To == "" {
		v.To = DateOf(now, d.Zone).Plus(1)
	}
	if v.From == "" && v.To.Valid() {
		v.From = v.To.Plus(-usualDays)
	}
	switch {
	case !v.To.Valid():
		return v, BadQuestion{"to", fmt.Sprintf("%q is no day", v.To), "like 2026-11-28; it is not part of the range"}
	case !v.From.Valid():
		return v, BadQuestion{"from", fmt.Sprintf("%q is no day", v.From), "like 2026-11-28"}
	case v.From >= v.To:
		return v, BadQuestion{"to", "the range is empty: " + string(v.To) + " does not come after " + string(v.From), "the day after the last one"}
	case v.From > DateOf(now, d.Zone):
		return v, BadQuestion{"from", "these days are still to come", "today is " + string(DateOf(now, d.Zone))}
	case v.From.days(v.To) > MostDays:
		return v, BadQuestion{"from", fmt.Sprintf("a range of %d days", v.From.days(v.To)), fmt.Sprintf("ask for at most %d", MostDays)}
	}
	return v, d.known(v)
}

// known finds names in the view that the definitions do not have.
func (d *Definitions) known(v View) error {
	if v.Only != nil {
		if err := unknown("only", "segment", v.Only.Segment, d.segmentNames()); err != nil {
			return err
		}
		if v.By != "" && v.Cell > 1 {
			return BadQuestion{"by", "a viewer may narrow by one segment or tell apart by one, not both", "an analyst may"}
		}
	}
	for _, n := range []struct {
		param, what, name string
		names             []string
	}{{"by", "segment", v.By, d.segmentNames()}, {"flow", "flow", v.Flow, d.flowNames()}, {"kpi", "KPI", v.KPI, d.kpiNames()}, {"compare", "comparison", v.Compare, Comparisons}} {
		if n.name == "" {
			continue
		}
		if err := unknown(n.param, n.what, n.name, n.names); err != nil {
			return err
		}
	}
	return nil
}

func unknown(param, what, name string, names []string) error {
	for _, n := range names {
		if n == name {
			return nil
		}
	}
	return BadQuestion{param, fmt.Sprintf("no %s is called %.64q", what, name), event.LikelyFix(name, names)}
}
