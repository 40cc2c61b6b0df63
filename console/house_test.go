package console_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

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
	url   string
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
	h := &house{tb: tb, dir: dir, clock: &clock{}, temp: filepath.Join(dir, "tmp"), users: simulate.NewSource(1), kind: event.InteractionStream()}
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
	server := httptest.NewServer(h.handler())
	h.tb.Cleanup(server.Close)
	h.url = server.URL
}

// handler is the door without a server.
func (h *house) handler() http.Handler {
	return (&console.Server{Lake: h.lake, Temp: h.temp, Now: h.clock.Wall}).Handler()
}

func tables() []lake.Table {
	return []lake.Table{
		lake.NewTable(lake.Raw, event.Interaction, event.InteractionColumns(), "timestamp", "id"),
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
	req, err := http.NewRequest(method, h.url+target, nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	res, err := http.DefaultClient.Do(req)
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
