package facts

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/kpi"
	"brine/lake"
	"brine/salt"
	"brine/sanitize"
)

// house is a log and a lake on real disks, with a clock that the test sets.
type house struct {
	tb      testing.TB
	dir     string
	since   atomic.Int64 // houseStart, ns
	log     *eventlog.Log
	lake    *lake.Lake
	list    string // the allowlist; "" is the shipped one
	defs    *kpi.Definitions
	clean   *sanitize.Job
	job     *Job
	source  *Source
	random  *rand.Rand
	sent    []sent
	imports int
}

// sent is an interaction as it was sent.
type sent map[string]any

var houseStart = time.Date(2026, 11, 10, 21, 5, 0, 0, time.UTC)

func (h *house) Wall() time.Time     { return houseStart.Add(h.Mono()) }
func (h *house) Mono() time.Duration { return time.Duration(h.since.Load()) }

const houseKPIs = `
timezone: Europe/Berlin
segments:
  browser: {field: user_agent.browser, values: {Firefox: "Firefox*", Chrome: [Chrome, Chromium]}}
  language: {field: language}
  screen: {field: screen_size.width, buckets: {mobile: 0, tablet: 640, desktop: 1024}}
  form: {experiment: form}
flows:
  sign_in:
    exclude: [staging_continuation]
    steps:
      - opened: {events: screen.rp_info}
      - email_given: {events: [authenticate.enter_password, screen.set_password]}
      - password_given: {events: authenticate.password_submitted}
      - signed_in: {events: assertion_generated}
  both:
    order: any
    steps:
      - staged: {events: user.user_staged}
      - confirmed: {events: "user.user_confirmed*"}
kpis:
  sign_in: {conversion: sign_in, better: more, smallest: 2 %}
  sign_in_time: {time: {flow: sign_in, percentile: 75}, better: less, smallest: 1s}
  errors: {share: "screen.error*", better: less, smallest: 1 %}
  interactions: {count: all, better: more, smallest: 10}
`

func parseKPIs(tb testing.TB, text string) *kpi.Definitions {
	tb.Helper()
	defs, mistakes := kpi.Parse("kpi.yaml", []byte(text))
	if len(mistakes) > 0 {
		tb.Fatal(mistakes)
	}
	return defs
}

func openHouse(tb testing.TB) *house {
	tb.Helper()
	h := &house{tb: tb, dir: tb.TempDir(), defs: parseKPIs(tb, houseKPIs), random: rand.New(rand.NewPCG(1, 2))}
	var err error
	ctx := context.Background()
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(h.dir, "log"), Clock: h, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.log.Close() })
	h.openLake()
	tb.Cleanup(func() { h.lake.Close() })
	return h
}

// openLake opens the lake, and what answers from it: nothing of it is remembered.
func (h *house) openLake() {
	h.tb.Helper()
	s := event.InteractionStream()
	tables := append(Tables(), lake.QuarantineTable(), lake.NewTable(lake.Raw, s.Name, s.Columns, s.Time, s.ID))
	var err error
	if h.lake, err = lake.Open(context.Background(), lake.Options{Dir: filepath.Join(h.dir, "lake"), Log: h.log, Now: h.Wall, Tables: tables}); err != nil {
		h.tb.Fatal(err)
	}
	plans := func() (map[string]*sanitize.Plan, error) {
		plan, err := sanitize.Compile(s, sanitize.Parse("allowlist.yaml", []byte(h.list)), sanitize.Options{AllowKeepAll: true})
		return map[string]*sanitize.Plan{s.Name: plan}, err
	}
	h.clean = &sanitize.Job{Lake: h.lake, Plain: true, Plans: plans, Salts: func(time.Time) (*salt.Salt, error) { return salt.Fresh() }}
	defs := func() *kpi.Definitions { return h.defs }
	h.job = &Job{Lake: h.lake, Definitions: defs, Plain: true}
	h.source = NewSource(SourceOptions{Lake: h.lake, Definitions: defs, Plans: plans})
}

// pass lets time go by, event by event in the hours that begin.
func (h *house) pass(d time.Duration) { h.since.Add(int64(d)) }

// interaction is a random one. Weights are eighths, so that their sums are exact in any order.
func (h *house) interaction(at time.Time) sent {
	r := h.random
	s := sent{"timestamp": at.Truncate(10 * time.Minute).UnixMilli(), "sample_rate": []float64{1, 0.5, 0.25, 0.0625}[r.IntN(4)]}
	names := []string{"screen.rp_info", "authenticate.enter_password", "authenticate.password_submitted", "assertion_generated", "screen.error.x", "user.user_staged", "user.user_confirmed.late", "private.secret"}
	if r.IntN(3) > 0 {
		names = names[:4+r.IntN(3)] // the usual way
	} else {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	}
	if r.IntN(20) == 0 {
		names = append(names, "staging_continuation")
	}
	var events []any
	offset := r.IntN(300)
	for _, name := range names[:1+r.IntN(len(names))] {
		events = append(events, []any{name, offset})
		offset += 1 + r.IntN(20_000)
	}
	s["event_stream"] = events
	optional := map[string]any{
		"user_agent":    map[string]any{"os": "Linux", "browser": []string{"Firefox", "Firefox Focus", "Chrome", "Safari"}[r.IntN(4)], "version": "120"},
		"language":      []string{"en", "de", "kn", "fr-CH"}[r.IntN(4)],
		"screen_size":   map[string]any{"width": r.IntN(2000), "height": 600},
		"experiments":   map[string]any{"form": []string{"short", "long"}[r.IntN(2)]},
		"dialog":        "sign_in",
		"number_emails": r.IntN(20),
		"new_account":   r.IntN(2) == 0,
		"email_type":    "primary",
	}
	for _, name := range slices.Sorted(maps.Keys(optional)) {
		if r.IntN(5) > 0 {
			s[name] = optional[name]
		}
	}
	return s
}

// send stores interactions through the log, and makes them readable.
func (h *house) send(all ...sent) {
	h.tb.Helper()
	var group []byte
	for _, s := range all {
		row, key := h.row(s)
		group = event.AppendRecord(group, event.Record{Dataset: lake.Raw, Stream: event.Interaction, Key: key, Row: row})
	}
	if err := h.log.Append(context.Background(), group); err != nil {
		h.tb.Fatal(err)
	}
	h.flush()
	h.sent = append(h.sent, all...)
}

func (h *house) flush() {
	h.tb.Helper()
	if err := h.lake.Flush(context.Background()); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) row(s sent) ([]byte, event.Key) {
	h.tb.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		h.tb.Fatal(err)
	}
	row, key, _, problem := event.AppendInteraction(nil, text, &event.Arrival{Now: h.Wall(), Rates: []float64{1, 0.5, 0.25, 0.0625}, NewID: event.NewID, AnyAge: true})
	if problem != nil {
		h.tb.Fatal(problem, string(text))
	}
	return row, key
}

// bring imports interactions under the hours of their times.
func (h *house) bring(all ...sent) {
	h.tb.Helper()
	table, err := h.lake.Table(lake.Raw, event.Interaction)
	if err != nil {
		h.tb.Fatal(err)
	}
	h.imports++
	_, err = h.lake.Import(context.Background(), table, fmt.Sprintf("%064x", h.imports), func(yield func(event.Key, []byte) bool) {
		for _, s := range all {
			row, key := h.row(s)
			if !yield(key, row) {
				return
			}
		}
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.sent = append(h.sent, all...)
}

// hour sends interactions of an hour, some of them late, and lets the next begin.
func (h *house) hour(n int) {
	h.tb.Helper()
	for range 3 {
		var all []sent
		for range n / 3 {
			at := h.Wall()
			if h.random.IntN(10) == 0 {
				at = at.Add(-time.Duration(h.random.IntN(30)) * time.Hour)
			}
			all = append(all, h.interaction(at))
		}
		h.send(all...)
	}
	h.pass(time.Hour)
}

// closeHours makes the hours before now closed and compacted.
func (h *house) closeHours() {
	h.tb.Helper()
	h.send(h.interaction(h.Wall()))
	if err := h.lake.Compact(context.Background()); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) sanitize(q sanitize.Request) {
	h.tb.Helper()
	report, err := h.clean.Run(context.Background(), q)
	if err != nil || len(report.Refused) > 0 {
		h.tb.Fatal(err, report.Refused)
	}
}

// build makes the facts that are wanted.
func (h *house) build() Report {
	h.tb.Helper()
	report, err := h.job.Run(context.Background(), Request{})
	if err != nil || len(report.Refused) > 0 {
		h.tb.Fatal(err, report.Refused)
	}
	return report
}

func (h *house) days(slice kpi.Slice) []kpi.Day {
	h.tb.Helper()
	if slice.From == "" {
		slice.From, slice.To = "2026-11-08", "2026-11-14"
	}
	days, err := h.source.Days(context.Background(), slice)
	if err != nil {
		h.tb.Fatal(err)
	}
	return days
}

func (h *house) span() kpi.Span {
	h.tb.Helper()
	span, err := h.source.Span(context.Background())
	if err != nil {
		h.tb.Fatal(err)
	}
	return span
}

// files are those of a dataset, by name.
func (h *house) files(dataset string) (names []string) {
	for _, f := range h.lake.List(dataset, event.Interaction) {
		names = append(names, strings.TrimPrefix(f.String(), dataset+"/"))
	}
	return names
}
