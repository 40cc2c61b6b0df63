package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/lake"
	"brine/lake/store/s3test"
	"brine/simulate"
)

// All that is done with a lake in a folder is done with one in an object store, and comes to the same.
func TestLakeInAnObjectStore(t *testing.T) {
	s := s3test.Start(t)
	inFolder := lakeStory(t, "")
	inStore := lakeStory(t, "lake: "+s.Address("brine", "lake")+"\n")
	if inStore != inFolder {
		t.Errorf("in an object store\n%s\nin a folder\n%s", inStore, inFolder)
	}
	if !strings.Contains(inStore, "raw interaction 0") || !strings.Contains(inStore, "rollups interaction") {
		t.Errorf("it did not come to pass: %s", inStore)
	}
	for _, key := range s.Keys(t) {
		if strings.HasPrefix(key, "lake/raw/") {
			t.Errorf("%s is there still", key)
		}
	}
	for _, folder := range []string{"data/lake", "data/cache"} { // nothing stays on the local disk
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Error(folder, left, err)
		}
	}
}

// lakeStory imports, sanitizes, makes facts, reads and purges, and tells what was held meanwhile.
func lakeStory(t *testing.T, config string) (told string) {
	t.Helper()
	inFolder(t, map[string]string{"brine.yaml": config})
	mustRun(t, "check")
	history(t, 1)
	for _, args := range [][]string{{"sanitize"}, {"kpi", "rebuild"}, {"purge", "--yes"}, {"purge", "--yes", "--now", "2100-01-01T00:00:00Z"}} {
		mustRun(t, args...)
		var st status
		if err := json.Unmarshal([]byte(mustRun(t, "status", "--json")), &st); err != nil {
			t.Fatal(err)
		}
		told += fmt.Sprintln(args)
		for _, h := range st.Held {
			told += fmt.Sprintln(h.Dataset, h.Stream, h.Rows, h.Oldest, h.Newest)
		}
		told += fmt.Sprintln("raw interaction", strings.Count(mustRun(t, "read", "interaction", "--dataset", "raw", "--purpose", "a test"), "\n"))
		told += fmt.Sprintln("sanitized interaction", strings.Count(mustRun(t, "read", "interaction"), "\n"))
	}
	return told
}

// mustRun runs a command and gives what it printed.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := brine(t, args...)
	if code != exitOK {
		t.Fatalf("%v: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// Check says what is wrong with a bucket.
func TestCheckOfABucket(t *testing.T) {
	s := s3test.Start(t)
	s.CreateBucket(t, "versioned", false)
	s.Version(t, "versioned")
	inFolder(t, map[string]string{"brine.yaml": "lake: " + s.Address("versioned", "") + "\n"})
	stdout, _, code := brine(t, "check")
	if code != exitFailed || !strings.Contains(stdout, "brine.yaml:1: lake: s3://versioned/ keeps versions") {
		t.Error(code, stdout)
	}
}

// An object store that is asked over the network without TLS is warned of.
func TestCheckOfAPlainEndpoint(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing is asked
	for endpoint, want := range map[string]int{"http://s3.example.org": 1, "https://s3.example.org": 0, "http://127.0.0.1:9000": 0} {
		inFolder(t, map[string]string{"brine.yaml": "lake: s3://bucket?endpoint=" + endpoint + "\n"})
		cfg, err := config.Load("brine.yaml")
		check(t, err)
		var r report
		r.checkLake(ctx, cfg)
		if len(r.Warnings) != want {
			t.Errorf("%s: %v", endpoint, r.Warnings)
		}
	}
}

// While the object store is gone events are taken, and heartbeat and status say what is the matter.
func TestServeWithoutItsStore(t *testing.T) {
	s := s3test.Start(t)
	h := mustOpenHouseWith(t, func(cfg *config.Config) {
		cfg.Lake, cfg.Flush.Every = s.Address("brine", "lake"), 10*time.Millisecond
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- h.serve(ctx, func() {}) }()
	trouble := func(some bool) func() bool {
		return func() bool { return (h.checks()["lake"]() != nil) == some && (h.status(ctx).Lake != "") == some }
	}
	eventually(t, "the lake is well", trouble(false))
	s.Fail(s3test.Gone)
	key := event.Key{Time: event.FloorMillis(time.Now().UnixMilli())}
	group := event.AppendRecord(nil, event.Record{Dataset: lake.Quarantine, Stream: "lines", Key: key, Row: []byte(`{"line":"x"}`)})
	if err := h.append(ctx, group); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error, 1)
	go func() { flushed <- h.lake.Flush(ctx) }()
	if err := <-flushed; !lake.Unavailable(err) {
		t.Errorf("a flush without a store: %v", err)
	}
	eventually(t, "the trouble is told", trouble(true))
	if err := h.ready.Err(); err != nil {
		t.Errorf("events are refused that the log can hold: %v", err)
	}
	s.Fail(nil)
	if err := h.lake.Flush(ctx); err != nil {
		t.Error(err)
	}
	eventually(t, "it is well again", trouble(false))
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so that %s", what)
		}
	}
}

// A brine whose object store is gone starts, takes events, and says why nothing can be read; when the store is back, all is there, and
// what was asked for meanwhile is done.
func TestStartWithoutItsStore(t *testing.T) {
	s := s3test.Start(t)
	data, source := t.TempDir(), simulate.NewSource(1)
	set := func(cfg *config.Config) {
		cfg.Data, cfg.Lake, cfg.Flush.Every = data, s.Address("brine", "lake"), 10*time.Millisecond
	}
	first := mustOpenHouseWith(t, set)
	fill(t, first, source, 3)
	check(t, first.lake.Flush(t.Context()))
	check(t, first.Close())

	s.Fail(s3test.Gone)
	h := mustOpenHouseWith(t, set)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- h.serve(ctx, func() {}) }()
	fill(t, h, source, 4)
	if err := h.storable(); err != nil {
		t.Errorf("events are refused that the log can hold: %v", err)
	}
	if st := h.status(ctx); !st.Ready || !strings.Contains(st.Lake, "s3://brine/lake/") || st.Waiting == 0 {
		t.Errorf("the status says %+v", st)
	}
	if h.checks()["lake"]() == nil {
		t.Error("the heartbeat says that the lake is well")
	}
	table, err := h.lake.Table(lake.Raw, event.Interaction)
	check(t, err)
	if _, err := h.lake.Count(ctx, lake.Query{Table: table, To: 1 << 60}); !lake.Unavailable(err) {
		t.Errorf("a read of a lake of which nothing is known: %v", err)
	}
	if _, err := h.board.Arrivals(ctx, kpi.View{}); !lake.Unavailable(err) {
		t.Errorf("the board answers for a lake of which nothing is known: %v", err)
	}
	if _, err := h.purger.do(ctx, purgeWork{}, nil); !lake.Unavailable(err) {
		t.Errorf("a purge of a lake of which nothing is known: %v", err)
	}
	check(t, h.forget("an install"))

	s.Fail(nil)
	eventually(t, "the lake is well", func() bool { return h.checks()["lake"]() == nil && h.status(ctx).Lake == "" })
	eventually(t, "what was taken before and meanwhile can be read", func() bool { _ = h.lake.Flush(ctx); return h.rawRows(t) == 7 })
	eventually(t, "the erasure is done", func() bool { return h.erasures.Status().Accepted == 0 })
	stop()
	check(t, <-served)
}

// A command does not take a lake for empty whose store is gone.
func TestCommandWithoutItsStore(t *testing.T) {
	s := s3test.Start(t)
	inFolder(t, map[string]string{"brine.yaml": "lake: " + s.Address("brine", "lake") + "\n", "data/x": ""})
	s.Fail(s3test.Gone)
	for _, args := range [][]string{{"status"}, {"read", "interaction"}, {"purge", "--yes"}} {
		if stdout, stderr, code := brine(t, args...); code != exitFailed || !strings.Contains(stderr, "object store") {
			t.Errorf("%v: %d %s%s", args, code, stdout, stderr)
		}
	}
}

// A data folder belongs to the lake that it first owned: with another house's bucket, or an empty one, nothing starts and no command
// works, and it is said what to do. A late start finds out too.
func TestAnotherHousesStore(t *testing.T) {
	s := s3test.Start(t)
	mine, data := t.TempDir(), s.Address("brine", "mine")
	of := func(folder, lake string) func(*config.Config) {
		return func(cfg *config.Config) { cfg.Data, cfg.Lake = folder, lake }
	}
	check(t, mustOpenHouseWith(t, of(mine, data)).Close())
	check(t, mustOpenHouseWith(t, of(t.TempDir(), s.Address("brine", "theirs"))).Close())
	check(t, mustOpenHouseWith(t, of(mine, data)).Close())

	registry, err := event.LoadRegistry("")
	check(t, err)
	open := func(lake string) (*house, error) {
		cfg := config.Default()
		cfg.Schemas, cfg.Allowlist, cfg.KPI = "", "", ""
		of(mine, lake)(cfg)
		return openHouse(t.Context(), cfg, registry, newLogger(io.Discard), houseOptions{role: allRoles})
	}
	for _, other := range []string{"theirs", "empty"} {
		before := s.Keys(t)
		_, err := open(s.Address("brine", other))
		if err == nil || !strings.Contains(err.Error(), "another lake") || !strings.Contains(err.Error(), "lake.id away") {
			t.Errorf("%s: %v", other, err)
		}
		if after := s.Keys(t); !slices.Equal(before, after) {
			t.Errorf("%s: something was written: %v", other, after)
		}
		cfg := config.Default()
		of(mine, s.Address("brine", other))(cfg)
		if l, err := openLake(t.Context(), cfg, lake.Options{}); err == nil {
			l.Close()
			t.Errorf("%s: a command reads it", other)
		}
	}
	s.Fail(s3test.Gone)
	h, err := open(s.Address("brine", "theirs"))
	check(t, err)
	served := make(chan error, 1)
	go func() { served <- h.serve(t.Context(), func() {}) }()
	s.Fail(nil)
	if err := <-served; err == nil || !strings.Contains(err.Error(), "lake.id away") {
		t.Errorf("once the store is back: %v", err)
	}
	check(t, h.Close())
	check(t, os.Remove(filepath.Join(mine, "lake.id")))
	check(t, mustOpenHouseWith(t, of(mine, s.Address("brine", "theirs"))).Close())
}
