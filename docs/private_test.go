package docs_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/access/tokens"
	"brine/console"
	"brine/console/board"
	"brine/docs"
	"brine/event"
	"brine/kpi"
	"brine/kpi/kpitest"
	"brine/lake"
	"brine/metrics"
)

// staff is a directory of three people, which can fail. Each has their name as password.
type staff struct{ failing error }

var roles = map[string]access.Roles{
	"ada": access.RolesOf(access.Raw, access.Privacy), "vic": access.RolesOf(access.Viewer), "pri": access.RolesOf(access.Privacy),
}

func (s *staff) Login(ctx context.Context, name, password string) (access.Account, error) {
	if s.failing == nil && name != password {
		return access.Account{}, access.ErrDenied
	}
	return s.Find(ctx, name)
}

func (s *staff) Find(_ context.Context, name string) (access.Account, error) {
	if s.failing != nil {
		return access.Account{}, s.failing
	}
	if roles[name] == 0 {
		return access.Account{}, access.ErrDenied
	}
	return access.Account{Name: name, Roles: roles[name]}, nil
}

// book is an audit that can fail.
type book struct{ failing error }

func (b *book) Append(audit.Record) (uint64, error) { return 1, b.failing }

func (b *book) begin(audit.Record) (func(int64, string) error, error) {
	return func(int64, string) error { return nil }, b.failing
}

// private is the private door over an empty lake.
type private struct {
	http.Handler
	*staff
	*book
	routes []gate.Route
	token  map[string]string // by person
}

const noReceipt = "00000000000000000000000000000000"

func openPrivate(t *testing.T, directory access.Directory, p *private) *private {
	t.Helper()
	dir := t.TempDir()
	kind := event.InteractionStream()
	l, err := lake.Open(t.Context(), lake.Options{Dir: filepath.Join(dir, "lake"), Temp: dir, Tables: []lake.Table{
		lake.NewTable(lake.Raw, kind.Name, kind.Columns, kind.Time, kind.ID), lake.NewTable(lake.Sanitized, kind.Name, kind.Columns, kind.Time, kind.ID)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	file := tokens.Open(filepath.Join(dir, "tokens"), time.Now)
	p.token = map[string]string{}
	for person, has := range roles {
		if p.token[person], _, err = file.Create(person, has, time.Now().Add(time.Hour), "tests"); err != nil {
			t.Fatal(err)
		}
	}
	g := &gate.Gate{Directory: directory, Tokens: file, Audit: p.book}
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	s := &console.Server{Lake: l, Temp: dir, Gate: g, Begin: p.begin, OpenAPI: docs.OpenAPI(), Status: func(access.Cell) any { return map[string]any{"serving": true, "ready": true, "held": []any{}} },
		Audit: func(context.Context, audit.Filter, string, int) (audit.Page, error) {
			return audit.Page{Entries: []audit.Entry{{Record: audit.Record{Number: 1, Time: time.Now(), Action: audit.Login, Who: "ada"}}}}, nil
		},
		Erase: func(body []byte) (func() (string, any, error), error) {
			if string(body) == "{}" {
				return nil, &console.Error{Status: http.StatusBadRequest, Reason: "send an install id"}
			}
			return func() (string, any, error) {
				return noReceipt, map[string]string{"receipt": noReceipt, "state": "accepted"}, nil
			}, nil
		},
		Receipt: func(number string) (any, error) {
			if number != noReceipt {
				return nil, &console.Error{Status: http.StatusNotFound, Reason: "no such receipt"}
			}
			return map[string]string{"receipt": noReceipt, "state": "complete"}, nil
		}}
	s.Metrics = metrics.New("v1").Handler()
	s.Board = newBoard(t, g)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	p.Handler, p.routes = s.Handler(), append(g.Routes(), s.Routes()...)
	return p
}

// newBoard is a dashboard over simulated interactions.
func newBoard(t *testing.T, g *gate.Gate) *board.Board {
	t.Helper()
	defs, now := *kpi.Shipped(), time.Now()
	defs.Changes = []kpi.Change{{Name: "short_form", At: now.AddDate(0, 0, -4), Moves: "sign_in"}}
	source, err := kpitest.Simulated(&defs, now, 8, 50)
	if err != nil {
		t.Fatal(err)
	}
	return &board.Board{KPI: &kpi.Board{Source: source}, MinCell: 10, Gate: g,
		Add: func(gate.Person, kpi.Change) error { return nil },
		Remove: func(_ gate.Person, name string) error {
			if name == "other" {
				return &gate.Error{Status: http.StatusNotFound, Reason: "there is no such change"}
			}
			return nil
		},
		Doors: func(context.Context) board.Doors {
			return board.Doors{Ready: true, CompleteTo: now, Refused: []board.Refused{{Reason: "schema", Count: 37}}}
		},
		Held:  func(context.Context) (board.Held, error) { return board.Held{RawWindow: "90 days"}, nil },
		Audit: func(context.Context, audit.Filter, string, int) (audit.Page, error) { return audit.Page{}, nil },
	}
}

var hidden = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// visit gives the token of a page's form, and the cookies that the browser has then.
func (p *private) visit(t *testing.T, r *http.Request) (csrf, cookies string) {
	t.Helper()
	w := httptest.NewRecorder()
	r.Header.Set("Accept", "text/html")
	p.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookies += c.Name + "=" + c.Value + "; "
	}
	if m := hidden.FindStringSubmatch(w.Body.String()); m != nil {
		csrf = m[1]
	}
	return csrf, cookies
}

// post is the form of the login, filled in.
func post(path, body, cookies string) *http.Request {
	r := httptest.NewRequest("POST", "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", form)
	r.Header.Set("Cookie", cookies)
	return r
}

// Every status of every route of the private door is as openapi.yaml says, and it has every route.
func TestPrivateDoor(t *testing.T) {
	doc := mustDescription(t)
	ops := operations(doc, "private")
	directory := &staff{}
	p := openPrivate(t, directory, &private{staff: directory, book: &book{}})
	var real []string
	for _, r := range p.routes {
		real = append(real, strings.ReplaceAll(r.Pattern, "{$}", ""))
	}
	wantRoutes(t, ops, real)

	by := func(person string, more ...string) map[string]string {
		h := map[string]string{"Authorization": "Bearer " + p.token[person], "X-Purpose": "to hold openapi.yaml"}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	down := func() { directory.failing = access.ErrUnavailable }
	up := func() { directory.failing = nil }
	var samples []sample
	for _, c := range []struct{ route, path, allowed, other string }{ // other has not the role
		{"GET /", "", "ada", ""},
		{"GET /openapi.yaml", "", "vic", ""},
		{"GET /api/v1/events/{stream}", "/api/v1/events/interaction", "ada", "vic"},
		{"GET /wsapi/interaction_data", "", "ada", "vic"},
		{"GET /wsapi/interaction_data/count", "", "ada", "vic"},
		{"GET /wsapi/interaction_data/last", "", "ada", "vic"},
		{"GET /api/v1/status", "", "vic", "pri"},
		{"GET /metrics", "", "ada", "vic"},
		{"GET /flow", "", "vic", "pri"},
		{"GET /segments", "", "vic", "pri"},
		{"GET /changes", "", "vic", "pri"},
		{"GET /changes/{name}", "/changes/short_form", "vic", "pri"},
		{"GET /health", "", "vic", "pri"},
		{"GET /privacy-board", "", "pri", "vic"},
		{"GET /api/v1/kpi/overview", "", "vic", "pri"},
		{"GET /api/v1/kpi/funnel", "", "vic", "pri"},
		{"GET /api/v1/kpi/segments", "", "vic", "pri"},
		{"GET /api/v1/kpi/changes", "", "vic", "pri"},
		{"GET /api/v1/kpi/changes/{name}", "/api/v1/kpi/changes/short_form", "vic", "pri"},
		{"GET /api/v1/kpi/arrivals", "", "vic", "pri"},
		{"GET /api/v1/audit", "", "pri", "vic"},
		{"GET /api/v1/erasures/{receipt}", "/api/v1/erasures/" + noReceipt, "pri", "vic"},
	} {
		samples = append(samples,
			sample{route: c.route, status: 200, path: c.path, header: by(c.allowed)},
			sample{route: c.route, status: 401, path: c.path},
			sample{route: c.route, status: 401, path: c.path, header: map[string]string{"Authorization": "Bearer brine_wrong"}},
			sample{route: c.route, status: 503, path: c.path, header: by(c.allowed), before: down, after: up})
		if c.other != "" {
			samples = append(samples, sample{route: c.route, status: 403, path: c.path, header: by(c.other)})
		}
	}
	const events, erase = "GET /api/v1/events/{stream}", "POST /api/v1/erasures"
	for _, media := range []string{"application/x-ndjson", "text/csv", "application/vnd.apache.parquet"} {
		samples = append(samples, sample{route: events, status: 200, path: "/api/v1/events/interaction", header: by("ada", "Accept", media)})
	}
	for _, page := range []string{"/flow", "/segments", "/changes", "/changes/{name}", "/health", "/privacy-board"} {
		path := strings.ReplaceAll(page, "{name}", "short_form")
		samples = append(samples, sample{route: "GET " + page, status: 400, path: path + "?colour=red", header: by("ada")})
	}
	for _, topic := range []string{"overview", "funnel", "segments", "changes", "changes/{name}", "arrivals"} {
		route, path := "GET /api/v1/kpi/"+topic, "/api/v1/kpi/"+strings.ReplaceAll(topic, "{name}", "short_form")
		samples = append(samples,
			sample{route: route, status: 200, path: path, header: by("vic", "Accept", "text/csv")},
			sample{route: route, status: 400, path: path + "?from=2026-11-02&to=2026-11-01", header: by("vic")},
			sample{route: route, status: 406, path: path, header: by("vic", "Accept", "image/png")})
	}
	const add, remove = "POST /changes", "POST /changes/{name}/remove"
	added := "name=new_words&moves=sign_in&at=2026-11-20T09:00"
	samples = append(samples,
		sample{route: "GET /changes/{name}", status: 404, path: "/changes/other", header: by("vic")},
		sample{route: "GET /api/v1/kpi/changes/{name}", status: 404, path: "/api/v1/kpi/changes/other", header: by("vic")},
		sample{route: add, status: 303, body: added, header: by("ada", "Content-Type", form)},
		sample{route: add, status: 400, body: "name=new_words&at=soon", header: by("ada", "Content-Type", form)},
		sample{route: add, status: 401, body: added, header: map[string]string{"Content-Type": form}},
		sample{route: add, status: 403, body: added, header: by("vic", "Content-Type", form)},
		sample{route: add, status: 503, body: added, header: by("ada", "Content-Type", form), before: down, after: up},
		sample{route: remove, status: 303, path: "/changes/new_words/remove", header: by("ada")},
		sample{route: remove, status: 401, path: "/changes/new_words/remove"},
		sample{route: remove, status: 403, path: "/changes/new_words/remove", header: by("vic")},
		sample{route: remove, status: 404, path: "/changes/other/remove", header: by("ada")},
		sample{route: remove, status: 503, path: "/changes/new_words/remove", header: by("ada"), before: down, after: up},
		sample{route: "GET /board.css", status: 200}, sample{route: "GET /charts.js", status: 200},
	)
	unit := `{"unit":"an-install"}`
	samples = append(samples,
		sample{route: "GET /", status: 303, header: map[string]string{"Accept": "text/html"}},
		sample{route: events, status: 400, path: "/api/v1/events/interaction?from=2&to=1", header: by("ada")},
		sample{route: events, status: 404, path: "/api/v1/events/nothing", header: by("ada")},
		sample{route: events, status: 406, path: "/api/v1/events/interaction", header: by("ada", "Accept", "image/png")},
		sample{route: events, status: 505, path: "/api/v1/events/interaction", header: by("ada", "Accept", "text/csv"), old: true},
		sample{route: "GET /wsapi/interaction_data", status: 505, header: by("ada"), old: true},
		sample{route: "GET /wsapi/interaction_data", status: 400, path: "/wsapi/interaction_data?start=2&end=1", header: by("ada")},
		sample{route: "GET /wsapi/interaction_data/count", status: 400, path: "/wsapi/interaction_data/count?start=x", header: by("ada")},
		sample{route: "GET /wsapi/interaction_data/last", status: 400, header: by("ada", "X-Purpose", "?")},
		sample{route: "GET /api/v1/audit", status: 400, path: "/api/v1/audit?limit=x", header: by("pri")},
		sample{route: "GET /api/v1/erasures/{receipt}", status: 404, path: "/api/v1/erasures/other", header: by("pri")},
		sample{route: erase, status: 202, body: unit, header: by("pri")},
		sample{route: erase, status: 400, body: "{}", header: by("pri")},
		sample{route: erase, status: 401, body: unit},
		sample{route: erase, status: 403, body: unit, header: by("vic")},
		sample{route: erase, status: 413, body: strings.Repeat("a", 20_000), header: by("pri")},
		sample{route: erase, status: 415, body: unit, header: by("pri", "Content-Type", "text/plain")},
		sample{route: erase, status: 503, body: unit, header: by("pri"),
			before: func() { p.book.failing = errors.New("the disk is full") }, after: func() { p.book.failing = nil }},
		sample{route: "GET /access.css", status: 200},
	)
	const login = "GET /login"
	bare := openPrivate(t, nil, &private{book: &book{}}) // nobody can be known yet
	hold(t, doc, only(map[string]*openapi3.Operation{login: ops[login]}, "401"), bare.Handler, []sample{{route: login, status: 401}})
	unset := without(map[string]*openapi3.Operation{login: ops[login]}, "401")
	ops[login] = unset[login]
	hold(t, doc, ops, p.Handler, append(samples, p.logins(t, down, up)...))
}

// logins are the samples of the pages to log in and out by.
func (p *private) logins(t *testing.T, down, up func()) []sample {
	csrf, cookies := p.visit(t, httptest.NewRequest("GET", "http://localhost/login", nil))
	fill := func(name, password, csrf string) string {
		return "name=" + name + "&password=" + password + "&csrf=" + csrf
	}
	_, session := p.visit(t, post("/login", fill("ada", "ada", csrf), cookies))
	home := httptest.NewRequest("GET", "http://localhost/", nil)
	home.Header.Set("Cookie", session)
	out, _ := p.visit(t, home)
	if csrf == "" || out == "" || session == "" {
		t.Fatalf("no form: %q %q %q", csrf, session, out)
	}
	browser := map[string]string{"Accept": "text/html"}
	sent := func(cookies string) map[string]string {
		return map[string]string{"Content-Type": form, "Cookie": cookies}
	}
	const login, logout = "POST /login", "POST /logout"
	wrong := func() {
		for range 40 {
			p.ServeHTTP(httptest.NewRecorder(), post("/login", fill("vic", "wrong", csrf), cookies))
		}
	}
	return []sample{
		{route: "GET /login", status: 200, header: browser},
		{route: "GET /login", status: 303, header: map[string]string{"Cookie": session}},
		{route: "GET /login", status: 403, path: "/login?once=x", header: browser},
		{route: login, status: 303, body: fill("ada", "ada", csrf), header: sent(cookies)},
		{route: login, status: 400, body: "name=%zz", header: sent(cookies)},
		{route: login, status: 401, body: fill("ada", "wrong", csrf), header: sent(cookies)},
		{route: login, status: 403, body: fill("ada", "ada", "x"), header: sent(cookies)},
		{route: login, status: 413, body: strings.Repeat("a", 20_000), header: sent(cookies)},
		{route: login, status: 415, body: "{}", header: map[string]string{"Cookie": cookies}},
		{route: login, status: 503, body: fill("ada", "ada", csrf), header: sent(cookies), before: down, after: up},
		{route: login, status: 429, body: fill("vic", "wrong", csrf), header: sent(cookies), before: wrong},
		{route: logout, status: 403, body: "csrf=x", header: sent(session)},
		{route: logout, status: 303, body: fmt.Sprint("csrf=", out), header: sent(session)},
	}
}
