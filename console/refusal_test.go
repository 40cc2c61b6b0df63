package console_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A request that makes no sense is told why, in JSON; the reason never repeats what was sent.
func TestRefusals(t *testing.T) {
	h := openHouse(t)
	h.come(1, testStart)
	for _, c := range []struct {
		path   string
		status int
		reason string // in the answer
	}{
		{interactions + "?from=someone@example.org", 400, "from is neither"},
		{interactions + "?someone@example.org=1", 400, "unknown query parameter"},
		{interactions + "?limit=someone", 400, "limit is not"},
		{interactions + "?dataset=someone", 404, "no such stream"},
		{interactions + "?from=yesterday", 400, "from is neither"},
		{interactions + "?to=2026-11-21", 400, "to is neither"},
		{interactions + "?from=99999999999999999999", 400, "from is neither"},
		{interactions + "?from=1e9", 400, "from is neither"},
		{interactions + "?from=5&to=4", 400, "from is later than to"},
		{interactions + "?limit=0", 400, "limit is not an integer from 1 to 10000"},
		{interactions + "?limit=10001", 400, "limit is not"},
		{interactions + "?limit=-1", 400, "limit is not"},
		{interactions + "?limit=ten", 400, "limit is not"},
		{interactions + "?limit=5&limit=6", 400, "limit is given more than once"},
		{interactions + "?cursor=x", 400, "cursor is not one"},
		{interactions + "?cursor=" + strings.Repeat("A", 31), 400, "cursor is not one"},
		{interactions + "?cursor=" + strings.Repeat("A", 8000), 400, "cursor is not one"},
		{interactions + "?form=5", 400, "unknown query parameter; known are dataset, from"},
		{interactions + "?=5", 400, "unknown query parameter"},
		{interactions + "?from=%zz", 400, "malformed"},
		{interactions + "?a;b", 400, "malformed"},
		{interactions + "?dataset=sanitised", 404, "datasets are sanitized"},
		{interactions + "?dataset=quarantine", 404, "no such stream in this dataset"},
		{"/api/v1/events/clicks", 404, "no such stream"},
		{"/api/v1/events/" + strings.Repeat("x", 4000), 404, "no such stream"},
		{"/api/v1/events/a%2Fb", 404, "no such stream"},
		{"/api/v1/events/", 404, "no such route"},
		{"/api/v1/status", 404, "no such route"}, // not set
		{"/demo/", 404, "no such route"},
		{couch + "?start=5&end=4", 400, "start is later than end"},
		{couch + "/count?start=soon", 400, "start is neither"},
		{couch + "/last?end=soon", 400, "end is neither"},
		{couch + "?from=5", 400, "known are start, end"},
		{couch + "/first", 404, "no such route"},
	} {
		reason := h.get("", c.path).want(t, c.status, asJSON).reason(t)
		if !strings.Contains(reason, c.reason) {
			t.Errorf("%.80s: %q, want %q in it", c.path, reason, c.reason)
		}
		if strings.Contains(reason, "someone") {
			t.Errorf("%.80s: the reason repeats what was sent", c.path)
		}
	}
}

// What makes pages is refused where there are none.
func TestPagesAreJSON(t *testing.T) {
	h := openHouse(t)
	for _, accept := range []string{asNDJSON, asCSV, asParquet} {
		for _, parameter := range []string{"limit=5", "cursor=" + strings.Repeat("A", 32)} {
			if reason := h.get(accept, interactions+"?"+parameter).want(t, http.StatusBadRequest, asJSON).reason(t); !strings.Contains(reason, "are for pages") {
				t.Errorf("%s, %s: %s", accept, parameter, reason)
			}
		}
	}
}

// Nothing can be written through this door.
func TestOnlyReads(t *testing.T) {
	h := openHouse(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/", interactions, couch, couch + "/last"} {
			a := h.do(method, "", path).want(t, http.StatusMethodNotAllowed, asJSON)
			if a.reason(t); a.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s allows %q", method, path, a.Header.Get("Allow"))
			}
		}
		h.do(method, "", "/nowhere").want(t, http.StatusNotFound, asJSON)
	}
	for _, mediaType := range []string{asNDJSON, asJSON, asCSV, asParquet} {
		h.do("HEAD", mediaType, interactions).want(t, http.StatusOK, mediaType)
	}
	h.do("HEAD", "", couch).want(t, http.StatusOK, asJSON)
	h.do("GET", "", "/").want(t, http.StatusOK, "text/plain; charset=utf-8")
}

// A web page that makes its own name point to this machine reads nothing.
func TestForeignHostIsRefused(t *testing.T) {
	h := openHouse(t)
	handler := h.door
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8081": 200, "127.0.0.1:8081": 200, "127.9.9.9": 200, "[::1]:8081": 200, "::1": 200,
		"": 403, "evil.example": 403, "evil.example:8081": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
		"10.0.0.1": 403, "0.0.0.0": 403, "[fe80::1]": 403, "127.0.0.1@evil.example": 403,
	} {
		for _, path := range []string{"/", couch, interactions} {
			req, err := http.NewRequest("GET", h.url+ofRaw(path), nil)
			if err != nil {
				t.Fatal(err)
			}
			rec := httptest.NewRecorder()
			req.Host = host
			handler.ServeHTTP(rec, h.identified(req))
			if rec.Code != want {
				t.Errorf("Host: %s is answered %d, want %d", host, rec.Code, want)
			}
		}
	}
}

// Whatever the query says, the answer is rows within the range or a reason, and the door goes on.
func FuzzQuery(f *testing.F) {
	h := openHouse(f)
	for slot := range 3 {
		h.come(20, testStart.Add(-time.Duration(slot)*20*time.Minute))
	}
	handler := h.door
	cursor := h.get(asJSON, interactions, "limit", "10").page(f).Next
	now := strconv.FormatInt(ms(testStart), 10)
	f.Add(uint8(0), "raw", now, "", "7", cursor)
	f.Add(uint8(1), "rejected", "", now, "", "")
	f.Add(uint8(2), "quarantine", "2026-11-21T13:00:00Z", "2026-11-21T13:00:00+01:00", "0", "x")
	f.Add(uint8(3), "", "-9223372036854775808", "9223372036854775807", "10000", base64.RawURLEncoding.EncodeToString(make([]byte, 24)))
	f.Add(uint8(4), "", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "", strings.Repeat("_", 32))
	f.Add(uint8(5), "raw", "1'; DROP TABLE", "\x00", "１", cursor+"=")
	accepts := []string{asJSON, asNDJSON, asCSV, asParquet, "", couch, couch + "/count", couch + "/last"}
	f.Fuzz(func(t *testing.T, format uint8, dataset, from, to, limit, cursor string) {
		accept := accepts[int(format)%len(accepts)]
		if dataset == "" {
			dataset = "raw"
		}
		values, path := url.Values{"dataset": {dataset}, "from": {from}, "to": {to}, "limit": {limit}, "cursor": {cursor}}, interactions
		if strings.HasPrefix(accept, couch) {
			values, path, accept = url.Values{"start": {from}, "end": {to}}, accept, ""
		}
		req := httptest.NewRequest("GET", path, nil)
		req.Host, req.URL.RawQuery = "localhost", values.Encode()
		req.Header.Set("Accept", accept)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, h.identified(req))
		switch a := (answer{rec.Result(), rec.Body.Bytes()}); a.StatusCode {
		case http.StatusOK:
			if accept == asNDJSON {
				checkRange(t, a.rows(t), from, to)
			}
		case http.StatusBadRequest, http.StatusNotFound:
			a.reason(t)
		default:
			t.Errorf("%d: %.300s", a.StatusCode, a.body)
		}
	})
}

// checkRange wants every row within the range, where its ends are in ms.
func checkRange(t *testing.T, rows []row, from, to string) {
	t.Helper()
	for _, r := range rows {
		if first, err := strconv.ParseInt(from, 10, 64); err == nil && r.Timestamp < first {
			t.Errorf("a row of %d is before %d", r.Timestamp, first)
		}
		if end, err := strconv.ParseInt(to, 10, 64); err == nil && r.Timestamp >= end {
			t.Errorf("a row of %d is not before %d", r.Timestamp, end)
		}
	}
}
