package facts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/kpi"
	"brine/lake"
	"brine/salt"
	"brine/sanitize"
	"brine/simulate"
)

// apps is a lake with the events of apps, imported under the hours of their times.
type apps struct {
	*house
	stream *event.Stream
	salts  map[bool]*salt.Salt // of the first day, and of what comes after
}

func openApps(t *testing.T, list string) *apps {
	t.Helper()
	h := &house{tb: t, dir: t.TempDir(), defs: parseKPIs(t, houseKPIs)}
	schemas := filepath.Join(h.dir, "schemas")
	if err := errors.Join(os.Mkdir(schemas, 0o700), os.WriteFile(filepath.Join(schemas, "app.yaml"), simulate.AppSchema, 0o600)); err != nil {
		t.Fatal(err)
	}
	registry, err := event.LoadRegistry(schemas)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := registry.Stream(event.StreamConfig{Name: "app_session", Schema: "/simulate/app_session", Time: "dt", Unit: "app_install_id"})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(h.dir, "log"), Clock: h, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.log.Close() })
	tables := append(Tables(), lake.QuarantineTable(), lake.NewTable(lake.Raw, stream.Name, stream.Columns, stream.Time, stream.ID))
	if h.lake, err = lake.Open(ctx, lake.Options{Dir: filepath.Join(h.dir, "lake"), Log: h.log, Now: h.Wall, Tables: tables}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.lake.Close)
	a := &apps{house: h, stream: stream, salts: map[bool]*salt.Salt{}}
	for _, first := range []bool{true, false} {
		if a.salts[first], err = salt.Fresh(); err != nil {
			t.Fatal(err)
		}
		from := houseStart.AddDate(0, 0, map[bool]int{true: -30, false: 30}[first]).Truncate(time.Hour)
		a.salts[first].Period = salt.Period{Start: from, End: from.AddDate(0, 0, 31), Deletion: from.AddDate(0, 0, 33)}
	}
	plans := func() (map[string]*sanitize.Plan, error) {
		plan, err := sanitize.Compile(stream, sanitize.Parse("allowlist.yaml", []byte("app_session: "+list+"\n")), sanitize.Options{})
		return map[string]*sanitize.Plan{stream.Name: plan}, err
	}
	h.clean = &sanitize.Job{Lake: h.lake, Plain: true, Plans: plans, Salts: func(hour time.Time) (*salt.Salt, error) {
		if of := a.salts[hour.Before(time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC))]; of != nil {
			return of, nil
		}
		return nil, salt.ErrForgotten
	}}
	h.source = NewSource(SourceOptions{Lake: h.lake, Definitions: func() *kpi.Definitions { return h.defs }, Plans: plans})
	return a
}

// use imports a session of each of so many installs, at a time.
func (a *apps) use(at time.Time, installs int) {
	a.tb.Helper()
	table, err := a.lake.Table(lake.Raw, a.stream.Name)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.imports++
	_, err = a.lake.Import(context.Background(), table, fmt.Sprintf("%064x", a.imports), func(yield func(event.Key, []byte) bool) {
		for i := range installs {
			row, key := a.session(at, i)
			if !yield(key, row) {
				return
			}
		}
	})
	if err != nil {
		a.tb.Fatal(err)
	}
}

// session is one of an install.
func (a *apps) session(at time.Time, i int) ([]byte, event.Key) {
	a.tb.Helper()
	text, err := json.Marshal(map[string]any{"$schema": "/simulate/app_session/1.0.0", "app_install_id": fmt.Sprintf("%08d-0000-4000-8000-000000000000", i),
		"app_session_id": "01234567890123456789", "dt": at.Format(time.RFC3339), "is_anon": true, "length_ms": 1,
		"meta": map[string]any{"stream": "app_session", "dt": at.Format(time.RFC3339)}, "session_data": map[string]any{}})
	if err != nil {
		a.tb.Fatal(err)
	}
	row, key, _, problem := a.stream.Append(nil, text, &event.Arrival{Now: a.Wall(), NewID: event.NewID, AnyAge: true})
	if problem != nil {
		a.tb.Fatal(problem)
	}
	return row, key
}

// An install counts once on a day, however much it sends. What was made by another rule than that in force, or under other salts than those that are named,
// as by a backfill, does not count: by how much one install can change the number does not hang on which hours have events.
func TestInstalls(t *testing.T) {
	eighth, ninth := kpi.Date("2026-11-08"), kpi.Date("2026-11-09")
	none := map[kpi.Date]int64{eighth: 0, ninth: 0, "2026-10-01": 0}
	for _, c := range []struct {
		list                string
		backfill            bool
		hashed, later, kept map[kpi.Date]int64 // by the rule in force; later: under the salt from the ninth on alone
	}{
		{"{dt: keep, app_install_id: keep}", false, none, none, map[kpi.Date]int64{eighth: 7, ninth: 2, "2026-10-01": 0}},
		{"{dt: {floor: 1h}, app_install_id: hash_per_stream}", false, map[kpi.Date]int64{eighth: 7, ninth: 2}, map[kpi.Date]int64{eighth: 0, ninth: 2}, none},
		{"{dt: {floor: 1h}, app_install_id: hash_per_stream}", true, map[kpi.Date]int64{eighth: 0, ninth: 2}, map[kpi.Date]int64{eighth: 0, ninth: 2}, none},
		{"{dt: keep, app_install_id: hash}", false, none, none, none},
		{"{dt: keep}", false, none, none, none},
	} {
		t.Run(fmt.Sprint(c.list, c.backfill), func(t *testing.T) {
			a := openApps(t, c.list)
			for _, use := range []struct{ day, hour, installs int }{{7, 15, 30}, {8, 9, 5}, {8, 15, 7}, {8, 15, 3}, {9, 9, 2}} {
				a.use(time.Date(2026, 11, use.day, use.hour, 10, 0, 0, time.UTC), use.installs)
			}
			salts := a.names()
			if c.backfill {
				a.salts[true] = nil
			}
			a.sanitizeAll(t)
			hashed := sanitize.FieldRule{Path: []string{"app_install_id"}, Rule: "hash_per_stream"}
			kept := sanitize.FieldRule{Path: []string{"app_install_id"}, Rule: "keep"}
			a.wantInstalls(t, hashed, salts, c.hashed)
			a.wantInstalls(t, hashed, salts[1:], c.later)
			a.wantInstalls(t, kept, nil, c.kept)
		})
	}
}

// names are those of both salts.
func (a *apps) names() []string {
	return []string{a.salts[true].Period.Name(), a.salts[false].Period.Name()}
}

func (a *apps) wantInstalls(t *testing.T, unit sanitize.FieldRule, salts []string, want map[kpi.Date]int64) {
	t.Helper()
	for date, n := range want {
		if got, err := a.source.Installs(t.Context(), "app_session", unit, salts, date); err != nil || got != n {
			t.Errorf("%s by %s under %d salts: %d, %v, want %d", date, unit.Rule, len(salts), got, err, n)
		}
	}
}

func (a *apps) sanitizeAll(t *testing.T) {
	t.Helper()
	if a.lake.ClosedTo().IsZero() { // an event of now tells the lake which hours are closed
		row, key := a.session(a.Wall(), 0)
		if err := a.log.Append(t.Context(), event.AppendRecord(nil, event.Record{Dataset: lake.Raw, Stream: a.stream.Name, Key: key, Row: row})); err != nil {
			t.Fatal(err)
		}
		a.flush()
	}
	if report, err := a.clean.Run(t.Context(), sanitize.Request{Backfill: true}); err != nil || len(report.Refused) > 0 {
		t.Fatal(err, report.Refused)
	}
}

// While hours are not sanitized, nothing is said of their day; others are told.
func TestInstallsWait(t *testing.T) {
	a := openApps(t, "{dt: keep, app_install_id: hash}")
	a.use(time.Date(2026, 11, 8, 9, 0, 0, 0, time.UTC), 5)
	unit := sanitize.FieldRule{Path: []string{"app_install_id"}, Rule: "hash"}
	if _, err := a.source.Installs(t.Context(), "app_session", unit, a.names(), "2026-11-08"); !errors.As(err, new(*kpi.Building)) {
		t.Error(err)
	}
	a.wantInstalls(t, unit, a.names(), map[kpi.Date]int64{"2026-11-04": 0})
	a.sanitizeAll(t)
	a.wantInstalls(t, unit, a.names(), map[kpi.Date]int64{"2026-11-08": 5})
}
