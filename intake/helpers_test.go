package intake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/event"
	"brine/intake"
)

var csrfKey = []byte("0123456789abcdef0123456789abcdef")

// A testLog stands for the event log: it keeps the groups it was given, or fails.
type testLog struct {
	mu     sync.Mutex
	groups [][]byte
	err    error
}

func (l *testLog) append(_ context.Context, group []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.groups = append(l.groups, bytes.Clone(group))
	return nil
}

func (l *testLog) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

// forget lets go of what was appended, so that a long run fits into memory.
func (l *testLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups = nil
}

// records are all records of one dataset, in the order they were made durable.
func (l *testLog) records(tb testing.TB, dataset string) (records []event.Record) {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, group := range l.groups {
		for r, err := range event.Records(group) {
			if err != nil {
				tb.Fatal(err)
			}
			if r.Dataset == dataset {
				records = append(records, r)
			}
		}
	}
	return records
}

// A lockedBuffer can be written by the server while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A door is an open server with the log behind it, and a client's session.
type door struct {
	*intake.Server
	log     *testLog
	text    *lockedBuffer // what the server logged
	handler http.Handler
	cookie  string
	token   string
}

// openDoor opens a server whose fields the options may change.
func openDoor(tb testing.TB, options ...func(*intake.Server)) *door {
	tb.Helper()
	d := &door{log: &testLog{}, text: &lockedBuffer{}}
	d.Server = &intake.Server{
		Append:   d.log.append,
		Sampling: openSampling(tb, map[string]float64{event.Interaction: 1}),
		CSRFKey:  csrfKey,
		DNT:      true,
		Version:  "test",
		Logger:   slog.New(slog.NewTextHandler(d.text, nil)),
	}
	for _, option := range options {
		option(d.Server)
	}
	if err := d.Open(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { d.Close() })
	d.handler = d.Handler()
	d.cookie, d.token = d.newSession(tb)
	return d
}

func openSampling(tb testing.TB, rates map[string]float64) *intake.Sampling {
	tb.Helper()
	s, err := intake.OpenSampling(filepath.Join(tb.TempDir(), "sampling.json"), rates, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// newSession asks for a session as a browser does and returns its cookie and token.
func (d *door) newSession(tb testing.TB) (cookie, token string) {
	tb.Helper()
	w := d.do(httptest.NewRequest("GET", "/wsapi/session_context", nil))
	var answer struct {
		Token string `json:"csrf_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		tb.Fatal(err)
	}
	cookies := w.Result().Cookies()
	if w.Code != 200 || len(cookies) != 1 || answer.Token == "" {
		tb.Fatalf("session_context: %d, %d cookies, token %q", w.Code, len(cookies), answer.Token)
	}
	return cookies[0].Name + "=" + cookies[0].Value, answer.Token
}

func (d *door) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w
}

// request makes a POST of a body with the session's cookie; headers come in pairs, and an
// empty value takes a header away.
func (d *door) request(body string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", "/wsapi/interaction_data", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cookie", d.cookie)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Del(pair[0])
		if pair[1] != "" {
			r.Header.Set(pair[0], pair[1])
		}
	}
	return r
}

// post sends blobs with a valid token.
func (d *door) post(data string) *httptest.ResponseRecorder {
	return d.do(d.request(d.envelope(data)))
}

func (d *door) envelope(data string) string {
	return `{"csrf":"` + d.token + `","data":` + data + `}`
}

// blob is a valid event, with some fields set otherwise, or taken away by nil.
func blob(fields map[string]any) string {
	b := map[string]any{
		"timestamp":              event.FloorMillis(time.Now().UnixMilli()),
		"event_stream":           []any{[]any{"picker", 732}, []any{"picker::change", 1700}, []any{"picker::signin", 2300}},
		"email_type":             "secondary",
		"number_emails":          3,
		"new_account":            false,
		"language":               "en_US",
		"number_sites_logged_in": 1,
		"screen_size":            map[string]any{"width": 640, "height": 480},
		"sample_rate":            1.0,
		"user_agent":             map[string]any{"os": "iOS", "browser": "Safari", "version": "5.1"},
	}
	maps.Copy(b, fields)
	maps.DeleteFunc(b, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// answer is the body of every answer to a POST.
type answer struct {
	Success bool   `json:"success"`
	Stored  int    `json:"stored"`
	Reason  string `json:"reason"`
	Errors  []struct {
		Index   int    `json:"index"`
		Path    string `json:"path"`
		Message string `json:"message"`
	} `json:"errors"`
	LeftOut int `json:"errors_left_out"`
}

func decode(tb testing.TB, body io.Reader) (a answer) {
	tb.Helper()
	if err := json.NewDecoder(body).Decode(&a); err != nil {
		tb.Fatal("the answer is no JSON:", err)
	}
	return a
}

var errDisk = errors.New("no space left on device")
