package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/tokens"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// people is a directory in memory. Everybody's password is their name and "-secret".
type people struct {
	mu    sync.Mutex
	roles map[string]access.Roles
	ids   map[string]string
	down  bool
	seen  int // logins that it was asked for
}

func (p *people) Login(_ context.Context, name, password string) (access.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen++
	name = strings.ToLower(name)
	switch {
	case p.down:
		return access.Account{}, fmt.Errorf("dial: %w", access.ErrUnavailable)
	case p.roles[name] == 0 || password != name+"-secret":
		return access.Account{}, access.ErrDenied
	}
	return p.account(name), nil
}

func (p *people) account(name string) access.Account {
	return access.Account{Name: name, Roles: p.roles[name], ID: p.ids[name]}
}

func (p *people) Find(_ context.Context, name string) (access.Account, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down:
		return access.Account{}, access.ErrUnavailable
	case p.roles[strings.ToLower(name)] == 0:
		return access.Account{}, access.ErrDenied
	}
	return p.account(strings.ToLower(name)), nil
}

func (p *people) set(name string, roles access.Roles) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.roles[name] = roles
}

// records is an audit in memory.
type records struct {
	mu   sync.Mutex
	all  []audit.Record
	full bool
}

func (a *records) Append(r audit.Record) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.full {
		return 0, errors.New("no space left on device")
	}
	a.all = append(a.all, r)
	return uint64(len(a.all)), nil
}

// told is the records since the last call, as lines.
func (a *records) told() (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.all {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", r.Action, r.Who, r.Via, r.Outcome))
	}
	a.all = nil
	return lines
}

// house is a gate before one route for each role, with a clock that the test sets.
type house struct {
	*Gate
	t      *testing.T
	now    time.Time
	people *people
	audit  *records
	door   http.Handler
}

func openHouse(t *testing.T, change ...func(*house)) *house {
	t.Helper()
	h := &house{t: t, now: noon, audit: &records{}, people: &people{roles: map[string]access.Roles{
		"vera": access.RolesOf(access.Viewer), "anna": access.RolesOf(access.Analyst), "rosa": access.RolesOf(access.Raw), "priya": access.RolesOf(access.Privacy),
	}}}
	now := func() time.Time { return h.now }
	h.Gate = &Gate{Directory: h.people, Tokens: tokens.Open(filepath.Join(t.TempDir(), "tokens"), now), Audit: h.audit, Now: now}
	for _, f := range change {
		f(h)
	}
	if err := h.Open(); err != nil {
		t.Fatal(err)
	}
	var routes []Route
	for _, r := range access.AllRoles {
		routes = append(routes, Route{Pattern: "/" + r.String(), Need: r, Handle: h.hello})
	}
	routes = append(routes, Route{Pattern: "GET /{$}", Need: AnyRole, Handle: h.hello})
	var err error
	if h.door, err = h.Handler(routes, func(http.ResponseWriter, *http.Request, error) {}); err != nil {
		t.Fatal(err)
	}
	return h
}

// hello tells who asks, and for browsers the form's token.
func (h *house) hello(w http.ResponseWriter, _ *http.Request, p Person) error {
	_, err := fmt.Fprintf(w, "%s (%s) by %s for %q, csrf=%s", p.Name, p.Roles, p.Via, p.Purpose, h.FormToken(p))
	return err
}

// browser keeps cookies as a browser does, and asks for pages.
type browser struct {
	*house
	cookies map[string]string
	from    string // its address
}

func (h *house) browser() *browser {
	return &browser{h, map[string]string{}, "192.0.2.1:4711"}
}

// answer is what came back.
type answer struct {
	*http.Response
	text string
}

func (b *browser) do(method, target string, form url.Values, headers ...string) answer {
	b.t.Helper()
	req := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	return b.send(req, headers...)
}

func (b *browser) send(req *http.Request, headers ...string) answer {
	b.t.Helper()
	req.Host, req.RemoteAddr = "localhost", b.from
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	b.door.ServeHTTP(rec, req)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	body, _ := io.ReadAll(res.Body)
	return answer{res, string(body)}
}

var hidden = regexp.MustCompile(`name="csrf" value="([0-9a-f]+)"`)

// csrf is the token of a page's form, or of hello.
func (a answer) csrf() string {
	if found := hidden.FindStringSubmatch(a.text); found != nil {
		return found[1]
	}
	_, token, _ := strings.Cut(a.text, "csrf=")
	return token
}

// login fills the form in. The answer is a redirect where it went well.
func (b *browser) login(name, password string) answer {
	b.t.Helper()
	token := b.do("GET", "/login?next=/viewer", nil).csrf()
	return b.do("POST", "/login", url.Values{"csrf": {token}, "name": {name}, "password": {password}, "next": {"/viewer"}})
}

func (h *house) loggedIn(name string) *browser {
	h.t.Helper()
	b := h.browser()
	b.login(name, name+"-secret").want(h.t, http.StatusSeeOther)
	h.audit.told()
	return b
}

// bearer asks with a token, as a program does.
func (h *house) bearer(token, target string, headers ...string) answer {
	h.t.Helper()
	return h.browser().send(httptest.NewRequest("GET", target, nil), append(headers, "Authorization", "Bearer "+token)...)
}

func (h *house) token(owner string, roles ...access.Role) string {
	h.t.Helper()
	secret, _, err := h.Tokens.Create(owner, access.RolesOf(roles...), h.now.Add(24*time.Hour), "")
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

func (a answer) want(t *testing.T, status int, texts ...string) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Errorf("%d, want %d: %.300s", a.StatusCode, status, a.text)
	}
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			t.Errorf("%q is not in the answer: %.2000s", text, a.text)
		}
	}
	return a
}
