package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/simulate"
)

// history imports simulated interactions of some days up to now.
func history(t *testing.T, days int) {
	t.Helper()
	historyUntil(t, days, time.Now())
}

func historyUntil(t *testing.T, days int, end time.Time) {
	t.Helper()
	var lines strings.Builder
	if err := (simulate.Config{Seed: 1, Days: days, PerDay: 48, End: end}).Write(&lines); err != nil {
		t.Fatal(err)
	}
	g := &globals{t.Context(), strings.NewReader(lines.String()), &strings.Builder{}, os.Stderr}
	if code := run([]string{"import", "interaction"}, g); code != exitOK {
		t.Fatalf("import: exit code %d", code)
	}
}

func TestPurge(t *testing.T) {
	inFolder(t, nil)
	if _, stderr, code := brine(t, "purge"); code != exitFailed || !strings.Contains(stderr, "no data folder at data") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	history(t, 3)
	spill := filepath.Join("data", "tmp", "old.spool")
	in := func(d time.Duration) string { return " --now " + time.Now().Add(d).UTC().Format(time.RFC3339) }
	const day = 24 * time.Hour
	for _, c := range []struct {
		line string
		code int
		says []string
	}{
		{"purge", exitOK, []string{"nothing went"}},
		{"purge --dry-run" + in(88*day), exitOK, []string{"raw", "interaction", "age", "would go", "are not sanitized, and the first goes on"}},
		{"purge --dry-run" + in(200*day), exitOK, []string{"nothing would go", "stopped by the guard"}},
		{"purge" + in(200*day), exitFailed, []string{"nothing went", "100 % of it) would go at once"}},
		{"purge --json" + in(200*day), exitFailed, []string{`"dropped":[]`, `"stopped":[{"dataset":"raw","hours":`, `"share":1}]`}},
		{"status", exitOK, []string{"oldest raw event: 20", "next purge of an hour: 20"}},
		{"purge --yes" + in(200*day), exitOK, []string{"that are not sanitized, or not as they are now", " went", "receipt: data/receipts/purge-"}},
		{"purge --yes" + in(200*day), exitOK, []string{"nothing went"}},
		{"status --json", exitOK, []string{`"purge":{"oldest_hours":{},"bytes":{},"problems":[]}`}},
		{"purge --now yesterday", exitUsage, []string{"--now"}},
	} {
		stdout, stderr, code := brine(t, strings.Fields(c.line)...)
		for _, says := range c.says {
			if code != c.code || !strings.Contains(stdout+stderr, says) {
				t.Errorf("brine %s: exit code %d, want %d and %q\n%s%s", c.line, code, c.code, says, stdout, stderr)
			}
		}
	}
	checkReceipt(t)
	if err := os.WriteFile(spill, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * day)
	if err := os.Chtimes(spill, old, old); err != nil {
		t.Fatal(err)
	}
	if err := removeOldSpill(filepath.Join("data", "tmp")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(spill); !os.IsNotExist(err) {
		t.Error("old spill is still there")
	}
}

// checkReceipt wants one receipt, of one day, with no time finer than that.
func checkReceipt(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob("data/receipts/*")
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Kind, Day string
		What      []struct{ Dataset, From, To string }
	}
	info, statErr := os.Stat(paths[0])
	if err := json.Unmarshal(text, &r); err != nil || statErr != nil || r.Kind != "purge" || len(r.What) != 1 || r.What[0].Dataset != "raw" {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, day := range []string{r.Day, r.What[0].From, r.What[0].To} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			t.Error(err)
		}
	}
	if at := info.ModTime().UTC(); !at.Equal(at.Truncate(24*time.Hour)) || info.Mode().Perm() != 0o600 {
		t.Errorf("the receipt has the time %s and the mode %s", at, info.Mode())
	}
}

// What is older than the raw window by the hour is not imported; what is younger stays.
func TestImportKeepsTheRawWindow(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "retention: {raw: {max_age: 2d}, guard: 1}"})
	var lines, out strings.Builder
	if err := (simulate.Config{Seed: 1, Days: 4, PerDay: 48, End: time.Now()}).Write(&lines); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"import", "interaction", "--json"}, &globals{t.Context(), strings.NewReader(lines.String()), &out, os.Stderr}); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	var r struct {
		Stored int
		TooOld int `json:"too_old"`
	}
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil || r.Stored < 10 || r.TooOld < 10 {
		t.Errorf("%v\n%s", err, out.String())
	}
	if out, _, code := brine(t, "purge"); code != exitOK || !strings.Contains(out, "nothing went") && !strings.Contains(out, " 1 hours,") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// stepped is a clock that somebody has put ahead since the log was opened.
type stepped struct{ ahead atomic.Int64 } // ns

func (s *stepped) Wall() time.Time     { return time.Now().Add(time.Duration(s.ahead.Load())) }
func (s *stepped) Mono() time.Duration { return time.Since(testBegan) }

var testBegan = time.Now()

// The server purges nothing while the clock cannot be trusted, and says so once.
func TestNoPurgeByAClockThatJumped(t *testing.T) {
	inFolder(t, nil)
	history(t, 2)
	clock := &stepped{}
	log, err := eventlog.Open(t.Context(), eventlog.Options{Dir: "data/log", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l, err := lake.Open(t.Context(), lake.Options{Dir: "data/lake", Tables: tables(map[string]*event.Stream{event.Interaction: event.InteractionStream()}), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	clock.ahead.Store(int64(400 * 24 * time.Hour))
	if err := log.Append(t.Context(), []byte("x")); !errors.Is(err, eventlog.ErrClock) {
		t.Fatal(err)
	}
	cfg := config.Default()
	cfg.Retention.Raw.MaxAge = 24 * time.Hour // the older of the two days is due
	cfg.Retention.Guard = 1
	var said bytes.Buffer
	p := &purger{cfg: cfg, lake: l, log: log, tmp: "data/tmp", logger: newLogger(&said)}
	before := len(l.Held())
	p.round(t.Context())
	p.round(t.Context())
	if n := len(l.Held()); n != before || strings.Count(said.String(), "nothing is purged") != 1 {
		t.Errorf("%d hours of %d are left\n%s", n, before, said.String())
	}
	if st := p.status(nil); len(st.Problems) != 1 || st.Next == nil {
		t.Errorf("the status says %+v", st)
	}
	if _, err := p.do(t.Context(), purgeWork{Now: time.Now()}, nil); err != nil || len(l.Held()) == before {
		t.Errorf("of %d hours %d are left after a purge with a time: %v", before, len(l.Held()), err)
	}
}

// What a purge dropped before it was killed is in a receipt after the next one.
func TestPurgeKilledHalfWay(t *testing.T) {
	inFolder(t, nil)
	history(t, 2)
	l, err := lake.Open(t.Context(), lake.Options{Dir: "data/lake", Tables: tables(map[string]*event.Stream{event.Interaction: event.InteractionStream()})})
	check(t, err)
	defer l.Close()
	cfg := config.Default()
	cfg.Retention.Raw.MaxAge, cfg.Retention.Guard = time.Hour, 1
	log, err := openAudit(cfg.Data, nil)
	check(t, err)
	p := &purger{cfg: cfg, lake: l, log: trustedClock{}, tmp: "data/tmp", logger: newLogger(io.Discard), audit: log}
	before, files := len(l.Held()), 0
	func() {
		defer func() { recover() }()
		p.do(t.Context(), purgeWork{}, func(done, _ int) {
			if done == 5 {
				panic("killed")
			}
		})
	}()
	if left := len(l.Held()); left != before-5 {
		t.Fatalf("%d hours of %d are left of a purge that was killed", left, before)
	}
	for range 2 { // the second has nothing to tell
		if _, err := p.do(t.Context(), purgeWork{}, nil); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for _, line := range strings.Split(strings.TrimSpace(readAll(t, "data/receipts/purge-*.ndjson")), "\n") {
		var r struct{ What []lake.Dropped }
		check(t, json.Unmarshal([]byte(line), &r))
		for _, d := range r.What {
			told, files = told+d.Hours, files+d.Files
		}
	}
	if want := before - len(l.Held()); told != want || files != want {
		t.Errorf("receipts tell of %d hours and %d files; %d of %d went", told, files, want, before)
	}
	if n := strings.Count(readAll(t, "data/audit/*.ndjson"), `"purge"`); n != 2 {
		t.Errorf("the audit has %d records of purges", n)
	}
}

// readAll is the text of the files of a pattern.
func readAll(t *testing.T, pattern string) string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	check(t, err)
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		check(t, err)
		all.Write(text)
	}
	return all.String()
}

// The audit's files go when they are old by the clock, much at once by --yes alone, and never by --now.
func TestPurgeAudit(t *testing.T) {
	inFolder(t, nil)
	const day = 24 * time.Hour
	var old []string
	for _, ago := range []time.Duration{400 * day, 399 * day, 10 * day, 9 * day} {
		then := time.Now().Add(-ago)
		log, err := audit.Open(audit.Options{Dir: filepath.Join("data", auditFolder), Now: func() time.Time { return then }})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			if _, err := log.Append(audit.Record{Action: audit.Login, Who: "ada"}); err != nil {
				t.Fatal(err)
			}
		}
		old = append(old, then.UTC().Format(time.DateOnly))
	}
	history(t, 1)
	later := time.Now().Add(400 * day).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"purge --json", exitFailed, `"stopped":[{"dataset":"audit","hours":48,`},
		{"purge --json --yes --now " + later, exitOK, `"audit":["000000000001-` + old[0] + `.ndjson","000000000021-` + old[1] + `.ndjson"]`},
		{"audit verify", exitOK, "nothing was changed"},
	} {
		stdout, stderr, code := brine(t, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(stdout, c.says) {
			t.Errorf("brine %s: exit code %d, want %d and %q\n%s%s", c.line, code, c.code, c.says, stdout, stderr)
		}
	}
}

// trustedClock is a log that says nothing but that.
type trustedClock struct{ groupLog }

func (trustedClock) Err() error { return nil }

// A node that does not lead purges what is its own: its audit, and what was left in its tmp. The lake it leaves to the one that leads.
func TestPurgeOfANodeThatDoesNotLead(t *testing.T) {
	cfg := config.Default()
	cfg.Data, cfg.Retention.Guard = t.TempDir(), 1
	tmp := t.TempDir()
	spill := filepath.Join(tmp, "spill")
	check(t, os.WriteFile(spill, nil, 0o600))
	long := time.Now().Add(-2 * spillLife)
	check(t, os.Chtimes(spill, long, long))
	var last *audit.Log
	for _, days := range []int{400, 10} {
		then := time.Now().AddDate(0, 0, -days)
		log, err := audit.Open(audit.Options{Dir: filepath.Join(cfg.Data, auditFolder), Now: func() time.Time { return then }})
		check(t, err)
		_, err = log.Append(audit.Record{Action: audit.Login, Who: "ada"})
		check(t, err)
		last = log
	}
	p := &purger{cfg: cfg, log: trustedClock{}, tmp: tmp, logger: newLogger(io.Discard), audit: last}
	p.roundHere()
	left, err := filepath.Glob(filepath.Join(cfg.Data, auditFolder, "*.ndjson"))
	check(t, err)
	old := time.Now().AddDate(0, 0, -400).UTC().Format(time.DateOnly)
	if len(left) == 0 || slices.ContainsFunc(left, func(path string) bool { return strings.Contains(path, old) }) {
		t.Errorf("the audit's files are %v; %s", left, p.told)
	}
	if _, err := os.Stat(spill); err == nil {
		t.Error("what was left in tmp is there still")
	}
}
