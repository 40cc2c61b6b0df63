package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/console"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/simulate"
)

// house is a private door over a lake with a log, all on a real disk, with a clock that the test sets.
type house struct {
	tb    testing.TB
	dir   string
	clock *clock
	temp  string
	log   *eventlog.Log
	lake  *lake.Lake
	door  http.Handler
	url   string
	token string // of somebody with all roles
	audit *records
	users *simulate.Source
	kind  *event.Stream
}

// clock stands still until a test moves it.
type clock struct{ since atomic.Int64 } // testStart, ns

func (c *clock) Wall() time.Time         { return testStart.Add(c.Mono()) }
func (c *clock) Mono() time.Duration     { return time.Duration(c.since.Load()) }
func (c *clock) advance(d time.Duration) { c.since.Add(int64(d)) }

var testStart = time.Date(2026, 11, 21, 13, 7, 30, 0, time.UTC)

func openHouse(tb testing.TB) *house {
	tb.Helper()
	dir := tb.TempDir()
	h := &house{audit: &records{}, tb: tb, dir: dir, clock: &clock{}, temp: filepath.Join(dir, "tmp"), users: simulate.NewSource(1), kind: event.InteractionStream()}
	ctx := context.Background()
	err := os.Mkdir(h.temp, 0o700)
	if err != nil {
		tb.Fatal(err)
	}
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(dir, "log"), Clock: h.clock}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.log.Close() })
	h.openLake()
	return h
}

// openLake opens the lake, and the door over it.
func (h *house) openLake() {
	h.tb.Helper()
	l, err := lake.Open(context.Background(), lake.Options{Dir: filepath.Join(h.dir, "lake"), Temp: h.temp, Tables: tables(), Log: h.log, Now: h.clock.Wall})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(l.Close)
	h.lake = l
	h.door = h.openDoor()
	server := httptest.NewServer(h.door)
	h.tb.Cleanup(server.Close)
	h.url = server.URL
}

// openDoor is the door without a server. Its gate lets a tester in, whose token is in h.token.
func (h *house) openDoor() http.Handler {
	h.tb.Helper()
	g := &gate.Gate{Audit: h.audit, Now: h.clock.Wall}
	if err := g.Open(); err != nil {
		h.tb.Fatal(err)
	}
	h.token, _ = g.Invite("tester", access.RolesOf(access.Raw, access.Privacy), 24*time.Hour)
	s := &console.Server{Lake: h.lake, Temp: h.temp, Now: h.clock.Wall, Gate: g, Begin: h.audit.begin}
	if err := s.Open(); err != nil {
		h.tb.Fatal(err)
	}
	return s.Handler()
}

// identified is a request of the tester.
func (h *house) identified(req *http.Request) *http.Request {
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("X-Purpose", "tests of the console")
	return req
}

// records is an audit in memory.
type records struct {
	mu     sync.Mutex
	all    []audit.Record
	broken bool   // refuses what is to be recorded
	during func() // happens once a read has begun
}

func (a *records) Append(r audit.Record) (number uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken {
		return 0, errors.New("no space left on device")
	}
	r.Number = uint64(len(a.all) + 1)
	a.all = append(a.all, r)
	return r.Number, nil
}

func (a *records) begin(r audit.Record) (end func(rows int64, outcome string) error, err error) {
	r.Action = audit.ReadBegin
	number, err := a.Append(r)
	if a.during != nil {
		a.during()
	}
	return func(rows int64, outcome string) error {
		_, err := a.Append(audit.Record{Action: audit.ReadEnd, Who: r.Who, Read: number, Rows: &rows, Outcome: outcome})
		return err
	}, err
}

func (a *records) last() audit.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all[len(a.all)-1]
}

func tables() []lake.Table {
	return []lake.Table{
		lake.NewTable(lake.Raw, event.Interaction, event.InteractionColumns(), "timestamp", "id"),
		lake.NewTable(lake.Sanitized, event.Interaction, event.InteractionColumns(), "timestamp", "id"),
		lake.NewTable(lake.Rejected, event.Interaction, event.RejectedColumns(), "", ""),
		lake.QuarantineTable(),
	}
}

// come lets n simulated users use the dialog at a time; what they send is in the lake when it returns.
func (h *house) come(n int, at time.Time) (ids []string) {
	h.tb.Helper()
	var group []byte
	for range n {
		row, key := h.accept(h.users.AppendInteraction(nil, at))
		group = event.AppendRecord(group, event.Record{Dataset: lake.Raw, Stream: event.Interaction, Key: key, Row: row})
		ids = append(ids, uuid.UUID(key.ID).String())
	}
	h.flush(group)
	return ids
}

// accept is what the public door does with an interaction.
func (h *house) accept(blob []byte) (row []byte, key event.Key) {
	h.tb.Helper()
	arrival := &event.Arrival{Now: h.clock.Wall(), NewID: event.NewID, AnyAge: true}
	row, key, _, problem := h.kind.Append(nil, blob, arrival)
	if problem != nil {
		h.tb.Fatalf("a simulated interaction is refused: %v", problem)
	}
	return row, key
}

func (h *house) flush(group []byte) {
	h.tb.Helper()
	ctx := context.Background()
	if err := h.log.Append(ctx, group); err != nil {
		h.tb.Fatal(err)
	}
	if err := h.lake.Flush(ctx); err != nil {
		h.tb.Fatal(err)
	}
}

// answer is what the door said.
type answer struct {
	*http.Response
	body []byte
}

func (h *house) get(accept, path string, parameters ...string) answer {
	h.tb.Helper()
	return h.do("GET", accept, path+query(parameters...))
}

// query makes a query string of names and values.
func query(parameters ...string) string {
	values := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		values.Set(parameters[i], parameters[i+1])
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func (h *house) do(method, accept, target string) answer {
	h.tb.Helper()
	req, err := http.NewRequest(method, h.url+ofRaw(target), nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := http.DefaultClient.Do(h.identified(req))
	if err != nil {
		h.tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.tb.Fatal(err)
	}
	return answer{res, body}
}

// ofRaw lets a read of events that names no dataset be one of raw.
func ofRaw(target string) string {
	if !strings.HasPrefix(target, interactions) || strings.Contains(target, "dataset=") {
		return target
	}
	path, query, more := strings.Cut(target, "?")
	if more {
		query = "&" + query
	}
	return path + "?dataset=raw" + query
}

// want checks the status and the media type.
func (a answer) want(tb testing.TB, status int, mediaType string) answer {
	tb.Helper()
	if got := a.Header.Get("Content-Type"); a.StatusCode != status || got != mediaType {
		tb.Fatalf("%d %s, want %d %s: %.300s", a.StatusCode, got, status, mediaType, a.body)
	}
	return a
}

func (a answer) reason(tb testing.TB) string {
	tb.Helper()
	var told struct {
		Success bool
		Reason  string
	}
	if err := json.Unmarshal(a.body, &told); err != nil || told.Success || told.Reason == "" {
		tb.Fatalf("%d without a reason: %.300s", a.StatusCode, a.body)
	}
	return told.Reason
}

// row is what the tests look at of an interaction.
type row struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
}

func (a answer) rows(tb testing.TB) (rows []row) {
	tb.Helper()
	lines := json.NewDecoder(bytes.NewReader(a.body))
	for lines.More() {
		var r row
		if err := lines.Decode(&r); err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// page is one answer of the paged read.
type page struct {
	Events []row
	Next   string
}

func (a answer) page(tb testing.TB) (p page) {
	tb.Helper()
	if err := json.Unmarshal(a.want(tb, http.StatusOK, "application/json").body, &p); err != nil {
		tb.Fatal(err)
	}
	return p
}

func ms(t time.Time) int64 { return t.UnixMilli() }
