package console_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"brine/access/audit"
)

// A read that panics cuts its connection, ends as failed in the audit, and is told in the log with where it was and no address.
func TestPanicIsTold(t *testing.T) {
	d := openWholeDoor(t)
	d.come(50, testStart)
	var lines bytes.Buffer
	d.server.Logger = slog.New(slog.NewTextHandler(&lines, nil))
	req := httptest.NewRequest("GET", ofRaw(interactions), nil)
	req.Host, req.RemoteAddr = "localhost", "192.0.2.77:5555"
	cookie, _ := d.login("raw")
	req.Header.Set("Cookie", cookie)
	req.Header.Set("X-Purpose", "a test")
	req.Header.Set("Accept", asNDJSON)
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler {
				t.Errorf("it ends with %v", p)
			}
		}()
		d.door.ServeHTTP(&panicWriter{httptest.NewRecorder()}, req)
	}()
	logged := lines.String()
	for _, want := range []string{"a request panicked", "GET /api/v1/events/{stream}", "panic with a string", "panicWriter"} {
		if !strings.Contains(logged, want) {
			t.Errorf("the log does not tell %q:\n%s", want, logged)
		}
	}
	if strings.Contains(logged, "192.0.2.77") || strings.Contains(logged, "somebody's secret") {
		t.Errorf("the log tells too much:\n%s", logged)
	}
	if end := d.audit.all[len(d.audit.all)-1]; end.Action != audit.ReadEnd || end.Outcome != "failed" {
		t.Errorf("%+v", end)
	}
}

// panicWriter is a mistake that shows with the first rows.
type panicWriter struct{ http.ResponseWriter }

func (*panicWriter) Write([]byte) (int, error) { panic("somebody's secret") }
