package docs_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/event"
	"brine/intake"
	"brine/kpi"
	"brine/policy"
	"brine/publish"
	"brine/simulate"
)

// public is the public door with one stream of an app, whose log and limits can be broken.
type public struct {
	*intake.Server
	failing atomic.Pointer[error] // nil: the log works. A hasty event is appended after its answer, so beside the test
	cookie  string
	token   string
	page    string // the token of the form
	totals  publish.Pages
}

func openPublic(t *testing.T, options ...func(*intake.Server)) *public {
	t.Helper()
	p := &public{}
	dir := t.TempDir()
	p.totals.Edition = publishedTotals(t, dir).Edition
	sampling, err := intake.OpenSampling(filepath.Join(dir, "sampling.json"), map[string]float64{event.Interaction: 1, "app_session": 1}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	history, err := policy.OpenHistory(filepath.Join(dir, "policy"))
	if err != nil {
		t.Fatal(err)
	}
	current := &policy.Policy{Streams: []policy.Stream{{Name: event.Interaction}}}
	if _, err := history.Keep(policy.NewEdition(current, time.Now())); err != nil {
		t.Fatal(err)
	}
	pages := &policy.Pages{Current: func() *policy.Policy { return current }, History: history}
	p.Server = &intake.Server{
		Append: func(context.Context, []byte) error { return p.failure() }, Forget: func(string) error { return p.failure() }, Ready: p.failure,
		Sampling: sampling, CSRFKey: []byte(strings.Repeat("k", 32)), DNT: true, Version: "test", Library: []byte("(function(){})()"), LibraryMap: []byte(`{"version":3}`),
		Privacy: func(w http.ResponseWriter, r *http.Request, v intake.Visitor) {
			p.page = v.Token
			pages.Serve(w, r, policy.Visitor(v))
		},
		Totals:  p.totals.ServeHTTP,
		Streams: map[string]*event.Stream{"app_session": appStream(t)}, Logger: slog.New(slog.DiscardHandler),
	}
	for _, o := range options {
		o(p.Server)
	}
	if err := p.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	p.begin()
	return p
}

func (p *public) failure() error {
	if err := p.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// begin takes a session, and the token of the policy page.
func (p *public) begin() {
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/wsapi/session_context", nil))
	p.cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	_, rest, _ := strings.Cut(w.Body.String(), `"csrf_token":"`)
	p.token, _, _ = strings.Cut(rest, `"`)
	p.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://localhost/privacy", nil))
}

// publishedTotals has two days.
func publishedTotals(t *testing.T, dir string) *publish.Publisher {
	t.Helper()
	defs, mistakes := kpi.Parse("kpi.yaml", []byte(`
kpis: {visits: {count: all, better: more, smallest: 1}}
publish: {from: 2026-11-01, epsilon: {day: 1, all: 365}, totals: {visits: {kpi: visits, epsilon: 1}}}
`))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	ledger, err := publish.OpenLedger(t.Context(), filepath.Join(dir, "publish"))
	if err != nil {
		t.Fatal(err)
	}
	p := &publish.Publisher{Ledger: ledger, Hour: func() time.Time { return time.Time{} }, Definitions: func() *kpi.Definitions { return defs }, Whole: func(context.Context) (kpi.Date, error) { return "", nil },
		Days: func(_ context.Context, s kpi.Slice) ([]kpi.Day, error) {
			cell := defs.NewCell(false)
			cell.KPIs[0].N = 1000
			return []kpi.Day{{Date: s.From, Open: s.From > "2026-11-02", Cells: map[string]*kpi.Cell{"": cell}}}, nil
		}}
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func appStream(t *testing.T) *event.Stream {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.yaml"), simulate.AppSchema, 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := event.LoadRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := registry.Stream(event.StreamConfig{Name: "app_session", Schema: "/simulate/app_session"})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

const form = "application/x-www-form-urlencoded"

// Every status of every route of the public door is as openapi.yaml says, and it has every route.
func TestPublicDoor(t *testing.T) {
	doc := mustDescription(t)
	ops := operations(doc, "public")
	p := openPublic(t)
	var real []string
	for path, method := range p.Routes() {
		real = append(real, method+" "+path)
	}
	wantRoutes(t, ops, append(real, "GET /privacy/history/{edition}"))

	source := simulate.NewSource(1)
	blob := func() string { return string(source.AppendInteraction(nil, time.Now().Add(-time.Minute))) }
	apps := simulate.Apps{Seed: 1, Days: 1, PerDay: 100, End: time.Now(), Stream: "app_session"}
	var lines strings.Builder
	if err := apps.Write(&lines); err != nil {
		t.Fatal(err)
	}
	app, _, _ := strings.Cut(lines.String(), "\n")
	if app == "" {
		t.Fatal("no event of an app was simulated")
	}
	session := map[string]string{"Cookie": p.cookie, "X-CSRF-Token": p.token}
	data := func(blobs string) string { return `{"data":` + blobs + `}` }
	full := errors.New("the disk is full")
	fail, mend := func() { p.failing.Store(&full) }, func() { p.failing.Store(nil) }
	crowd, leave := func() { p.totals.MostWritten = 1 }, func() { p.totals.MostWritten = 0 }
	no := map[string]string{"Sec-GPC": "1"}
	foreign := map[string]string{"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
	text := map[string]string{"Content-Type": "text/plain"}
	with := func(base map[string]string, name, value string) map[string]string {
		all := map[string]string{name: value}
		for k, v := range base {
			if _, ok := all[k]; !ok {
				all[k] = v
			}
		}
		return all
	}
	large := `"` + strings.Repeat("a", 300_000) + `"`
	const send, events, forget, choose = "POST /wsapi/interaction_data", "POST /v1/events", "POST /v1/forget", "POST /privacy/opt-out"
	hold(t, doc, without(ops, "429", "404"), p.Handler(), []sample{
		{route: "GET /wsapi/session_context", status: 200},
		{route: send, status: 200, body: data(blob()), header: session},
		{route: send, status: 204, body: data(blob()), header: with(session, "Sec-GPC", "1")},
		{route: send, status: 207, body: data("[" + blob() + `,{"id":1}]`), header: session},
		{route: send, status: 400, body: data(`[{"id":1}]`), header: session},
		{route: send, status: 403, body: data(blob())},
		{route: send, status: 413, body: data(large), header: session},
		{route: send, status: 415, body: data(blob()), header: with(session, "Content-Type", "text/plain")},
		{route: send, status: 503, body: data(blob()), header: session, before: fail, after: mend},
		{route: "GET /v1/streams", status: 200},
		{route: events, status: 201, body: app},
		{route: events, status: 202, path: "/v1/events?hasty=true", body: app},
		{route: events, status: 204, body: app, header: no},
		{route: events, status: 207, body: "[" + app + ",{}]"},
		{route: events, status: 400, body: "{}"},
		{route: events, status: 403, body: app, header: foreign},
		{route: events, status: 413, body: large},
		{route: events, status: 415, body: app, header: text},
		{route: events, status: 503, body: app, before: fail, after: mend},
		{route: forget, status: 202, body: `{"unit":"an-install"}`},
		{route: forget, status: 400, body: `{"unit":""}`},
		{route: forget, status: 403, body: `{"unit":"an-install"}`, header: foreign},
		{route: forget, status: 413, body: `{"unit":` + large + `}`},
		{route: forget, status: 415, body: `{}`, header: text},
		{route: forget, status: 503, body: `{"unit":"an-install"}`, before: fail, after: mend},
		{route: "GET /brine.js", status: 200},
		{route: "GET /brine.js", status: 304, header: map[string]string{"If-None-Match": tagOf(p, "/brine.js")}},
		{route: "GET /brine.js.map", status: 200},
		{route: "GET /privacy", status: 200},
		{route: "GET /privacy.json", status: 200},
		{route: "GET /privacy/history", status: 200},
		{route: "GET /privacy/history/{edition}", status: 200, path: "/privacy/history/" + time.Now().UTC().Format(time.DateOnly)},
		{route: "GET /kpi", status: 200},
		{route: "GET /kpi", status: 304, header: map[string]string{"If-None-Match": tagOf(p, "/kpi")}},
		{route: "GET /kpi", status: 400, path: "/kpi?from=yesterday"},
		{route: "GET /kpi", status: 503, before: crowd, after: leave},
		{route: "GET /kpi.json", status: 200},
		{route: "GET /kpi.json", status: 304, header: map[string]string{"If-None-Match": tagOf(p, "/kpi.json")}},
		{route: "GET /kpi.json", status: 400, path: "/kpi.json?from=yesterday"},
		{route: "GET /kpi.json", status: 503, before: crowd, after: leave},
		{route: "GET /kpi.csv", status: 200},
		{route: "GET /kpi.csv", status: 304, header: map[string]string{"If-None-Match": tagOf(p, "/kpi.csv")}},
		{route: "GET /kpi.csv", status: 400, path: "/kpi.csv?from=yesterday"},
		{route: "GET /kpi.csv", status: 503, before: crowd, after: leave},
		{route: choose, status: 200, body: `{"opted_out":true}`},
		{route: choose, status: 303, body: "opted_out=true&csrf=" + p.page, header: map[string]string{"Content-Type": form}},
		{route: choose, status: 400, body: `{}`},
		{route: choose, status: 403, body: `{"opted_out":true}`, header: foreign},
		{route: choose, status: 403, body: "opted_out=true&csrf=x", header: map[string]string{"Content-Type": form}},
		{route: choose, status: 413, body: large},
		{route: choose, status: 415, body: "x", header: text},
		{route: "GET /__heartbeat__", status: 200},
		{route: "GET /__heartbeat__", status: 503, before: fail, after: mend},
		{route: "GET /__lbheartbeat__", status: 200},
		{route: "GET /__version__", status: 200},
	})

	bare := openPublic(t, func(s *intake.Server) {
		s.Library, s.LibraryMap = nil, nil
		s.Totals = (&publish.Pages{Edition: func() *publish.Edition { return nil }}).ServeHTTP
	})
	hold(t, doc, only(ops, "404"), bare.Handler(), []sample{
		{route: "GET /brine.js", status: 404},
		{route: "GET /brine.js.map", status: 404},
		{route: "GET /kpi", status: 404},
		{route: "GET /kpi.json", status: 404},
		{route: "GET /kpi.csv", status: 404},
		{route: "GET /privacy/history/{edition}", status: 404, path: "/privacy/history/1999-01-01"},
	})

	limited := openPublic(t, func(s *intake.Server) { s.RateLimit, s.RateBurst = 0.0001, 1 }) // begin takes the one
	session = map[string]string{"Cookie": limited.cookie, "X-CSRF-Token": limited.token}
	hold(t, doc, only(ops, "429"), limited.Handler(), []sample{
		{route: send, status: 429, body: data(blob()), header: session},
		{route: events, status: 429, body: app},
		{route: forget, status: 429, body: `{"unit":"an-install"}`},
		{route: "GET /kpi", status: 429},
		{route: "GET /kpi.json", status: 429},
		{route: "GET /kpi.csv", status: 429},
		{route: "GET /privacy", status: 429},
		{route: "GET /privacy.json", status: 429},
		{route: "GET /privacy/history", status: 429},
		{route: "GET /privacy/history/{edition}", status: 429, path: "/privacy/history/1999-01-01"},
		{route: choose, status: 429, body: "opted_out=true&csrf=x", header: map[string]string{"Content-Type": form}},
	})

	for path := range p.Routes() {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest("DELETE", "http://localhost"+path, nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("DELETE %s: status %d, %v", path, w.Code, w.Header())
		}
	}
}

// tagOf is the ETag of what is at a path.
func tagOf(p *public, path string) string {
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
	return w.Header().Get("ETag")
}
