package intake_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"brine/intake"
)

const loginPage = "https://login.example.org"

func withOrigin(s *intake.Server) { s.Origins = []string{loginPage} }

func TestPreflight(t *testing.T) {
	d := openDoor(t, withOrigin)
	ask := func(path, origin string) *http.Response {
		r := httptest.NewRequest("OPTIONS", path, nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "POST")
		r.Header.Set("Access-Control-Request-Headers", "content-type,x-csrf-token")
		return d.do(r).Result()
	}
	ours := ask("/wsapi/interaction_data", loginPage)
	for name, want := range map[string]string{
		"Access-Control-Allow-Origin":      loginPage,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "POST",
		"Access-Control-Allow-Headers":     "Content-Type, X-CSRF-Token",
		"Vary":                             "Origin",
	} {
		if got := ours.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if ours.StatusCode != 204 {
		t.Error("status", ours.StatusCode)
	}
	for path, origin := range map[string]string{
		"/wsapi/interaction_data": "https://evil.example.org",
		"/wsapi/session_context":  "null",
		"/__heartbeat__":          loginPage,
	} {
		if foreign := ask(path, origin); foreign.StatusCode != 403 || foreign.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s from %s: %d", path, origin, foreign.StatusCode)
		}
	}
}

// TestErrorsCanBeRead has a page of a configured origin see why it was refused.
func TestErrorsCanBeRead(t *testing.T) {
	d := openDoor(t, withOrigin)
	w := d.do(d.request("{", "Origin", loginPage))
	if w.Code != 400 || w.Header().Get("Access-Control-Allow-Origin") != loginPage {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	r := httptest.NewRequest("GET", "/wsapi/session_context", nil)
	r.Header.Set("Origin", "https://evil.example.org")
	if w := d.do(r); w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("Vary") != "Origin" {
		t.Errorf("a foreign origin: %v", w.Header())
	}
}
