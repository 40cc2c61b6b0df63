package gate

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brine/access"
)

// A login, a read and a logout, each recorded; the cookie is nothing that a script or another site can use.
func TestSession(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	b.do("GET", "/viewer?a=1", nil).want(t, http.StatusSeeOther)
	in := b.login("Anna", "anna-secret").want(t, http.StatusSeeOther)
	if in.Header.Get("Location") != "/viewer" {
		t.Error(in.Header)
	}
	cookie := in.Header.Get("Set-Cookie")
	for _, attribute := range []string{"brine_reader=", "Path=/", "HttpOnly", "SameSite=Strict"} {
		if !strings.Contains(cookie, attribute) || strings.Contains(cookie, "Secure") || strings.Contains(cookie, "Expires") {
			t.Errorf("the cookie is %s", cookie)
		}
	}
	page := b.do("GET", "/analyst", nil).want(t, http.StatusOK, "anna (analyst) by session")
	b.do("POST", "/logout", url.Values{"csrf": {page.csrf()}}).want(t, http.StatusSeeOther)
	if len(b.cookies) != 0 {
		t.Error(b.cookies)
	}
	b.do("GET", "/analyst", nil).want(t, http.StatusSeeOther)
	if told := h.audit.told(); !slices.Equal(told, []string{"login anna session: ok", "logout anna session: ok"}) {
		t.Error(told)
	}
}

func TestCookieOverTLS(t *testing.T) {
	h := openHouse(t, func(h *house) { h.TLS = true })
	b := h.loggedIn("anna")
	if b.cookies["__Host-brine_reader"] == "" {
		t.Error(b.cookies)
	}
	again := h.browser().login("anna", "anna-secret")
	if c := again.Header.Get("Set-Cookie"); !strings.Contains(c, "Secure") {
		t.Error(c)
	}
}

// A session ends: after a while without a request, after 12 hours, and where the clock goes back under it.
func TestSessionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		steps []time.Duration // between requests
		want  int
	}{
		"used all the time": {slices.Repeat([]time.Duration{29 * time.Minute}, 24), http.StatusOK},
		"12 hours":          {slices.Repeat([]time.Duration{29 * time.Minute}, 25), http.StatusSeeOther},
		"idle":              {[]time.Duration{30 * time.Minute}, http.StatusSeeOther},
		"clock a bit back":  {[]time.Duration{time.Minute, -30 * time.Second}, http.StatusOK},
		"clock back":        {[]time.Duration{20 * time.Minute, -10 * time.Minute}, http.StatusSeeOther},
		"clock far back":    {[]time.Duration{-24 * time.Hour, 24 * time.Hour}, http.StatusSeeOther},
	} {
		t.Run(name, func(t *testing.T) {
			h := openHouse(t)
			b := h.loggedIn("anna")
			var got answer
			for _, step := range c.steps {
				h.now = h.now.Add(step)
				got = b.do("GET", "/analyst", nil)
			}
			got.want(t, c.want)
		})
	}
}

// A cookie that was set before the login is worth nothing after it, and neither is one of before a login, a logout or an altered one.
func TestSessionFixation(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	b.cookies["brine_reader"] = "KNOWNTOTHEATTACKER"
	b.login("anna", "anna-secret").want(t, http.StatusSeeOther)
	first := b.cookies["brine_reader"]
	if first == "KNOWNTOTHEATTACKER" {
		t.Fatal("the session has the cookie that was there before")
	}
	b.login("anna", "anna-secret") // is in already
	form := h.browser()
	form.cookies = map[string]string{"brine_reader": first}
	token := openForm(form)
	form.do("POST", "/login", url.Values{"csrf": {token}, "name": {"anna"}, "password": {"anna-secret"}}).want(t, http.StatusSeeOther)
	second := form.cookies["brine_reader"]
	for _, cookie := range []string{"KNOWNTOTHEATTACKER", first, second[1:], second + "A", strings.ToLower(second), strings.Repeat("A", 4000)} {
		other := h.browser()
		other.cookies["brine_reader"] = cookie
		other.do("GET", "/viewer", nil).want(t, http.StatusSeeOther)
	}
	page := form.do("GET", "/viewer", nil).want(t, http.StatusOK)
	form.do("POST", "/logout", url.Values{"csrf": {page.csrf()}}).want(t, http.StatusSeeOther)
	replayed := h.browser()
	replayed.cookies["brine_reader"] = second
	replayed.do("GET", "/viewer", nil).want(t, http.StatusSeeOther)
}

// openForm gets the form's token and cookie in a browser that has a session.
func openForm(b *browser) string {
	fresh := b.house.browser()
	token := fresh.do("GET", "/login", nil).csrf()
	b.cookies["brine_form"] = fresh.cookies["brine_form"]
	return token
}

// Two logins of one person at once are two sessions; one more than there may be ends the oldest.
func TestLoginsAtOnce(t *testing.T) {
	h := openHouse(t)
	browsers := make([]*browser, maxOfPerson+1)
	var all sync.WaitGroup
	for i := range browsers[1:] {
		browsers[i+1] = h.browser()
	}
	browsers[0] = h.loggedIn("anna")
	h.now = h.now.Add(time.Second)
	for _, b := range browsers[1:] {
		all.Go(func() { b.login("anna", "anna-secret") })
	}
	all.Wait()
	browsers[0].do("GET", "/analyst", nil).want(t, http.StatusSeeOther)
	for _, b := range browsers[1:] {
		b.do("GET", "/analyst", nil).want(t, http.StatusOK)
	}
}

// Whoever loses a role loses it in the session and for the token with the next request; whoever is gone is out.
func TestRolesAreAskedAnew(t *testing.T) {
	h := openHouse(t)
	b, token := h.loggedIn("rosa"), h.token("rosa", access.Raw)
	purpose := []string{"X-Purpose", "ticket 12"}
	b.do("GET", "/raw", nil, purpose...).want(t, http.StatusOK, `for "ticket 12"`)
	h.bearer(token, "/raw", purpose...).want(t, http.StatusOK, "raw) by token 1")

	h.people.set("rosa", access.RolesOf(access.Viewer))
	b.do("GET", "/raw", nil, purpose...).want(t, http.StatusForbidden, "needs the role raw", "rosa")
	b.do("GET", "/viewer", nil).want(t, http.StatusOK)
	h.bearer(token, "/raw", purpose...).want(t, http.StatusForbidden)
	h.bearer(token, "/viewer").want(t, http.StatusOK, "rosa (viewer)")

	h.people.set("rosa", 0)
	b.do("GET", "/viewer", nil).want(t, http.StatusSeeOther)
	h.bearer(token, "/viewer").want(t, http.StatusUnauthorized, "none of its roles")
	h.people.set("rosa", access.RolesOf(access.Raw))
	b.do("GET", "/viewer", nil).want(t, http.StatusSeeOther) // the session is over for good
	h.bearer(token, "/viewer").want(t, http.StatusOK)
}

// A token has no more than its roles, whatever its owner has.
func TestTokenHasLess(t *testing.T) {
	h := openHouse(t)
	token := h.token("rosa", access.Viewer)
	h.bearer(token, "/viewer").want(t, http.StatusOK, "rosa (viewer)")
	h.bearer(token, "/analyst").want(t, http.StatusForbidden, "by this token")
	h.bearer(token, "/privacy").want(t, http.StatusForbidden)
}

func TestTokenRefused(t *testing.T) {
	h := openHouse(t)
	token := h.token("anna", access.Analyst)
	revoked, expired := h.token("anna", access.Analyst), h.token("anna", access.Analyst)
	if _, err := h.Tokens.Revoke(2); err != nil {
		t.Fatal(err)
	}
	foreign := openHouse(t).token("anna", access.Analyst)
	for name, header := range map[string]string{
		"revoked": "Bearer " + revoked, "foreign": "Bearer " + foreign, "altered": "Bearer " + token[:len(token)-1] + "-", "cut": "Bearer " + token[:20],
		"two": "Bearer " + token + " " + token, "basic": "Basic YW5uYTphbm5hLXNlY3JldA==", "empty": "", "no scheme": token, "long": "Bearer " + strings.Repeat("A", 10_000),
	} {
		b := h.loggedIn("anna") // a session does not help
		a := b.do("GET", "/viewer", nil, "Authorization", header).want(t, http.StatusUnauthorized)
		if a.Header.Get("WWW-Authenticate") == "" || strings.Contains(a.text, token) {
			t.Errorf("%s: %v %s", name, a.Header, a.text)
		}
		b.from = "192.0.2." + strconv.Itoa(len(name)) + ":1"
	}
	h.bearer(token, "/viewer").want(t, http.StatusOK)
	h.now = h.now.Add(24 * time.Hour)
	h.bearer(expired, "/viewer").want(t, http.StatusUnauthorized)
}

// A directory that does not answer lets nobody in, says so, and ends nothing.
func TestDirectoryDown(t *testing.T) {
	h := openHouse(t)
	b, token := h.loggedIn("anna"), h.token("anna", access.Analyst)
	h.people.down = true
	a := b.do("GET", "/analyst", nil).want(t, http.StatusServiceUnavailable, "the directory does not answer")
	if a.Header.Get("Retry-After") == "" {
		t.Error(a.Header)
	}
	h.bearer(token, "/analyst").want(t, http.StatusServiceUnavailable, "the directory does not answer")
	h.browser().login("anna", "anna-secret").want(t, http.StatusServiceUnavailable, `role="alert"`, "The directory does not answer")
	h.people.down = false
	b.do("GET", "/analyst", nil).want(t, http.StatusOK)
	h.bearer(token, "/analyst").want(t, http.StatusOK)
}

// An audit that cannot be written lets nobody log in.
func TestAuditFull(t *testing.T) {
	h := openHouse(t)
	h.audit.full = true
	b := h.browser()
	b.login("anna", "anna-secret").want(t, http.StatusServiceUnavailable, "cannot be recorded")
	if b.cookies["brine_reader"] != "" {
		t.Error("there is a session all the same")
	}
}

// Each thing that an operator should know is logged once a minute, also where another one is told all the time.
func TestToldByThing(t *testing.T) {
	var lines strings.Builder
	h := openHouse(t, func(h *house) { h.Logger = slog.New(slog.NewTextHandler(&lines, nil)) })
	token := h.token("anna", access.Analyst)
	h.people.down, h.audit.full = true, true
	for minute := 1; minute <= 2; minute++ {
		for range 3 {
			h.bearer(token, "/analyst").want(t, http.StatusServiceUnavailable)
		}
		for _, what := range []string{"the directory does not answer", "a refusal could not be recorded"} {
			if n := strings.Count(lines.String(), `msg="`+what); n != minute {
				t.Errorf("in minute %d there are %d lines that %s:\n%s", minute, n, what, lines.String())
			}
		}
		h.now = h.now.Add(time.Minute)
	}
}

func TestSeconds(t *testing.T) {
	for wait, want := range map[time.Duration]string{0: "a second", time.Second: "a second", 1100 * time.Millisecond: "2 seconds", time.Minute: "60 seconds"} {
		if got := seconds(&access.TooMany{Wait: wait}); got != want {
			t.Errorf("%s: %s", wait, got)
		}
	}
}

// Nobody else's page changes anything, and neither does a form without its token.
func TestForgedChanges(t *testing.T) {
	h := openHouse(t)
	b := h.loggedIn("anna")
	token := b.do("GET", "/viewer", nil).csrf()
	other := h.loggedIn("vera").do("GET", "/viewer", nil).csrf()
	for name, c := range map[string]struct {
		form    url.Values
		headers []string
		want    int
	}{
		"own form":      {url.Values{"csrf": {token}}, nil, http.StatusOK},
		"own script":    {nil, []string{"X-CSRF-Token", token, "Content-Type", "application/json"}, http.StatusOK},
		"no token":      {url.Values{}, nil, http.StatusForbidden},
		"somebody's":    {url.Values{"csrf": {other}}, nil, http.StatusForbidden},
		"other site":    {url.Values{"csrf": {token}}, []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"sibling":       {url.Values{"csrf": {token}}, []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		"other origin":  {url.Values{"csrf": {token}}, []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		"as plain text": {nil, []string{"Content-Type", "text/plain"}, http.StatusForbidden},
		"huge form":     {url.Values{"x": {strings.Repeat("x", 1<<20)}, "csrf": {token}}, nil, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) { b.do("POST", "/viewer", c.form, c.headers...).want(t, c.want) })
	}
	req := httptest.NewRequest("POST", "/viewer", nil)
	h.browser().send(req, "Authorization", "Bearer "+h.token("anna", access.Viewer)).want(t, http.StatusOK) // a browser sends none by itself
	b.do("POST", "/logout", url.Values{}).want(t, http.StatusForbidden)
	b.do("GET", "/viewer", nil).want(t, http.StatusOK)
}

// A login is for the form alone, which belongs to this browser.
func TestForgedLogin(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	form := url.Values{"csrf": {h.browser().do("GET", "/login", nil).csrf()}, "name": {"anna"}, "password": {"anna-secret"}}
	b.do("POST", "/login", form).want(t, http.StatusForbidden, `role="alert"`, "too old")
	req := httptest.NewRequest("POST", "/login", strings.NewReader(`{"name":"anna","password":"anna-secret"}`))
	b.send(req, "Content-Type", "application/json").want(t, http.StatusUnsupportedMediaType)
	form.Set("name", strings.Repeat("x", 20<<10))
	b.do("POST", "/login", form).want(t, http.StatusRequestEntityTooLarge)
	if h.people.seen != 0 {
		t.Error("the directory was asked")
	}
}

// Wrong names and passwords look alike, show nothing of what was typed to the audit, and wait after a while. Others do not wait.
func TestWrongPassword(t *testing.T) {
	h := openHouse(t)
	b := h.browser()
	for i, c := range [][2]string{{"anna", "wrong"}, {"nobody", "anna-secret"}, {"anna", ""}, {"", "anna-secret"}, {"<script>", "wrong"}} {
		a := b.login(c[0], c[1]).want(t, http.StatusUnauthorized, `role="alert"`, "Wrong name or password")
		if strings.Contains(a.text, "<script>") || c[1] != "" && strings.Contains(a.text, c[1]) && c[1] != "wrong" {
			t.Errorf("%d: the page repeats what was typed: %s", i, a.text)
		}
	}
	if h.people.seen != 3 {
		t.Errorf("the directory saw %d logins: an empty name or password must not get there", h.people.seen)
	}
	for _, line := range h.audit.told() {
		if line != "refused unknown : "+access.ErrDenied.Error() {
			t.Error(line)
		}
	}
	for range 6 {
		b.login("anna", "wrong")
	}
	a := b.login("anna", "anna-secret").want(t, http.StatusTooManyRequests, `role="alert"`, "Too many attempts")
	if a.Header.Get("Retry-After") == "" {
		t.Error(a.Header)
	}
	other := h.browser()
	other.from = "198.51.100.7:1"
	other.login("anna", "anna-secret").want(t, http.StatusSeeOther)
	h.now = h.now.Add(5 * time.Minute)
	b.login("anna", "anna-secret").want(t, http.StatusSeeOther)
}

// After the login nobody is led to another site.
func TestOpenRedirect(t *testing.T) {
	for next, want := range map[string]string{
		"/": "/", "/api/v1/status": "/api/v1/status", "/api/v1/events/interaction?from=5&to=6": "/api/v1/events/interaction?from=5&to=6",
		"": "/", "//evil.example": "/", "///evil.example": "/", "https://evil.example/": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "/a\\b": "/",
		"/\t/evil.example": "/", "/\n/evil.example": "/", "javascript:alert(1)": "/", " /x": "/", "/ /x": "/", "evil.example": "/", "/%5cevil.example": "/",
		"/%2f/evil.example": "/", "/login?next=/login": "/", "/logout": "/", "/ü": "/", "/" + strings.Repeat("x", 2001): "/", "/%zz": "/", "http:/x": "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%.60q leads to %q, want %q", next, got, want)
		}
	}
	h := openHouse(t)
	b := h.browser()
	token := b.do("GET", "/login?next=//evil.example", nil).csrf()
	a := b.do("POST", "/login", url.Values{"csrf": {token}, "name": {"anna"}, "password": {"anna-secret"}, "next": {"//evil.example"}})
	if a.Header.Get("Location") != "/" {
		t.Error(a.Header)
	}
	if a := b.do("GET", "/login?next=//evil.example", nil); a.Header.Get("Location") != "/" {
		t.Error(a.Header)
	}
}

// Before there is a directory the door only says how to set one up, but to a guest of the terminal.
func TestSetup(t *testing.T) {
	empty := true
	h := openHouse(t, func(h *house) { h.Empty = func() bool { return empty } })
	file := h.token("anna", access.Analyst)
	b := h.browser()
	if a := b.do("GET", "/viewer", nil).want(t, http.StatusSeeOther); a.Header.Get("Location") != "/login?next=%2Fviewer" {
		t.Error(a.Header)
	}
	b.do("GET", "/login", nil).want(t, http.StatusOK, "Set up access", "brine user add", "brine token setup")
	b.do("POST", "/login", url.Values{"name": {"anna"}, "password": {"anna-secret"}}).want(t, http.StatusForbidden, "Set up access")
	h.bearer(file, "/viewer").want(t, http.StatusUnauthorized, "access is not set up yet")
	h.browser().send(httptest.NewRequest("GET", "/login", nil)).want(t, http.StatusUnauthorized, "access is not set up yet")

	token, link := h.Invite("setup", access.RolesOf(access.Raw, access.Privacy), time.Hour)
	h.bearer(token, "/raw", "X-Purpose", "a try").want(t, http.StatusOK, "setup (raw, privacy)")
	b.do("HEAD", link, nil).want(t, http.StatusOK) // a preview does not use it up
	b.do("GET", link, nil).want(t, http.StatusSeeOther)
	b.do("GET", "/viewer", nil).want(t, http.StatusOK, "setup (raw, privacy) by session")
	h.browser().do("GET", link, nil).want(t, http.StatusForbidden, "was used before")

	again, second := h.Invite("setup", access.RolesOf(access.Viewer), time.Hour)
	h.bearer(token, "/viewer").want(t, http.StatusUnauthorized)
	h.now = h.now.Add(linkTime)
	h.browser().do("GET", second, nil).want(t, http.StatusForbidden)
	h.bearer(again, "/viewer").want(t, http.StatusOK)

	empty = false // somebody was added: guests are nobody from now on
	h.bearer(again, "/viewer").want(t, http.StatusUnauthorized)
	b.do("GET", "/viewer", nil).want(t, http.StatusSeeOther)
	h.bearer(file, "/viewer").want(t, http.StatusOK)

	empty = true
	h.now = h.now.Add(time.Hour)
	h.bearer(again, "/viewer").want(t, http.StatusUnauthorized)
}

// A guest's session is worth nothing once there is a directory, also where that knows somebody of the guest's name.
func TestGuestIsNobodyOfTheDirectory(t *testing.T) {
	empty := true
	h := openHouse(t, func(h *house) { h.Empty = func() bool { return empty } })
	b := h.browser()
	_, link := h.Invite("rosa", access.RolesOf(access.Viewer), time.Hour)
	b.do("GET", link, nil).want(t, http.StatusSeeOther)
	b.do("GET", "/viewer", nil).want(t, http.StatusOK, "rosa (viewer) by session")
	guest := b.cookies["brine_reader"]
	empty = false
	b.do("GET", "/viewer", nil).want(t, http.StatusSeeOther)
	empty = true // nor is it a guest's again
	b.cookies["brine_reader"] = guest
	b.do("GET", "/viewer", nil).want(t, http.StatusSeeOther)
}

// A session ends where the account behind its name is another one: the password was changed, or somebody else has the name.
func TestAnotherAccount(t *testing.T) {
	h := openHouse(t)
	b := h.loggedIn("anna")
	h.people.ids = map[string]string{"anna": "another one"}
	b.do("GET", "/analyst", nil).want(t, http.StatusSeeOther)
	if told := h.audit.told(); len(told) != 1 || !strings.Contains(told[0], "refused anna session: the session has ended, because the password") {
		t.Error(told)
	}
	h.loggedIn("anna").do("GET", "/analyst", nil).want(t, http.StatusOK)
}

// A token goes by the name as the directory spells it, also where its owner is spelled otherwise.
func TestTokenOfAnotherSpelling(t *testing.T) {
	h := openHouse(t)
	h.bearer(h.token("ANNA", access.Analyst), "/analyst").want(t, http.StatusOK, "anna (viewer, analyst) by token 1")
}

// A read of raw says what it is for.
func TestPurpose(t *testing.T) {
	h := openHouse(t)
	token := h.token("rosa", access.Raw)
	h.bearer(token, "/raw").want(t, http.StatusBadRequest, "X-Purpose")
	for purpose, want := range map[string]int{
		"": 400, "ab": 400, "   ab   ": 400, strings.Repeat("x", 201): 400, "a\x00bc": 400, "a\u200bbc": 400, "abc\xff": 400, "a\tbc": 400, "...": 400, "see " + token: 400,
		"abc": 200, "Ticket 12: warum bricht Übung 3 ab?": 200, strings.Repeat("x", 200): 200,
	} {
		h.bearer(token, "/raw", "X-Purpose", purpose).want(t, want)
		h.bearer(token, "/raw?purpose="+url.QueryEscape(purpose)).want(t, want)
	}
	h.bearer(token, "/raw?purpose=abc", "X-Purpose", "abc").want(t, http.StatusBadRequest, "one purpose")
	h.bearer(token, "/analyst").want(t, http.StatusOK)
}

// A flood of refusals is counted, not recorded one by one; at the minute's end the count is.
func TestRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHouse(t)
		flood := func() {
			for range 1000 {
				h.bearer(tokenNobodyMade, "/viewer").want(t, http.StatusUnauthorized)
			}
		}
		flood()
		if n := len(h.audit.told()); n != maxOfClient {
			t.Errorf("%d records", n)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		h.audit.wantLeft(t, "unknown", "995 more refusals within a minute")
		flood()
		h.audit.told()
		h.Close() // a stop does not wait for the minute's end
		h.audit.wantLeft(t, "unknown", "995 more refusals within a minute")
	})
}

func (a *records) wantLeft(t *testing.T, who, note string) {
	t.Helper()
	if len(a.all) != 1 || a.all[0].Who != who || a.all[0].Note != note {
		t.Errorf("%+v", a.all)
	}
	a.told()
}

// However many strangers are refused, what is refused to a person who is known is recorded, up to a bound of their own.
func TestStrangersBlindNobody(t *testing.T) {
	h := openHouse(t)
	for i := range 100 {
		b := h.browser()
		b.from = "192.0.2." + strconv.Itoa(i) + ":1"
		b.send(httptest.NewRequest("GET", "/viewer", nil)).want(t, http.StatusUnauthorized)
	}
	if n := len(h.audit.told()); n != maxOfUnknown {
		t.Errorf("%d records of strangers", n)
	}
	vera, anna := h.token("vera", access.Viewer), h.token("anna", access.Viewer)
	for range maxOfKnown + 1 {
		h.bearer(vera, "/raw").want(t, http.StatusForbidden)
	}
	h.bearer(anna, "/raw").want(t, http.StatusForbidden)
	told := h.audit.told()
	if n := len(told); n != maxOfKnown+1 || !strings.HasPrefix(told[n-1], "refused anna token 2: this needs the role raw") {
		t.Errorf("%d records of people, the last %q", n, told[n-1])
	}
}

// Whatever is refused is recorded, with who it was, as far as known, and the route; but not that somebody is led to the login.
func TestRefusalsAreRecorded(t *testing.T) {
	h := openHouse(t)
	rosa, priya := h.loggedIn("rosa"), h.loggedIn("priya")
	h.people.set("priya", 0)
	for _, c := range []struct {
		what string
		ask  func()
		want string
	}{
		{"led to the login", func() { h.browser().do("GET", "/viewer", nil) }, ""},
		{"no login", func() { h.browser().send(httptest.NewRequest("GET", "/viewer", nil)) }, "unknown by  at /viewer: this door is for people with a role"},
		{"no purpose", func() { rosa.do("GET", "/raw", nil) }, "rosa by session at /raw: a read of raw events needs a purpose"},
		{"no role", func() { rosa.do("GET", "/privacy", nil) }, "rosa by session at /privacy: this needs the role privacy"},
		{"no route", func() { rosa.do("GET", "/nowhere", nil) }, "rosa by session at /: 404 Not Found"},
		{"role lost", func() { priya.do("GET", "/privacy", nil) }, "priya by session at /privacy: the session has ended, because the directory gives"},
		{"altered cookie", func() { b := h.browser(); b.cookies["brine_reader"] = "X"; b.do("GET", "/viewer", nil) }, "unknown by  at /viewer: the session has ended"},
		{"directory down", func() { h.people.down = true; rosa.do("GET", "/viewer", nil); h.people.down = false }, "rosa by session at /viewer: the directory does not answer"},
		{"login while it is down", func() { h.people.down = true; h.browser().login("anna", "anna-secret"); h.people.down = false }, "unknown by  at POST /login: the directory does not answer"},
		{"a link once more", func() { h.browser().do("GET", "/login?once=X", nil) }, "unknown by  at GET /login: a link that signs in was used before"},
		{"a login that is no form", func() { h.browser().send(httptest.NewRequest("POST", "/login", nil)) }, "unknown by  at POST /login: 415 Unsupported Media Type"},
		{"a forged logout", func() { rosa.do("POST", "/logout", url.Values{}) }, "unknown by  at POST /logout: 403 Forbidden"},
		{"another site", func() { rosa.do("POST", "/viewer", nil, "Origin", "https://evil.example") }, "unknown by  at /viewer: a change asked for by another site's page"},
		{"another host", func() {
			h.door.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://evil.example/viewer", nil))
		}, "unknown by  at /viewer: asked for by another name"},
	} {
		h.Close() // begins a new minute
		h.audit.told()
		c.ask()
		got := ""
		for _, r := range h.audit.all {
			got += string(r.Action) + " " + r.Who + " by " + r.Via + " at " + r.Route + ": " + r.Outcome + "\n"
		}
		if ok := c.want == "" && got == "" || c.want != "" && strings.HasPrefix(got, "refused "+c.want) && strings.Count(got, "\n") == 1; !ok {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

const tokenNobodyMade = "brine_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// A route that does not say who may makes no door.
func TestUndeclared(t *testing.T) {
	h := openHouse(t)
	for _, route := range []Route{{Pattern: "GET /x", Handle: h.hello}, {Pattern: "GET /x", Need: 99, Handle: h.hello}, {Pattern: "GET /x", Need: Anyone}} {
		if _, err := h.Handler([]Route{route}, nil); err == nil || !strings.Contains(err.Error(), "GET /x") {
			t.Error(err)
		}
	}
	if err := (&Gate{}).Open(); err == nil {
		t.Error("a gate without an audit opens")
	}
}

// What is not there is told to those alone who may see what is.
func TestUnknownRoutes(t *testing.T) {
	h := openHouse(t)
	h.browser().send(httptest.NewRequest("GET", "/nowhere", nil)).want(t, http.StatusUnauthorized)
	token := h.token("vera", access.Viewer)
	h.bearer(token, "/nowhere").want(t, http.StatusNotFound, "no such route")
	a := h.browser().send(httptest.NewRequest("DELETE", "/", nil), "Authorization", "Bearer "+token).want(t, http.StatusMethodNotAllowed)
	if a.Header.Get("Allow") != "GET, HEAD" {
		t.Error(a.Header)
	}
}

// Every answer has the headers that keep pages safe, and none may be kept.
func TestHeaders(t *testing.T) {
	h := openHouse(t)
	for _, path := range []string{"/login", "/access.css", "/viewer", "/nowhere"} {
		a := h.browser().do("GET", path, nil)
		csp := a.Header.Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, a.Header)
		}
	}
	req := httptest.NewRequest("GET", "/login", nil)
	rec := httptest.NewRecorder()
	h.door.ServeHTTP(rec, req) // of example.com
	if rec.Code != http.StatusForbidden {
		t.Error("a door without TLS answers for another host:", rec.Code)
	}
}
