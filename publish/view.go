package publish

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"

	"brine/kpi"
	"brine/policy"
)

// Data is what /kpi.json gives, and what the page and the CSV are made of.
type Data struct {
	From    kpi.Date     `json:"from"` // of the days that are shown
	To      kpi.Date     `json:"to"`   // exclusive
	Zone    string       `json:"timezone"`
	Epsilon Budget       `json:"epsilon"`
	Words   []string     `json:"words"`             // what holds of all
	Stopped string       `json:"stopped,omitempty"` // why no further days are published
	Totals  []TotalShown `json:"totals"`
}

// Budget is how much may be told, and how much was.
type Budget struct {
	Day   kpi.Epsilon `json:"day"`
	All   kpi.Epsilon `json:"all"`
	Spent kpi.Epsilon `json:"spent"`
}

// TotalShown is one total with its days.
type TotalShown struct {
	Name    string     `json:"name"`
	Title   string     `json:"title"`
	Unit    string     `json:"unit"` // count or share
	By      string     `json:"by,omitempty"`
	Values  []string   `json:"values"` // of the segment, as they are shown; "" for all
	Privacy string     `json:"privacy_unit"`
	Words   string     `json:"words"`             // what the noise means
	Days    []DayShown `json:"days"`              // those that are published
	Changed []kpi.Date `json:"changed,omitempty"` // first days of what was measured otherwise the day before
}

// DayShown is one day of a total.
type DayShown struct {
	Date    kpi.Date    `json:"date"`
	Epsilon kpi.Epsilon `json:"epsilon"`
	Noise   int64       `json:"noise"` // of a count, within which it is with 95 %
	Least   int64       `json:"least"` // cells whose noisy count is below have no figure
	Cells   []Figure    `json:"cells"`
}

// The privacy units.
const (
	oneInteraction = "one interaction"
	oneInstallDay  = "one install on one day"
)

// badRange is a range of days that is none.
type badRange struct{ what string }

func (b badRange) Error() string { return b.what }

// The days that are shown, and the most that one answer has: anybody may ask for any.
const (
	usualDays   = 28
	mostDays    = 366
	mostFigures = 50_000
)

// mostDays is how many days one answer has at most.
func (e *Edition) mostDays() int {
	cells := 1
	for _, t := range e.Totals {
		cells += len(t.Values)
	}
	return min(mostDays, max(usualDays, mostFigures/cells))
}

// rangeOf is the days that a request asks for; with none, the last four weeks that are published.
func (e *Edition) rangeOf(query url.Values) (from, to kpi.Date, err error) {
	to = e.From
	if n := len(e.Releases); n > 0 {
		to = max(to, e.Releases[n-1].Date.Plus(1))
	}
	from = max(e.From, to.Plus(-usualDays))
	for name, date := range map[string]*kpi.Date{"from": &from, "to": &to} {
		if text := query.Get(name); text != "" {
			if *date = kpi.Date(text); !date.Valid() {
				return "", "", badRange{fmt.Sprintf("%s: %.32q is no day (like 2026-12-01)", name, text)}
			}
		}
	}
	if query.Has("to") && !query.Has("from") {
		from = to.Plus(-usualDays)
	}
	switch {
	case from > to:
		return "", "", badRange{"to comes before from"}
	case from.Plus(e.mostDays()) < to:
		return "", "", badRange{fmt.Sprintf("ask for at most %d days at a time", e.mostDays())}
	}
	return from, to, nil
}

// data is what is published of a range of days.
func (e *Edition) data(from, to kpi.Date, l *policy.Language) Data {
	var days []*Release
	spent := kpi.Epsilon(0) // by one of the days, at most
	for _, r := range e.Releases {
		if r.Date >= from && r.Date < to {
			days, spent = append(days, r), max(spent, r.Spent)
		}
	}
	if len(days) == 0 {
		spent = e.Epsilon.Day
	}
	out := Data{From: from, To: to, Zone: e.Zone, Epsilon: e.Epsilon, Words: general(spent, e.Epsilon.All, l), Totals: []TotalShown{}}
	if e.Over {
		out.Stopped = l.Say("kpi_over")
	}
	for _, t := range e.Totals {
		out.Totals = append(out.Totals, shown(t, days, l))
	}
	return out
}

func shown(t Total, days []*Release, l *policy.Language) TotalShown {
	s := TotalShown{Name: t.Name, Title: t.Title, Unit: t.Unit, By: t.By, Values: slices.Clone(t.Values), Privacy: t.Privacy, Days: []DayShown{}}
	meaning, most := "", words{}
	for _, r := range days {
		i := slices.IndexFunc(r.Totals, func(o TotalsOfDay) bool { return o.Name == t.Name && o.Unit == s.Unit })
		if i < 0 {
			continue
		}
		o := r.Totals[i]
		if meaning != "" && o.Meaning != meaning {
			s.Changed = append(s.Changed, r.Date)
		}
		for _, c := range o.Cells { // values that a former kpi.yaml listed
			if !slices.Contains(s.Values, c.Value) {
				s.Values = append(s.Values, c.Value)
			}
		}
		meaning = o.Meaning
		most = words{max(most.epsilon, o.Epsilon), max(most.noise, o.Noise), max(most.scale, float64(o.Sensitivity)/o.Epsilon.Float())}
		s.Days = append(s.Days, DayShown{r.Date, o.Epsilon, o.Noise, o.Least, o.Cells})
	}
	if len(s.Days) == 0 {
		most = words{t.Epsilon, scaleOf(t.Epsilon, 1).within(outside/2, false), 1 / t.Epsilon.Float()}
	}
	s.Words = t.meaning(most, l)
	return s
}

// general is what holds of all totals, where a day spends at most so much.
func general(day, all kpi.Epsilon, l *policy.Language) []string {
	return []string{l.Say("kpi_noise"), l.Say("kpi_epsilon", "factor", factor(day, l), "day", l.Number(day.String()), "all", l.Number(all.String())), l.Say("kpi_once"), l.Say("kpi_counted")}
}

func factor(e kpi.Epsilon, l *policy.Language) string {
	return l.Number(strconv.FormatFloat(math.Exp(e.Float()), 'g', 3, 64))
}

// words are what the sentence beside figures is made of: the most of each that any of its days has.
type words struct {
	epsilon kpi.Epsilon
	noise   int64 // of a count, within which it is with 95 %
	scale   float64
}

func (t Total) meaning(most words, l *policy.Language) string {
	counts, one := "kpi_count", "kpi_one"
	if t.Unit == kpi.UnitShare {
		counts = "kpi_share"
	}
	if t.Privacy == oneInstallDay {
		one = "kpi_one_install"
	}
	scale := l.Number(strconv.FormatFloat(most.scale, 'g', 3, 64))
	return l.Say(counts, "n", strconv.FormatInt(most.noise, 10), "scale", scale) + " " + l.Say(one, "factor", factor(most.epsilon, l))
}
