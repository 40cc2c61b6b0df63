package intake_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/intake"
)

// withPages gives the door a policy whose pages tell the visitor that they were given, as JSON.
func withPages(s *intake.Server) {
	s.Privacy = func(w http.ResponseWriter, _ *http.Request, v intake.Visitor) {
		if v.Problem != "" {
			w.WriteHeader(http.StatusForbidden)
		}
		json.NewEncoder(w).Encode(v)
	}
}

// visit asks for the policy page, and gives what it was told.
func (d *door) visit(tb testing.TB, headers ...string) (v intake.Visitor) {
	tb.Helper()
	r := httptest.NewRequest("GET", "/privacy", nil)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	w := d.do(r)
	if err := json.Unmarshal(w.Body.Bytes(), &v); w.Code != 200 || err != nil {
		tb.Fatal(w.Code, err)
	}
	return v
}

func choice(contentType, body string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", "/privacy/opt-out", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	return r
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func form(token, optedOut string) string {
	return url.Values{"csrf": {token}, "opted_out": {optedOut}}.Encode()
}

// The whole way of someone without scripts: read, say no, be left alone, say yes again.
func TestChoiceByForm(t *testing.T) {
	d := openDoor(t, withPages)
	v := d.visit(t)
	if v.OptedOut || v.Signal != "" || v.Token == "" {
		t.Fatalf("%+v", v)
	}
	w := d.do(choice(formType, form(v.Token, "true"), "Sec-Fetch-Site", "same-origin", "Cookie", d.cookie))
	if w.Code != 303 || w.Header().Get("Location") != "/privacy" {
		t.Fatal(w.Code, w.Header())
	}
	want := []string{
		"brine_session=; Path=/wsapi; Max-Age=0; HttpOnly; SameSite=Lax",
		"brine_optout=1; Path=/; Max-Age=34560000; SameSite=Lax",
	}
	if got := w.Header()["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("cookies %q", got)
	}
	const no = "brine_optout=1"
	if w := d.do(d.request(d.envelope(blob(nil)), "Cookie", d.cookie+"; "+no)); w.Code != 204 {
		t.Error("an event after a no:", w.Code)
	}
	d.Close()
	if n := len(d.log.records(t, event.DatasetRaw)); n != 0 {
		t.Errorf("%d events are stored after a no", n)
	}
	if v = d.visit(t, "Cookie", no); !v.OptedOut {
		t.Errorf("%+v", v)
	}
	w = d.do(choice(formType, form(v.Token, "false"), "Sec-Fetch-Site", "same-origin", "Cookie", no))
	if got := w.Header()["Set-Cookie"]; w.Code != 303 || !slices.Equal(got, []string{"brine_optout=; Path=/; Max-Age=0; SameSite=Lax"}) {
		t.Errorf("%d, cookies %q", w.Code, got)
	}
}

func TestChoiceByJSON(t *testing.T) {
	d := openDoor(t, withPages, withOrigin)
	for name, c := range map[string]struct {
		body    string
		headers []string
		want    string // of opted_out
		cookie  string
	}{
		"No":         {`{"opted_out":true}`, nil, "true", "brine_optout=1"},
		"NoAndToken": {`{"opted_out":true,"csrf":"anything"}`, nil, "true", "brine_optout=1"},
		"Yes":        {`{"opted_out":false,"csrf":null}`, []string{"Cookie", "brine_optout=1"}, "false", "brine_optout=;"},
		"YesButGPC":  {`{"opted_out":false}`, []string{"Sec-GPC", "1"}, "true", "brine_optout=;"},
		"OtherPage":  {`{"opted_out":true}`, []string{"Sec-Fetch-Site", "same-site", "Origin", loginPage}, "true", "brine_optout=1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.do(choice(jsonType, c.body, c.headers...))
			cookies := w.Header()["Set-Cookie"]
			if w.Code != 200 || w.Body.String() != `{"opted_out":`+c.want+`,"success":true}` || !strings.HasPrefix(cookies[len(cookies)-1], c.cookie) {
				t.Errorf("%d %s, cookies %q", w.Code, w.Body, cookies)
			}
			if origin := w.Header().Get("Access-Control-Allow-Origin"); (name == "OtherPage") != (origin == loginPage) {
				t.Errorf("Access-Control-Allow-Origin %q", origin)
			}
		})
	}
}

func TestChoiceCookieIsSecureOverTLS(t *testing.T) {
	d := openDoor(t, withPages)
	r := choice(jsonType, `{"opted_out":true}`)
	r.TLS = &tls.ConnectionState{}
	for _, c := range d.do(r).Result().Cookies() {
		if !c.Secure {
			t.Errorf("%s is not Secure", c.Name)
		}
	}
}

// Whatever is forged, broken or odd is refused with its reason, and sets no cookie.
func TestChoiceRefused(t *testing.T) {
	now := time.Now()
	d := openDoor(t, withPages, withOrigin, func(s *intake.Server) { s.Now = func() time.Time { return now } })
	token := d.visit(t).Token
	old := func() string { // a token of the day before
		now = now.Add(-24 * time.Hour)
		defer func() { now = now.Add(24 * time.Hour) }()
		return d.visit(t).Token
	}()
	for name, c := range map[string]struct {
		status  int
		request *http.Request
		says    string
	}{
		"FormWithoutToken":  {403, choice(formType, form("", "true")), intake.ProblemForm},
		"FormForged":        {403, choice(formType, form(token[1:]+"A", "true")), intake.ProblemForm},
		"FormTooOld":        {403, choice(formType, form(old, "true")), intake.ProblemForm},
		"FormSessionToken":  {403, choice(formType, form(d.token, "true"), "Cookie", d.cookie), intake.ProblemForm},
		"FormOtherSite":     {403, choice(formType, form(token, "false"), "Sec-Fetch-Site", "cross-site"), intake.ProblemOrigin},
		"FormOtherOrigin":   {403, choice(formType, form(token, "false"), "Origin", "https://evil.example.org"), intake.ProblemOrigin},
		"FormNullOrigin":    {403, choice(formType, form(token, "false"), "Origin", "null"), intake.ProblemOrigin},
		"FormNoChoice":      {400, choice(formType, form(token, "maybe")), "opted_out"},
		"FormMalformed":     {400, choice(formType, "csrf=%zz"), "malformed"},
		"FormTooLarge":      {413, choice(formType, "csrf="+strings.Repeat("x", 5000)), "4 kB"},
		"JSONOtherSite":     {403, choice(jsonType, `{"opted_out":false}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example.org"), "origin"},
		"JSONNoChoice":      {400, choice(jsonType, `{"opted_out":null}`), "opted_out"},
		"JSONText":          {400, choice(jsonType, `{"opted_out":"yes"}`), "opted_out"},
		"JSONMalformed":     {400, choice(jsonType, `{"opted_out":true`), "opted_out"},
		"JSONTooLarge":      {413, choice(jsonType, `{"opted_out":true,"x":"`+strings.Repeat("x", 5000)+`"}`), "4 kB"},
		"PlainText":         {415, choice("text/plain", `{"opted_out":true}`), "application/json"},
		"Multipart":         {415, choice("multipart/form-data; boundary=x", "--x--"), "application/json"},
		"OddContentType":    {415, choice("application/json; charset=latin1", `{"opted_out":true}`), "application/json"},
		"NoContentType":     {415, choice("", ""), "application/json"},
		"GET":               {405, httptest.NewRequest("GET", "/privacy/opt-out", nil), "POST"},
		"PolicyNotToChange": {405, httptest.NewRequest("POST", "/privacy", nil), "GET"},
	} {
		t.Run(name, func(t *testing.T) {
			w := d.do(c.request)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if cookies := w.Header()["Set-Cookie"]; cookies != nil {
				t.Errorf("cookies %q", cookies)
			}
		})
	}
}

// The form's token is good for the form alone, whatever cookie is sent with it.
func TestFormTokenSendsNoEvents(t *testing.T) {
	d := openDoor(t, withPages)
	body := fmt.Sprintf(`{"csrf":%q,"data":[]}`, d.visit(t).Token)
	for _, cookie := range []string{"", d.cookie, "brine_session=privacy form", `brine_session="privacy form"`} {
		if w := d.do(d.request(body, "Cookie", cookie)); w.Code != 403 {
			t.Errorf("%q: %d", cookie, w.Code)
		}
	}
}

func TestVisitor(t *testing.T) {
	d := openDoor(t, withPages)
	for _, c := range []struct {
		header, value string
		dnt           bool
		want          intake.Visitor
	}{
		{"Cookie", "a=b; brine_optout=1", true, intake.Visitor{OptedOut: true}},
		{"Cookie", `brine_optout="1"`, true, intake.Visitor{OptedOut: true}},
		{"Cookie", "brine_optout=0", true, intake.Visitor{}},
		{"Cookie", ";;=;brine_optout;" + strings.Repeat("x=y;", 3000), true, intake.Visitor{}},
		{"Sec-GPC", "1", false, intake.Visitor{Signal: "Sec-GPC"}},
		{"DNT", "1", true, intake.Visitor{Signal: "DNT"}},
		{"DNT", "1", false, intake.Visitor{}},
	} {
		d.DNT = c.dnt
		got := d.visit(t, c.header, c.value)
		got.Token = ""
		if got != c.want {
			t.Errorf("%s %.40s: %+v, want %+v", c.header, c.value, got, c.want)
		}
	}
}

func TestLanguageSurvivesTheForm(t *testing.T) {
	d := openDoor(t, withPages)
	for query, want := range map[string]string{
		"?lang=de": "/privacy?lang=de", "?lang=pt-BR": "/privacy?lang=pt-BR",
		"?lang=//evil.example": "/privacy", "?lang=de%0d%0aSet-Cookie:x": "/privacy", "?lang=%zz": "/privacy",
	} {
		r := choice(formType, form(d.visit(t).Token, "true"))
		r.URL.RawQuery = query[1:]
		if got := d.do(r).Header().Get("Location"); got != want {
			t.Errorf("%s leads to %s", query, got)
		}
	}
}

// One client cannot keep the door busy with pages; its no is taken all the same.
func TestPagesAreLimited(t *testing.T) {
	d := openDoor(t, withPages, func(s *intake.Server) { s.RateLimit, s.RateBurst = 0.001, 1 })
	token := d.visit(t).Token
	if w := d.do(httptest.NewRequest("GET", "/privacy.json", nil)); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Error(w.Code, w.Header())
	}
	if w := d.do(choice(formType, form("forged", "true"))); w.Code != 429 {
		t.Error("a forged form:", w.Code)
	}
	if w := d.do(choice(formType, form(token, "true"))); w.Code != 303 {
		t.Error("a no:", w.Code)
	}
}

func TestNoPolicy(t *testing.T) {
	d := openDoor(t)
	for _, path := range []string{"/privacy", "/privacy.json", "/privacy/history", "/privacy/history/x", "/privacy/opt-out"} {
		if w := d.do(httptest.NewRequest("POST", path, nil)); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestSessionContextConsent(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) { s.Consent, s.DNT = "opt-in", false })
	var got struct {
		Consent string
		DNT     bool
	}
	r := httptest.NewRequest("GET", "/wsapi/session_context", nil)
	if err := json.Unmarshal(d.do(r).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Consent != "opt-in" || got.DNT {
		t.Errorf("%+v", got)
	}
}
