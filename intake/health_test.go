package intake_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"brine/intake"
)

func TestHeartbeat(t *testing.T) {
	var down, broken error
	d := openDoor(t, func(s *intake.Server) {
		s.Ready = func() error { return down }
		s.Checks = map[string]func() error{"allowlist": func() error { return broken }, "salts": func() error { return nil }}
	})
	if w := d.do(httptest.NewRequest("GET", "/__heartbeat__", nil)); w.Code != 200 || !decode(t, w.Body).Success {
		t.Error("status", w.Code)
	}
	broken = errDisk
	w := d.do(httptest.NewRequest("GET", "/__heartbeat__", nil))
	if got := w.Body.String(); w.Code != 200 || got != `{"checks":{"allowlist":"error","salts":"ok","storage":"ok"},"status":"warn","success":true}` {
		t.Errorf("with a broken allowlist: %d %s", w.Code, got)
	}
	down = errDisk
	w = d.do(httptest.NewRequest("GET", "/__heartbeat__", nil))
	if a := decode(t, w.Body); w.Code != 503 || a.Reason != "events cannot be stored now" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %+v", w.Code, a)
	}
	if w := d.do(httptest.NewRequest("GET", "/__lbheartbeat__", nil)); w.Code != 200 {
		t.Error("liveness:", w.Code)
	}
}

func TestVersion(t *testing.T) {
	d := openDoor(t)
	var got map[string]string
	if err := json.Unmarshal(d.do(httptest.NewRequest("GET", "/__version__", nil)).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if _, ok := got["commit"]; !ok || got["name"] != "brine" || got["version"] != "test" || got["build"] == "" {
		t.Errorf("got %v", got)
	}
}

func TestLibrary(t *testing.T) {
	const script = "window.brine={}"
	d := openDoor(t, func(s *intake.Server) { s.Library = []byte(script) })
	w := d.do(httptest.NewRequest("GET", "/brine.js", nil))
	id := w.Header().Get("ETag")
	if w.Code != 200 || w.Body.String() != script || id == "" ||
		w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") == "" ||
		w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	r := httptest.NewRequest("GET", "/brine.js", nil)
	r.Header.Set("If-None-Match", id)
	if w := d.do(r); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("%d, %d bytes", w.Code, w.Body.Len())
	}
	if w := openDoor(t).do(r); w.Code != 404 {
		t.Error("without a library:", w.Code)
	}
}
