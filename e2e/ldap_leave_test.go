package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"brine/access/ldap/slapdtest"
)

// held is what somebody got in with: a token of a script, and a session of a browser.
type held struct {
	b       *brine
	name    string
	token   string
	browser *http.Client
}

// hold gives a person both.
func (b *brine) hold(name string) held {
	b.tb.Helper()
	jar, _ := cookiejar.New(nil)
	h := held{b, name, b.makeToken(name, people[name]), &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	h.logIn()
	return h
}

// logIn gives what the browser was shown in the end.
func (h held) logIn() reply {
	h.b.tb.Helper()
	page := h.ask(http.MethodGet, "/login", "text/html", nil)
	form := hiddenToken.FindSubmatch(page.body)
	if form == nil {
		h.b.tb.Fatalf("the login is answered %d, without a form: %.300s", page.status, page.body)
	}
	return h.ask(http.MethodPost, "/login", "text/html", url.Values{"csrf": {string(form[1])}, "name": {h.name}, "password": {passwordOf(h.name)}})
}

// ask asks as the browser does.
func (h held) ask(method, route, accept string, form url.Values) reply {
	h.b.tb.Helper()
	req, err := http.NewRequest(method, h.b.private+route, strings.NewReader(form.Encode()))
	if err != nil {
		h.b.tb.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return h.b.done(h.browser.Do(req))
}

// done reads an answer whole.
func (b *brine) done(res *http.Response, err error) reply {
	b.tb.Helper()
	if err != nil {
		b.tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, body}
}

// answers are what the token and the session get now, in a route that takes any role but privacy's.
func (h held) answers() [2]reply {
	h.b.tb.Helper()
	return [2]reply{h.b.done(h.b.read(h.token, "", "/api/v1/status")), h.ask(http.MethodGet, "/api/v1/status", "application/json", nil)}
}

func (h held) are(status int) bool {
	now := h.answers()
	return now[0].status == status && now[1].status == status
}

func (h held) want(status int) {
	h.b.tb.Helper()
	for i, by := range []string{"token", "session"} {
		if got := h.answers()[i]; got.status != status {
			h.b.tb.Errorf("with a %s %s is answered %d, want %d: %.300s", by, h.name, got.status, status, got.body)
		}
	}
}

// Whoever is taken out of the group, or whose account is disabled, is let in for 60 s more at most, by token and by session, and everybody
// else goes on. Where slapd ends under them, nobody is let in after that time.
func TestLeaversLoseAccess(t *testing.T) {
	t.Parallel() // it waits more than it works
	directory, b := startWithLDAP(t)
	stopped, other := startWithLDAP(t)
	anna, rosa, vera, left := b.hold("anna"), b.hold("rosa"), b.hold("vera"), other.hold("vera")
	for _, h := range []held{anna, rosa, vera, left} {
		h.want(http.StatusOK)
	}
	directory.Set(slapdtest.Group("brine-analyst"), "member", slapdtest.Person("norman"))
	directory.Set(slapdtest.Person("rosa"), "shadowExpire", "1")
	stopped.Stop()
	left.want(http.StatusOK) // remembered: else this test would not see that it is forgotten

	const late = 20 * time.Second // for machines that are busy
	deadline := time.Now().Add(time.Minute + late)
	within := func(what string, ok func() bool) { b.eventually(time.Until(deadline), what, ok) }
	within("who left the group is let in no more", func() bool { return anna.are(http.StatusUnauthorized) })
	within("whose account is disabled is let in no more", func() bool { return rosa.are(http.StatusUnauthorized) })
	within("without a directory nobody is let in", func() bool { return left.are(http.StatusServiceUnavailable) })
	for _, got := range left.answers() {
		if got.header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "directory") {
			t.Errorf("without a directory: %v %s", got.header, got.body)
		}
	}
	vera.want(http.StatusOK)
	for _, h := range []held{anna, rosa} {
		if again := h.logIn(); again.status < 400 {
			t.Errorf("%s logs in again: %d", h.name, again.status)
		}
	}
	for _, b := range []*brine{b, other} {
		for _, secret := range []string{anna.token, rosa.token, vera.token, left.token, passwordOf("anna")} {
			if strings.Contains(b.output(), secret) {
				t.Error("something that lets in is in the log")
			}
		}
	}
}
