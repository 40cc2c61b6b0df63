package intake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brine/event"
	"brine/intake"
)

// appSchema is that of the streams of these tests.
const appSchema = `
$schema: https://json-schema.org/draft/2020-12/schema
$id: /app/session/1.0.0
title: app/session
type: object
additionalProperties: false
required: [$schema, dt, meta]
properties:
  $schema: {type: string}
  dt: {type: string, format: date-time}
  install: {type: string}
  screens: {type: integer, minimum: 0}
  client_ip: {type: string}
  request_headers: {type: object, additionalProperties: {type: string}}
  meta:
    type: object
    required: [dt, stream]
    properties: {dt: {type: string}, id: {type: string}, stream: {type: string}}
`

// openAppDoor opens a door with the streams session, which has the unit install, and page, which has none.
func openAppDoor(tb testing.TB, options ...func(*intake.Server)) *door {
	tb.Helper()
	streams := map[string]*event.Stream{"session": appStream(tb, "session", "install"), "page": appStream(tb, "page", "")}
	return openDoor(tb, append([]func(*intake.Server){func(s *intake.Server) {
		s.Streams = streams
		s.Sampling = openSampling(tb, map[string]float64{event.Interaction: 1, "session": 1, "page": 1})
	}}, options...)...)
}

func appStream(tb testing.TB, name, unit string) *event.Stream {
	tb.Helper()
	folder := tb.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "session.yaml"), []byte(appSchema), 0o600); err != nil {
		tb.Fatal(err)
	}
	registry, err := event.LoadRegistry(folder)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := registry.Stream(event.StreamConfig{Name: name, Schema: "/app/session", Unit: unit})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// appEvent is a valid event of the stream session, with some fields set otherwise, or taken away by nil.
func appEvent(fields map[string]any) string {
	e := map[string]any{"$schema": "/app/session/1.0.0", "dt": "2026-11-21T13:45:01.5Z", "install": "one", "screens": 3,
		"meta": map[string]any{"stream": "session"}}
	maps.Copy(e, fields)
	maps.DeleteFunc(e, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func of(stream string) map[string]any {
	return map[string]any{"meta": map[string]any{"stream": stream}}
}

// send posts a body to /v1/events; headers come in pairs, and an empty value takes one away.
func (d *door) send(body, query string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/v1/events"+query, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Del(pair[0])
		if pair[1] != "" {
			r.Header.Set(pair[0], pair[1])
		}
	}
	return d.do(r)
}

// TestEventStatuses has every status of /v1/events; what must say why is checked to do so.
func TestEventStatuses(t *testing.T) {
	d := openAppDoor(t)
	valid, invalid := appEvent(nil), appEvent(map[string]any{"screens": "three"})
	big := appEvent(map[string]any{"install": strings.Repeat("x", 11<<10)})
	for name, test := range map[string]struct {
		body, query string
		headers     []string
		status      int
		stored      int
		path        string // of the first error
		says        string // is part of its message
	}{
		"One":            {body: valid, status: 201, stored: 1},
		"Array":          {body: "[" + valid + " ,\n" + appEvent(of("page")) + "]", status: 201, stored: 2},
		"Cookie":         {body: valid, headers: []string{"Cookie", "brine_optout=1"}, status: 204},
		"GPC":            {body: valid, headers: []string{"Sec-GPC", "1"}, status: 204},
		"DNT":            {body: "no JSON", headers: []string{"DNT", "1"}, status: 204},
		"Some":           {body: "[" + valid + "," + invalid + "]", status: 207, stored: 1, path: "/screens", says: "integer"},
		"None":           {body: invalid, status: 400, path: "/screens"},
		"NoBody":         {body: "", status: 400, says: "empty"},
		"NoEvent":        {body: "[]", status: 400, says: "empty"},
		"Text":           {body: `"x"`, status: 400, says: "neither"},
		"Malformed":      {body: valid[:40], status: 400, says: "JSON"},
		"MalformedArray": {body: "[" + valid + ",{]", status: 400, says: "JSON"},
		"Behind":         {body: valid + valid, status: 400, says: "follows"},
		"NoStream":       {body: appEvent(map[string]any{"meta": nil}), status: 400, path: "/meta/stream", says: "required"},
		"StreamNumber":   {body: appEvent(map[string]any{"meta": map[string]any{"stream": 5}}), status: 400, path: "/meta/stream"},
		"UnknownStream":  {body: appEvent(of("sesion")), status: 400, path: "/meta/stream", says: "did you mean session?"},
		"Interaction":    {body: appEvent(of("interaction")), status: 400, path: "/meta/stream", says: "/wsapi/interaction_data"},
		"NoSchema":       {body: appEvent(map[string]any{"$schema": nil}), status: 400, path: "/$schema", says: "required"},
		"UnknownSchema":  {body: appEvent(map[string]any{"$schema": "/app/session/1.0.1"}), status: 400, path: "/$schema", says: "did you mean /app/session/1.0.0?"},
		"SchemaNumber":   {body: appEvent(map[string]any{"$schema": 1}), status: 400, path: "/$schema"},
		"Hasty":          {body: "[" + valid + "," + invalid + "]", query: "?hasty=true", status: 202, stored: 1},
		"HastyNone":      {body: invalid, query: "?hasty=true", status: 202},
		"HastyUnknown":   {body: appEvent(of("x")), query: "?hasty=true", status: 202},
		"HastyMalformed": {body: "{", query: "?hasty=true", status: 400, says: "JSON"},
		"NotHasty":       {body: invalid, query: "?hasty=false", status: 400, path: "/screens"},
		"LoneBig":        {body: big, status: 413, says: "10 kB"},
		"BigAmong":       {body: "[" + big + "," + valid + "]", status: 207, stored: 1, says: "10 kB"},
		"Body":           {body: "[" + strings.Repeat(valid+",", 3000) + valid + "]", status: 413},
		"Form":           {body: valid, headers: []string{"Content-Type", "text/plain"}, status: 415},
		"Packed":         {body: valid, headers: []string{"Content-Encoding", "gzip"}, status: 415},
		"ForeignPage":    {body: valid, headers: []string{"Origin", "https://elsewhere.example"}, status: 403},
		"NoBrowser":      {body: valid, headers: []string{"User-Agent", ""}, status: 201, stored: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d.log.forget()
			w := d.send(test.body, test.query, test.headers...)
			if w.Code != test.status {
				t.Fatalf("status %d, want %d: %s", w.Code, test.status, w.Body)
			}
			if n := len(d.log.records(t, event.DatasetRaw)); n != test.stored {
				t.Errorf("%d events are stored, want %d", n, test.stored)
			}
			if test.status == 204 {
				return
			}
			a := decode(t, w.Body)
			if a.Stored != test.stored || a.Success != (test.status == 201) || (a.Reason == "") != (test.status < 207) {
				t.Errorf("answer %+v", a)
			}
			if test.path != "" && (len(a.Errors) != 1 || a.Errors[0].Path != test.path) {
				t.Errorf("errors %+v, want the path %s", a.Errors, test.path)
			}
			if !strings.Contains(a.Reason+fmt.Sprint(a.Errors), test.says) {
				t.Errorf("the answer does not say %q: %+v", test.says, a)
			}
			if len(w.Header()["Set-Cookie"]) > 0 {
				t.Error("a cookie is set")
			}
		})
	}
	if w := d.do(httptest.NewRequest("GET", "/v1/events", nil)); w.Code != 405 || w.Header().Get("Allow") != "POST, OPTIONS" {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestEventsCannotBeStored(t *testing.T) {
	d := openAppDoor(t)
	d.log.fail(errDisk)
	for _, query := range []string{"", "?hasty=true"} {
		w := d.send(appEvent(nil), query)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || decode(t, w.Body).Success {
			t.Errorf("%q: %d %s", query, w.Code, w.Body)
		}
	}
	notReady := openAppDoor(t, func(s *intake.Server) { s.Ready = func() error { return errDisk } })
	if w := notReady.send(appEvent(nil), ""); w.Code != 503 {
		t.Error(w.Code)
	}
}

func TestEventsRateLimit(t *testing.T) {
	d := openAppDoor(t, func(s *intake.Server) { s.RateLimit, s.RateBurst = 0.001, 2 })
	var codes []int
	for range 3 {
		codes = append(codes, d.send(appEvent(nil), "").Code)
	}
	if !slices.Equal(codes, []int{201, 201, 429}) {
		t.Error(codes)
	}
}

// TestEventsAreFilledIn has the server make what meta lacks, and nothing that tells who sent it.
func TestEventsAreFilledIn(t *testing.T) {
	d := openAppDoor(t, at(noon), func(s *intake.Server) { s.TrustedProxies = nil })
	w := d.send(appEvent(map[string]any{"client_ip": "203.0.113.77", "request_headers": map[string]any{"user-agent": "Mozilla"}}), "",
		"User-Agent", "Mozilla/5.0", "X-Forwarded-For", "198.51.100.7")
	if w.Code != 201 {
		t.Fatal(w.Code, w.Body)
	}
	record := d.log.records(t, event.DatasetRaw)[0]
	var row struct {
		Received int64
		Meta     struct{ ID, DT, Stream string }
	}
	if err := json.Unmarshal(record.Row, &row); err != nil {
		t.Fatal(err)
	}
	if record.Stream != "session" || row.Meta.Stream != "session" || len(row.Meta.ID) != 36 || row.Meta.ID[14] != '4' ||
		row.Meta.DT != noon.UTC().Truncate(10*time.Minute).Format(time.RFC3339) || row.Received != event.FloorMillis(noon.UnixMilli()) {
		t.Errorf("%s %s", record.Stream, record.Row)
	}
	for _, secret := range []string{"203.0.113", "198.51.100", "Mozilla", "client_ip", "request_headers"} {
		if bytes.Contains(record.Row, []byte(secret)) {
			t.Errorf("the row holds %s: %s", secret, record.Row)
		}
	}
}

func setRates(t *testing.T, d *door, rates map[string]float64) {
	t.Helper()
	if err := d.Sampling.Set(rates, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestEventSampling has installs in and out of the sample, and the kill switch.
func TestEventSampling(t *testing.T) {
	d := openAppDoor(t, func(s *intake.Server) { s.Epoch = func(time.Time) string { return "2026100100" } })
	in := appEvent(map[string]any{"install": "00000000-0000-4000-8000-000000000226"}) // 0.0046, as sampling.json has it
	out := appEvent(map[string]any{"install": "00000000-0000-4000-8000-000000000001"})
	setRates(t, d, map[string]float64{"session": 0.01, "page": 1})
	for _, test := range []struct {
		name, body string
		status     int
		answer     string
	}{
		{"In", in, 201, `{"success":true,"stored":1}`},
		{"Out", out, 204, ``},
		{"Mixed", "[" + in + "," + out + "," + out + "]", 201, `{"success":true,"stored":1,"sampled_out":2}`},
		{"NoUnit", appEvent(map[string]any{"install": nil}), 204, ``},
		{"StreamWithoutUnit", appEvent(of("page")), 201, `{"success":true,"stored":1}`},
	} {
		if w := d.send(test.body, ""); w.Code != test.status || w.Body.String() != test.answer {
			t.Errorf("%s: %d %s", test.name, w.Code, w.Body)
		}
	}
	if w := d.send("["+out+",{}]", ""); w.Code != 207 || decode(t, w.Body).Success {
		t.Errorf("refused and out of the sample: %d", w.Code)
	}
	if w := d.send("["+in+","+out+"]", "?hasty=true"); w.Code != 202 || w.Body.String() != `{"stored":1,"sampled_out":1}` {
		t.Errorf("hasty: %d %s", w.Code, w.Body)
	}
	if n := d.Stats().SampledOut; n != 6 {
		t.Errorf("%d events are counted as out of the sample, want 6", n)
	}
	want := map[string]intake.StreamSnapshot{"session": {Stored: 3, SampledOut: 6}, "page": {Stored: 1}, "": {Refused: 1}}
	if got := d.Stats().Streams; !maps.Equal(got, want) {
		t.Errorf("by stream: %v, want %v", got, want)
	}
	setRates(t, d, map[string]float64{"session": 0, "page": 1})
	if w := d.send(in, ""); w.Code != 204 {
		t.Errorf("with the rate 0: %d", w.Code)
	}
}

// TestEventSamplingAtATurn has each event judged by the epoch of its own time, or for 48 hours by the one before.
func TestEventSamplingAtATurn(t *testing.T) {
	d := openAppDoor(t) // calendar quarters
	setRates(t, d, map[string]float64{"session": 0.05})
	const onlyBefore = "00000000-0000-4000-8000-000000000226" // 0.0046 in 2026100100, far above the rate in 2027010100
	for _, test := range []struct {
		at     string
		status int
	}{
		{"2026-12-31T23:59:59Z", 201},
		{"2027-01-01T00:00:00Z", 201},
		{"2027-01-02T23:59:59Z", 201},
		{"2027-01-03T00:00:00Z", 204},
		{"2026-10-01T00:00:00Z", 201},
		{"2026-09-30T23:59:59Z", 204},
	} {
		if w := d.send(appEvent(map[string]any{"install": onlyBefore, "dt": test.at}), ""); w.Code != test.status {
			t.Errorf("%s: %d, want %d", test.at, w.Code, test.status)
		}
	}
}

// TestSamplingConformance sends every case of sampling.json through the door.
func TestSamplingConformance(t *testing.T) {
	var file struct {
		Cases []struct {
			Epoch, Unit string
			InAt        map[string]bool `json:"in_at"`
		}
	}
	if err := json.Unmarshal(readShared(t, "conformance/sampling.json"), &file); err != nil {
		t.Fatal(err)
	}
	epoch := ""
	d := openAppDoor(t, func(s *intake.Server) { s.Epoch = func(time.Time) string { return epoch } })
	for _, c := range file.Cases {
		for text, in := range c.InAt {
			var rate float64
			if _, err := fmt.Sscan(text, &rate); err != nil {
				t.Fatal(err)
			}
			epoch = c.Epoch
			setRates(t, d, map[string]float64{"session": rate})
			want := map[bool]int{true: 201, false: 204}[in]
			if w := d.send(appEvent(map[string]any{"install": c.Unit}), ""); w.Code != want {
				t.Errorf("%s in %s at %s: %d, want %d", c.Unit, c.Epoch, text, w.Code, want)
			}
		}
	}
}

// until is a last day of collection.
type until struct{ time.Time }

func (u until) Passed(now time.Time) bool { return now.After(u.Time) }
func (u until) String() string            { return u.Format(time.DateOnly) }

// TestCollectionEnds has nothing taken of streams whose last day has passed, interaction among them.
func TestCollectionEnds(t *testing.T) {
	day := until{time.Date(2027, 1, 1, 23, 59, 59, 0, time.UTC)}
	now := day.Time
	d := openAppDoor(t, func(s *intake.Server) {
		s.CollectUntil = map[string]intake.Until{"session": day, event.Interaction: day}
		s.Now = func() time.Time { return now }
	})
	send := func() []int {
		b := blob(map[string]any{"timestamp": event.FloorMillis(now.UnixMilli())})
		return []int{d.send(appEvent(nil), "").Code, d.post(b).Code, d.send(appEvent(of("page")), "").Code}
	}
	if got := send(); !slices.Equal(got, []int{201, 200, 201}) {
		t.Error("on the last day:", got)
	}
	now = now.Add(time.Hour)
	if got := send(); !slices.Equal(got, []int{204, 204, 201}) {
		t.Error("after it:", got)
	}
	body := d.do(httptest.NewRequest("GET", "/wsapi/session_context", nil)).Body.String()
	if !strings.Contains(body, `"data_sample_rate":0,"sample_rates":{"interaction":0,"page":1,"session":0}`) {
		t.Error("clients are not told:", body)
	}
}

func TestStreamList(t *testing.T) {
	d := openAppDoor(t, at(noon), func(s *intake.Server) {
		s.Origins = []string{"https://app.example.org"}
		s.CollectUntil = map[string]intake.Until{"session": until{time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}}
	})
	setRates(t, d, map[string]float64{"session": 0.5, "page": 1})
	r := httptest.NewRequest("GET", "/v1/streams", nil)
	r.Header.Set("Origin", "https://app.example.org")
	w := d.do(r)
	want := fmt.Sprintf(`{"sampling_epoch":%q,"server_time":%d,"streams":{`+
		`"page":{"sample_rate":1,"schema":"/app/session/1.0.0","collect_until":"never"},`+
		`"session":{"sample_rate":0.5,"unit":"install","schema":"/app/session/1.0.0","collect_until":"2027-01-01"}}}`,
		intake.CalendarQuarter(noon), event.FloorMillis(noon.UnixMilli()))
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("%d\n%s, want\n%s", w.Code, w.Body, want)
	}
	if w.Header().Get("Access-Control-Allow-Origin") != "https://app.example.org" || len(w.Header()["Set-Cookie"]) > 0 || w.Header().Get("Cache-Control") != "max-age=300" {
		t.Errorf("headers %v", w.Header())
	}
	preflight := httptest.NewRequest("OPTIONS", "/v1/events", nil)
	preflight.Header.Set("Origin", "https://app.example.org")
	preflight.Header.Set("Access-Control-Request-Method", "POST")
	if w := d.do(preflight); w.Code != 204 || w.Header().Get("Access-Control-Allow-Methods") != http.MethodPost {
		t.Errorf("preflight: %d", w.Code)
	}
}

// TestRejectedAppEvents has the shape of refused events of known streams recorded, within half of what there is room for.
func TestRejectedAppEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openAppDoor(t)
		defer d.Close()
		bad := appEvent(map[string]any{"install": "one-install", "screens": "three"})
		d.send("["+bad+","+appEvent(of("unknown"))+"]", "")
		synctest.Wait()
		records := d.log.records(t, event.DatasetRejected)
		if len(records) != 1 || records[0].Stream != "session" {
			t.Fatalf("%d records", len(records))
		}
		row := string(records[0].Row)
		if !strings.Contains(row, `"stream":"session","code":"type","path":"/screens"`) || strings.Contains(row, "one-install") || strings.Contains(row, "three") {
			t.Error(row)
		}
		for range 60 {
			d.send(bad, "")
		}
		for range 40 {
			d.post(blob(map[string]any{"language": 5}))
		}
		synctest.Wait()
		streams := map[string]int{}
		for _, r := range d.log.records(t, event.DatasetRejected) {
			streams[r.Stream]++
		}
		if streams["session"] != 25 || streams[event.Interaction] != 25 {
			t.Error(streams)
		}
	})
}

// TestNothingTellsTheInstall sends what every status takes and searches the log's lines and the answers.
func TestNothingTellsTheInstall(t *testing.T) {
	const install, address = "9f3504e0-4f89-41d3-9a0c-0305e82c3301", "203.0.113.77"
	d := openAppDoor(t, func(s *intake.Server) {
		s.Demo = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { panic(r) })
	})
	for _, fail := range []error{nil, errDisk, nil} {
		d.log.fail(fail)
		for _, body := range []string{
			appEvent(map[string]any{"install": install, "client_ip": address}),
			appEvent(map[string]any{"install": install, "screens": install}),
			appEvent(map[string]any{"install": install, "$schema": install}),
			appEvent(map[string]any{"install": install, "meta": map[string]any{"stream": install}}),
			appEvent(map[string]any{"install": []string{install, address}}),
			appEvent(map[string]any{"dt": install}), `{"` + install, install, `[{"install":"` + install + `"}]`,
		} {
			for _, query := range []string{"", "?hasty=true", "?" + install} {
				w := d.send(body, query, "X-Forwarded-For", address, "User-Agent", install)
				if answer := w.Body.String(); strings.Contains(answer, install) || strings.Contains(answer, address) {
					t.Errorf("the answer to %s repeats what was sent: %s", body, answer)
				}
			}
		}
		d.do(httptest.NewRequest("GET", "/demo/?"+install, nil))
	}
	d.Close()
	logged := d.text.String()
	if !strings.Contains(logged, "cannot be stored") || !strings.Contains(logged, "panicked") {
		t.Errorf("the log does not tell of failures: %s", logged)
	}
	for _, secret := range []string{install, address} {
		if strings.Contains(logged, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for _, group := range d.log.groups {
		if strings.Contains(string(group), address) {
			t.Error("a group holds an address")
		}
	}
	for _, r := range d.log.records(t, event.DatasetRejected) {
		if strings.Contains(string(r.Row), install) {
			t.Errorf("a rejected row holds the install: %s", r.Row)
		}
	}
}

// FuzzEventsBody holds of every body: a status of the door, success only where something was stored.
func FuzzEventsBody(f *testing.F) {
	d := openAppDoor(f)
	f.Add(appEvent(nil))
	f.Add("[" + appEvent(nil) + "," + appEvent(of("page")) + ",{}]")
	f.Add(`[{"meta":{"stream":"sess"}}`)
	f.Add(`{"$schema":"/app/session/1.0.0","dt":"2026-11-21T13:45:01Z","meta":{"stream":"page","id":"\ud83d\ude00"},"request_headers":{"a":"b"}}`)
	f.Add(strings.Repeat(`{"a":`, 100))
	f.Add(`{"screens":1e400}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, query := range []string{"", "?hasty=true"} {
			before := d.Stats()
			w := d.send(body, query)
			stored := int(d.Stats().Stored - before.Stored)
			if !slices.Contains([]int{201, 202, 204, 207, 400, 413}, w.Code) || d.Stats().Panics > 0 {
				t.Fatalf("status %d, panics %d", w.Code, d.Stats().Panics)
			}
			if w.Code == 204 {
				continue
			}
			a := decode(t, w.Body)
			if a.Stored != stored || a.Success != (w.Code == 201) || w.Code == 201 && stored == 0 {
				t.Errorf("status %d, %d events stored, answer %+v", w.Code, stored, a)
			}
		}
		for _, r := range d.log.records(t, event.DatasetRaw) {
			if !json.Valid(r.Row) {
				t.Errorf("a row is no JSON: %s", r.Row)
			}
		}
		d.log.forget()
	})
}
