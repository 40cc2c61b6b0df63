package eventlog

import (
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeClock starts at a time of day and moves only when told to.
type fakeClock struct {
	mu   sync.Mutex
	wall time.Time
	mono time.Duration
}

func clockAt(text string) *fakeClock {
	wall, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return &fakeClock{wall: wall}
}

func (c *fakeClock) Wall() time.Time     { c.mu.Lock(); defer c.mu.Unlock(); return c.wall }
func (c *fakeClock) Mono() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.mono }

// pass lets time pass.
func (c *fakeClock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall, c.mono = c.wall.Add(d), c.mono+d
}

// step sets the wall clock to another time.
func (c *fakeClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// hours gives each entry as "13 mark" or "13 group".
func hours(entries []Entry) (lines []string) {
	for i, text := range texts(entries) {
		lines = append(lines, entries[i].Hour.Format("15 ")+text)
	}
	return lines
}

func TestHourBeginsWithTraffic(t *testing.T) {
	clock := clockAt("2026-11-21 13:59")
	log := mustOpen(t, Options{Dir: t.TempDir(), Clock: clock})
	mustAppend(t, log, "a")
	clock.pass(2 * time.Minute)
	mustAppend(t, log, "b", "c")
	clock.pass(3 * time.Hour)
	mustAppend(t, log, "d")

	got := hours(readAll(t, log, log.Logs()[0]))
	want := []string{"13 mark", "13 a", "14 mark", "14 b", "14 c", "17 mark", "17 d"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHourBeginsWithoutTraffic(t *testing.T) {
	clock := clockAt("2026-11-21 13:30")
	log := mustOpen(t, Options{Dir: t.TempDir(), Clock: clock})
	clock.pass(time.Hour)
	eventually(t, 5*time.Second, "a second mark", func() bool { return log.Logs()[0].Last == 2 })
	if got := hours(readAll(t, log, log.Logs()[0])); !slices.Equal(got, []string{"13 mark", "14 mark"}) {
		t.Errorf("got %q", got)
	}
}

func TestDayBeginsNewLog(t *testing.T) {
	clock := clockAt("2026-11-21 23:30")
	log := mustOpen(t, Options{Dir: t.TempDir(), Clock: clock})
	mustAppend(t, log, "a")
	clock.pass(time.Hour)
	mustAppend(t, log, "b")

	logs := log.Logs()
	if len(logs) != 2 || !strings.HasPrefix(logs[0].Name, "20261121x") || !strings.HasPrefix(logs[1].Name, "20261122x") {
		t.Fatalf("logs: %+v", logs)
	}
	if want := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC); !logs[1].Day.Equal(want) {
		t.Errorf("day %s, want %s", logs[1].Day, want)
	}
	for i, want := range [][]string{{"23 mark", "23 a"}, {"00 mark", "00 b"}} {
		if got := hours(readAll(t, log, logs[i])); !slices.Equal(got, want) {
			t.Errorf("log %d: got %q, want %q", i, got, want)
		}
	}
}

// An hour that had begun before a restart has one mark; one that begins meanwhile gets its own.
func TestHourAcrossRestart(t *testing.T) {
	clock := clockAt("2026-11-21 13:10")
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "a")
	log.Close()
	log = mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "b")
	log.Close()
	clock.pass(time.Hour)
	log = mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "c")

	got := hours(readAll(t, log, log.Logs()[0]))
	if want := []string{"13 mark", "13 a", "13 b", "14 mark", "14 c"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A clock set back a little is believed, but the hour that has begun goes on, also when nothing of
// it is left in the log and after a restart.
func TestHoursNeverGoBack(t *testing.T) {
	clock := clockAt("2026-11-21 14:01")
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "a")
	clock.step(-4 * time.Minute)
	mustAppend(t, log, "b")
	info := log.Logs()[0]
	if got := hours(readAll(t, log, info)); !slices.Equal(got, []string{"14 mark", "14 a", "14 b"}) {
		t.Fatalf("got %q", got)
	}
	if err := log.Trim(t.Context(), info.Name, info.Last); err != nil {
		t.Fatal(err)
	}
	log.Close()
	log = mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "c")
	if got := hours(readAll(t, log, log.Logs()[0])); !slices.Equal(got, []string{"14 mark", "14 c"}) {
		t.Errorf("after the restart: got %q", got)
	}
}

func TestClockMoved(t *testing.T) {
	for name, move := range map[string]time.Duration{"forward": 6 * time.Minute, "back": -6 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			clock := clockAt("2026-11-21 13:58")
			dir := t.TempDir()
			log := mustOpen(t, Options{Dir: dir, Clock: clock})
			mustAppend(t, log, "a")
			clock.step(move)
			if err := log.Append(t.Context(), []byte("b")); !errors.Is(err, ErrClock) {
				t.Fatalf("append: %v, want ErrClock", err)
			}
			clock.step(-move)
			if err := log.Err(); !errors.Is(err, ErrClock) || !strings.Contains(err.Error(), "restart") {
				t.Errorf("moved back again, Err: %v", err)
			}
			if got := hours(readAll(t, log, log.Logs()[0])); !slices.Equal(got, []string{"13 mark", "13 a"}) {
				t.Errorf("got %q", got)
			}
			clock.step(move)
			log.Close()
			log = mustOpen(t, Options{Dir: dir, Clock: clock, AcceptClock: true})
			mustAppend(t, log, "c")
		})
	}
}

func TestClockMovedWithoutTraffic(t *testing.T) {
	clock := clockAt("2026-11-21 13:30")
	log := mustOpen(t, Options{Dir: t.TempDir(), Clock: clock})
	clock.step(24 * time.Hour)
	eventually(t, 5*time.Second, "ErrClock", func() bool { return errors.Is(log.Err(), ErrClock) })
	if logs := log.Logs(); len(logs) != 1 || logs[0].Last != 1 {
		t.Errorf("logs: %+v", logs)
	}
}

// A clock that stands before what has been written is not believed at the start; once an operator says
// that it is right, the last hour goes on until the clock has passed it.
func TestClockBeforeLog(t *testing.T) {
	clock := clockAt("2026-11-21 14:30")
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "a")
	log.Close()

	clock.step(-24 * time.Hour)
	log = mustOpen(t, Options{Dir: dir, Clock: clock})
	if err := log.Append(t.Context(), []byte("b")); !errors.Is(err, ErrClock) {
		t.Fatalf("append: %v, want ErrClock", err)
	}
	if got := hours(readAll(t, log, log.Logs()[0])); !slices.Equal(got, []string{"14 mark", "14 a"}) {
		t.Errorf("it is still read: got %q", got)
	}
	log.Close()

	log = mustOpen(t, Options{Dir: dir, Clock: clock, AcceptClock: true})
	mustAppend(t, log, "c")
	logs := log.Logs()
	if len(logs) != 1 {
		t.Fatalf("logs: %+v", logs)
	}
	if got := hours(readAll(t, log, logs[0])); !slices.Equal(got, []string{"14 mark", "14 a", "14 c"}) {
		t.Errorf("accepted: got %q", got)
	}
}

// The hour stands while the log is being reopened.
func TestHourWhileReopened(t *testing.T) {
	log, err := Open(t.Context(), Options{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.Append(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	hour := log.Hour()
	log.failStore(log.store.Load(), errors.New("a write that failed"))
	for log.Err() != nil {
		if got := log.Hour(); got.Before(hour) {
			t.Fatalf("the hour went back from %s to %s", hour, got)
		}
		runtime.Gosched()
	}
}
