package board

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"brine/access/gate"
	"brine/kpi"
)

// changes are all that is known of, judged.
type changes struct{ all []kpi.Judged }

func askChanges(b *Board, r *http.Request, q question) (answer, error) {
	all, err := b.KPI.Changes(r.Context(), q.View)
	return changes{all}, err
}

func (c changes) body() any {
	if c.all == nil {
		return map[string]any{"changes": []kpi.Judged{}}
	}
	return map[string]any{"changes": c.all}
}

func (c changes) table() table {
	t := table{header: append([]string{"change", "kpi", "unit", "measure", "from", "to", "verdict"}, figureHeader...)}
	for _, j := range c.all {
		addJudged(&t, j)
	}
	return t
}

// All are for the page.
func (c changes) All() []kpi.Judged { return c.all }

// addJudged adds the three rows of a verdict.
func addJudged(t *table, j kpi.Judged) {
	add := func(measure string, span kpi.Span, verdict string, f kpi.Figure) {
		t.add(f, j.Change.Name, j.KPI.Name, j.KPI.Unit, measure, string(span.From), string(span.To), verdict)
	}
	add("a", j.Before, "", j.A)
	add("b", j.After, "", j.B)
	add("difference", kpi.Span{From: j.Before.From, To: j.After.To}, j.Verdict, j.Diff)
}

// change is what can be said of one.
type change struct{ *kpi.Judged }

func askChange(b *Board, r *http.Request, q question) (answer, error) {
	j, err := b.KPI.Change(r.Context(), r.PathValue("name"), q.View)
	return change{j}, err
}

func (c change) body() any { return c.Judged }

func (c change) table() table {
	t := table{header: append([]string{"change", "kpi", "unit", "measure", "from", "to", "verdict"}, figureHeader...)}
	addJudged(&t, *c.Judged)
	row := func(k kpi.KPIInfo, measure, verdict string, f kpi.Figure) {
		t.add(f, c.Change.Name, k.Name, k.Unit, measure, string(c.Before.From), string(c.After.To), verdict)
	}
	if c.Adjusted != nil {
		row(c.KPI, "adjusted_by_"+c.AdjustBy, "", *c.Adjusted)
	}
	for _, n := range c.History {
		t.add(kpi.Figure{Value: n.Diff, Low: n.Low, High: n.High}, c.Change.Name, c.KPI.Name, c.KPI.Unit, "difference_by", string(c.After.From), string(n.Date.Plus(1)), "")
	}
	for _, o := range c.Others {
		row(o.KPI, "exploratory_difference", o.Verdict, o.Diff)
	}
	for _, s := range c.Segments {
		row(c.KPI, "exploratory_difference_"+s.Segment+":"+s.Value, s.Verdict, s.Diff)
	}
	return t
}

// Sides are what A and B are called.
func (c change) Sides() [2]string {
	if c.Change.Experiment == "" {
		return [2]string{"Before", "After"}
	}
	return [2]string{c.Change.Branches[0], c.Change.Branches[1]}
}

// Chart is the interval as it narrowed.
func (c change) Chart() chart {
	points := make([]chartPoint, len(c.History))
	for i, n := range c.History {
		points[i] = chartPoint{At: string(n.Date), Value: n.Diff, Low: n.Low, High: n.High}
	}
	return chart{Kind: "narrowing", Name: c.Change.Name, Title: "The difference, and where it may lie, as more data came", Unit: c.KPI.Unit,
		Smallest: c.KPI.Smallest, Points: points}
}

// splits are the differences by the values of one segment.
type splits struct {
	Segment string
	All     []kpi.Split
	Chart   chart
}

// Splits are those of each segment, in their order.
func (c change) Splits() (all []splits) {
	for _, s := range c.Segments {
		if len(all) == 0 || all[len(all)-1].Segment != s.Segment {
			all = append(all, splits{Segment: s.Segment, Chart: chart{Kind: "forest", Name: c.Change.Name + "-" + s.Segment,
				Title: "The difference by " + s.Segment, Unit: c.KPI.Unit, Smallest: c.KPI.Smallest}})
		}
		last := &all[len(all)-1]
		last.All = append(last.All, s)
		last.Chart.Rows = append(last.Chart.Rows, chartRow{s.Value, s.Diff.Why, s.Diff.Value, s.Diff.Low, s.Diff.High})
	}
	return all
}

// whenText is since when a change is there.
func whenText(c kpi.Change, zone *time.Location) string {
	switch {
	case c.Experiment != "":
		return "experiment " + c.Experiment
	case c.Release != "" && c.At.IsZero():
		return "release " + c.Release
	case c.Release != "":
		return "release " + c.Release + ", " + c.At.In(zone).Format("2 Jan 2006")
	}
	return c.At.In(zone).Format("2 Jan 2006 15:04")
}

// addForm is the form by which a change is added, with what was typed into it.
type addForm struct {
	Token string
	Zone  *time.Location
	KPIs  []kpi.KPI
	Typed map[string]string // by field
}

func newAddForm(f frame, typed map[string]string) addForm {
	return addForm{f.Token, f.Zone, f.View.Defs.KPIs, typed}
}

// addFields are those of the form.
var addFields = []string{"name", "title", "moves", "at", "release", "experiment", "branches", "link"}

// addChange takes the form of the changes' page. What is refused is shown again, to be mended.
func (b *Board) addChange(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	typed := map[string]string{}
	for _, name := range addFields {
		typed[name] = strings.TrimSpace(r.PostForm.Get(name))
	}
	c, err := b.changeOf(typed)
	if err == nil {
		err = told(b.Add(p, c), http.StatusBadRequest)
	}
	if err != nil {
		return b.rejected(r, p, typed, err)
	}
	http.Redirect(w, r, "/changes/"+c.Name, http.StatusSeeOther)
	return nil
}

func (b *Board) changeOf(typed map[string]string) (c kpi.Change, err error) {
	c = kpi.Change{Name: typed["name"], Title: typed["title"], Release: typed["release"], Experiment: typed["experiment"],
		Link: typed["link"], Moves: typed["moves"], Added: true}
	if c.Branches, c.Shares, err = kpi.ParseBranches(typed["branches"]); err != nil {
		return c, told(err, http.StatusBadRequest)
	}
	if text := typed["at"]; text != "" {
		var ok bool
		if c.At, ok = kpi.ParseMoment(text, b.KPI.Source.Definitions().Zone); !ok {
			return c, badRequest("“when” is no moment like 2026-11-16T09:00")
		}
	}
	return c, nil
}

// rejected is the error with the form as it was typed.
func (b *Board) rejected(r *http.Request, p gate.Person, typed map[string]string, err error) error {
	var e *gate.Error
	if !errors.As(err, &e) || !gate.WantsHTML(r) {
		return err
	}
	f := b.page(r, p, changesTopic, b.usual(), nil)
	f.Answer = newAddForm(f, typed)
	return refusedOn(e, "rejected", f)
}

func (b *Board) removeChange(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	if err := b.Remove(p, r.PathValue("name")); err != nil {
		return b.problem(r, p, changesTopic, b.usual(), told(err, http.StatusNotFound))
	}
	http.Redirect(w, r, "/changes", http.StatusSeeOther)
	return nil
}

// maxForm is the size of the form of a change, in bytes: as the gate's.
const maxForm = 16 << 10

func parseForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return badRequest("the form is malformed, or over 16 kB")
	}
	return nil
}
