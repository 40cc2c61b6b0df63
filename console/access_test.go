package console_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/access/tokens"
	"brine/console"
	"brine/console/board"
	"brine/kpi"
	"brine/kpi/kpitest"
)

// mayTable says what each route answers to whom: to nobody (a program, then a browser), to people of each role, and
// to nobody and people while access is not set up; then guests get what people of their roles do.
// What is here is allowed; all else is refused.
const mayTable = `
request                                              nobody browser viewer analyst raw privacy setup
GET    /                                             401    303     200    200     200 200     401
GET    /api/v1/events/interaction                    401    303     403    200     200 403     401
GET    /api/v1/events/interaction?dataset=sanitized  401    303     403    200     200 403     401
GET    /api/v1/events/interaction?dataset=raw        401    303     403    403     200 403     401
GET    /api/v1/events/interaction?dataset=rejected   401    303     403    403     200 403     401
GET    /api/v1/events/lines?dataset=quarantine       401    303     403    403     200 403     401
GET    /api/v1/events/interaction?dataset=unheard    401    303     403    403     404 403     401
GET    /api/v1/events/collectors?dataset=canary      401    303     403    403     404 403     401
GET    /wsapi/interaction_data                       401    303     403    403     200 403     401
GET    /wsapi/interaction_data/count                 401    303     403    403     200 403     401
GET    /wsapi/interaction_data/last                  401    303     403    403     200 403     401
GET    /api/v1/status                                401    303     200    200     200 403     401
GET    /metrics                                      401    303     403    200     200 403     401
GET    /api/v1/audit                                 401    303     403    403     403 200     401
POST   /api/v1/erasures                              401    303     403    403     403 202     401
GET    /api/v1/erasures/5f0c9be2                     401    303     403    403     403 200     401
GET    /openapi.yaml                                 401    303     200    200     200 200     401
GET    /flow                                         401    303     200    200     200 403     401
GET    /segments                                     401    303     200    200     200 403     401
GET    /changes                                      401    303     200    200     200 403     401
GET    /changes/short_form                           401    303     200    200     200 403     401
POST   /changes                                      401    303     403    400     400 403     401
POST   /changes/short_form/remove                    401    303     403    303     303 403     401
GET    /health                                       401    303     200    200     200 403     401
GET    /privacy-board                                401    303     403    403     403 200     401
GET    /api/v1/kpi/overview                          401    303     200    200     200 403     401
GET    /api/v1/kpi/funnel                            401    303     200    200     200 403     401
GET    /api/v1/kpi/segments                          401    303     200    200     200 403     401
GET    /api/v1/kpi/changes                           401    303     200    200     200 403     401
GET    /api/v1/kpi/changes/short_form                401    303     200    200     200 403     401
GET    /api/v1/kpi/arrivals                          401    303     200    200     200 403     401
GET    /board.css                                    200    200     200    200     200 200     200
GET    /charts.js                                    200    200     200    200     200 200     200
GET    /login                                        200    200     -      -       -   -  401
POST   /login                                        415    415     415    415     415 415     415
POST   /logout                                       303|403 303|403 -      -       -   -  303|403
GET    /access.css                                   200    200     200    200     200 200     200
GET    /nowhere                                      401    303     404    404     404 404     401
DELETE /api/v1/audit                                 401    303     405    405     405 405     401
`

// staff is a directory with somebody of each role, named like it.
type staff struct{}

func (staff) Login(ctx context.Context, name, _ string) (access.Account, error) {
	return staff{}.Find(ctx, name)
}

func (staff) Find(_ context.Context, name string) (access.Account, error) {
	role, err := access.ParseRole(name)
	if err != nil {
		return access.Account{}, access.ErrDenied
	}
	return access.Account{Name: name, Roles: access.RolesOf(role)}, nil
}

// door is a private door with everything that it can have.
type door struct {
	*house
	server *console.Server
	tokens *tokens.File
}

func openWholeDoor(t *testing.T) *door {
	t.Helper()
	h := openHouse(t)
	d := &door{house: h, tokens: tokens.Open(filepath.Join(t.TempDir(), "tokens"), h.clock.Wall)}
	g := &gate.Gate{Directory: staff{}, Tokens: d.tokens, Audit: h.audit, Now: h.clock.Wall}
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	d.server = &console.Server{Lake: h.lake, Temp: h.temp, Now: h.clock.Wall, Gate: g, Begin: h.audit.begin,
		OpenAPI: []byte("openapi: 3.1.0"),
		MinCell: 10,
		Status:  func(cell access.Cell) any { return cell.Of(25) },
		Audit:   func(context.Context, audit.Filter, string, int) (audit.Page, error) { return audit.Page{}, nil },
		Erase: func([]byte) (func() (string, any, error), error) {
			return func() (string, any, error) { return "7", "accepted", nil }, nil
		},
		Receipt: func(string) (any, error) { return "accepted", nil },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "brine_build_info 1\n") }),
		Board:   newBoard(g),
	}
	if err := d.server.Open(); err != nil {
		t.Fatal(err)
	}
	h.door = d.server.Handler()
	return d
}

// newBoard is a dashboard with one change, and no interaction. Its own tests have more.
func newBoard(g *gate.Gate) *board.Board {
	defs := *kpi.Shipped()
	defs.Changes = []kpi.Change{{Name: "short_form", At: testStart.AddDate(0, 0, -7), Moves: "sign_in"}}
	now := func() time.Time { return testStart }
	return &board.Board{KPI: &kpi.Board{Source: &kpitest.Memory{Defs: &defs, Now: now}, Now: now}, MinCell: 10, Now: now, Gate: g,
		Add: func(gate.Person, kpi.Change) error {
			return &gate.Error{Status: http.StatusBadRequest, Reason: "it has no name"}
		},
		Remove: func(gate.Person, string) error { return nil },
		Doors:  func(context.Context) board.Doors { return board.Doors{Ready: true} },
		Held:   func(context.Context) (board.Held, error) { return board.Held{}, nil },
		Audit:  func(context.Context, audit.Filter, string, int) (audit.Page, error) { return audit.Page{}, nil },
	}
}

// ask asks for what a line of the table says.
func (d *door) ask(request string, headers ...string) *http.Response {
	d.tb.Helper()
	method, target, _ := strings.Cut(request, " ")
	req := httptest.NewRequest(method, strings.TrimSpace(target), strings.NewReader(`{"unit":"an install"}`))
	req.Host = "localhost"
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Purpose", "a test")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	d.door.ServeHTTP(rec, req)
	return rec.Result()
}

// login gives the cookie of a session and the token of its forms.
func (d *door) login(name string) (cookie, csrf string) {
	d.tb.Helper()
	page := d.ask("GET /login", "Accept", "text/html")
	form := url.Values{"csrf": {csrfOf(d.tb, page)}, "name": {name}, "password": {"any"}}
	req := httptest.NewRequest("POST", "/login", strings.NewReader(form.Encode()))
	req.Host = "localhost"
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.AddCookie(page.Cookies()[0])
	rec := httptest.NewRecorder()
	d.door.ServeHTTP(rec, req)
	for _, c := range rec.Result().Cookies() {
		if c.Name == "brine_reader" {
			cookie = c.Name + "=" + c.Value
		}
	}
	if cookie == "" {
		d.tb.Fatalf("the login of %s is answered %d: %s", name, rec.Code, rec.Body)
	}
	return cookie, csrfOf(d.tb, d.ask("GET /", "Accept", "text/html", "Cookie", cookie))
}

var hiddenToken = regexp.MustCompile(`name="csrf" value="([0-9a-f]{64})"`)

func csrfOf(tb testing.TB, res *http.Response) string {
	tb.Helper()
	body, _ := io.ReadAll(res.Body)
	found := hiddenToken.FindSubmatch(body)
	if found == nil {
		tb.Fatalf("%d, without a form: %s", res.StatusCode, body)
	}
	return string(found[1])
}

func (d *door) token(owner string, roles access.Roles, lasts time.Duration) string {
	d.tb.Helper()
	secret, _, err := d.tokens.Create(owner, roles, d.clock.Wall().Add(lasts), "")
	if err != nil {
		d.tb.Fatal(err)
	}
	return "Bearer " + secret
}

// columns are those of a line, the request put together again.
func columns(line string) (request string, wants []string) {
	f := strings.Fields(line)
	return f[0] + " " + f[1], f[2:]
}

// Every route, every role, by session and by token, and everybody who is nobody: allowed or refused as the table says.
func TestWhoMay(t *testing.T) {
	d := openWholeDoor(t)
	nobodies := d.nobodies()
	lines := strings.Split(strings.TrimSpace(mayTable), "\n")[1:]
	for _, line := range lines {
		request, wants := columns(line)
		for who, headers := range nobodies {
			d.check(t, request, who, wants[0], headers...)
			if headers == nil || headers[0] == "Cookie" {
				d.check(t, request, who+", in a browser", wants[1], append([]string{"Accept", "text/html"}, headers...)...)
			}
		}
		for i, role := range access.AllRoles {
			if wants[2+i] == "-" {
				continue
			}
			cookie, csrf := d.login(role.String())
			d.check(t, request, role.String()+" by session", wants[2+i], "Cookie", cookie, "X-CSRF-Token", csrf)
			d.check(t, request, role.String()+" by token", wants[2+i], "Authorization", d.token(role.String(), access.RolesOf(role), time.Hour))
		}
	}
	d.checkAllAreThere(t, lines)
}

// Before access is set up nobody is let in, whatever they show, but guests of the terminal, who have their roles.
func TestWhoMayWhileSettingUp(t *testing.T) {
	d := openWholeDoor(t)
	cookie, csrf := d.login("raw")
	token := d.token("raw", access.RolesOf(access.Raw), time.Hour)
	d.server.Gate.Empty = func() bool { return true }
	for _, line := range strings.Split(strings.TrimSpace(mayTable), "\n")[1:] {
		request, wants := columns(line)
		for who, headers := range map[string][]string{"nobody": nil, "a person's session": {"Cookie", cookie, "X-CSRF-Token", csrf}, "a person's token": {"Authorization", token}} {
			d.check(t, request, who+", while setting up", wants[6], headers...)
		}
		for i, role := range access.AllRoles {
			if wants[2+i] == "-" {
				continue
			}
			guest, _ := d.server.Gate.Invite("guest", access.RolesOf(role), time.Hour)
			d.check(t, request, "a guest who is "+role.String(), wants[2+i], "Authorization", "Bearer "+guest)
		}
	}
}

func (d *door) check(t *testing.T, request, who, want string, headers ...string) {
	t.Helper()
	if got := d.ask(request, headers...).StatusCode; !slices.Contains(strings.Split(want, "|"), strconv.Itoa(got)) {
		t.Errorf("%s to %s is answered %d, want %s", request, who, got, want)
	}
}

// nobodies are all who show something that is worth nothing.
func (d *door) nobodies() map[string][]string {
	raw := access.RolesOf(access.Raw)
	idle, _ := d.login("raw")
	expired := d.token("raw", raw, time.Minute)
	d.clock.advance(gate.IdleTime)
	good, _ := d.login("raw")
	loggedOut, csrf := d.login("raw")
	d.ask("POST /logout", "Cookie", loggedOut, "X-CSRF-Token", csrf)
	revoked := d.token("raw", raw, time.Hour)
	if _, err := d.tokens.Revoke(2); err != nil {
		d.tb.Fatal(err)
	}
	foreign := openWholeDoor(d.tb.(*testing.T))
	foreignCookie, _ := foreign.login("raw")
	return map[string][]string{
		"nobody": nil, "an idle session": {"Cookie", idle}, "a session after logout": {"Cookie", loggedOut}, "another brine's session": {"Cookie", foreignCookie},
		"an altered cookie": {"Cookie", good[:len(good)-1] + "0"}, "an empty cookie": {"Cookie", "brine_reader="},
		"an expired token": {"Authorization", expired}, "a revoked token": {"Authorization", revoked}, "another brine's token": {"Authorization", foreign.token("raw", raw, time.Hour)},
		"an altered token": {"Authorization", d.token("raw", raw, time.Hour) + "0"}, "a token of somebody who is gone": {"Authorization", d.token("gone", raw, time.Hour)},
		"a token of more than its owner has": {"Authorization", d.token("privacy", raw, time.Hour)}, "a password": {"Authorization", "Basic cmF3OmFueQ=="},
	}
}

// checkAllAreThere wants every route of the door in the table.
func (d *door) checkAllAreThere(t *testing.T, lines []string) {
	mux := http.NewServeMux()
	missing := map[string]bool{}
	for _, route := range append(d.server.Routes(), d.server.Gate.Routes()...) {
		mux.HandleFunc(route.Pattern, func(http.ResponseWriter, *http.Request) {})
		missing[route.Pattern] = true
	}
	for _, line := range lines {
		request, _ := columns(line)
		method, target, _ := strings.Cut(request, " ")
		_, pattern := mux.Handler(httptest.NewRequest(method, target, nil))
		delete(missing, pattern)
	}
	for pattern := range missing {
		t.Errorf("%s is not in the table", pattern)
	}
}

// Below analyst figures come by the least cell.
func TestMinCell(t *testing.T) {
	d := openWholeDoor(t)
	for role, want := range map[access.Role]string{access.Viewer: "20\n", access.Analyst: "25\n", access.Raw: "25\n"} {
		res := d.ask("GET /api/v1/status", "Authorization", d.token(role.String(), access.RolesOf(role), time.Hour))
		if body, err := io.ReadAll(res.Body); err != nil || string(body) != want {
			t.Errorf("%s sees %q, want %q: %v", role, body, want, err)
		}
	}
	ofViewer := d.token("raw", access.RolesOf(access.Viewer), time.Hour) // the token's roles count, not its owner's
	if body, _ := io.ReadAll(d.ask("GET /api/v1/status", "Authorization", ofViewer).Body); string(body) != "20\n" {
		t.Errorf("a viewer's token of raw sees %q", body)
	}
}

// Each read leaves one beginning and one end with what left, whatever its form; one that cannot be recorded sends nothing.
func TestReadsAreRecorded(t *testing.T) {
	h := openHouse(t)
	h.come(50, testStart.Add(-time.Hour))
	h.come(30, testStart)
	from := testStart.Truncate(10 * time.Minute).Format(time.RFC3339)
	for name, c := range map[string]struct {
		accept, path string
		rows         int64
	}{
		"NDJSON": {asNDJSON, interactions, 80}, "CSV": {asCSV, interactions, 80}, "Parquet": {asParquet, interactions, 80}, "Range": {asParquet, interactions + "?from=" + from, 30},
		"Page": {asJSON, interactions + "?limit=20", 20}, "LastPage": {asJSON, interactions, 80}, "Nothing": {asNDJSON, interactions + "?to=5", 0}, "NothingInParquet": {asParquet, interactions + "?to=5", 0},
		"Original": {"", couch, 80}, "Count": {"", couch + "/count", 0}, "Last": {"", couch + "/last", 1}, "Range of the original": {"", couch + "?start=" + strconv.FormatInt(ms(testStart)-600_000, 10), 30},
	} {
		t.Run(name, func(t *testing.T) {
			h.audit.all = nil
			if rec := h.serve(c.accept, c.path); rec.Code != http.StatusOK {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			checkRecords(t, h.audit.all, c.rows)
		})
	}
	h.audit.broken = true
	for _, path := range []string{interactions, couch, couch + "/count", couch + "/last"} {
		if reason := h.get("", path).want(t, http.StatusServiceUnavailable, asJSON).reason(t); !strings.Contains(reason, "cannot be recorded") {
			t.Error(reason)
		}
	}
}

// serve returns when the door is done, which is after the client has the whole answer.
func (h *house) serve(accept, path string) *httptest.ResponseRecorder {
	req := httptest.NewRequest("GET", ofRaw(path), nil)
	req.Host = "localhost"
	req.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	h.door.ServeHTTP(rec, h.identified(req))
	return rec
}

func checkRecords(t *testing.T, all []audit.Record, rows int64) {
	t.Helper()
	if len(all) != 2 {
		t.Fatalf("%d records: %+v", len(all), all)
	}
	begin, end := all[0], all[1]
	if begin.Action != audit.ReadBegin || begin.Who != "tester" || begin.Purpose != "tests of the console" || begin.Dataset != "raw" || begin.Stream != "interaction" || begin.Route == "" || begin.Via == "" {
		t.Errorf("it begins %+v", begin)
	}
	if end.Action != audit.ReadEnd || end.Read != begin.Number || end.Outcome != "ok" || *end.Rows != rows {
		t.Errorf("it ends %+v with %d rows, want %d", end, *end.Rows, rows)
	}
}

// A read that its client breaks off is recorded as cut.
func TestCutReadIsRecorded(t *testing.T) {
	h := openHouse(t)
	h.come(50, testStart)
	ctx, cancel := context.WithCancel(t.Context())
	req := httptest.NewRequest("GET", ofRaw(interactions), nil).WithContext(ctx)
	req.Host = "localhost"
	req.Header.Set("Accept", asNDJSON)
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("the answer ends as if it were whole")
		}
		end := h.audit.all[len(h.audit.all)-1]
		if end.Action != audit.ReadEnd || end.Outcome != "cut" || *end.Rows != 50 {
			t.Errorf("%+v", end)
		}
	}()
	h.door.ServeHTTP(&cutWriter{httptest.NewRecorder(), cancel}, h.identified(req))
}

// An answer that cannot be sent to its end is cut off, whatever its form: nothing is added that could be taken for a row.
func TestBrokenAnswerIsCut(t *testing.T) {
	h := openHouse(t)
	h.come(50, testStart)
	for name, c := range map[string]struct{ accept, path string }{
		"NDJSON": {asNDJSON, interactions}, "CSV": {asCSV, interactions}, "Parquet": {asParquet, interactions}, "Page": {asJSON, interactions},
		"Original": {"", couch}, "Count": {"", couch + "/count"}, "Last": {"", couch + "/last"},
	} {
		t.Run(name, func(t *testing.T) {
			req := h.identified(httptest.NewRequest("GET", ofRaw(c.path), nil))
			req.Host = "localhost"
			req.Header.Set("Accept", c.accept)
			w := &brokenWriter{ResponseRecorder: httptest.NewRecorder()}
			defer func() {
				if recover() != http.ErrAbortHandler || w.writes > 1 {
					t.Errorf("the answer ends as if it were whole, after %d writes", w.writes)
				}
				if end := h.audit.all[len(h.audit.all)-1]; end.Outcome != "failed" {
					t.Errorf("%+v", end)
				}
			}()
			h.door.ServeHTTP(w, req)
		})
	}
}

// An export on its way to its client is a read: an erasure ends it, and leaves nothing of it.
func TestExportIsEndedByAnErasure(t *testing.T) {
	h := openHouse(t)
	h.come(2000, testStart)
	req := h.identified(httptest.NewRequest("GET", ofRaw(interactions), nil))
	req.Host = "localhost"
	req.Header.Set("Accept", asParquet)
	w := &erasingWriter{ResponseRecorder: httptest.NewRecorder(), end: func() bool { return h.lake.EndReads(h.clock.Wall().Add(time.Second)) }}
	defer func() {
		if recover() != http.ErrAbortHandler || w.writes != 1 || !w.ended {
			t.Errorf("the answer ends after %d parts as if it were whole, or was no read: %t", w.writes, w.ended)
		}
		if left, err := filepath.Glob(filepath.Join(h.temp, "*.parquet")); err != nil || len(left) > 0 {
			t.Errorf("it leaves %v, %v", left, err)
		}
		if h.lake.ReadsBefore(h.clock.Wall().Add(time.Second)) {
			t.Error("it goes on")
		}
	}()
	h.door.ServeHTTP(w, req)
}

// erasingWriter has reads ended with the first part that it takes.
type erasingWriter struct {
	*httptest.ResponseRecorder
	end    func() (some bool)
	ended  bool
	writes int
}

func (w *erasingWriter) Write(b []byte) (int, error) {
	if w.writes++; w.writes == 1 {
		w.ended = w.end()
	}
	return len(b), nil
}

// brokenWriter takes nothing the first time.
type brokenWriter struct {
	*httptest.ResponseRecorder
	writes int
}

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.writes++; w.writes == 1 {
		return 0, io.ErrShortWrite
	}
	return w.ResponseRecorder.Write(b)
}

// cutWriter is a client that goes away with the first rows.
type cutWriter struct {
	http.ResponseWriter
	cancel func()
}

func (w *cutWriter) Write([]byte) (int, error) {
	w.cancel()
	return 0, io.ErrClosedPipe
}

// What is to be erased is in no record, and nothing is erased that is not recorded.
func TestErasureIsRecorded(t *testing.T) {
	d := openWholeDoor(t)
	privacy := []string{"Authorization", d.token("privacy", access.RolesOf(access.Privacy), time.Hour)}
	d.check(t, "POST /api/v1/erasures", "privacy", "202", privacy...)
	last := d.audit.all[len(d.audit.all)-1]
	if last.Action != audit.Erasure || last.Who != "privacy" || strings.Contains(last.Note+last.Outcome, "install") {
		t.Errorf("%+v", last)
	}
	d.check(t, "POST /api/v1/erasures", "privacy, as a form", "415", append(privacy, "Content-Type", "text/plain")...)
	d.audit.broken = true
	d.check(t, "POST /api/v1/erasures", "privacy", "503", privacy...)
}
