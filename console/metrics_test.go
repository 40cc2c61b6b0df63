package console_test

import (
	"net/http/httptest"
	"testing"
)

// Metrics are for this machine without a login, unless a proxy asks for somebody else.
func TestMetricsFromThisMachine(t *testing.T) {
	d := openWholeDoor(t)
	for _, c := range []struct {
		from, header string
		want         int
	}{
		{"127.0.0.1:4711", "", 200}, {"[::1]:4711", "", 200}, {"[::ffff:127.0.0.1]:4711", "", 200},
		{"192.0.2.1:4711", "", 401}, {"127.0.0.1:4711", "X-Forwarded-For", 401}, {"127.0.0.1:4711", "Forwarded", 401}, {"127.0.0.1:4711", "Via", 401}, {"", "", 401},
	} {
		r := httptest.NewRequest("GET", "http://localhost/metrics", nil)
		r.RemoteAddr = c.from
		if c.header != "" {
			r.Header.Set(c.header, "127.0.0.1")
		}
		w := httptest.NewRecorder()
		d.house.door.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
	r := httptest.NewRequest("GET", "http://brine.example.org/metrics", nil) // a name that a web page may have made point here
	r.RemoteAddr = "127.0.0.1:4711"
	w := httptest.NewRecorder()
	d.house.door.ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("by a foreign name: %d", w.Code)
	}
}
