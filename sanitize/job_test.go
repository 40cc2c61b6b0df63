package sanitize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/salt"
)

// house is a log, a lake and salts on real disks, with a clock that the test sets.
type house struct {
	tb     testing.TB
	dir    string
	since  atomic.Int64 // jobStart, ns
	log    *eventlog.Log
	lake   *lake.Lake
	salts  *salt.Folder
	stream *event.Stream
	list   string
	job    *Job
}

var jobStart = time.Date(2026, 9, 30, 20, 7, 0, 0, time.UTC) // four hours before a quarter ends

func (h *house) Wall() time.Time     { return jobStart.Add(h.Mono()) }
func (h *house) Mono() time.Duration { return time.Duration(h.since.Load()) }

const jobSchema = `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "/app/1.0.0", "title": "app", "type": "object", "properties": {
	"dt": {"type": "string", "format": "date-time"}, "install": {"type": "string"},
	"screen": {"type": "string"}, "secret": {"type": "string"}}}`

const jobList = "app:\n  dt: {floor: 1h}\n  install: hash\n  screen: keep\n"

func newHouse(t *testing.T) *house {
	t.Helper()
	h := openHouse(t, appStream(t), jobList, Options{})
	h.rotate()
	return h
}

// appStream is a stream as the config makes one.
func appStream(t *testing.T) *event.Stream {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.json"), []byte(jobSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	registry, err := event.LoadRegistry(dir)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := registry.Stream(event.StreamConfig{Name: "app", Schema: "/app"})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// openHouse opens a house for one stream. It has no salt yet.
func openHouse(t *testing.T, stream *event.Stream, list string, o Options) *house {
	t.Helper()
	h := &house{tb: t, dir: t.TempDir(), stream: stream, list: list}
	var err error
	ctx := context.Background()
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(h.dir, "log"), Clock: h, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.log.Close() })
	h.lake, err = lake.Open(ctx, lake.Options{Dir: filepath.Join(h.dir, "lake"), Log: h.log, Now: h.Wall,
		Tables: []lake.Table{lake.NewTable(lake.Raw, stream.Name, h.stream.Columns, h.stream.Time, h.stream.ID), lake.QuarantineTable()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.lake.Close)
	periods, err := salt.ParsePeriods("quarter", "2026-01-01", 48*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if h.salts, err = salt.Open(filepath.Join(h.dir, "salts"), salt.Options{Periods: periods, Records: filepath.Join(h.dir, "salts.ndjson"), Now: h.Wall}); err != nil {
		t.Fatal(err)
	}
	h.job = &Job{Lake: h.lake, Salts: h.salts.For, Plain: true, Plans: func() (map[string]*Plan, error) {
		plan, err := Compile(h.stream, Parse("allowlist.yaml", []byte(h.list)), o)
		return map[string]*Plan{stream.Name: plan}, err
	}}
	return h
}

func (h *house) rotate() {
	h.tb.Helper()
	if _, err := h.salts.Rotate(h.Wall(), false); err != nil {
		h.tb.Fatal(err)
	}
}

// send stores events of installs through the log.
func (h *house) send(installs ...string) {
	h.tb.Helper()
	var group []byte
	for _, install := range installs {
		sent := fmt.Sprintf(`{"dt":%q,"install":%q,"screen":"home","secret":"secret-%s"}`, h.Wall().Format(time.RFC3339), install, install)
		row, key, _, problem := h.stream.Append(nil, []byte(sent), &event.Arrival{Now: h.Wall(), NewID: event.NewID, AnyAge: true})
		if problem != nil {
			h.tb.Fatal(problem)
		}
		group = event.AppendRecord(group, event.Record{Dataset: lake.Raw, Stream: "app", Key: key, Row: row})
	}
	if err := h.log.Append(context.Background(), group); err != nil {
		h.tb.Fatal(err)
	}
}

// pass lets time pass, and brings what was sent into the lake.
func (h *house) pass(d time.Duration) {
	h.tb.Helper()
	h.since.Add(int64(d))
	h.send("the clock") // whoever appends enters the hour
	ctx := context.Background()
	if err := errors.Join(h.lake.Flush(ctx), h.lake.Compact(ctx)); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) run(q Request) Report {
	h.tb.Helper()
	report, err := h.job.Run(context.Background(), q)
	if err != nil {
		h.tb.Fatal(err)
	}
	return report
}

// sanitized is the rows of all that is sanitized, as JSON.
func (h *house) sanitized() (rows []map[string]any) {
	h.tb.Helper()
	plans, err := h.job.Plans()
	if err != nil {
		h.tb.Fatal(err)
	}
	err = h.lake.Scan(context.Background(), lake.Query{Table: Table(plans[h.stream.Name]), To: 1 << 60}, func(r *lake.Rows) error {
		for i := range r.Len() {
			rows = append(rows, decode(h.tb, r.AppendJSON(nil, i)).(map[string]any))
		}
		return nil
	})
	if err != nil {
		h.tb.Fatal(err)
	}
	return rows
}

// pseudonyms are those of the rows of one hour, each once.
func (h *house) pseudonyms(hour time.Time) (all []string) {
	for _, row := range h.sanitized() {
		if row["dt"] == hour.Format(time.RFC3339) {
			all = append(all, row["install"].(string))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// searched fails where a file of the lake's sanitized data holds some text.
func (h *house) searched(text string) {
	h.tb.Helper()
	err := filepath.WalkDir(filepath.Join(h.dir, "lake", lake.Sanitized), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			h.tb.Errorf("%s holds %q", filepath.Base(path), text)
		}
		return err
	})
	if err != nil {
		h.tb.Fatal(err)
	}
}

func TestJob(t *testing.T) {
	h := newHouse(t)
	first := h.Wall().Truncate(time.Hour)
	h.send("alice", "alice", "bob")
	h.pass(time.Hour)
	second := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.pass(time.Hour)
	if got := h.run(Request{}); got.Hours != 2 || got.Rows != 5 || len(got.Refused) != 0 {
		t.Errorf("the report is %+v", got)
	}
	a, b := h.pseudonyms(first), h.pseudonyms(second)
	if len(a) != 2 || len(b) != 2 || !slices.ContainsFunc(a, func(p string) bool { return slices.Contains(b, p) }) {
		t.Errorf("pseudonyms of the two hours: %v and %v", a, b)
	}
	h.searched("alice")
	h.searched("secret-")
	if got := h.run(Request{Stale: true}); got.Hours != 0 {
		t.Errorf("a second run did %+v", got)
	}
}

// An hour of the next period shares no pseudonym with one of the period before, although the install is the same.
func TestJobAcrossPeriods(t *testing.T) {
	h := newHouse(t)
	before := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.pass(5 * time.Hour)
	after := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.pass(time.Hour)
	h.run(Request{})
	a, b := h.pseudonyms(before), h.pseudonyms(after)
	if len(a) != 1 || len(b) != 2 || slices.Contains(b, a[0]) {
		t.Errorf("%v and %v", a, b)
	}
}

// An hour whose salt is gone is refused; a backfill gives it pseudonyms that match nothing; and it is never hashed again.
func TestJobBackfill(t *testing.T) {
	h := newHouse(t)
	done := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.pass(time.Hour)
	late := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.run(Request{})
	h.pass(4 * 24 * time.Hour)
	h.rotate() // the quarter's salt is destroyed
	h.pass(time.Hour)
	report := h.run(Request{})
	if len(report.Refused) != 1 || !report.Refused[0].Start.Equal(late) || !strings.Contains(report.Refused[0].Why, "--backfill") {
		t.Fatalf("the report is %+v", report)
	}
	backlogs, err := h.job.Backlogs(context.Background())
	if err != nil || backlogs[0].Failed != 1 || backlogs[0].Waiting != 1 {
		t.Errorf("the backlog is %+v, %v", backlogs, err)
	}
	if report = h.run(Request{Backfill: true}); report.Hours != 1 {
		t.Fatalf("the backfill did %+v", report)
	}
	if a, b := h.pseudonyms(done), h.pseudonyms(late); len(a) != 1 || len(b) != 2 || slices.Contains(b, a[0]) {
		t.Errorf("%v and %v", a, b)
	}
	h.list = strings.Replace(jobList, "screen: keep", "screen: drop", 1)
	states, err := h.job.States(context.Background(), Request{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Start.Before(late.Add(time.Hour)) && (s.State != Stale || !strings.Contains(s.Redo, "never hashed anew")) {
			t.Errorf("%v is %s: %q", s.Hour, s.State, s.Redo)
		}
	}
}

// An hour of two sources whose backfill ends between them, as by a kill, is done whole by the next one, under one salt; a source that comes
// after an hour was backfilled whole is not.
func TestJobBackfillBrokenOff(t *testing.T) {
	h := newHouse(t)
	hour := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.importAt(hour.Add(time.Minute), "ab", "alice")
	h.pass(4 * 24 * time.Hour)
	h.rotate() // the quarter's salt is destroyed
	h.pass(time.Hour)
	asked := 0
	h.job.Salts = func(at time.Time) (*salt.Salt, error) {
		if asked++; asked == 2 {
			return nil, errors.New("as if killed")
		}
		return h.salts.For(at)
	}
	q := Request{To: hour.Add(time.Hour), Backfill: true}
	if report := h.run(q); len(report.Refused) != 1 {
		t.Fatalf("the backfill that ends half-way did %+v", report)
	}
	half := h.pseudonyms(hour)
	if report := h.run(Request{To: q.To}); len(half) != 1 || len(report.Refused) != 1 || report.Refused[0].Why != errBrokenOff.Error() {
		t.Fatalf("it left %v; without --backfill: %+v", half, report)
	}
	if report := h.run(q); report.Hours != 1 || report.Rows != 2 {
		t.Fatalf("the backfill after it did %+v", report)
	}
	if whole := h.pseudonyms(hour); len(whole) != 1 || whole[0] == half[0] || len(h.sanitized()) != 2 {
		t.Errorf("the hour has %v, and had %v", whole, half)
	}
	h.importAt(hour.Add(2*time.Minute), "cd", "alice")
	if report := h.run(q); len(report.Refused) != 1 || !strings.Contains(report.Refused[0].Why, "never hashed anew") {
		t.Errorf("what was imported after it: %+v", report)
	}
}

// Of hours that are not sanitized whole it is told, also by who has not tried, which need their salt and which can never be done.
func TestLostHours(t *testing.T) {
	h := newHouse(t)
	begun := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.pass(time.Hour)
	h.run(Request{})
	h.importAt(begun.Add(time.Minute), "ab", "alice")
	h.pass(time.Hour)
	states, err := h.job.States(context.Background(), Request{})
	if err != nil || len(states) != 2 || states[0].State != Waiting || !states[0].Begun || states[1].State != Waiting || states[1].Begun {
		t.Errorf("%+v, %v", states, err)
	}
	h.pass(4 * 24 * time.Hour)
	h.rotate() // the quarter's salt is destroyed
	untried := &Job{Lake: h.lake, Salts: h.salts.For, Plans: h.job.Plans}
	got, err := untried.Backlogs(context.Background())
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	b := got[0]
	if b.Lost != 1 || b.Failed != 0 || !b.Oldest.Equal(begun.Add(time.Hour)) || len(b.Failures) != 1 || !strings.Contains(b.Failures[0].Error, "never hashed anew") {
		t.Errorf("the backlog is %+v", b)
	}
	if report := h.run(Request{To: begun.Add(time.Hour), Backfill: true}); len(report.Refused) != 1 {
		t.Errorf("what is lost: %+v", report)
	}
}

// importAt imports an event of a time; the source is so many hex digits again and again.
func (h *house) importAt(at time.Time, source, install string) {
	h.tb.Helper()
	table, err := h.lake.Table(lake.Raw, "app")
	if err != nil {
		h.tb.Fatal(err)
	}
	sent := fmt.Sprintf(`{"dt":%q,"install":%q,"screen":"home","secret":"s"}`, at.Format(time.RFC3339), install)
	row, key, _, problem := h.stream.Append(nil, []byte(sent), &event.Arrival{Now: h.Wall(), NewID: event.NewID, AnyAge: true})
	if problem != nil {
		h.tb.Fatal(problem)
	}
	one := func(yield func(event.Key, []byte) bool) { yield(key, row) }
	if _, err := h.lake.Import(context.Background(), table, strings.Repeat(source, 32), one); err != nil {
		h.tb.Fatal(err)
	}
}

// What the allowlist no longer permits is taken out of old files, and what it newly permits is not put in.
func TestTighten(t *testing.T) {
	h := newHouse(t)
	h.send("alice", "bob")
	h.pass(time.Hour)
	h.run(Request{})
	h.searched("nowhere")
	was := h.pseudonyms(jobStart.Truncate(time.Hour))

	h.list = "app:\n  dt: {floor: 1d}\n  install: hash\n  secret: keep\n"
	report, err := h.job.Tighten(context.Background(), true, nil)
	if err != nil || report.Files != 1 || len(report.Taken) != 2 {
		t.Fatalf("a dry run: %+v, %v", report, err)
	}
	if got := h.pseudonyms(jobStart.Truncate(time.Hour)); len(got) != 2 {
		t.Error("a dry run wrote")
	}
	if report, err = h.job.Tighten(context.Background(), false, nil); err != nil || report.Files != 1 || report.Rows != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := h.pseudonyms(jobStart.Truncate(24 * time.Hour)); !slices.Equal(got, was) {
		t.Errorf("pseudonyms were %v and are %v", was, got)
	}
	for _, row := range h.sanitized() {
		if row["screen"] != nil || row["secret"] != nil {
			t.Errorf("a row is %v", row)
		}
	}
	if report, err = h.job.Tighten(context.Background(), false, nil); err != nil || report.Files != 0 {
		t.Errorf("a second time: %+v, %v", report, err)
	}
	if got := h.run(Request{Stale: true}); got.Hours != 1 {
		t.Errorf("what raw still allows: %+v", got)
	}
}

// A stream that is taken off the list loses its rows.
func TestTightenUnlisted(t *testing.T) {
	h := newHouse(t)
	h.send("alice")
	h.pass(time.Hour)
	h.run(Request{})
	h.list = "{}\n"
	if report, err := h.job.Tighten(context.Background(), false, nil); err != nil || report.Files != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if rows := h.sanitized(); len(rows) != 0 {
		t.Errorf("rows are left: %v", rows)
	}
	if states, err := h.job.States(context.Background(), Request{}); err != nil || states[0].State != Done {
		t.Errorf("%+v, %v", states, err)
	}
}

// A broken allowlist, and salts that cannot be read, stop the job before it writes.
func TestJobStops(t *testing.T) {
	h := newHouse(t)
	h.send("alice")
	h.pass(time.Hour)
	h.list = "app:\n  instal: hash\n"
	if _, err := h.job.Run(context.Background(), Request{}); err == nil || !strings.Contains(err.Error(), "did you mean install?") {
		t.Errorf("a broken list: %v", err)
	}
	h.list = jobList
	if err := os.Chmod(filepath.Join(h.dir, "salts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := h.run(Request{}); got.Hours != 0 || len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Why, "0700") {
		t.Errorf("open salts: %+v", got)
	}
	if len(h.lake.Streams(lake.Sanitized)) != 0 {
		t.Error("something was written")
	}
}

// An hour that needs more memory than it may have beside another is done alone.
func TestJobLargeHour(t *testing.T) {
	h := newHouse(t)
	h.job.Memory = 8 << 20
	installs := make([]string, 60_000)
	for i := range installs {
		installs[i] = fmt.Sprintf("install-%d-%s", i, strings.Repeat("x", 100))
	}
	for part := range slices.Chunk(installs, 10_000) {
		h.send(part...)
	}
	h.pass(time.Hour)
	if got := h.run(Request{}); got.Hours != 1 || got.Rows != int64(len(installs)) || len(got.Refused) != 0 {
		t.Errorf("the report is %+v", got)
	}
	h.job.Machine = 2 * h.job.Memory
	h.list = strings.Replace(jobList, "screen: keep", "screen: drop", 1)
	if got := h.run(Request{Stale: true}); len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Why, "8.0 MiB of memory; that is half of what this process has") {
		t.Errorf("too large for both: %+v", got.Refused)
	}
}

// A part of an import that comes after its hour was sanitized is sanitized without anybody asking for it.
func TestJobImportGoesOn(t *testing.T) {
	h := newHouse(t)
	h.pass(time.Hour)
	hour := jobStart.Truncate(time.Hour)
	table, err := h.lake.Table(lake.Raw, "app")
	if err != nil {
		t.Fatal(err)
	}
	const part = 200_000 // events of an import that are stored at a time
	rows := func(yield func(event.Key, []byte) bool) {
		for i := range part + 1 {
			if i == part { // the first part is stored, and the job runs before the next one is
				h.run(Request{})
			}
			sent := fmt.Sprintf(`{"dt":%q,"install":"alice","screen":"home","secret":"s"}`, hour.Format(time.RFC3339))
			row, key, _, problem := h.stream.Append(nil, []byte(sent), &event.Arrival{Now: h.Wall(), NewID: event.NewID, AnyAge: true})
			if problem != nil {
				t.Fatal(problem)
			}
			if !yield(key, row) {
				return
			}
		}
	}
	if _, err := h.lake.Import(context.Background(), table, strings.Repeat("ab", 32), rows); err != nil {
		t.Fatal(err)
	}
	if err := h.lake.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	h.run(Request{})
	var kept int64
	plans, err := h.job.Plans()
	if err != nil {
		t.Fatal(err)
	}
	if kept, err = h.lake.Count(context.Background(), lake.Query{Table: Table(plans["app"]), From: hour.UnixMilli(), To: hour.Add(time.Hour).UnixMilli()}); err != nil || kept != part+1 {
		t.Errorf("%d of %d events are sanitized, %v", kept, part+1, err)
	}
}

// An allowlist that changes while a run goes on counts from the next hour, and tightening waits for the hour in hand: nothing that was
// taken off the list is written after it.
func TestTightenDuringARun(t *testing.T) {
	h := newHouse(t)
	h.send("alice")
	h.pass(time.Hour)
	h.send("bob")
	h.pass(time.Hour)
	salts := h.job.Salts
	inHand, goOn := make(chan bool, 2), make(chan bool)
	h.job.Salts = func(hour time.Time) (*salt.Salt, error) { // asked for once an hour has its plan
		inHand <- true
		<-goOn
		return salts(hour)
	}
	plans := h.job.Plans
	var list sync.Mutex
	h.job.Plans = func() (map[string]*Plan, error) { list.Lock(); defer list.Unlock(); return plans() }
	ran := make(chan error)
	go func() { _, err := h.job.Run(context.Background(), Request{}); ran <- err }()
	<-inHand
	list.Lock()
	h.list = "app:\n  dt: {floor: 1h}\n  install: hash\n"
	list.Unlock()
	tightened := make(chan error)
	go func() { _, err := h.job.Tighten(context.Background(), false, nil); tightened <- err }()
	for h.job.working.TryRLock() { // until it waits
		h.job.working.RUnlock()
		runtime.Gosched()
	}
	close(goOn)
	if err := errors.Join(<-tightened, <-ran); err != nil {
		t.Fatal(err)
	}
	rows := h.sanitized()
	for _, row := range rows {
		if row["screen"] != nil {
			t.Errorf("a row is %v", row)
		}
	}
	if len(rows) == 0 {
		t.Error("nothing was sanitized")
	}
}

// A salt that is destroyed between two sources of an hour leaves the second one out: the hour has rows under it, and gets no other.
func TestSaltEndsBetweenSources(t *testing.T) {
	h := newHouse(t)
	at := h.Wall().Truncate(time.Hour)
	h.send("alice")
	h.importAt(h.Wall(), "a", "alice")
	h.pass(time.Hour)
	asked := 0
	h.job.Salts = func(hour time.Time) (*salt.Salt, error) {
		if asked++; hour.Equal(at) && asked > 1 {
			return nil, salt.ErrForgotten
		}
		return h.salts.For(hour)
	}
	if r := h.run(Request{Backfill: true}); asked < 2 || len(r.Refused) != 1 || !strings.Contains(r.Refused[0].Why, errNever.Error()) {
		t.Errorf("after %d questions for a salt: %+v", asked, r)
	}
	if all := h.pseudonyms(at); len(all) != 1 {
		t.Errorf("the hour has two salts: alice is %q", all)
	}
}
