package risk_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/duck"
	"brine/risk"
	"brine/salt"
	"brine/sanitize"
)

// house is a lake whose clock stands still, and an allowlist.
type house struct {
	tb      testing.TB
	lake    *lake.Lake
	streams map[string]*event.Stream
	list    string
	job     *sanitize.Job
}

// houseNow is the time; history lies before it.
var houseNow = time.Date(2026, 11, 20, 0, 5, 0, 0, time.UTC)

type stillClock struct{}

func (stillClock) Wall() time.Time     { return houseNow }
func (stillClock) Mono() time.Duration { return 0 }

func openHouse(tb testing.TB, list string, streams ...*event.Stream) *house {
	tb.Helper()
	h := &house{tb: tb, list: list, streams: map[string]*event.Stream{}}
	dir, ctx := tb.TempDir(), context.Background()
	var tables []lake.Table
	for _, s := range streams {
		h.streams[s.Name] = s
		tables = append(tables, lake.NewTable(lake.Raw, s.Name, s.Columns, s.Time, s.ID))
	}
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(dir, "log"), Clock: stillClock{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { log.Close() })
	if h.lake, err = lake.Open(ctx, lake.Options{Dir: filepath.Join(dir, "lake"), Temp: tb.TempDir(), Log: log, Now: stillClock{}.Wall, Tables: tables}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.lake.Close)
	key, err := salt.Fresh()
	if err != nil {
		tb.Fatal(err)
	}
	h.job = &sanitize.Job{Lake: h.lake, Plans: h.plans, Salts: func(time.Time) (*salt.Salt, error) { return key, nil }}
	return h
}

// mustStreams are streams of one schema.
func mustStreams(tb testing.TB, schema []byte, configs ...event.StreamConfig) (all []*event.Stream) {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "schema.yaml"), schema, 0o600); err != nil {
		tb.Fatal(err)
	}
	registry, err := event.LoadRegistry(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range configs {
		s, err := registry.Stream(c)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func (h *house) plans() (map[string]*sanitize.Plan, error) {
	plans := map[string]*sanitize.Plan{}
	for name, s := range h.streams {
		var err error
		if plans[name], err = sanitize.Compile(s, sanitize.Parse("allowlist.yaml", []byte(h.list)), sanitize.Options{AllowKeepAll: true}); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// bring imports NDJSON of a stream, whose lines are rows already, and sanitizes them.
func (h *house) bring(stream string, lines []byte) {
	h.tb.Helper()
	ctx := context.Background()
	table, err := h.lake.Table(lake.Raw, stream)
	if err != nil {
		h.tb.Fatal(err)
	}
	sum := sha256.Sum256(lines)
	if _, err := h.lake.Import(ctx, table, hex.EncodeToString(sum[:]), func(yield func(event.Key, []byte) bool) {
		for line := range bytes.Lines(lines) {
			row, key := h.row(stream, line)
			if !yield(key, row) {
				return
			}
		}
	}); err != nil {
		h.tb.Fatal(err)
	}
	if err := h.lake.Flush(ctx); err != nil {
		h.tb.Fatal(err)
	}
	if err := h.lake.Compact(ctx); err != nil {
		h.tb.Fatal(err)
	}
	if report, err := h.job.Run(ctx, sanitize.Request{}); err != nil || len(report.Refused) > 0 {
		h.tb.Fatal(err, report)
	}
}

func (h *house) row(stream string, line []byte) ([]byte, event.Key) {
	h.tb.Helper()
	arrival := &event.Arrival{Now: houseNow, NewID: event.NewID, AnyAge: true, Rates: []float64{1}}
	if stream == event.Interaction {
		row, key, _, p := event.AppendInteraction(nil, line, arrival)
		if p != nil {
			h.tb.Fatal(p)
		}
		return row, key
	}
	row, key, _, p := h.streams[stream].Append(nil, line, arrival)
	if p != nil {
		h.tb.Fatal(p, string(line))
	}
	return row, key
}

func (h *house) measure(from, to time.Time) risk.Report {
	h.tb.Helper()
	plans, err := h.plans()
	if err != nil {
		h.tb.Fatal(err)
	}
	r, err := risk.Measure(h.tb.Context(), risk.Options{Lake: h.lake, Streams: h.streams, Plans: plans, From: from, To: to})
	if e := (*duck.Error)(nil); errors.As(err, &e) {
		h.tb.Fatal(err, e.Message)
	}
	if err != nil {
		h.tb.Fatal(err)
	}
	return r
}
