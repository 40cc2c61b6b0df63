package intake_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"brine/event"
	"brine/intake"
)

// TestNothingTellsTheClient sends what every status takes, with a log that fails in between,
// and searches what was logged and what was stored for whatever tells who the client is.
func TestNothingTellsTheClient(t *testing.T) {
	const (
		address   = "203.0.113.77"
		forwarded = "198.51.100.88"
		agent     = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
		id        = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
		value     = "someone@example.org"
	)
	d := openDoor(t, func(s *intake.Server) {
		s.RateLimit, s.RateBurst = 1e6, 1e6
		s.Demo = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { panic(r) })
	})
	send := func(body string, headers ...string) {
		r := d.request(body, append(headers, "User-Agent", agent, "X-Forwarded-For", forwarded)...)
		r.RemoteAddr = address + ":4567"
		d.do(r)
	}
	round := func() {
		send(d.envelope(blob(map[string]any{"id": id, "user_agent": nil})))
		send(d.envelope(blob(map[string]any{"id": id, "language": value})))
		send(d.envelope("[" + blob(map[string]any{value: value}) + "," + blob(nil) + "]"))
		send(d.envelope(blob(nil))[:100])
		send(`{"` + value + `":1}`)
		send(`{"csrf":"` + value + `","data":[]}`)
		send(d.envelope("[]"), "Cookie", "")
		send(d.envelope("[]"), "Content-Encoding", value)
		send(d.envelope("[]"), "Origin", "https://"+value)
		panics := httptest.NewRequest("GET", "/demo/?"+value, nil)
		panics.RemoteAddr = address + ":4567"
		d.do(panics)
	}
	round()
	d.log.fail(errDisk)
	round()
	d.log.fail(nil)
	round()
	d.Close()

	logged := d.text.String()
	if !strings.Contains(logged, "cannot be stored") || !strings.Contains(logged, "panicked") {
		t.Errorf("the log does not tell of failures: %s", logged)
	}
	session := strings.TrimPrefix(d.cookie, "brine_session=")
	for _, secret := range []string{address, forwarded, "Mozilla", id, strings.ReplaceAll(id, "-", ""), value, session, d.token} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for _, group := range d.log.groups {
		for _, secret := range []string{address, forwarded, "Mozilla", value, session, d.token} {
			if strings.Contains(string(group), secret) {
				t.Errorf("a group holds %q", secret)
			}
		}
	}
	if len(d.log.records(t, event.DatasetRejected)) == 0 {
		t.Error("no rejected event was recorded")
	}
}
