package policy

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// openPages gives pages of a policy, with a history that holds it and the plain one before it.
func openPages(tb testing.TB, p *Policy) *Pages {
	tb.Helper()
	h := mustOpen(tb, filepath.Join(tb.TempDir(), "policy"))
	h.mustKeep(tb, plain(), noon, true)
	h.mustKeep(tb, p, noon.AddDate(0, 0, 1), true)
	return &Pages{Current: func() *Policy { return p }, History: h, Logger: slog.New(slog.DiscardHandler),
		NextTurn: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }}
}

func (p *Pages) get(path, accept string, v Visitor) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept-Language", accept)
	w := httptest.NewRecorder()
	p.Serve(w, r, v)
	return w
}

func TestPage(t *testing.T) {
	p := openPages(t, full())
	w := p.get("/privacy", "de-CH", Visitor{Token: "a-token"})
	if w.Code != 200 || w.Header().Get("Content-Language") != "de" || w.Header().Get("Cache-Control") != "no-store" {
		t.Error(w.Code, w.Header())
	}
	for _, want := range []string{
		`<html lang="de">`, `<a href="mailto:privacy@example.org">privacy@example.org</a>`, `value="a-token"`, `action="/privacy/opt-out?lang=de"`,
		"In Kraft seit 2026-11-26.", "Das Salz wechselt das nächste Mal am 2027-01-01.", `data-field="event_stream.name"`, `<th scope="row">app_install_id</th>`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
	for _, s := range full().Document(languages[1]).Sections {
		for _, statement := range s.Statements {
			if !strings.Contains(w.Body.String(), `data-statement="`+statement.ID+`"`) {
				t.Errorf("no statement %s", statement.ID)
			}
		}
	}
}

// The page loads nothing and runs nothing: its own rules forbid all but its style.
func TestPageIsStrict(t *testing.T) {
	p := openPages(t, full())
	for _, path := range []string{"/privacy", "/privacy/history", "/privacy/history/2026-11-25"} {
		w := p.get(path, "", Visitor{})
		csp := w.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s", path, csp)
		}
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(w.Body.String())
		if style == nil || !strings.Contains(csp, hash(style[1])) {
			t.Errorf("%s: the style is not the one that the page allows", path)
		}
		for _, forbidden := range []string{"<script", "javascript:", "<img", "<link", "style=", "onclick", "http://", "https://"} {
			if strings.Contains(w.Body.String(), forbidden) {
				t.Errorf("%s has %s", path, forbidden)
			}
		}
	}
}

// What the operator and the visitor bring stays text.
func TestPageEscapes(t *testing.T) {
	policy := full()
	policy.Operator, policy.Contact = `<script>alert(1)</script>`, `javascript:alert(1)`
	policy.Streams[1].Fields[0].Description = `</td><script>`
	w := openPages(t, policy).get("/privacy?lang=%22%3E%3Cscript%3E", `"><script>`, Visitor{Token: `"><script>`, Signal: "<script>"})
	if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), `href="javascript`) {
		t.Errorf("%s", w.Body)
	}
}

func TestState(t *testing.T) {
	for name, c := range map[string]struct {
		visitor Visitor
		optIn   bool
		state   string
		button  string
	}{
		"In":        {Visitor{}, false, "in", `value="true"`},
		"Out":       {Visitor{OptedOut: true}, false, "out", `value="false"`},
		"Signal":    {Visitor{Signal: "DNT"}, false, "signal", ""},
		"Both":      {Visitor{OptedOut: true, Signal: "DNT"}, false, "signal", `value="false"`},
		"OptIn":     {Visitor{}, true, "ask", `value="true"`},
		"OptInOut":  {Visitor{OptedOut: true}, true, "out", `value="false"`},
		"TooOld":    {Visitor{Problem: "form"}, false, "in", `value="true"`},
		"OtherSite": {Visitor{Problem: "origin", OptedOut: true}, false, "out", `value="false"`},
	} {
		t.Run(name, func(t *testing.T) {
			policy := plain()
			policy.OptIn = c.optIn
			h := mustOpen(t, t.TempDir())
			w := (&Pages{Current: func() *Policy { return policy }, History: h}).get("/privacy/opt-out", "", c.visitor)
			body := w.Body.String()
			if !strings.Contains(body, `data-state="`+c.state+`"`) || strings.Contains(body, "<button") != (c.button != "") || !strings.Contains(body, c.button) {
				t.Errorf("%s", body)
			}
			if refused := c.visitor.Problem != ""; (w.Code == 403) != refused || strings.Contains(body, "Your choice was not taken") != refused {
				t.Errorf("%d", w.Code)
			}
		})
	}
}

func TestData(t *testing.T) {
	p := openPages(t, full())
	w := p.get("/privacy.json", "de", Visitor{OptedOut: true})
	var got Data
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatal(err, w.Header())
	}
	wanted := full().Document(languages[1])
	wanted.SayNextTurn(languages[1], p.NextTurn())
	if got.Language != "de" || len(Diff(&wanted, &got.Document)) > 0 || got.Policy.Salts.LongestHours != 92*24 || len(got.Policy.Streams[0].Fields) == 0 {
		t.Errorf("%+v", got)
	}
}

func TestFormerPolicies(t *testing.T) {
	p := openPages(t, full())
	list := p.get("/privacy/history?lang=de", "", Visitor{}).Body.String()
	if !strings.Contains(list, `<a href="/privacy/history/2026-11-26?lang=de">2026-11-26</a>`) || !strings.Contains(list, "2026-11-25") {
		t.Errorf("%s", list)
	}
	w := p.get("/privacy/history/2026-11-25", "", Visitor{Token: "a-token"})
	for _, want := range []string{"This policy was in force from 2026-11-25 on.", "has not said who is responsible"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if strings.Contains(w.Body.String(), "<form") || w.Code != 200 {
		t.Error("a page of the past offers a choice")
	}
	for _, name := range []string{"2026-11-24", "", "x", "..%2f..%2fcsrf.key", "2026-11-25/", strings.Repeat("a", 9000)} {
		if w := p.get("/privacy/history/"+name, "", Visitor{}); w.Code != 404 {
			t.Errorf("%q: %d", name, w.Code)
		}
	}
	if err := os.WriteFile(filepath.Join(p.History.dir, "2026-11-25.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if w := p.get("/privacy/history/2026-11-25", "", Visitor{}); w.Code != 404 {
		t.Errorf("a damaged one: %d", w.Code)
	}
}

// A policy that was kept before a language was added is read in English.
func TestFormerPolicyInEnglish(t *testing.T) {
	p := openPages(t, full())
	e := NewEdition(plain(), noon.AddDate(0, 0, 2))
	delete(e.Documents, "de")
	if _, err := p.History.Keep(e); err != nil {
		t.Fatal(err)
	}
	if body := p.get("/privacy/history/2026-11-27?lang=de", "", Visitor{}).Body.String(); !strings.Contains(body, `<html lang="en">`) {
		t.Errorf("%s", body)
	}
}

func TestHTMLStandsByItself(t *testing.T) {
	p := full()
	d := p.Document(languages[0])
	page, err := HTML(p, &d, languages[0])
	if err != nil || strings.Contains(string(page), "<form") || strings.Contains(string(page), `href="/`) || !strings.Contains(string(page), "Example Foundation") {
		t.Errorf("%v %s", err, page)
	}
}

func BenchmarkPage(b *testing.B) {
	p := openPages(b, full())
	for b.Loop() {
		if w := p.get("/privacy", "de", Visitor{Token: "t"}); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
