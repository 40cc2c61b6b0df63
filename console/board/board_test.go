package board_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/console/board"
	"brine/kpi"
	"brine/kpi/facts"
	"brine/kpi/kpitest"
	"brine/risk"
)

var testNow = time.Date(2026, 11, 28, 14, 20, 0, 0, time.UTC)

// house is a dashboard behind a gate, over simulated interactions: 40 a day for 30 days, but for one day.
type house struct {
	tb     testing.TB
	door   http.Handler
	gate   *gate.Gate
	source kpi.Source

	recorded []audit.Record // reads
	refused  []audit.Record
	added    []kpi.Change
	broken   error // of what is asked beside the figures
}

func (h *house) Append(r audit.Record) (uint64, error) {
	if r.Action == audit.Refused {
		h.refused = append(h.refused, r)
	}
	return 1, nil
}

var simulated = sync.OnceValue(func() *kpitest.Memory {
	defs := *kpi.Shipped()
	defs.Changes = []kpi.Change{{Name: "short_form", Title: "The short form", At: testNow.AddDate(0, 0, -10), Moves: "sign_in"}}
	m, err := kpitest.Simulated(&defs, testNow, 30, 40, "2026-11-17")
	if err != nil {
		panic(err)
	}
	return m
})

func openHouse(tb testing.TB, source kpi.Source) *house {
	tb.Helper()
	return openHouseAt(tb, source, testNow)
}

func openHouseAt(tb testing.TB, source kpi.Source, at time.Time) *house {
	tb.Helper()
	h := &house{tb: tb, source: source}
	now := func() time.Time { return at }
	h.gate = &gate.Gate{Audit: h}
	if err := h.gate.Open(); err != nil {
		tb.Fatal(err)
	}
	b := &board.Board{KPI: &kpi.Board{Source: source, Now: now, Added: func() []kpi.Change { return h.added }}, MinCell: 10, Now: now, Gate: h.gate,
		Add: func(_ gate.Person, c kpi.Change) error {
			if err := source.Definitions().CheckChange(c, h.added); err != nil {
				return err
			}
			h.added = append(h.added, c)
			return nil
		},
		Remove: func(_ gate.Person, name string) error {
			h.added = slices.DeleteFunc(h.added, func(c kpi.Change) bool { return c.Name == name })
			return nil
		},
		Doors: func(context.Context) board.Doors {
			return board.Doors{Ready: true, Refused: []board.Refused{{"schema", 37}, {"too_large", 3}}, Canaries: []board.Canary{
				{Collector: "web1", Taken: now().Add(-9 * time.Second), Readable: now().Add(-5 * time.Second), Travel: 4.25, Clock: "right"},
				{Collector: "web2", Clock: "5m0s behind", Missing: true}}}
		},
		Held:  func(context.Context) (board.Held, error) { return board.Held{RawWindow: "90 days"}, h.broken },
		Risk:  h.risk,
		Audit: func(context.Context, audit.Filter, string, int) (audit.Page, error) { return audit.Page{}, nil },
		Recorded: func(_ *http.Request, r audit.Record, do func(*int64) error) error {
			rows := int64(-1)
			err := do(&rows)
			r.Rows = &rows
			if err != nil {
				r.Outcome = "failed"
			}
			h.recorded = append(h.recorded, r)
			return err
		}}
	routes := append(b.Routes(), gate.Route{Pattern: "GET /{$}", Need: access.Viewer, Handle: b.Overview})
	door, err := h.gate.Handler(routes, func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	})
	if err != nil {
		tb.Fatal(err)
	}
	h.door = door
	return h
}

// visitor is somebody with a session.
type visitor struct {
	h      *house
	cookie string
	token  string
}

func (h *house) visitor(role access.Role) visitor {
	h.tb.Helper()
	token, path := h.gate.Invite(role.String(), access.RolesOf(role), time.Hour)
	rec := httptest.NewRecorder()
	h.door.ServeHTTP(rec, httptest.NewRequest("GET", "http://localhost"+path, nil))
	for _, c := range rec.Result().Cookies() {
		if c.Name == "brine_reader" {
			return visitor{h, c.Name + "=" + c.Value, token}
		}
	}
	h.tb.Fatalf("no session: %d %s", rec.Code, rec.Body)
	return visitor{}
}

// page asks as a browser does.
func (v visitor) page(path string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", "http://localhost"+path, nil)
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Cookie", v.cookie)
	rec := httptest.NewRecorder()
	v.h.door.ServeHTTP(rec, req)
	return rec
}

// ask asks as a program does.
func (v visitor) ask(path string, accept ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", "http://localhost"+path, nil)
	req.Header.Set("Authorization", "Bearer "+v.token)
	if len(accept) > 0 {
		req.Header.Set("Accept", accept[0])
	}
	rec := httptest.NewRecorder()
	v.h.door.ServeHTTP(rec, req)
	return rec
}

var hiddenToken = regexp.MustCompile(`name="csrf" value="([0-9a-f]{64})"`)

// post sends a form as a browser does, with the token of the page that it is on.
func (v visitor) post(page, path string, form url.Values) *httptest.ResponseRecorder {
	v.h.tb.Helper()
	found := hiddenToken.FindStringSubmatch(v.page(page).Body.String())
	if found == nil {
		v.h.tb.Fatalf("%s has no form", page)
	}
	form.Set("csrf", found[1])
	req := httptest.NewRequest("POST", "http://localhost"+path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Cookie", v.cookie)
	rec := httptest.NewRecorder()
	v.h.door.ServeHTTP(rec, req)
	return rec
}

var (
	pagePaths = []string{"/", "/flow", "/segments", "/changes", "/changes/short_form", "/health"}
	apiPaths  = []string{"overview", "funnel", "segments", "changes", "changes/short_form", "arrivals"}
)

// The form above a narrowed page shows the page again, as it stands: each thing is sent once.
func TestFormKeepsTheView(t *testing.T) {
	fields := regexp.MustCompile(`<input (?:type="[a-z]+" )?name="([a-z]+)" value="([^"]*)"`)
	v := openHouse(t, simulated()).visitor(access.Analyst)
	for path, query := range map[string]string{"/": "compare=year&", "/flow": "flow=new_user&", "/segments": "by=os&kpi=errors&sort=-value&", "/changes": "", "/changes/short_form": ""} {
		page := v.page(path + "?" + query + "from=2026-11-08&to=2026-11-22&only=language:" + url.QueryEscape(`a&b"<i>, c:d`)).Body.String()
		_, form, found := strings.Cut(page, `<form class="view"`)
		form, _, _ = strings.Cut(form, "</form>")
		var sent []string
		for _, f := range fields.FindAllStringSubmatch(form, -1) {
			sent = append(sent, f[1]+"="+url.QueryEscape(html.UnescapeString(f[2])))
		}
		again := v.page(path + "?" + strings.Join(sent, "&"))
		if !found || again.Code != http.StatusOK || !strings.HasPrefix(path, "/changes") && again.Body.String() != page || !strings.Contains(again.Body.String(), `a&amp;b&#34;&lt;i&gt;, c:d</strong>`) {
			t.Errorf("%s: %d, sent were %q", path, again.Code, sent)
		}
	}
}

// The page Health tells of each collector how its canaries stand, and of one that is missing in words.
func TestHealthTellsOfCanaries(t *testing.T) {
	h := openHouse(t, simulated())
	page := h.visitor(access.Viewer).page("/health").Body.String()
	for _, want := range []string{"<code>web1</code></th><td>9s ago</td><td>5s ago</td><td class=\"n\">4.2 s</td><td>right</td>",
		"<code>web2</code>: missing</th><td>none since the start</td><td>none since the start</td><td class=\"n\">not known here</td><td>5m0s behind</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
}

// Arrivals are of all interactions: narrowed, they would be told as those of a value, so only is refused, and no link carries it there.
func TestHealthIsOfAll(t *testing.T) {
	h := openHouse(t, simulated())
	for _, role := range []access.Role{access.Viewer, access.Analyst} {
		v := h.visitor(role)
		for _, path := range []string{"/health", "/api/v1/kpi/arrivals"} {
			if answer := v.ask(path + "?only=browser:Firefox"); answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), "unknown query parameter") {
				t.Errorf("%s narrowed, to %s: %d %.300s", path, role, answer.Code, answer.Body)
			}
		}
		page := v.page("/?last=28d&only=browser:Firefox").Body.String()
		if !strings.Contains(page, `href="/health?last=28d"`) || !strings.Contains(page, `href="/flow?last=28d&amp;only=`) {
			t.Errorf("the links of a narrowed page, to %s: %.3000s", role, page)
		}
	}
}

// What is wrong with a question is said, on a page that still has the form, or as JSON; never a 500, and nothing is left out silently.
func TestBadQuestions(t *testing.T) {
	h := openHouse(t, simulated())
	v := h.visitor(access.Analyst)
	for query, want := range map[string]struct {
		status int
		reason string
	}{
		"from=2026-11-20&to=2026-11-10":            {400, "from is not before to"},
		"from=2026-11-20&to=2026-11-20":            {400, "from is not before to"},
		"from=2027-01-01&to=2027-02-01":            {400, "still to come"},
		"from=2026-11-01&to=2027-02-01":            {400, "in the future"},
		"from=2025-01-01&to=2026-11-01":            {400, "over 366 days"},
		"from=2026-02-30&to=2026-11-01":            {400, "no day like"},
		"from=0001-01-01&to=2026-11-01":            {400, "these times"},
		"from=2026-11-01":                          {400, "from and to go together"},
		"to=2026-11-01":                            {400, "from and to go together"},
		"from=2026-11-01&to=x":                     {400, "to is no day"},
		"last=0d":                                  {400, "last is"},
		"last=999d":                                {400, "last is"},
		"last=28":                                  {400, "last is"},
		"last=7d&from=2026-11-01&to=2026-11-10":    {400, "not both"},
		"only=browser":                             {400, "like browser:Firefox"},
		"only=browser:":                            {400, "like browser:Firefox"},
		"only=shoe_size:44":                        {400, "there are os, browser"},
		"only=browser:" + strings.Repeat("x", 999): {400, "like browser:Firefox"},
		"only=browser:%ff":                         {400, "like browser:Firefox"},
		"colour=red&only=browser:Firefox":          {400, "unknown query parameter"},
		"only=browser:Fire%00fox":                  {400, "control characters"},
		"only=browser:%1b[1m":                      {400, "control characters"},
		"colour=red":                               {400, "unknown query parameter"},
		"last=7d&last=8d":                          {400, "more than once"},
		"a=%zz":                                    {400, "malformed"},
	} {
		for i, path := range pagePaths {
			if path == "/health" && strings.HasPrefix(query, "only=") {
				want.reason = "unknown query parameter" // it has none
			}
			page := v.page(path + "?" + query)
			if page.Code != want.status || !strings.Contains(page.Body.String(), want.reason) {
				t.Errorf("%s?%s: %d %.2000s", path, query, page.Code, page.Body)
			}
			answer := v.ask("/api/v1/kpi/" + apiPaths[i] + "?" + query)
			var told struct{ Reason string }
			if err := json.Unmarshal(answer.Body.Bytes(), &told); err != nil || answer.Code != want.status || !strings.Contains(told.Reason, want.reason) {
				t.Errorf("%s?%s: %d %s", apiPaths[i], query, answer.Code, answer.Body)
			}
		}
	}
	for path, status := range map[string]int{
		"/flow?flow=no_such": 400, "/segments?by=no_such": 400, "/segments?kpi=no_such": 400, "/segments?sort=colour": 400, "/?flow=sign_in": 400,
		"/changes/no_such": 404, "/changes/%00": 404, "/changes/" + strings.Repeat("x", 5000): 404,
	} {
		if page := v.page(path); page.Code != status || !strings.Contains(page.Body.String(), `role="alert"`) {
			t.Errorf("%.40s: %d", path, page.Code)
		}
	}
	if got := v.ask("/api/v1/kpi/overview", "image/png").Code; got != http.StatusNotAcceptable {
		t.Errorf("an image is answered %d", got)
	}
	if got := v.ask("/api/v1/kpi/overview?format=xml").Code; got != http.StatusBadRequest {
		t.Errorf("XML is answered %d", got)
	}
}

// A dashboard without a single interaction, or without a definition, is a page that says what to do.
func TestNothingThere(t *testing.T) {
	none := &kpi.Definitions{Zone: time.UTC}
	for name, defs := range map[string]*kpi.Definitions{"no data": kpi.Shipped(), "no definitions": none} {
		v := openHouse(t, &kpitest.Memory{Defs: defs, Now: func() time.Time { return testNow }}).visitor(access.Viewer)
		for i, path := range pagePaths {
			if strings.HasSuffix(path, "short_form") {
				continue
			}
			page := v.page(path)
			if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `class="empty"`) && path != "/health" {
				t.Errorf("%s, %s: %d %s", name, path, page.Code, page.Body)
			}
			if answer := v.ask("/api/v1/kpi/" + apiPaths[i]); answer.Code != http.StatusOK || !json.Valid(answer.Body.Bytes()) {
				t.Errorf("%s, %s: %d %s", name, apiPaths[i], answer.Code, answer.Body)
			}
		}
	}
}

// refusing is a source that has an error for an answer.
type refusing struct {
	*kpitest.Memory
	err error
}

func (r refusing) Days(context.Context, kpi.Slice) ([]kpi.Day, error) { return nil, r.err }

// What the facts have against a question is said to who asked it, as what is wrong with the address is: it is no fault of the server.
func TestWhatTheFactsRefuse(t *testing.T) {
	for err, want := range map[error]string{facts.ErrRange: "1 day up to 10 years", facts.ErrSegment: "no such segment"} {
		v := openHouse(t, refusing{simulated(), fmt.Errorf("asked again: %w", err)}).visitor(access.Viewer)
		for _, rec := range []*httptest.ResponseRecorder{v.page("/"), v.ask("/api/v1/kpi/overview"), v.ask("/api/v1/kpi/changes/short_form")} {
			if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), want) {
				t.Errorf("%v: %d %s", err, rec.Code, rec.Body)
			}
		}
	}
}

// While facts are being built there are no figures, and it is said how far they are. The page looks again by itself, and leaves no record each time: nothing
// was read.
func TestBuilding(t *testing.T) {
	const again = `<meta http-equiv="refresh" content="5">`
	if page := openHouse(t, simulated()).visitor(access.Viewer).page("/").Body.String(); strings.Contains(page, again) {
		t.Error("a page of figures goes away by itself")
	}
	h := openHouse(t, refusing{simulated(), &kpi.Building{Done: 3, Of: 10}})
	v := h.visitor(access.Viewer)
	if page := v.page("/flow?last=7d&flow=new_user").Body.String(); !strings.Contains(page, again) || !strings.Contains(page, `href="/flow?last=7d&amp;flow=new_user"`) || !strings.Contains(page, `name="flow" value="new_user"`) {
		t.Errorf("the page does not look again:\n%s", page)
	}
	h.recorded = nil
	for _, rec := range []*httptest.ResponseRecorder{v.page("/"), v.ask("/api/v1/kpi/overview")} {
		if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" || !strings.Contains(rec.Body.String(), "3 of 10") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if len(h.recorded)+len(h.refused) > 0 {
		t.Errorf("waiting is recorded: %+v %+v", h.recorded, h.refused)
	}
}

// Where a clock is put back, arrivals go on: their axis is of moments, and says what the clock says.
func TestArrivalsAreOfMoments(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	defs := *kpi.Shipped()
	defs.Zone = zone
	now := time.Date(2026, 10, 25, 11, 20, 0, 0, time.UTC)
	for _, offset := range []int{0, 210} { // days, to the night in which it is put forward
		at := now.AddDate(0, 0, -offset)
		m, err := kpitest.Simulated(&defs, at, 10, 400)
		if err != nil {
			t.Fatal(err)
		}
		page := openHouseAt(t, m, at).visitor(access.Analyst).page("/health").Body.String()
		found := regexp.MustCompile(`<script type="application/json">(.*)</script>`).FindStringSubmatch(page)
		var chart struct {
			Points []struct{ At time.Time }
			Ticks  []struct {
				At    time.Time
				Label string
			}
		}
		if found == nil || json.Unmarshal([]byte(found[1]), &chart) != nil || len(chart.Points) < 200 || len(chart.Ticks) < 15 {
			t.Fatalf("%s", page)
		}
		for i, p := range chart.Points[1:] {
			if p.At.Sub(chart.Points[i].At) != 10*time.Minute {
				t.Errorf("after %s comes %s", chart.Points[i].At, p.At)
			}
		}
		for _, tick := range chart.Ticks {
			if tick.At.In(zone).Format("15:04") != tick.Label {
				t.Errorf("%s is called %s", tick.At, tick.Label)
			}
		}
		if again := strings.Contains(page, "Sun 02:00 again"); again != (offset == 0) {
			t.Errorf("%s: told twice %t", at, again)
		}
	}
}

// A day without data is no zero: it is a gap in the chart, and a word in the tables and the CSV.
func TestGap(t *testing.T) {
	h := openHouse(t, simulated())
	v := h.visitor(access.Analyst)
	rows := readCSV(t, v.ask("/api/v1/kpi/overview?from=2026-11-16&to=2026-11-19", "text/csv"))
	found := 0
	for _, row := range rows[1:] {
		if row[2] == "day" && row[3] == "2026-11-17" {
			found++
			if row[5] != "" || row[9] != kpi.NoData {
				t.Errorf("%q", row)
			}
		}
	}
	if found != len(kpi.Shipped().KPIs) {
		t.Errorf("the day has %d rows", found)
	}
	page := v.page("/?from=2026-11-16&to=2026-11-19").Body.String()
	if !strings.Contains(page, `{"at":"2026-11-17","value":null,"why":"no data"}`) || !strings.Contains(page, "17 Nov 2026</th><td class=\"n\">no data</td>") {
		t.Error("the page does not tell of the gap")
	}
}

func readCSV(t *testing.T, rec *httptest.ResponseRecorder) [][]string {
	t.Helper()
	if rec.Code != http.StatusOK || rec.Header().Get("Content-Type") != "text/csv" {
		t.Fatalf("%d %s %s", rec.Code, rec.Header().Get("Content-Type"), rec.Body)
	}
	rows, err := csv.NewReader(rec.Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// The CSV of each answer has what its JSON has: the sum of the values of interactions a day is that of the days.
func TestForms(t *testing.T) {
	v := openHouse(t, simulated()).visitor(access.Analyst)
	for _, path := range apiPaths {
		rows := readCSV(t, v.ask("/api/v1/kpi/"+path, "text/csv"))
		again := readCSV(t, v.ask("/api/v1/kpi/"+path+"?format=csv", "application/json"))
		if len(rows) < 2 || len(rows) != len(again) {
			t.Errorf("%s: %d rows, and %d by ?format=csv", path, len(rows), len(again))
		}
	}
	var o kpi.Overview
	if err := json.Unmarshal(v.ask("/api/v1/kpi/overview").Body.Bytes(), &o); err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for _, d := range o.KPIs[slices.IndexFunc(o.KPIs, func(k kpi.OverviewKPI) bool { return k.KPI.Name == "interactions" })].Days {
		if d.Value != nil {
			want += *d.Value
		}
	}
	sum := 0.0
	for _, row := range readCSV(t, v.ask("/api/v1/kpi/overview", "text/csv")) {
		if n, err := strconv.ParseFloat(row[5], 64); err == nil && row[0] == "interactions" && row[2] == "day" {
			sum += n
		}
	}
	if want == 0 || math.Abs(sum-want) > 1e-9 {
		t.Errorf("the CSV sums to %v, the days to %v", sum, want)
	}
}

// Each question leaves a record of what it was of, with the days that it may read: those of the view, or of its own.
func TestQuestionsAreRecorded(t *testing.T) {
	h := openHouse(t, simulated())
	v := h.visitor(access.Viewer)
	spans := map[string][2]string{"/": {"2026-11-15", "2026-11-29"}, "/flow": {"2026-11-15", "2026-11-29"}, "/segments": {"2026-11-15", "2026-11-29"},
		"/changes": {"2026-09-23", "2026-11-29"}, "/changes/short_form": {"2026-09-23", "2026-11-29"}, "/health": {"2026-10-29", "2026-11-28"}}
	for i, path := range pagePaths {
		for _, ask := range []func(string, ...string) *httptest.ResponseRecorder{
			func(string, ...string) *httptest.ResponseRecorder { return v.page(path + "?last=14d") },
			func(string, ...string) *httptest.ResponseRecorder {
				return v.ask("/api/v1/kpi/" + apiPaths[i] + "?last=14d")
			},
		} {
			h.recorded = nil
			if rec := ask(path); rec.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
			}
			if len(h.recorded) != 1 {
				t.Fatalf("%s leaves %d records", path, len(h.recorded))
			}
			r := h.recorded[0]
			if r.Who != "viewer" || r.Dataset != "facts" || r.Route == "" || *r.Rows < 1 || r.From.Format(time.DateOnly) != spans[path][0] || r.To.Format(time.DateOnly) != spans[path][1] ||
				strings.Contains(r.Note, "compared with 2026-11-01 to 2026-11-15") != (path == "/") {
				t.Errorf("%s: %+v, %d rows", path, r, *r.Rows)
			}
		}
	}
}

// What is refused is recorded alike, whether a page or a program is told.
func TestRefusedQuestionsAreRecorded(t *testing.T) {
	h := openHouse(t, simulated())
	v := h.visitor(access.Analyst)
	for page, c := range map[string]struct{ api, outcome string }{
		"/flow?last=0d": {"funnel?last=0d", "400 Bad Request"}, "/segments?sort=colour": {"segments?sort=colour", "400 Bad Request"},
		"/changes/no_such": {"changes/no_such", "404 Not Found"},
	} {
		for _, ask := range []func(){func() { v.page(page) }, func() { v.ask("/api/v1/kpi/" + c.api) }} {
			h.recorded, h.refused = nil, nil
			ask()
			if len(h.refused) != 1 || h.refused[0].Outcome != c.outcome || h.refused[0].Who != "analyst" {
				t.Errorf("%s: refused are %+v", page, h.refused)
			}
			for _, r := range h.recorded { // only by asking it was found out
				if r.Outcome != "failed" {
					t.Errorf("%s: a read %+v", page, r)
				}
			}
		}
	}
}

// A viewer is told nothing of few, and that it is so; an analyst is told all.
func TestTooFew(t *testing.T) {
	h := openHouse(t, simulated())
	viewer, analyst := h.visitor(access.Viewer), h.visitor(access.Analyst)
	const path = "/segments?by=language&last=7d"
	if page := viewer.page(path).Body.String(); !strings.Contains(page, "too few") {
		t.Error("a viewer is told all")
	}
	if page := analyst.page(path).Body.String(); strings.Contains(page, `<td class="n">too few</td>`) {
		t.Error("an analyst is not told all")
	}
	if page := viewer.page("/health").Body.String(); strings.Contains(page, "37 events") || !strings.Contains(page, "30 events") || strings.Contains(page, "too_large") {
		t.Error("a viewer is told of single refusals")
	}
	if page := analyst.page("/health").Body.String(); !strings.Contains(page, "37 events") || !strings.Contains(page, "too_large") {
		t.Error("an analyst is not told of all refusals")
	}
	for _, name := range []string{"from=2026-11-20&to=2026-11-27&only=language:Polish", "only=browser:Firefox&last=90d"} {
		if rec := viewer.page("/?" + name); rec.Code != http.StatusOK {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
}

// What the overview is compared with stands in the address, and the links of the page keep it.
func TestCompare(t *testing.T) {
	v := openHouse(t, simulated()).visitor(access.Analyst)
	for query, before := range map[string]kpi.Span{
		"":                  {From: "2026-11-08", To: "2026-11-15"},
		"&compare=previous": {From: "2026-11-08", To: "2026-11-15"},
		"&compare=year":     {From: "2025-11-16", To: "2025-11-23"},
		"&compare=none":     {},
	} {
		const path = "?from=2026-11-15&to=2026-11-22"
		var o kpi.Overview
		answer := v.ask("/api/v1/kpi/overview" + path + query).Body
		if err := json.Unmarshal(answer.Bytes(), &o); err != nil || o.Previous != before || strings.Contains(answer.String(), `"before":`) != o.Compared() {
			t.Errorf("%q: %v %+v, want %+v", query, err, o.Previous, before)
		}
		rows := readCSV(t, v.ask("/api/v1/kpi/overview"+path+query, "text/csv"))
		if some := slices.ContainsFunc(rows, func(row []string) bool { return row[2] == "before" && row[3] == string(before.From) }); some != o.Compared() {
			t.Errorf("%q: rows of before: %t", query, some)
		}
		page := v.page("/" + path + query).Body.String()
		if strings.Contains(page, ">Before</th>") != o.Compared() || query != "" && !strings.Contains(page, "?"+query[1:]+"&amp;last=7d") {
			t.Errorf("%q: the page is\n%s", query, page)
		}
	}
	for _, path := range []string{"/?compare=lastyear", "/flow?compare=year"} {
		if rec := v.page(path); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

// A segment is sorted by any column, either way; what is withheld comes last.
func TestSort(t *testing.T) {
	v := openHouse(t, simulated()).visitor(access.Analyst)
	var values [2][]string
	for i, sort := range []string{"interactions", "-interactions"} {
		var s kpi.Segments
		if err := json.Unmarshal(v.ask("/api/v1/kpi/segments?by=browser&sort="+sort).Body.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		for _, value := range s.Values {
			values[i] = append(values[i], value.Value)
		}
	}
	slices.Reverse(values[1])
	if len(values[0]) < 3 || !slices.Equal(values[0], values[1]) {
		t.Errorf("%v", values)
	}
	if page := v.page("/segments?by=browser&sort=-sign_in").Body.String(); !strings.Contains(page, `aria-sort="descending"><a href="/segments?by=browser&amp;from=2026-11-01&amp;kpi=sign_in&amp;sort=sign_in&amp;to=2026-11-29"`) {
		t.Error("the column does not offer to be sorted the other way round")
	}
}

// Ten thousand values are neither ten thousand rows of a page nor as many charts.
func TestManyValues(t *testing.T) {
	defs, mistakes := kpi.Parse("kpi.yaml", []byte("segments: {release: {field: release}}\nkpis: {all: {count: all, better: more, smallest: 1}}"))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	m := &kpitest.Memory{Defs: defs, Now: func() time.Time { return testNow }}
	for i := range 10_000 {
		at := testNow.AddDate(0, 0, -i%300).Truncate(10 * time.Minute).UnixMilli()
		if err := m.Add(fmt.Appendf(nil, `{"timestamp":%d,"event_stream":[["a",0]],"sample_rate":1,"release":"r%d"}`, at, i)); err != nil {
			t.Fatal(err)
		}
	}
	v := openHouse(t, m).visitor(access.Analyst)
	page := v.page("/segments?by=release&last=300d").Body.String()
	if rows, charts := strings.Count(page, `title="The overview of these only"`), strings.Count(page, "<figure"); rows > 200 || charts > 12 || rows == 0 || len(page) > 1<<20 {
		t.Errorf("%d rows, %d charts, %d bytes", rows, charts, len(page))
	}
}

// A change is added by a form and removed again, by who may; what is wrong with it is said.
func TestAddChange(t *testing.T) {
	h := openHouse(t, simulated())
	v := h.visitor(access.Analyst)
	form := url.Values{"name": {"new_words"}, "title": {"New <words>"}, "at": {"2026-11-20T09:00"}, "moves": {"sign_in"}}
	if rec := v.post("/changes", "/changes", form); rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/changes/new_words" {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	page := v.page("/changes/new_words").Body.String()
	if !strings.Contains(page, "New &lt;words&gt;") || !strings.Contains(page, "20 Nov 2026 09:00") || !strings.Contains(page, "days, not people") {
		t.Errorf("%s", page)
	}
	for name, wrong := range map[string]url.Values{
		"no moment": {"name": {"b"}, "moves": {"sign_in"}, "at": {"soon"}}, "no KPI": {"name": {"b"}},
		"no branches": {"name": {"b"}, "moves": {"sign_in"}, "experiment": {"form"}}, "no share": {"name": {"b"}, "moves": {"sign_in"}, "experiment": {"form"}, "branches": {"a=x,b=1"}},
	} {
		if rec := v.post("/changes", "/changes", wrong); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), `role="alert"`) {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
	typed := url.Values{"name": {"b"}, "title": {"Say \"<yes>\""}, "moves": {"errors"}, "at": {"2026-11-20T09:00"}, "release": {"2.0"}, "link": {"gopher://x"}}
	if again := v.post("/changes", "/changes", typed).Body.String(); !strings.Contains(again, `name="title" value="Say &#34;&lt;yes&gt;&#34;"`) ||
		!strings.Contains(again, `<option value="errors" selected>`) || !strings.Contains(again, `name="at" value="2026-11-20T09:00"`) || !strings.Contains(again, `value="gopher://x"`) {
		t.Errorf("what was typed is lost: %s", again)
	}
	if rec := v.post("/changes", "/changes/new_words/remove", url.Values{}); rec.Code != http.StatusSeeOther || len(h.added) != 0 {
		t.Errorf("%d, and %d are left", rec.Code, len(h.added))
	}
	viewer := h.visitor(access.Viewer)
	if rec := viewer.post("/changes", "/changes", form); rec.Code != http.StatusForbidden {
		t.Errorf("a viewer is answered %d", rec.Code)
	}
	if strings.Contains(viewer.page("/changes").Body.String(), "<h2>Add a change</h2>") {
		t.Error("a viewer is offered the form")
	}
}

// risk gives a report for 7 days, nothing for 1, and is busy with 31.
func (h *house) risk(_ context.Context, from, to time.Time) (risk.Report, error) {
	switch to.Sub(from) {
	case 24 * time.Hour:
		return risk.Report{}, risk.ErrNothing
	case 7 * 24 * time.Hour:
		return risk.Report{Parts: []risk.Part{{Streams: []string{"app_read", "app_session"}, Installs: &risk.Count{All: 2000, Unique: 1, Under5: 3}, Rows: risk.Count{All: 9000, Unique: 4},
			Fields: []risk.Field{{Name: "app_session.languages", Rule: "keep", Alone: 1}},
			Rules:  []risk.Step{{Field: "app_session.languages", Rule: `{only: ["de", "en"]}`, After: risk.Count{All: 2000}}}, OtherRules: 2}}}, nil
	}
	return risk.Report{}, &gate.Error{Status: http.StatusServiceUnavailable, Reason: "the risk is being measured already"}
}

// Who has the role privacy may have the risk measured for some days. That is a read of sanitized rows, with its own record; nothing is measured
// unless it is asked for.
func TestRiskOnThePrivacyPage(t *testing.T) {
	h := openHouse(t, simulated())
	v := h.visitor(access.Privacy)
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"/privacy-board":           {http.StatusOK, "<button>Measure</button>"},
		"/privacy-board?days=1":    {http.StatusOK, "Nothing sanitized lies in these days"},
		"/privacy-board?days=31":   {http.StatusServiceUnavailable, "being measured already"},
		"/privacy-board?days=3650": {http.StatusBadRequest, "days is 1, 7 or 31"},
	} {
		if rec := v.page(path); rec.Code != want.code || !strings.Contains(rec.Body.String(), want.says) || strings.Contains(rec.Body.String(), "What would lower it") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	h.recorded = nil
	body := v.page("/privacy-board?days=7").Body.String()
	for _, says := range []string{"app_read and app_session, joined by equal pseudonyms", `<option selected>7</option>`, "1 (0.05 %)", ">2,000<", "4 (0.04 %)", "app_session.languages: {only: [&#34;de&#34;, &#34;en&#34;]}", "then 0 unique", "2 files were made by another allowlist"} {
		if !strings.Contains(body, says) {
			t.Errorf("without %q: %s", says, body)
		}
	}
	if len(h.recorded) != 2 || h.recorded[0].Dataset != "sanitized" || h.recorded[0].To.Sub(h.recorded[0].From) != 7*24*time.Hour || *h.recorded[0].Rows != 1 {
		t.Errorf("%+v", h.recorded)
	}
	if rec := h.visitor(access.Raw).page("/privacy-board?days=7"); rec.Code != http.StatusForbidden {
		t.Errorf("the role raw is answered %d", rec.Code)
	}
}

// What fails beside the figures is no page that looks whole.
func TestFailure(t *testing.T) {
	h := openHouse(t, simulated())
	h.broken = errors.New("the lake is gone")
	if rec := h.visitor(access.Privacy).page("/privacy-board"); rec.Code == http.StatusOK {
		t.Error("a page without what is held")
	}
}

// The pages run this door's script alone, and none may be kept. A browser keeps what holds no data, and asks whether it has changed.
func TestHeaders(t *testing.T) {
	v := openHouse(t, simulated()).visitor(access.Viewer)
	page := v.page("/")
	csp := page.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "unsafe") || page.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", page.Header())
	}
	if body := page.Body.String(); strings.Contains(body, "style=") || strings.Contains(body, "onclick") || strings.Contains(body, "https://") {
		t.Error("the page has something in it that its own policy forbids, or loads from elsewhere")
	}
	script := v.page("/charts.js")
	req := httptest.NewRequest("GET", "http://localhost/charts.js", nil)
	req.Header.Set("If-None-Match", script.Header().Get("ETag"))
	rec := httptest.NewRecorder()
	v.h.door.ServeHTTP(rec, req)
	if script.Code != http.StatusOK || rec.Code != http.StatusNotModified {
		t.Errorf("%d, then %d", script.Code, rec.Code)
	}
}

// The form of an experiment takes its branches with the shares that they were meant to get.
func TestAddExperiment(t *testing.T) {
	defs, mistakes := kpi.Parse("kpi.yaml", []byte("segments: {banner: {experiment: banner}}\nkpis: {errors: {share: \"screen.error*\", better: less, smallest: 0.01}}"))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	h := openHouse(t, &kpitest.Memory{Defs: defs, Now: func() time.Time { return testNow }})
	v := h.visitor(access.Analyst)
	form := url.Values{"name": {"banner"}, "experiment": {"banner"}, "branches": {"control=0.9, banner=0.1"}, "moves": {"errors"}}
	if rec := v.post("/changes", "/changes", form); rec.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if c := h.added[0]; !slices.Equal(c.Branches, []string{"control", "banner"}) || !slices.Equal(c.Shares, []float64{0.9, 0.1}) {
		t.Errorf("%+v", c)
	}
	if page := v.page("/changes/banner").Body.String(); !strings.Contains(page, "<dt>control") || !strings.Contains(page, "<dt>banner") {
		t.Errorf("%s", page)
	}
}
