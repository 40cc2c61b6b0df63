package intake_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/intake"
)

func TestStored(t *testing.T) {
	d := openDoor(t)
	w := d.post(blob(map[string]any{"id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}))
	if got, want := w.Body.String(), `{"success":true,"stored":1}`; w.Code != 200 || got != want {
		t.Fatalf("got %d %s", w.Code, got)
	}
	records := d.log.records(t, event.DatasetRaw)
	if len(records) != 1 || !bytes.Contains(records[0].Row, []byte(`"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"`)) {
		t.Errorf("got %d records", len(records))
	}
}

// TestStatuses has every status of the door; what must say why is checked to do so.
func TestStatuses(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) { s.Origins = []string{"https://login.example.org"} })
	valid, invalid := blob(nil), blob(map[string]any{"email_type": "tertiary"})
	big := blob(map[string]any{"event_stream": longStream(200)})
	bigInvalid := blob(map[string]any{"event_stream": longStream(200), "email_type": "tertiary"})
	body := d.envelope(valid)
	_, foreignToken := d.newSession(t)

	tests := map[string]struct {
		request *http.Request
		status  int
		stored  int
		path    string // of the first error
	}{
		"One":            {request: d.request(body), status: 200, stored: 1},
		"Array":          {request: d.request(d.envelope("[" + valid + " , " + valid + "]")), status: 200, stored: 2},
		"EmptyArray":     {request: d.request(d.envelope("[]")), status: 200},
		"DataFirst":      {request: d.request(`{"data":` + valid + `,"csrf":"` + d.token + `"}`), status: 200, stored: 1},
		"TokenInHeader":  {request: d.request(`{"data":`+valid+`}`, "X-CSRF-Token", d.token), status: 200, stored: 1},
		"NullAndHeader":  {request: d.request(`{"csrf":null,"data":`+valid+`}`, "X-CSRF-Token", d.token), status: 200, stored: 1},
		"EscapedKeys":    {request: d.request(`{"\u0063srf":"` + d.token + `","dat\u0061":` + valid + `}`), status: 200, stored: 1},
		"Charset":        {request: d.request(body, "Content-Type", "application/json; charset=UTF-8"), status: 200, stored: 1},
		"Chunked":        {request: chunked(d.request(body)), status: 200, stored: 1},
		"SameOrigin":     {request: d.request(body, "Sec-Fetch-Site", "same-origin"), status: 200, stored: 1},
		"TrustedOrigin":  {request: d.request(body, "Sec-Fetch-Site", "same-site", "Origin", "https://login.example.org"), status: 200, stored: 1},
		"OptOutOtherway": {request: d.request(body, "Cookie", d.cookie+"; brine_optout=0"), status: 200, stored: 1},

		"OptedOut": {request: d.request(body, "Cookie", d.cookie+"; brine_optout=1"), status: 204},
		"GPC":      {request: d.request(body, "Sec-GPC", "1"), status: 204},
		"DNT":      {request: d.request("not even JSON", "DNT", "1"), status: 204},

		"Mixed":         {request: d.request(d.envelope("[" + invalid + "," + valid + "]")), status: 207, stored: 1, path: "/email_type"},
		"MixedTooLarge": {request: d.request(d.envelope("[" + big + "," + valid + "]")), status: 207, stored: 1},

		"Invalid":        {request: d.request(d.envelope(invalid)), status: 400, path: "/email_type"},
		"AllInvalid":     {request: d.request(d.envelope("[" + invalid + "," + invalid + "]")), status: 400, path: "/email_type"},
		"NotAnObject":    {request: d.request(d.envelope("5")), status: 400},
		"NestedArray":    {request: d.request(d.envelope("[[" + valid + "]]")), status: 400},
		"UnknownKey":     {request: d.request(`{"csrf":"` + d.token + `","date":1}`), status: 400, path: "/date"},
		"RepeatedData":   {request: d.request(`{"csrf":"` + d.token + `","data":` + valid + `,"data":` + valid + `}`), status: 400, path: "/data"},
		"RepeatedToken":  {request: d.request(`{"csrf":"` + d.token + `","csrf":"","data":[]}`), status: 400, path: "/csrf"},
		"TokenNumber":    {request: d.request(`{"csrf":5,"data":[]}`), status: 400, path: "/csrf"},
		"NoData":         {request: d.request(`{"csrf":"` + d.token + `"}`), status: 400},
		"Empty":          {request: d.request(""), status: 400},
		"Truncated":      {request: d.request(body[:len(body)-5]), status: 400},
		"MoreAfter":      {request: d.request(body + "{}"), status: 400},
		"BodyBroken":     {request: broken(d.request(body)), status: 400},
		"NoCookie":       {request: d.request(body, "Cookie", ""), status: 403},
		"OtherCookie":    {request: d.request(body, "Cookie", "brine_session=AAAAAAAAAAAAAAAAAAAAAA"), status: 403},
		"NoToken":        {request: d.request(`{"data":` + valid + `}`), status: 403},
		"WrongToken":     {request: d.request(`{"csrf":"x","data":` + valid + `}`), status: 403},
		"ForeignToken":   {request: d.request(strings.Replace(body, d.token, foreignToken, 1)), status: 403},
		"CrossSite":      {request: d.request(body, "Sec-Fetch-Site", "cross-site"), status: 403},
		"ForeignOrigin":  {request: d.request(body, "Origin", "https://evil.example.org"), status: 403},
		"UnknownPath":    {request: httptest.NewRequest("POST", "/wsapi/nothing", nil), status: 404},
		"WrongMethod":    {request: httptest.NewRequest("GET", "/wsapi/interaction_data", nil), status: 405},
		"PutContext":     {request: httptest.NewRequest("PUT", "/wsapi/session_context", nil), status: 405},
		"LoneTooLarge":   {request: d.request(d.envelope(big)), status: 413},
		"BigAndInvalid":  {request: d.request(d.envelope(bigInvalid)), status: 413},
		"ArrayOfOneBig":  {request: d.request(d.envelope("[" + big + "]")), status: 413},
		"BodyTooLarge":   {request: d.request(strings.Repeat(" ", 256<<10) + body), status: 413},
		"ChunksTooLarge": {request: chunked(d.request(strings.Repeat(" ", 256<<10) + body)), status: 413},
		"NoType":         {request: d.request(body, "Content-Type", ""), status: 415},
		"Form":           {request: d.request(body, "Content-Type", "application/x-www-form-urlencoded"), status: 415},
		"Latin1":         {request: d.request(body, "Content-Type", "application/json; charset=latin1"), status: 415},
		"Gzip":           {request: d.request(body, "Content-Encoding", "gzip"), status: 415},
		"TwoEncodings":   {request: encodedTwice(d.request(body)), status: 415},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := len(d.log.records(t, event.DatasetRaw))
			w := d.do(test.request)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if got := len(d.log.records(t, event.DatasetRaw)) - before; got != test.stored {
				t.Errorf("%d events stored, want %d", got, test.stored)
			}
			if w.Code == 204 {
				return
			}
			a := decode(t, w.Body)
			if a.Success != (w.Code == 200) || a.Stored != test.stored || (a.Reason == "") != (w.Code == 200) {
				t.Errorf("answer %+v", a)
			}
			if test.path != "" && (len(a.Errors) == 0 || a.Errors[0].Path != test.path) {
				t.Errorf("errors %+v, want the path %s", a.Errors, test.path)
			}
			if w.Code == 400 && len(a.Errors) == 0 && name != "NoData" && name != "BodyBroken" {
				t.Error("there are no errors with it")
			}
			if w.Code == 405 && w.Header().Get("Allow") == "" {
				t.Error("there is no Allow")
			}
		})
	}
}

func chunked(r *http.Request) *http.Request {
	r.ContentLength = -1
	return r
}

// broken makes a request whose connection ends in the midst of the body.
func broken(r *http.Request) *http.Request {
	r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 20), failingReader{}))
	return r
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// longStream has n entries of valid names, 64 characters each.
func longStream(n int) []any {
	entries := make([]any, n)
	for i := range entries {
		entries[i] = []any{strings.Repeat("a", 64), i}
	}
	return entries
}

func TestErrorsTellTheIndex(t *testing.T) {
	d := openDoor(t)
	bad := blob(map[string]any{"sample_rate": nil})
	a := decode(t, d.post("["+blob(nil)+","+bad+","+blob(nil)+","+bad+"]").Body)
	if len(a.Errors) != 2 || a.Errors[0].Index != 1 || a.Errors[1].Index != 3 || a.Errors[0].Path != "/sample_rate" || a.Errors[0].Message == "" {
		t.Errorf("got %+v", a.Errors)
	}
}

func TestErrorsAreBounded(t *testing.T) {
	d := openDoor(t)
	w := d.post("[" + strings.Repeat("{},", 80_000) + "{}]")
	size := w.Body.Len()
	a := decode(t, w.Body)
	if w.Code != 400 || len(a.Errors)+a.LeftOut != 80_001 || size > 256<<10 {
		t.Errorf("%d, %d errors, %d left out, %d bytes", w.Code, len(a.Errors), a.LeftOut, size)
	}
}

func TestDNTCanBeIgnored(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) { s.DNT = false })
	if w := d.do(d.request(d.envelope(blob(nil)), "DNT", "1")); w.Code != 200 {
		t.Error("status", w.Code)
	}
	if w := d.do(d.request(d.envelope(blob(nil)), "Sec-GPC", "1")); w.Code != 204 {
		t.Error("status", w.Code)
	}
}

func TestKillSwitch(t *testing.T) {
	d := openDoor(t)
	if err := d.Sampling.Set(map[string]float64{event.Interaction: 0}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if w := d.post(blob(nil)); w.Code != 204 {
		t.Error("status", w.Code)
	}
	if err := d.Sampling.Set(map[string]float64{event.Interaction: 0.5}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if w := d.post(blob(nil)); w.Code != 200 { // recorded at the rate before
		t.Error("status", w.Code)
	}
}

func TestUserAgentIsMadeByTheServer(t *testing.T) {
	d := openDoor(t)
	header := "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
	d.do(d.request(d.envelope(blob(map[string]any{"user_agent": nil})), "User-Agent", header))
	row := d.log.records(t, event.DatasetRaw)[0].Row
	if !bytes.Contains(row, []byte(`"user_agent":{"os":"Linux","browser":"Firefox","version":"130"}`)) {
		t.Errorf("row %s", row)
	}
}

func TestNotReady(t *testing.T) {
	var down error
	d := openDoor(t, func(s *intake.Server) { s.Ready = func() error { return down } })
	down = errDisk
	w := d.post(blob(nil))
	if a := decode(t, w.Body); w.Code != 503 || w.Header().Get("Retry-After") == "" || a.Reason == "" {
		t.Errorf("got %d %+v", w.Code, a)
	}
	if n := len(d.log.records(t, event.DatasetRaw)); n != 0 {
		t.Errorf("%d events went to the log", n)
	}
	down = nil
	if w := d.post(blob(nil)); w.Code != 200 {
		t.Error("status", w.Code)
	}
}

// encodedTwice adds a second Content-Encoding behind a harmless one.
func encodedTwice(r *http.Request) *http.Request {
	r.Header["Content-Encoding"] = []string{"identity", "gzip"}
	return r
}

func TestDemoWithoutItsSlash(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) { s.Demo = http.NotFoundHandler() })
	w := d.do(httptest.NewRequest("GET", "/demo", nil))
	if got := w.Header().Get("Location"); w.Code != http.StatusTemporaryRedirect || got != "/demo/" {
		t.Errorf("%d to %q", w.Code, got)
	}
}

func TestPanicIs503(t *testing.T) {
	d := openDoor(t, func(s *intake.Server) {
		s.Demo = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a value of 192.0.2.1") })
	})
	w := d.do(httptest.NewRequest("GET", "/demo/", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || decode(t, w.Body).Reason == "" {
		t.Error("status", w.Code)
	}
	if d.Stats().Panics != 1 || strings.Contains(d.text.String(), "192.0.2.1") {
		t.Errorf("log %s", d.text)
	}
}

func TestRateLimit(t *testing.T) {
	now := noon
	d := openDoor(t, func(s *intake.Server) {
		s.Now = func() time.Time { return now }
		s.RateLimit, s.RateBurst = 0.5, 2
	})
	for i, want := range []int{200, 200, 429} {
		w := d.post("[]")
		if w.Code != want {
			t.Fatalf("request %d: status %d, want %d", i, w.Code, want)
		}
		if want == 429 && w.Header().Get("Retry-After") != "2" {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
	}
	now = now.Add(2 * time.Second)
	if w := d.post("[]"); w.Code != 200 {
		t.Error("status", w.Code)
	}
}

func TestTokenExpires(t *testing.T) {
	now := time.Now()
	d := openDoor(t, func(s *intake.Server) { s.Now = func() time.Time { return now } })
	now = now.Add(6*time.Hour - time.Second)
	if w := d.post("[]"); w.Code != 200 {
		t.Error("a second before:", w.Code)
	}
	now = now.Add(time.Second)
	w := d.post("[]")
	if a := decode(t, w.Body); w.Code != 403 || !strings.Contains(a.Reason, "expired") {
		t.Errorf("after 6 hours: %d %+v", w.Code, a)
	}
}

// TestOneKeyServesSeveralCollectors has a token of one server accepted by another.
func TestOneKeyServesSeveralCollectors(t *testing.T) {
	one, two := openDoor(t), openDoor(t)
	if w := two.do(one.request(one.envelope("[]"))); w.Code != 200 {
		t.Error("status", w.Code)
	}
	other := openDoor(t, func(s *intake.Server) { s.CSRFKey = []byte(strings.Repeat("x", 32)) })
	if w := other.do(one.request(one.envelope("[]"))); w.Code != 403 {
		t.Error("another key: status", w.Code)
	}
}

func TestOpenChecksFields(t *testing.T) {
	good := func() *intake.Server {
		return &intake.Server{
			Append:   (&testLog{}).append,
			Sampling: openSampling(t, nil),
			CSRFKey:  csrfKey,
		}
	}
	for name, spoil := range map[string]func(*intake.Server){
		"NoAppend":   func(s *intake.Server) { s.Append = nil },
		"NoSampling": func(s *intake.Server) { s.Sampling = nil },
		"ShortKey":   func(s *intake.Server) { s.CSRFKey = s.CSRFKey[:31] },
		"Origin":     func(s *intake.Server) { s.Origins = []string{"https://example.org/path"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := good()
			spoil(s)
			if err := s.Open(); err == nil {
				s.Close()
				t.Error("opened")
			}
		})
	}
}

func TestStats(t *testing.T) {
	d := openDoor(t)
	d.post("[" + blob(nil) + "," + blob(nil) + "," + blob(map[string]any{"language": 5}) + "]")
	d.post(`{"x":1}`)
	stats := d.Stats()
	got := fmt.Sprint(stats.Answers, stats.Stored, stats.Refused, stats.RejectedRecorded)
	if want := "map[200:1 207:1 400:1] 2 map[type:1 unknown:1] 2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
