package lake_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
)

// purgeAt purges as if it were then.
func purgeAt(tb testing.TB, l *lake.Lake, now time.Time, change ...func(*lake.Purge)) lake.Purged {
	tb.Helper()
	p := lake.Purge{Now: now, Yes: true, Retention: lake.Retention{Guard: 0.2, Limits: map[string]lake.Limit{
		lake.Raw: {MaxAge: 90 * day}, lake.Quarantine: {MaxAge: 90 * day}}}}
	for _, c := range change {
		c(&p)
	}
	done, err := l.Purge(context.Background(), p)
	if err != nil {
		tb.Fatal(err)
	}
	return done
}

// hours stores a click in each of some hours and returns them.
func hours(h *house, n int) (all []event.Record) {
	for i := range n {
		r := click(h.clock.Wall(), i)
		h.append(r)
		h.flush()
		all = append(all, r)
		h.clock.advance(time.Hour)
	}
	h.append()
	h.flush()
	return all
}

// limit sets a limit of raw.
func limit(l lake.Limit) func(*lake.Purge) {
	return func(p *lake.Purge) { p.Limits = map[string]lake.Limit{lake.Raw: l} }
}

func unsanitized(hours ...time.Time) func(*lake.Purge) {
	return func(p *lake.Purge) {
		p.Unsanitized = func(context.Context) (func(string, time.Time) bool, error) {
			return func(_ string, hour time.Time) bool {
				return slices.ContainsFunc(hours, hour.Equal)
			}, nil
		}
	}
}

func TestPurgeByAge(t *testing.T) {
	h := mustOpen(t)
	all := hours(h, 4)
	now := testStart.Truncate(time.Hour).Add(90*day + time.Hour)
	dry := purgeAt(t, h.lake, now, func(p *lake.Purge) { p.DryRun = true })
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all...)
	done := purgeAt(t, h.lake, now)
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all[2:]...)
	dry.DryRun = false
	if fmt.Sprint(dry) != fmt.Sprint(done) {
		t.Errorf("the dry run said\n%v, it was\n%v", dry, done)
	}
	want := lake.Dropped{Dataset: lake.Raw, Stream: "click", Why: lake.ForAge, From: "2026-11-21", To: "2026-11-21", Hours: 2, Files: 2, Bytes: done.Dropped[0].Bytes}
	if len(done.Dropped) != 1 || done.Dropped[0] != want || want.Bytes == 0 {
		t.Errorf("it says %+v", done.Dropped)
	}
	h.reopen()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all[2:]...)
	purgeAt(t, h.lake, now.Add(2*day))
	if left := h.files(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "lake", "raw", "click")); !errors.Is(err, os.ErrNotExist) {
		t.Error("its folders are still there")
	}
	if marks, err := os.ReadDir(filepath.Join(h.dir, "lake", "raw", "_flushed")); len(marks) != 1 || err != nil {
		t.Errorf("the mark went: %v, %v", marks, err)
	}
	h.reopen()
	again := click(h.clock.Wall(), 100)
	h.append(again)
	h.flush()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), again)
}

// For space the oldest hours go, but none that is not sanitized, and never the open one.
func TestPurgeForSpace(t *testing.T) {
	h := mustOpen(t)
	all := hours(h, 4)
	first := testStart.Truncate(time.Hour)
	done := purgeAt(t, h.lake, h.clock.Wall(), limit(lake.Limit{MaxBytes: 1}), unsanitized(first, first.Add(2*time.Hour)))
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all[0], all[2])
	if text := strings.Join(done.Warnings, "\n"); !strings.Contains(text, "2 hours are not sanitized and not dropped for space") {
		t.Errorf("it warns %q", text)
	}
	h.append(click(h.clock.Wall(), 50))
	h.flush()
	done = purgeAt(t, h.lake, h.clock.Wall(), limit(lake.Limit{MaxBytes: 1, DropUnsanitized: true}), unsanitized(first))
	wantRows(t, read(t, h.lake, lake.Raw, "click"), click(h.clock.Wall(), 50))
	if len(done.Dropped) != 1 || done.Dropped[0].Lost != 1 || done.Dropped[0].Why != lake.ForSpace {
		t.Errorf("it says %+v", done.Dropped)
	}
}

// A sanitized hour goes with or after its raw one: before, it would be made again.
func TestPurgeOfSanitized(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	err := withHour(t, h.lake, start, func(hour *lake.Hour) error { return rewrite(hour, lake.Sanitized, "true", nil) })
	if err != nil {
		t.Fatal(err)
	}
	limits := func(raw, sanitized lake.Limit) func(*lake.Purge) {
		return func(p *lake.Purge) { p.Limits = map[string]lake.Limit{lake.Raw: raw, lake.Sanitized: sanitized} }
	}
	kept := func() int { return len(h.lake.List(lake.Sanitized, "click")) }
	old := lake.Limit{MaxAge: day}
	for _, sanitized := range []lake.Limit{{MaxBytes: 1}, old} {
		if purgeAt(t, h.lake, start.Add(2*day), limits(lake.Limit{}, sanitized)); kept() != 1 {
			t.Fatalf("under %v it went before raw", sanitized)
		}
	}
	if purgeAt(t, h.lake, start.Add(day), limits(old, lake.Limit{MaxAge: 2 * day})); kept() != 1 || len(h.lake.Files(lake.Raw, "click", start)) != 0 {
		t.Fatal("raw did not go, or sanitized did")
	}
	if purgeAt(t, h.lake, start.Add(2*day), limits(old, lake.Limit{MaxBytes: 1})); kept() != 0 {
		t.Error("it did not go for space when raw was gone")
	}
}

// Who cannot tell what is sanitized keeps raw from going for space, not from going by age.
func TestPurgeWithoutKnowing(t *testing.T) {
	h := mustOpen(t)
	all := hours(h, 3)
	p := lake.Purge{Now: testStart.Truncate(time.Hour).Add(90 * day), Yes: true,
		Retention: lake.Retention{Guard: 1, Limits: map[string]lake.Limit{lake.Raw: {MaxAge: 90 * day, MaxBytes: 1}}},
		Unsanitized: func(context.Context) (func(string, time.Time) bool, error) {
			return nil, errors.New("no allowlist")
		}}
	if _, err := h.lake.Purge(context.Background(), p); err == nil || !strings.Contains(err.Error(), "no allowlist") {
		t.Error(err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all[1:]...)
}

func TestPurgeWarnsAhead(t *testing.T) {
	h := mustOpen(t)
	hours(h, 2)
	first := testStart.Truncate(time.Hour)
	for age, want := range map[time.Duration]string{
		75 * day: "",
		80 * day: "1 hours of click are not sanitized, and the first goes on 2027-02-19 (retention.raw.max_age): see brine status",
		90 * day: "1 hours of click go that are not sanitized, or not as they are now: what is not is lost",
	} {
		done := purgeAt(t, h.lake, first.Add(age), unsanitized(first), func(p *lake.Purge) { p.DryRun = true })
		if got := strings.Join(done.Warnings, "\n"); got != want {
			t.Errorf("after %s it warns %q", age, got)
		}
	}
}

func TestPurgeStoppedByTheGuard(t *testing.T) {
	h := mustOpen(t)
	all := hours(h, 4)
	later := testStart.Add(200 * day)
	done := purgeAt(t, h.lake, later, func(p *lake.Purge) { p.Yes = false })
	if len(done.Dropped) > 0 || len(done.Stopped) != 1 || done.Stopped[0].Share != 1 || done.Stopped[0].Hours != 4 {
		t.Errorf("it says %+v", done)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all...)
}

// What was left out goes with its hour, and what others cover; a foreign file is told and stays.
func TestPurgeOfFaults(t *testing.T) {
	h := mustOpen(t)
	start := closedHour(t, h)
	err := withHour(t, h.lake, start, func(hour *lake.Hour) error { return rewrite(hour, lake.Raw, "true", nil) })
	if err != nil {
		t.Fatal(err)
	}
	if n := len(h.files()); n != 3 {
		t.Fatalf("%d files, one of them covered: %v", n, h.files())
	}
	purgeAt(t, h.lake, start.Add(90*day))
	if n := len(h.files()); n != 1 {
		t.Fatalf("the covered file is still there: %v", h.files())
	}
	folder := filepath.Join(h.dir, "lake", filepath.Dir(h.files()[0]))
	log, _, _ := strings.Cut(filepath.Base(h.files()[0]), "-")
	for name, content := range map[string]string{log + "-1-1.g9.parquet": "PAR1", "notes.txt": "call Ann"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.reopen()
	done := purgeAt(t, h.lake, start.Add(91*day))
	if left := h.files(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if done.Dropped[0].Files != 2 || len(done.Warnings) != 1 || !strings.Contains(done.Warnings[0], "notes.txt is not a file of the lake's and stays") {
		t.Errorf("it says %+v", done)
	}
	_, faults, err := h.lake.Summaries(t.Context())
	if err != nil || len(faults) != 1 || !strings.HasSuffix(faults[0].Path, "notes.txt") {
		t.Errorf("left out: %v, %v", faults, err)
	}
}

// Imported hours, quarantine, streams that the config lacks and empty folders go like the rest.
func TestPurgeOfOtherThings(t *testing.T) {
	h := mustOpen(t)
	old := h.clock.Wall().Add(-89 * day)
	table, err := h.lake.Table(lake.Raw, "click")
	if err != nil {
		t.Fatal(err)
	}
	rows := func(yield func(event.Key, []byte) bool) {
		r := click(old, 7)
		yield(r.Key, r.Row)
	}
	if _, err := h.lake.Import(t.Context(), table, strings.Repeat("ab", 32), rows); err != nil {
		t.Fatal(err)
	}
	alien := click(h.clock.Wall(), 1)
	alien.Stream = "unheard_of"
	h.append(alien)
	h.flush()
	root := filepath.Join(h.dir, "lake")
	gone := filepath.Join(root, "raw", "gone", "date=2026-01-01", "hour=05")
	if err := os.MkdirAll(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	orphan := filepath.Join(root, "raw", "orphan", old.Format("date=2006-01-02"), old.Format("hour=15"))
	if err := os.MkdirAll(orphan, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range h.files() {
		if strings.Contains(path, "click") {
			copyFile(t, filepath.Join(root, path), filepath.Join(orphan, filepath.Base(path)))
		}
	}
	h.reopen()
	purgeAt(t, h.lake, h.clock.Wall().Add(day))
	if left := h.files(); len(left) != 1 || !strings.HasPrefix(left[0], "quarantine/") {
		t.Errorf("left after the import is due: %v", left)
	}
	purgeAt(t, h.lake, h.clock.Wall().Add(90*day))
	if left := h.files(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if _, err := os.Stat(filepath.Dir(filepath.Dir(gone))); !errors.Is(err, os.ErrNotExist) {
		t.Error("an empty folder is still there")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A read goes on with what is left when hours are dropped under it, in this process and in another.
func TestPurgeUnderARead(t *testing.T) {
	h := mustOpen(t)
	all := hours(h, 4)
	table, err := h.lake.Table(lake.Raw, "click")
	if err != nil {
		t.Fatal(err)
	}
	other := h.openLake(nil)
	defer other.Close()
	for i, l := range []*lake.Lake{h.lake, other} {
		purged := false
		err := l.Scan(t.Context(), lake.Query{Table: table, To: 1 << 60, Limit: 1}, func(*lake.Rows) error {
			if !purged {
				purged = true
				purgeAt(t, h.lake, testStart.Truncate(time.Hour).Add(90*day+time.Duration(i)*time.Hour))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, read(t, l, lake.Raw, "click"), all[1+i:]...)
	}
}

// purgeScript stores hours, rewrites one so that a covered file lies there, and purges half of them.
func purgeScript() script {
	var steps []step
	for n := range 4 {
		steps = append(steps, step{wait: time.Hour, append: []event.Record{click(testStart.Add(time.Duration(n+1)*time.Hour), n)}, do: (*lake.Lake).Flush})
	}
	steps = append(steps, step{wait: time.Hour, do: (*lake.Lake).Flush}, step{do: func(l *lake.Lake, ctx context.Context) error {
		r, err := l.Rewriter(lake.RewriteMemory)
		if err != nil {
			return err
		}
		defer r.Close()
		return r.Hour(ctx, "click", testStart.Truncate(time.Hour).Add(time.Hour), func(hour *lake.Hour) error { return rewrite(hour, lake.Raw, "true", nil) })
	}}, step{do: purgeHalf})
	return script{calm: 6, steps: steps}
}

// purgeHalf drops the first two of four hours.
func purgeHalf(l *lake.Lake, ctx context.Context) error {
	_, err := l.Purge(ctx, lake.Purge{Now: testStart.Truncate(time.Hour).Add(90*day + 2*time.Hour), Yes: true,
		Retention: lake.Retention{Limits: map[string]lake.Limit{lake.Raw: {MaxAge: 90 * day}}}})
	return err
}

// The process is killed at every named point of a purge. Whatever the point, what was to stay is
// there once, nothing older comes back, and the next purge takes the rest.
func TestPurgeKilledAtEveryPoint(t *testing.T) {
	script := purgeScript()
	t.Run("Purge", func(t *testing.T) {
		if dir := os.Getenv(crashDir); dir != "" {
			runToCrash(t, dir, script.steps)
			return
		}
		said := crash(t, t.TempDir(), 0)
		t.Logf("points of the purge: %v", said.points[said.before[script.calm]:])
		if len(said.points)-said.before[script.calm] < 4 {
			t.Fatal("too few points")
		}
		for i := said.before[script.calm]; i < len(said.points); i++ {
			dir := t.TempDir()
			crash(t, dir, i+1)
			h := &house{tb: t, dir: dir, clock: &clock{}, point: func(string) {}}
			h.clock.advance(5 * time.Hour)
			h.open()
			checkClean(t, dir)
			h.flush()
			all := []event.Record{}
			for _, s := range script.steps[:4] {
				all = append(all, s.append...)
			}
			if rows := read(t, h.lake, lake.Raw, "click"); len(rows) < 2 || !strings.Contains(rows[len(rows)-1], "click 3") {
				t.Errorf("point %d: %v is left", i+1, rows)
			}
			if err := purgeHalf(h.lake, t.Context()); err != nil {
				t.Error(err)
			}
			wantRows(t, read(t, h.lake, lake.Raw, "click"), all[2:]...)
			h.reopen()
			checkHoldsClicks(t, h.lake, all[2:])
			checkClean(t, dir)
			h.close()
		}
	})
}

func checkHoldsClicks(t *testing.T, l *lake.Lake, want []event.Record) {
	t.Helper()
	wantRows(t, read(t, l, lake.Raw, "click"), want...)
	if _, faults, err := l.Summaries(t.Context()); err != nil || len(faults) > 0 {
		t.Error(faults, err)
	}
}
