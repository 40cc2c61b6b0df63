package couchdb_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"brine/erasure"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/salt"
	"brine/sanitize"
)

// house is a log, a lake, salts, sanitizing and erasures on a real disk, with a clock that the test sets.
type house struct {
	tb       testing.TB
	dir      string
	since    atomic.Int64
	list     string
	log      *eventlog.Log
	lake     *lake.Lake
	salts    *salt.Folder
	job      *sanitize.Job
	erasures *erasure.Erasures
	stream   *event.Stream
	first    int64 // time of the first event
}

var houseStart = time.Date(2026, 11, 21, 13, 7, 0, 0, time.UTC)

func (h *house) Wall() time.Time         { return houseStart.Add(h.Mono()) }
func (h *house) Mono() time.Duration     { return time.Duration(h.since.Load()) }
func (h *house) path(name string) string { return filepath.Join(h.dir, name) }

func (h *house) must(err error) {
	h.tb.Helper()
	if err != nil {
		h.tb.Fatal(err)
	}
}

func openHouse(tb testing.TB) *house {
	tb.Helper()
	h := &house{tb: tb, dir: tb.TempDir(), list: "app: {install: hash, screen: keep}\n"}
	schema, err := event.ParseSchema("app.yaml", []byte(`{$schema: https://json-schema.org/draft/2020-12/schema, type: object,
		properties: {dt: {type: string}, install: {type: string}, screen: {type: string}}}`))
	h.must(err)
	columns, err := event.Columns(schema)
	h.must(err)
	h.stream = &event.Stream{Name: "app", Time: "dt", Unit: "install", Schemas: []*event.Schema{schema}, Columns: columns}
	ctx := context.Background()
	h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: h.path("log"), Clock: h, Logger: slog.New(slog.DiscardHandler)})
	h.must(err)
	tb.Cleanup(func() { h.log.Close() })
	h.lake, err = lake.Open(ctx, lake.Options{Dir: h.path("lake"), Log: h.log, Now: h.Wall,
		Tables: []lake.Table{lake.QuarantineTable(), lake.NewTable(lake.Raw, "app", columns, "dt", ""), lake.NewTable(lake.Raw, "tick", columns, "dt", "")}})
	h.must(err)
	tb.Cleanup(h.lake.Close)
	periods, err := salt.ParsePeriods("quarter", "", time.Hour)
	h.must(err)
	h.salts, err = salt.Open(h.path("salts"), salt.Options{Periods: periods, Records: h.path("salts.ndjson"), Now: h.Wall})
	h.must(err)
	_, err = h.salts.Rotate(h.Wall(), false)
	h.must(err)
	h.setTable()
	h.job = &sanitize.Job{Lake: h.lake, Salts: h.salts.For, Plans: h.plans}
	h.erasures, err = erasure.Open(erasure.Options{Dir: h.path("erasures"), Receipts: h.path("receipts"), Lake: h.lake, Log: h.log,
		Streams: map[string]*event.Stream{"app": h.stream}, Salts: h.salts.For, Redo: h.job.Redo, Now: h.Wall})
	h.must(err)
	return h
}

func (h *house) plans() (map[string]*sanitize.Plan, error) {
	plan, err := sanitize.Compile(h.stream, sanitize.Parse("allowlist.yaml", []byte(h.list)), sanitize.Options{})
	return map[string]*sanitize.Plan{"app": plan}, err
}

// setTable lets the lake hold what the allowlist keeps.
func (h *house) setTable() {
	h.tb.Helper()
	plans, err := h.plans()
	h.must(err)
	h.lake.SetTable(sanitize.Table(plans["app"]))
}

// append adds an event to a stream.
func (h *house) append(stream string, key event.Key, row []byte) {
	h.tb.Helper()
	h.must(h.log.Append(h.tb.Context(), event.AppendRecord(nil, event.Record{Dataset: lake.Raw, Stream: stream, Key: key, Row: row})))
}

// event appends one, and gives the id that its document has to have.
func (h *house) event(install, screen string) (id string) {
	h.tb.Helper()
	key := event.Key{Time: event.FloorMillis(h.Wall().UnixMilli()), ID: uuid.New()}
	if h.first == 0 {
		h.first = key.Time
	}
	row := fmt.Appendf(nil, `{"dt":%q,"install":%q,"screen":%q}`, h.Wall().Format(time.RFC3339), install, screen)
	h.append("app", key, row)
	return fmt.Sprintf("raw:app:%s:%013d-%s", h.Wall().Format("2006-01-02T15"), key.Time, uuid.UUID(key.ID))
}

// nextHour lets the hour pass, and files and sanitizes it.
func (h *house) nextHour() {
	h.tb.Helper()
	ctx := h.tb.Context()
	h.must(h.lake.Flush(ctx))
	h.since.Add(int64(time.Hour))
	h.append("tick", event.Key{Time: event.FloorMillis(h.Wall().UnixMilli()), ID: uuid.New()}, []byte("{}")) // so that it is known
	h.must(h.lake.Flush(ctx))
	h.must(h.lake.Compact(ctx))
	_, err := h.job.Run(ctx, sanitize.Request{})
	h.must(err)
}

func (h *house) erase(install string) {
	h.tb.Helper()
	_, err := h.erasures.Accept(install, false)
	h.must(err)
	h.must(h.erasures.Step(h.tb.Context()))
}

func (h *house) tighten(list string) {
	h.tb.Helper()
	h.list = list
	h.setTable()
	report, err := h.job.Tighten(h.tb.Context(), false, nil)
	if err != nil || report.Files == 0 {
		h.tb.Fatal(report, err)
	}
}

// purge drops all hours of a dataset.
func (h *house) purge(dataset string) {
	h.tb.Helper()
	_, err := h.lake.Purge(h.tb.Context(), lake.Purge{Now: h.Wall().Add(48 * time.Hour), Yes: true,
		Retention: lake.Retention{Guard: 1, Limits: map[string]lake.Limit{lake.Raw: {MaxAge: time.Hour}, dataset: {MaxAge: time.Hour}}}})
	h.must(err)
}
