package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func at(text string) time.Time { return must(time.Parse("2006-01-02T15:04", text)) }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock { return &clock{t: at("2026-11-25T23:58")} }

// read is a beginning as the private door makes it.
func read(who, stream string) Record {
	return Record{Who: who, Route: "GET /api/v1/events/{stream}", Dataset: "raw", Stream: stream, Purpose: "a test"}
}

func openDir(t testing.TB, dir string, now *clock) *Log {
	t.Helper()
	return must(Open(Options{Dir: dir, Now: now.now}))
}

// clean wants nothing found.
func clean(t testing.TB, v Verified, err error) {
	t.Helper()
	if err != nil || len(v.Findings) > 0 {
		t.Fatalf("verify: %v, %v", v.Findings, err)
	}
}

func TestAppend(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "data", "audit"), newClock()
	l := openDir(t, dir, now)
	for n := uint64(1); n <= 5; n++ {
		if got := must(l.Append(Record{Action: Login, Who: "ada", Note: "<\n\"\x00\xff>"})); got != n {
			t.Fatalf("number %d, want %d", got, n)
		}
		now.add(time.Minute)
	}
	v, err := Verify(dir, nil)
	clean(t, v, err)
	if v.Records != 5 || v.Number != 5 || len(v.Notes) > 0 {
		t.Errorf("verified %+v", v)
	}
	for _, name := range []string{"000000000001-2026-11-25.ndjson", "000000000003-2026-11-26.ndjson", "head"} {
		info := must(os.Stat(filepath.Join(dir, name)))
		if info.Mode() != 0o600 || !info.ModTime().Equal(info.ModTime().Truncate(time.Hour)) {
			t.Errorf("%s: %v, %v", name, info.Mode(), info.ModTime())
		}
	}
	first := string(must(os.ReadFile(filepath.Join(dir, "000000000001-2026-11-25.ndjson"))))
	want := `{"number":1,"time":"2026-11-25T23:58:00Z","action":"login","who":"ada","note":"\u003c\n\"\u0000` + "\uFFFD" + `\u003e","before":"` + genesis + `"}` + "\n"
	if !strings.HasPrefix(first, want) {
		t.Errorf("the first line is\n%swant\n%s", first, want)
	}
}

// Whatever others may get at while it runs takes no record, until it is mended; then all goes on.
func TestModesWhileItRuns(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "audit"), newClock()
	l := openDir(t, dir, now)
	rec := Record{Action: Login, Who: "ada"}
	must(l.Append(rec))
	newest := filepath.Join(dir, "000000000001-2026-11-25.ndjson")
	for _, c := range []struct {
		path       string
		mode, good os.FileMode
	}{{dir, 0o755, 0o700}, {dir, 0o770, 0o700}, {filepath.Join(dir, headFile), 0o640, 0o600}, {newest, 0o604, 0o600}} {
		do(t, os.Chmod(c.path, c.mode))
		if n, err := l.Append(rec); err == nil || !strings.Contains(err.Error(), "chmod") || l.Err() == nil {
			t.Errorf("%s with mode %v takes record %d: %v, %v", c.path, c.mode, n, err, l.Err())
		}
		do(t, os.Chmod(c.path, c.good))
		must(l.Append(rec))
	}
	do(t, os.Chmod(newest, 0o644))
	now.add(48 * time.Hour) // the next file
	if _, err := l.Append(rec); err == nil {
		t.Error("an older file that others may read")
	}
	do(t, os.Chmod(newest, 0o600))
	must(l.Append(rec))
	v, err := Verify(dir, nil)
	clean(t, v, err)
	if v.Records != 6 {
		t.Errorf("%d records", v.Records)
	}
}

func do(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A text can be as long as it likes: the line is bounded.
func TestAppendLong(t *testing.T) {
	d := newMemDisk()
	l := d.log(t, newClock())
	long := strings.Repeat("\x01é", 1<<20)
	must(l.Append(Record{Action: Refused, Who: long, Via: long, Route: long, Dataset: long, Stream: long, Purpose: long, Outcome: long, Note: long}))
	must(l.Append(Record{Action: Logout, Who: "ada"}))
	v, err := verify(d, memDir, nil)
	clean(t, v, err)
}

// The clock goes back by a day: the chain goes on, in a file of that day.
func TestClockBack(t *testing.T) {
	d, now := newMemDisk(), newClock()
	l := d.log(t, now)
	for range 4 {
		must(l.Append(Record{Action: Login, Who: "ada"}))
		now.add(-24 * time.Hour)
	}
	v, err := verify(d, memDir, nil)
	clean(t, v, err)
	n := 0
	for e, err := range l.Read(t.Context(), Filter{From: at("2026-11-24T00:00"), To: at("2026-11-25T00:00")}) {
		if err != nil || e.Number != 2 {
			t.Errorf("%+v, %v", e, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d records of the day before", n)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"folder 0750": func(dir string) error { return os.Chmod(dir, 0o750) },
		"head 0640":   func(dir string) error { return os.Chmod(filepath.Join(dir, "head"), 0o640) },
		"file 0644":   func(dir string) error { return os.Chmod(filepath.Join(dir, "000000000001-2026-11-25.ndjson"), 0o644) },
		"link": func(dir string) error {
			return os.Symlink("/etc/passwd", filepath.Join(dir, "000000000003-2026-11-26.ndjson"))
		},
		"no folder":    func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
		"folder moved": func(dir string) error { return errors.Join(os.Rename(dir, dir+"2"), os.Symlink(dir+"2", dir)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, now := filepath.Join(t.TempDir(), "audit"), newClock()
			must(openDir(t, dir, now).Append(Record{Action: Login, Who: "ada"}))
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(Options{Dir: dir, Now: now.now}); err == nil {
				t.Error("it was opened")
			}
		})
	}
}

func TestReads(t *testing.T) {
	d, now := newMemDisk(), newClock()
	l := d.log(t, now)
	ended := must(l.BeginRead(read("ada", "interaction")))
	cut := must(l.BeginRead(read("ben", "interaction")))
	if err := errors.Join(ended.End(1_000_000, "ok"), ended.End(3, "again")); err != nil {
		t.Fatal(err)
	}
	l = d.log(t, now) // the process has ended
	states(t, l, "1 ended", "2 going")
	must(l.Append(Record{Action: Start, Who: "brine"}))
	states(t, l, "1 ended", "2 cut", "4 ")
	states(t, l, "1 ended", "2 cut", "4 ")

	command := read("os:root", "interaction")
	command.Route = "brine read"
	must(d.log(t, now).BeginRead(command))
	must(l.Append(Record{Action: Start, Who: "brine"}))
	states(t, l, "1 ended", "2 cut", "4 ", "5 going", "6 ")
	now.add(61 * time.Minute)
	going := must(l.BeginRead(read("ada", "interaction")))
	now.add(61 * time.Minute)
	states(t, l, "1 ended", "2 cut", "4 ", "5 unknown", "6 ", "7 going")
	states(t, d.log(t, now), "1 ended", "2 cut", "4 ", "5 unknown", "6 ", "7 unknown") // as brine audit sees it
	_ = going.End(7, "ok")
	_ = cut

	for e := range l.Read(t.Context(), Filter{Read: 1}) {
		if e.Number != 1 || *e.End.Rows != 1_000_000 || e.End.Outcome != "ok" || e.Purpose != "a test" {
			t.Errorf("the first read is %+v", e)
		}
	}
	for e := range l.Read(t.Context(), Filter{Action: ReadEnd, Read: 1}) {
		if e.Number != 3 {
			t.Errorf("its end is %+v", e)
		}
	}
}

// states wants these entries, the oldest first, each as its number and state.
func states(t *testing.T, l *Log, want ...string) {
	t.Helper()
	var got []string
	for e, err := range l.Read(t.Context(), Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append([]string{fmt.Sprint(e.Number, " ", e.State)}, got...)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPages(t *testing.T) {
	d, now := newMemDisk(), newClock()
	l := d.log(t, now)
	for n := range 300 {
		who := []string{"ada", "ben"}[n%2]
		r := must(l.BeginRead(read(who, "interaction")))
		now.add(time.Minute)
		if err := r.End(int64(n), "ok"); err != nil {
			t.Fatal(err)
		}
	}
	seen, cursor := []uint64{}, ""
	for {
		p := must(l.Page(t.Context(), Filter{Who: "ben", From: at("2026-11-26T02:00")}, cursor, 7))
		for _, e := range p.Entries {
			seen = append(seen, e.Number)
			if e.State != Ended || *e.End.Rows*2+1 != int64(e.Number) {
				t.Fatalf("entry %+v", e)
			}
		}
		must(l.Append(Record{Action: Login, Who: "ben"})) // pages stay as they are
		if cursor = p.Next; cursor == "" {
			break
		}
	}
	if len(seen) != 89 || seen[0] != 599 || seen[len(seen)-1] != 247 {
		t.Errorf("%d entries, from %d to %d", len(seen), seen[0], seen[len(seen)-1])
	}
	if _, err := l.Page(t.Context(), Filter{}, "x", 1); !errors.Is(err, ErrCursor) {
		t.Errorf("a wrong cursor: %v", err)
	}
}

// A page far back costs what its own day holds, not all that came after; reads that ended on a later day are joined with
// their ends all the same, and those that did not are cut by the next start.
func TestPageFarBack(t *testing.T) {
	d, now := newMemDisk(), &clock{t: at("2026-01-01T12:00")}
	l := d.log(t, now)
	late, lost := must(l.BeginRead(read("ada", "interaction"))), must(l.BeginRead(read("ben", "interaction")))
	lost.abandon()
	for day := range 30 {
		now.add(24 * time.Hour)
		for range 200 {
			must(l.Append(Record{Action: Login, Who: "ada"}))
		}
		if day == 2 {
			if err := late.End(7, "ok"); err != nil {
				t.Fatal(err)
			}
			must(l.Append(Record{Action: Start, Who: "brine"}))
		}
	}
	var all int64
	for _, f := range d.files {
		all += int64(len(f.content))
	}
	d.read = 0
	p := must(l.Page(t.Context(), Filter{}, "5", 10))
	if len(p.Entries) != 4 || p.Entries[3].State != Ended || *p.Entries[3].End.Rows != 7 || p.Entries[2].State != Cut {
		t.Errorf("the page is %+v", p)
	}
	if d.read > all/4 {
		t.Errorf("%d of %d bytes were read for it", d.read, all)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Page(gone, Filter{}, "5", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("for a reader who has gone: %v", err)
	}
}

// abandon is the end of a process that was killed.
func (r *Read) abandon() { delete(r.log.going, r.begin.Number) }

// Many append at once, through two logs of one folder: each has a number of its own.
func TestTwoAtOnce(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "audit"), newClock()
	var mu sync.Mutex
	numbers := map[uint64]bool{}
	var all sync.WaitGroup
	for range 2 {
		l := openDir(t, dir, now)
		for range 20 {
			all.Go(func() {
				for range 10 {
					number := must(l.Append(Record{Action: Login, Who: "ada"}))
					now.add(time.Second)
					mu.Lock()
					numbers[number] = true
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	v, err := Verify(dir, nil)
	clean(t, v, err)
	if len(numbers) != 400 || v.Number != 400 || v.Records != 400 || !numbers[400] {
		t.Errorf("%d numbers, verified %+v", len(numbers), v)
	}
}
