package lake_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"brine/event"
	"brine/eventlog"
	"brine/lake"
	"brine/lake/store/s3test"
)

// house is a log and a lake on real disks, with a clock that the test sets.
type house struct {
	tb    testing.TB
	dir   string
	clock *clock
	log   *eventlog.Log
	lake  *lake.Lake
	point func(string)
	store *s3test.Server // where the lake lies; nil for a folder
}

// clock stands still until a test moves it; it never disagrees with itself.
type clock struct{ since atomic.Int64 } // testStart, ns

func (c *clock) Wall() time.Time         { return testStart.Add(c.Mono()) }
func (c *clock) Mono() time.Duration     { return time.Duration(c.since.Load()) }
func (c *clock) advance(d time.Duration) { c.since.Add(int64(d)) }

var testStart = time.Date(2026, 11, 21, 13, 7, 0, 0, time.UTC)

func mustOpen(tb testing.TB) *house {
	tb.Helper()
	h := &house{tb: tb, dir: tb.TempDir(), clock: &clock{}, point: func(string) {}}
	if strings.HasPrefix(tb.Name(), "TestObjectStore/") {
		h.store = s3test.Start(tb)
	}
	h.open()
	tb.Cleanup(h.close)
	return h
}

func tables() []lake.Table {
	return []lake.Table{
		lake.NewTable(lake.Raw, "interaction", event.InteractionColumns(), "timestamp", "id"),
		lake.NewTable(lake.Raw, "click", []event.Column{{Name: "text", Kind: event.String}}, "", ""),
		wide(),
		lake.QuarantineTable(),
	}
}

func (h *house) open() {
	h.tb.Helper()
	ctx := context.Background()
	var err error
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: filepath.Join(h.dir, "log"), Clock: h.clock, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		h.tb.Fatal(err)
	}
	h.lake = h.openLake(h.log)
}

func (h *house) openLake(log lake.Log) *lake.Lake {
	h.tb.Helper()
	o := lake.Options{Tables: tables(), Log: log, Now: h.clock.Wall, Point: func(p string) { h.point(p) }}
	if h.store == nil {
		o.Dir = filepath.Join(h.dir, "lake")
	} else {
		o.Store, o.CacheDir = h.store.Open(h.tb, "lake"), filepath.Join(h.dir, "cache")
	}
	l, err := lake.Open(context.Background(), o)
	if err != nil {
		h.tb.Fatal(err)
	}
	return l
}

func (h *house) close() {
	h.lake.Close()
	if err := h.log.Close(); err != nil {
		h.tb.Error(err)
	}
}

func (h *house) reopen() {
	h.tb.Helper()
	h.close()
	h.open()
}

func (h *house) append(records ...event.Record) {
	h.tb.Helper()
	var group []byte
	for _, r := range records {
		group = event.AppendRecord(group, r)
	}
	if err := h.log.Append(context.Background(), group); err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) flush() {
	h.tb.Helper()
	if err := h.lake.Flush(context.Background()); err != nil {
		h.tb.Fatal(err)
	}
}

// sweep lets the time go by after which covered files are removed.
func (h *house) sweep() {
	h.tb.Helper()
	h.flush()
	h.clock.advance(31 * time.Second)
	h.flush()
}

// click is a record of the test's own small stream.
func click(at time.Time, n int) event.Record {
	id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n))
	ms := event.FloorMillis(at.UnixMilli())
	return event.Record{Dataset: lake.Raw, Stream: "click", Key: event.Key{Time: ms, ID: id},
		Row: fmt.Appendf(nil, `{"text":"click %d"}`, n)}
}

// read gives all rows of a stream as JSON.
func read(tb testing.TB, l *lake.Lake, dataset, stream string) (rows []string) {
	tb.Helper()
	t, err := l.Table(dataset, stream)
	if err != nil {
		tb.Fatal(err)
	}
	err = l.Scan(context.Background(), lake.Query{Table: t, To: 1 << 60}, func(r *lake.Rows) error {
		for i := range r.Len() {
			rows = append(rows, string(r.AppendJSON(nil, i)))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rows
}

// files lists the lake's files.
func (h *house) files() (names []string) {
	if h.store != nil {
		for _, key := range h.store.Keys(h.tb) {
			if strings.HasSuffix(key, ".parquet") {
				names = append(names, strings.TrimPrefix(key, "lake/"))
			}
		}
		return names
	}
	root := filepath.Join(h.dir, "lake")
	filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if filepath.Ext(path) == ".parquet" {
			rel, _ := filepath.Rel(root, path)
			names = append(names, rel)
		}
		return nil
	})
	return names
}

func wantRows(tb testing.TB, got []string, records ...event.Record) {
	tb.Helper()
	var want []string
	slices.SortFunc(records, func(a, b event.Record) int {
		return slices.Compare(append(fmt.Appendf(nil, "%020d", a.Key.Time), a.Key.ID[:]...), append(fmt.Appendf(nil, "%020d", b.Key.Time), b.Key.ID[:]...))
	})
	for _, r := range records {
		want = append(want, string(r.Row))
	}
	if !slices.Equal(got, want) {
		tb.Fatalf("got %d rows, want %d:\n%s\nwant\n%s", len(got), len(want), got, want)
	}
}

func TestFlush(t *testing.T) {
	h := mustOpen(t)
	a, b, c := click(testStart, 1), click(testStart.Add(-time.Hour), 2), click(testStart, 3)
	h.append(a, b)
	h.flush()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b)

	t.Run("ASmallFileIsReplaced", func(t *testing.T) {
		h.append(c)
		h.flush()
		wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b, c)
	})
	t.Run("AReopenedLakeIsTheSame", func(t *testing.T) {
		h.reopen()
		h.sweep()
		wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b, c)
		if n := len(h.files()); n != 1 {
			t.Errorf("covered files are still there: %v", h.files())
		}
	})
	t.Run("AResendIsStoredOnce", func(t *testing.T) {
		h.append(a, c, c)
		h.flush()
		h.append(b)
		h.flush()
		wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b, c)
	})
	t.Run("OneThatIsBrokenOffIsNoFault", func(t *testing.T) {
		h.append(click(testStart, 3))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := h.lake.Flush(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a flush that was broken off: %v", err)
		}
		if err := h.lake.Err(); err != nil {
			t.Errorf("events are refused, as a flush was broken off: %v", err)
		}
		h.flush()
	})
	t.Run("AReaderOfAnotherProcessSeesTheSame", func(t *testing.T) {
		other := h.openLake(nil)
		defer other.Close()
		wantRows(t, read(t, other, lake.Raw, "click"), a, b, c)
	})
}

func TestHoursAreCompactedWhenClosed(t *testing.T) {
	h := mustOpen(t)
	ctx := context.Background()
	var all []event.Record
	for hour := range 3 {
		for n := range 5 {
			r := click(h.clock.Wall(), 10*hour+n)
			all = append(all, r)
			h.append(r)
			h.flush()
		}
		h.clock.advance(time.Hour)
	}
	h.append(click(h.clock.Wall(), 99))
	all = append(all, click(h.clock.Wall(), 99))
	h.flush()
	if err := h.lake.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all...)
	h.reopen()
	h.sweep()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), all...)
	if n := len(h.files()); n != 4 {
		t.Errorf("want one file an hour, got %d: %v", n, h.files())
	}
}

func TestADayTurns(t *testing.T) {
	h := mustOpen(t)
	a := click(h.clock.Wall(), 1)
	h.append(a)
	h.clock.advance(24 * time.Hour)
	b := click(h.clock.Wall(), 2)
	h.append(b)
	h.flush()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), a, b)
	if logs := h.log.Logs(); len(logs) != 1 {
		t.Errorf("yesterday's log is still there: %v", logs)
	}
}

func TestPoison(t *testing.T) {
	h := mustOpen(t)
	good, bad := click(testStart, 1), click(testStart, 2)
	bad.Row = []byte(`{"at":"noon"}`)
	alien := click(testStart, 3)
	alien.Stream = "unheard_of"
	h.append(good, bad, alien)
	if err := h.log.Append(context.Background(), []byte("no record at all\xff\n")); err != nil {
		t.Fatal(err)
	}
	h.flush()
	wantRows(t, read(t, h.lake, lake.Raw, "click"), good)
	if rows := read(t, h.lake, lake.Quarantine, "lines"); len(rows) != 3 {
		t.Errorf("want 3 lines in quarantine, got %s", rows)
	}
}
