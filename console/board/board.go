// Package board is the dashboard: pages for people, and the same figures as JSON and CSV for programs.
//
// It imports access, its gate and audit, kpi, lake for names, and risk for its report. Questions come in as addresses, each of which is one view (view.go); answers come from
// a [kpi.Board] and go out as tables that need no script, with charts that a script of this door draws from JSON in the page (charts/). It
// holds no figure, and knows of no cell but who asks: what is withheld was withheld before.
package board

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/kpi"
	"brine/risk"
)

// Board is the dashboard. All fields must be set, but for those that say what they are without.
type Board struct {
	KPI     *kpi.Board       // that is asked
	MinCell int              // of the config; see [access.CellOf]
	Now     func() time.Time // default time.Now
	Gate    *gate.Gate       // for the tokens of forms

	Add    func(p gate.Person, c kpi.Change) error                            // keeps a change; an error for who asks is a [gate.Error]
	Remove func(p gate.Person, name string) error                             // of those that were added here or by a command
	Doors  func(context.Context) Doors                                        // how the doors stand, for the health page
	Held   func(context.Context) (Held, error)                                // what is held, for the privacy page
	Risk   func(ctx context.Context, from, to time.Time) (risk.Report, error) // of what is sanitized, for the privacy page; nil: it is not measured. It may be busy: a [gate.Error]
	Audit  func(ctx context.Context, f audit.Filter, cursor string, limit int) (audit.Page, error)

	// Recorded does a read between its two records of the audit.
	Recorded func(r *http.Request, rec audit.Record, do func(rows *int64) error) error
}

// Routes are those of the dashboard but for GET /, which shows [Board.Overview] to whoever has the role.
func (b *Board) Routes() []gate.Route {
	routes := []gate.Route{
		{Pattern: "GET /board.css", Need: gate.Anyone, Handle: asset("text/css; charset=utf-8", style)},
		{Pattern: "GET /charts.js", Need: gate.Anyone, Handle: asset("text/javascript; charset=utf-8", script)},
		{Pattern: "POST /changes", Need: access.Analyst, Handle: b.addChange},
		{Pattern: "POST /changes/{name}/remove", Need: access.Analyst, Handle: b.removeChange},
		{Pattern: "GET /privacy-board", Need: access.Privacy, Handle: b.privacy},
	}
	for _, t := range topics {
		if t.page != start {
			routes = append(routes, gate.Route{Pattern: "GET " + t.page, Need: access.Viewer, Handle: b.showing(t)})
		}
		routes = append(routes, gate.Route{Pattern: "GET " + t.api, Need: access.Viewer, Handle: b.telling(t)})
	}
	return routes
}

// Overview is the first page.
func (b *Board) Overview(w http.ResponseWriter, r *http.Request, p gate.Person) error {
	return b.showing(topics[0])(w, r, p)
}

// start is the page that the door begins with.
const start = "/{$}"

// topic is one thing that can be asked: as a page, and as JSON or CSV.
type topic struct {
	name   string   // in file names, and of its template
	title  string   // of the page
	page   string   // the page's pattern, without its method
	api    string   //
	days   bool     // it is asked of the view's days; else it has days of its own
	params []string // beside the days
	read   func(b *Board, r *http.Request, q question) (reading, error)
	ask    func(b *Board, r *http.Request, q question) (answer, error)
}

// answer is what was asked, in each of its forms.
type answer interface {
	body() any    // as JSON
	table() table // as CSV
}

var topics = []topic{
	{"overview", "Overview", start, "/api/v1/kpi/overview", true, []string{"only", "compare"}, readCompared, askOverview},
	{"funnel", "Flow", "/flow", "/api/v1/kpi/funnel", true, []string{"only", "flow"}, readView, askFunnel},
	{"segments", "Segments", "/segments", "/api/v1/kpi/segments", true, []string{"only", "by", "kpi", "sort"}, readView, askSegments},
	{"changes", "Changes", "/changes", "/api/v1/kpi/changes", false, []string{"only"}, readChanges, askChanges},
	{"change", "Change", "/changes/{name}", "/api/v1/kpi/changes/{name}", false, []string{"only"}, readChanges, askChange},
	{"arrivals", "Health", "/health", "/api/v1/kpi/arrivals", false, nil, readArrivals, askArrivals},
}

// changesTopic is the page that changes are added on.
var changesTopic = topics[3]

// showing answers a topic as a page. What is wrong with the question is said on the page, where it can be mended.
func (b *Board) showing(t topic) gate.Handler {
	return func(w http.ResponseWriter, r *http.Request, p gate.Person) error {
		q, err := b.question(r, p, t.params)
		if err != nil {
			return b.problem(r, p, t, b.usual(), err)
		}
		return b.answer(t, w, r, p, q, func(a answer, err error) error {
			if err != nil {
				return b.problem(r, p, t, q, err)
			}
			return b.send(w, t.name, b.page(r, p, t, q, a))
		})
	}
}

// telling answers a topic to a program.
func (b *Board) telling(t topic) gate.Handler {
	return func(w http.ResponseWriter, r *http.Request, p gate.Person) error {
		q, err := b.question(r, p, slices.Concat(t.params, []string{"format"}))
		if err != nil {
			return err
		}
		form, err := formOf(r)
		if err != nil {
			return err
		}
		w.Header().Set("Vary", "Accept")
		return b.answer(t, w, r, p, q, func(a answer, err error) error {
			if err != nil {
				return err
			}
			return form(w, t.name, a)
		})
	}
}

// answer asks, and then tells the answer between the two records of a read. Where facts are still being made there is none, nothing was read of anybody, and
// no record is left: a page that waits asks again by itself until it has an answer, which is then recorded.
func (b *Board) answer(t topic, w http.ResponseWriter, r *http.Request, p gate.Person, q question, tell func(answer, error) error) error {
	a, err := b.ask(t, w, r, q)
	if early(err) {
		return tell(nil, err)
	}
	of, cause := t.read(b, r, q)
	if cause != nil {
		return cause
	}
	return b.recorded(r, p, of, func(rows *int64) error {
		if err == nil {
			*rows = int64(len(a.table().rows))
		}
		return tell(a, err)
	})
}

// retryAfter is how many seconds later a question may be asked again that came too early. A page does so by itself.
const retryAfter = "5"

// ask asks; what is wrong with the question becomes an answer to who asked.
func (b *Board) ask(t topic, w http.ResponseWriter, r *http.Request, q question) (answer, error) {
	a, err := t.ask(b, r, q)
	if err = told(err, http.StatusNotFound); early(err) {
		w.Header().Set("Retry-After", retryAfter)
	}
	return a, err
}

// told makes an error of kpi one for who asked; noChange is the status where it is about a change.
func told(err error, noChange int) error {
	var bad kpi.BadQuestion
	var building *kpi.Building
	switch {
	case errors.As(err, &building):
		return &gate.Error{Status: http.StatusServiceUnavailable, Reason: building.Error(), Early: true}
	case !errors.As(err, &bad):
		return err
	case bad.Param == "change":
		return refusal(noChange, bad.Error())
	}
	return badRequest(bad.Error())
}

func early(err error) bool {
	var e *gate.Error
	return errors.As(err, &e) && e.Early
}

// reading is the time that a question may read, and what beside it.
type reading struct {
	from, to time.Time
	note     string
}

func (b *Board) daysOf(s kpi.Span) (d reading) {
	if zone := b.KPI.Source.Definitions().Zone; s != (kpi.Span{}) {
		d.from, d.to = s.From.Start(zone).UTC(), s.To.Start(zone).UTC()
	}
	return d
}

func readView(b *Board, _ *http.Request, q question) (reading, error) {
	return b.daysOf(kpi.Span{From: q.From, To: q.To}), nil
}

func readCompared(b *Board, _ *http.Request, q question) (reading, error) {
	of := b.daysOf(kpi.Span{From: q.From, To: q.To})
	if against := q.Against(); against != (kpi.Span{}) {
		of.note = "compared with " + string(against.From) + " to " + string(against.To)
	}
	return of, nil
}

func readChanges(b *Board, r *http.Request, _ question) (reading, error) {
	reach, err := b.KPI.ChangesReach(r.Context(), r.PathValue("name"))
	return b.daysOf(reach), err
}

func readArrivals(b *Board, _ *http.Request, _ question) (of reading, _ error) {
	of.from, of.to = b.KPI.ArrivalsReach()
	return of, nil
}

func (b *Board) recorded(r *http.Request, p gate.Person, of reading, do func(rows *int64) error) error {
	return b.Recorded(r, audit.Record{
		Who: p.Name, Via: p.Via, Route: r.Pattern, Dataset: "facts", Stream: "interaction", From: of.from, To: of.to, Note: of.note,
	}, do)
}

func (b *Board) now() time.Time {
	if b.Now == nil {
		return time.Now()
	}
	return b.Now()
}

func refusal(status int, reason string) error { return &gate.Error{Status: status, Reason: reason} }

func badRequest(reason string) error { return refusal(http.StatusBadRequest, reason) }
