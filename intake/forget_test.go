package intake_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"brine/intake"
)

func (d *door) forget(body string, headers ...string) *httptest.ResponseRecorder {
	r := d.request(body, append([]string{"Cookie", ""}, headers...)...)
	r.URL.Path = "/v1/forget"
	return d.do(r)
}

func TestForget(t *testing.T) {
	var asked []string
	var fails error
	d := openDoor(t, func(s *intake.Server) {
		s.Origins = []string{"https://app.example.org"}
		s.Forget = func(unit string) error {
			asked = append(asked, unit)
			return fails
		}
	})
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		unit    string
	}{
		"String":      {`{"unit":"install-1"}`, nil, 202, "install-1"},
		"Integer":     {` {"unit":9007199254740993} `, nil, 202, "9007199254740993"},
		"OptedOut":    {`{"unit":"install-2"}`, []string{"Sec-GPC", "1"}, 202, "install-2"},
		"OwnPage":     {`{"unit":"install-3"}`, []string{"Origin", "https://app.example.org", "Sec-Fetch-Site", "same-site"}, 202, "install-3"},
		"ForeignPage": {`{"unit":"x"}`, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403, ""},
		"NoJSON":      {`{"unit":"x"}`, []string{"Content-Type", "text/plain"}, 415, ""},
		"Malformed":   {`{"unit":`, nil, 400, ""},
		"Empty":       {`{"unit":""}`, nil, 400, ""},
		"Missing":     {`{}`, nil, 400, ""},
		"Fraction":    {`{"unit":1.5}`, nil, 400, ""},
		"Object":      {`{"unit":{"a":1}}`, nil, 400, ""},
		"More":        {`{"unit":"x","why":"y"}`, nil, 400, ""},
		"Twice":       {`{"unit":"x"}{"unit":"y"}`, nil, 400, ""},
		"TwoUnits":    {`{"unit":"x","unit":"y"}`, nil, 400, ""},
		"OtherCase":   {`{"Unit":"x"}`, nil, 400, ""},
		"Blank":       {`{"unit":" \t"}`, nil, 400, ""},
		"NoText":      {"{\"unit\":\"\xff\"}", nil, 400, ""},
		"TooLong":     {`{"unit":"` + strings.Repeat("x", 11<<10) + `"}`, nil, 413, ""},
		"TooLarge":    {`{"unit":"` + strings.Repeat("x", 257<<10) + `"}`, nil, 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked = nil
			w := d.forget(c.body, c.headers...)
			if w.Code != c.status {
				t.Errorf("answered %d %s, want %d", w.Code, w.Body, c.status)
			}
			if want := slices.DeleteFunc([]string{c.unit}, func(u string) bool { return u == "" }); !slices.Equal(asked, want) {
				t.Errorf("asked to forget %q, want %q", asked, want)
			}
			if decode(t, w.Body).Success != (c.status == 202) {
				t.Error("the answer says otherwise")
			}
		})
	}
	fails = errors.New("no space for install-4")
	if w := d.forget(`{"unit":"install-4"}`); w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "install") {
		t.Errorf("without a disk: %d %s", w.Code, w.Body)
	}
	if strings.Contains(d.text.String(), "install-") {
		t.Error("an id is in the log")
	}
}

func TestForgetIsLimited(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) {
		s.RateLimit, s.RateBurst = 0.001, 3
		s.Forget = func(string) error { return nil }
	})
	for range 3 {
		d.forget(`{"unit":"x"}`)
	}
	if w := d.forget(`{"unit":"x"}`); w.Code != 429 || w.Header().Get("Retry-After") == "" {
		t.Errorf("answered %d", w.Code)
	}
}
