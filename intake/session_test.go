package intake_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"brine/event"
	"brine/intake"
)

var noon = time.Date(2026, 11, 21, 12, 34, 56, 789, time.UTC)

func at(now time.Time) func(*intake.Server) {
	return func(s *intake.Server) { s.Now = func() time.Time { return now } }
}

func TestSessionContext(t *testing.T) {
	d := openDoor(t, at(noon), func(s *intake.Server) {
		s.Sampling = openSampling(t, map[string]float64{event.Interaction: 0.5, "app_session": 1})
	})
	w := d.do(httptest.NewRequest("GET", "/wsapi/session_context", nil))

	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if token, _ := got["csrf_token"].(string); token == "" {
		t.Error("there is no csrf_token")
	}
	delete(got, "csrf_token")
	floored := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC).UnixMilli()
	want := map[string]any{
		"server_time":      float64(floored),
		"data_sample_rate": 0.5,
		"sample_rates":     map[string]any{"interaction": 0.5, "app_session": 1.0},
		"sampling_epoch":   "2026100100",
		"schema_version":   1.0,
		"consent":          "opt-out",
		"dnt":              true,
		"opted_out":        false,
	}
	if g, w := string(mustJSON(t, got)), string(mustJSON(t, want)); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	c := w.Result().Cookies()[0]
	if c.Path != "/wsapi" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.MaxAge != 0 || !c.Expires.IsZero() {
		t.Errorf("cookie %+v", c)
	}
}

func mustJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestSessionCookie(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	tests := map[string]struct {
		change      func(*http.Request)
		set, secure bool
	}{
		"New":            {func(r *http.Request) {}, true, false},
		"Kept":           {func(r *http.Request) { r.Header.Set("Cookie", "a=b; "+d.cookie) }, false, false},
		"Invalid":        {func(r *http.Request) { r.Header.Set("Cookie", "brine_session=x") }, true, false},
		"InvalidLetters": {func(r *http.Request) { r.Header.Set("Cookie", "brine_session=AAAAAAAAAA AAAAAAAAAAA") }, true, false},
		"OptedOut":       {func(r *http.Request) { r.Header.Set("Cookie", "brine_optout=1") }, false, false},
		"GPC":            {func(r *http.Request) { r.Header.Set("Sec-GPC", "1") }, false, false},
		"TLS":            {func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, true, true},
		"TrustedProxy": {func(r *http.Request) {
			r.RemoteAddr = "10.1.2.3:4567"
			r.Header.Set("X-Forwarded-Proto", "https")
		}, true, true},
		"UntrustedProxy": {func(r *http.Request) { r.Header.Set("X-Forwarded-Proto", "https") }, true, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/wsapi/session_context", nil)
			test.change(r)
			cookies := d.do(r).Result().Cookies()
			if set := len(cookies) == 1; set != test.set {
				t.Fatalf("%d cookies set", len(cookies))
			}
			if test.set && cookies[0].Secure != test.secure {
				t.Error("Secure is", cookies[0].Secure)
			}
		})
	}
}

func TestSessionContextOptedOut(t *testing.T) {
	d := openDoor(t)
	r := httptest.NewRequest("GET", "/wsapi/session_context", nil)
	r.Header.Set("DNT", "1")
	var got struct {
		Token    *string `json:"csrf_token"`
		OptedOut bool    `json:"opted_out"`
	}
	if err := json.Unmarshal(d.do(r).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Token != nil || !got.OptedOut {
		t.Errorf("got %+v", got)
	}
}

func TestCalendarQuarter(t *testing.T) {
	for now, want := range map[string]string{
		"2026-01-01T00:00:00Z":      "2026010100",
		"2026-03-31T23:59:59Z":      "2026010100",
		"2026-11-21T12:00:00Z":      "2026100100",
		"2026-07-01T01:00:00+02:00": "2026040100",
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := intake.CalendarQuarter(at); got != want {
			t.Errorf("%s: got %s, want %s", now, got, want)
		}
	}
}
