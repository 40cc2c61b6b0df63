package board

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"brine/access"
	"brine/access/gate"
	"brine/kpi"
)

const (
	mostDays    = 366 // of one view
	defaultLast = 28
	maxValue    = 200 // bytes of a segment's value
)

// question is a view as its address tells it.
type question struct {
	kpi.View
	last string // of the address: a number of days, today among them, like 28d; "": from and to
	sort string // of a table: a column, with - before it for the other way round
	zone *time.Location
}

// question reads the address strictly: what is not understood is refused, not left out.
func (b *Board) question(r *http.Request, p gate.Person, more []string) (q question, err error) {
	values, err := gate.Parameters(r, slices.Concat([]string{"last", "from", "to"}, more)...)
	if err != nil {
		return q, err
	}
	d := b.KPI.Source.Definitions()
	q = question{last: values.Get("last"), sort: values.Get("sort"), zone: d.Zone}
	q.Cell = int64(access.CellOf(p.Roles, b.MinCell))
	if err := b.readDays(&q, values); err != nil {
		return q, err
	}
	if q.Only, err = parseOnly(d, values.Get("only")); err != nil {
		return q, err
	}
	if compare := values.Get("compare"); compare != "" && !slices.Contains(kpi.Comparisons, compare) {
		return q, badRequest("compare is one of " + strings.Join(kpi.Comparisons, ", "))
	}
	q.Compare = values.Get("compare")
	for _, named := range []struct {
		key   string
		to    *string
		names []string
	}{{"flow", &q.Flow, flowNames(d)}, {"by", &q.By, segmentNames(d)}, {"kpi", &q.KPI, kpiNames(d)}} {
		if !slices.Contains(more, named.key) {
			continue
		}
		if *named.to, err = oneOf(values, named.key, named.names); err != nil {
			return q, err
		}
	}
	return q, nil
}

// readDays reads which days are asked for: from and to, or the last so many whole days.
func (b *Board) readDays(q *question, values url.Values) (err error) {
	from, to := values.Get("from"), values.Get("to")
	today := kpi.DateOf(b.now(), q.zone)
	if from == "" && to == "" {
		return q.lastDays(today)
	}
	if q.last != "" {
		return badRequest("give last, or from and to, not both")
	}
	if from == "" || to == "" {
		return badRequest("from and to go together: to is the day after the last one that is shown")
	}
	if q.From, err = parseDate("from", from); err != nil {
		return err
	}
	if q.To, err = parseDate("to", to); err != nil {
		return err
	}
	switch tomorrow := today.Plus(1); {
	case q.From >= q.To:
		return badRequest("from is not before to: to is the day after the last one that is shown")
	case q.From >= tomorrow:
		return badRequest("these days are still to come: today is " + string(today))
	case days(q.From, q.To) > mostDays:
		return badRequest("over " + strconv.Itoa(mostDays) + " days at once: ask for fewer")
	case q.To > tomorrow:
		return badRequest("to lies in the future: the latest is " + string(tomorrow) + ", which shows today as the last day")
	}
	return nil
}

// usual is the view where none is asked for.
func (b *Board) usual() question {
	q := question{zone: b.KPI.Source.Definitions().Zone}
	q.To = kpi.DateOf(b.now(), q.zone).Plus(1)
	q.From = q.To.Plus(-defaultLast)
	return q
}

// lastDays are so many, today among them.
func (q *question) lastDays(today kpi.Date) error {
	n := defaultLast
	if q.last != "" {
		number, ok := strings.CutSuffix(q.last, "d")
		var err error
		if n, err = strconv.Atoi(number); err != nil || !ok || n < 1 || n > mostDays {
			return badRequest("last is a number of days like 28d, at most " + strconv.Itoa(mostDays) + "d")
		}
	}
	q.To = today.Plus(1)
	q.From = q.To.Plus(-n)
	return nil
}

func parseDate(name, text string) (kpi.Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "", badRequest(name + " is no day like 2026-11-28")
	}
	if y := t.Year(); y < 1990 || y > 2200 {
		return "", badRequest(name + " is no day of these times")
	}
	return kpi.Date(text), nil
}

func days(from, to kpi.Date) int {
	return int(to.Start(time.UTC).Sub(from.Start(time.UTC)).Hours() / 24)
}

// parseOnly reads a filter like browser:Firefox.
func parseOnly(d *kpi.Definitions, text string) (*kpi.Filter, error) {
	if text == "" {
		return nil, nil
	}
	segment, value, ok := strings.Cut(text, ":")
	if !ok || value == "" || len(value) > maxValue || !utf8.ValidString(value) {
		return nil, badRequest("only is a segment and its value, like browser:Firefox")
	}
	if strings.ContainsFunc(text, unicode.IsControl) {
		return nil, badRequest("only has control characters, which no value can be asked by")
	}
	if names := segmentNames(d); !slices.Contains(names, segment) {
		return nil, badRequest("only names no segment that there is: there are " + strings.Join(names, ", "))
	}
	return &kpi.Filter{Segment: segment, Value: value}, nil
}

// oneOf is a name that there is; the first where none is given.
func oneOf(values url.Values, key string, names []string) (string, error) {
	switch name := values.Get(key); {
	case slices.Contains(names, name):
		return name, nil
	case name != "" && len(names) == 0:
		return "", badRequest(key + ": kpi.yaml defines none")
	case name != "":
		return "", badRequest(key + " is none that there is: there are " + strings.Join(names, ", "))
	case len(names) > 0:
		return names[0], nil
	}
	return "", nil
}

func flowNames(d *kpi.Definitions) (names []string) {
	for _, f := range d.Flows {
		names = append(names, f.Name)
	}
	return names
}

func segmentNames(d *kpi.Definitions) (names []string) {
	for _, s := range d.Segments {
		names = append(names, s.Name)
	}
	return names
}

func kpiNames(d *kpi.Definitions) (names []string) {
	for _, k := range d.KPIs {
		names = append(names, k.Name)
	}
	return names
}

// only is the filter as the address tells it.
func (q question) only() string {
	if q.Only == nil {
		return ""
	}
	return q.Only.Segment + ":" + q.Only.Value
}

// values are the view as an address tells it, with the names of more.
func (q question) values(more []string) url.Values {
	v := url.Values{}
	if q.last != "" {
		v.Set("last", q.last)
	} else {
		v.Set("from", string(q.From))
		v.Set("to", string(q.To))
	}
	if q.Only != nil {
		v.Set("only", q.only())
	}
	for key, value := range map[string]string{"compare": q.Compare, "flow": q.Flow, "by": q.By, "kpi": q.KPI, "sort": q.sort} {
		if slices.Contains(more, key) && value != "" {
			v.Set(key, value)
		}
	}
	return v
}
