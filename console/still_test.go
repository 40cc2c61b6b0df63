package console_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// lastsLong is an answer during which something happens, after its first bytes.
type lastsLong struct {
	*httptest.ResponseRecorder
	happens func()
}

func (l *lastsLong) Write(b []byte) (int, error) {
	n, err := l.ResponseRecorder.Write(b)
	if l.happens != nil {
		l.happens()
		l.happens = nil
	}
	return n, err
}

// A read that has begun is cut where its reader loses the role, whatever the format, and the audit says why.
func TestRoleLostWhileReading(t *testing.T) {
	h := openHouse(t)
	h.come(1500, testStart)
	for _, c := range []struct{ accept, path string }{
		{"application/x-ndjson", "/api/v1/events/interaction?dataset=raw"},
		{"text/csv", "/api/v1/events/interaction?dataset=raw"},
		{"application/vnd.apache.parquet", "/api/v1/events/interaction?dataset=raw"},
		{"application/json", "/wsapi/interaction_data"},
	} {
		for lost, outcome := range map[time.Duration]string{time.Minute: "ok", 25 * time.Hour: "cut: role lost"} { // the tester is let in for a day
			door := h.openDoor()
			r := h.identified(httptest.NewRequest("GET", "http://localhost"+c.path, nil))
			r.Header.Set("Accept", c.accept)
			w := &lastsLong{httptest.NewRecorder(), func() { h.clock.advance(lost) }}
			aborted := serve(door, w, r)
			h.clock.advance(-lost)
			if end := h.audit.last(); aborted != (outcome != "ok") || w.Body.Len() == 0 || end.Outcome != outcome {
				t.Errorf("%s: aborted: %v, %d bytes, %q, want %q", c.accept, aborted, w.Body.Len(), end.Outcome, outcome)
			}
		}
	}
}

// serve says whether the answer was aborted.
func serve(door http.Handler, w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if err := recover(); err == http.ErrAbortHandler {
			aborted = true
		} else if err != nil {
			panic(err)
		}
	}()
	door.ServeHTTP(w, r)
	return false
}
