package lake_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"brine/event"
	"brine/lake"
	"brine/lake/store"
	"brine/lake/store/s3test"
)

// What holds of a lake in a folder holds of one in an object store.
func TestObjectStore(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"Flush": TestFlush, "Compact": TestHoursAreCompactedWhenClosed, "ADayTurns": TestADayTurns, "Poison": TestPoison,
		"PurgeForSpace": TestPurgeForSpace, "PurgeOfSanitized": TestPurgeOfSanitized, "PurgeUnderARead": TestPurgeUnderARead,
		"ResendAcrossTheHour": TestResendAcrossTheHour, "RewriteReplaced": TestRewriteReplaced, "HourIsHeld": TestHourIsHeld, "EndReads": TestEndReads,
		"Rewrite": TestRewrite, "Drop": TestDrop, "OwnersTakeTurns": TestOwnersTakeTurns,
	} {
		t.Run(name, test)
	}
}

// The process is killed at every named point of a script, one after the other, as in a folder. With BRINE_EVERY_POINT=1 it is each time
// that a point is come to, else the first and the last time.
func TestKilledAtEveryPointOfAStore(t *testing.T) {
	for name, script := range map[string]script{"FlushAcrossAnHour": flushAcrossAnHour(), "CompactAnHour": compactAnHour()} {
		t.Run(name, func(t *testing.T) {
			if dir := os.Getenv(crashDir); dir != "" {
				runToCrash(t, dir, script.steps)
				return
			}
			setCrashServer(t)
			said := crash(t, t.TempDir(), 0)
			t.Logf("%d points: %s", len(said.points), strings.Join(said.points, ", "))
			everyTime, calm := os.Getenv("BRINE_EVERY_POINT") != "", said.before[script.calm]
			points := said.points[calm:]
			for i, point := range points {
				if !everyTime && slices.Index(points, point) != i && slices.Contains(points[i+1:], point) {
					continue
				}
				setCrashServer(t)
				dir := t.TempDir()
				at := crash(t, dir, calm+i+1)
				checkCrashed(t, dir, script.steps[:at.steps])
			}
		})
	}
}

// setCrashServer runs an empty server for a process that is killed.
func setCrashServer(t *testing.T) {
	t.Helper()
	s := s3test.Start(t)
	t.Setenv(crashStore, s.URL+" "+s.Credentials)
}

func crashServer() *s3test.Server {
	url, credentials, ok := strings.Cut(os.Getenv(crashStore), " ")
	if !ok {
		return nil
	}
	return s3test.At(url, credentials)
}

// checkCleanStore looks at the keys in the store of an open lake: once strays are swept there is no file that the lake
// does not know.
func checkCleanStore(t *testing.T, h *house) {
	t.Helper()
	if err := h.lake.SweepStrays(t.Context()); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, n := range h.lake.Covered() {
		known[n.String()] = true
	}
	for _, stream := range h.lake.Streams(lake.Raw) {
		for _, f := range h.lake.List(lake.Raw, stream) {
			known[f.String()] = true
		}
	}
	for _, name := range h.files() {
		if !known[name] {
			t.Errorf("%s is in the store and not in the lake", name)
		}
		delete(known, name)
	}
	if len(known) > 0 {
		t.Errorf("in the lake and not in the store: %v", known)
	}
}

// What a lake in an object store holds at one moment can be had by its keys, and fills another place there, whole: rows, marks, epochs and
// what was left in footers are as they were. A place that holds a lake is not filled. What a try left that was cut off is no hindrance to the next, and
// is removed by whoever owns the place instead.
func TestFill(t *testing.T) {
	h := inStore(t)
	h.reopen() // so that the epoch is above that of an owner who is the first
	rows := []event.Record{click(h.clock.Wall(), 1), click(h.clock.Wall(), 2)}
	h.append(rows...)
	h.flush()
	dir := t.TempDir()
	objects, err := h.lake.Link(filepath.Join(dir, "marks"), func(n lake.Name) bool { return n.Dataset == lake.Raw })
	if err != nil || len(objects) == 0 {
		t.Fatalf("%d objects, %v", len(objects), err)
	}
	path := map[string]string{}
	for _, o := range objects {
		at := filepath.Join(dir, "objects", o.Path)
		text := h.store.Get(t, "lake/"+o.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o700), os.WriteFile(at, text, 0o600)); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); int64(len(text)) != o.Size || hex.EncodeToString(sum[:]) != o.SHA256 {
			t.Errorf("%s is not as it is told", o.Path)
		}
		path[o.Path] = at
	}
	marks, err := filepath.Glob(filepath.Join(dir, "marks", "raw", "_flushed", "*"))
	if err != nil || len(marks) != 1 {
		t.Fatal(marks, err)
	}
	path["raw/_flushed/"+filepath.Base(marks[0])] = marks[0]

	open := func(prefix string) *lake.Lake {
		l, err := lake.Open(t.Context(), lake.Options{Store: h.store.Open(t, prefix), CacheDir: t.TempDir(), Tables: []lake.Table{clickTable(lake.Raw)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l
	}
	first := objects[0].Path // of a try that was cut off
	h.store.Put(t, "again/"+first, h.store.Get(t, "lake/"+first)[:100])
	h.store.Put(t, "again/notes.txt", []byte("of somebody else"))
	for _, prefix := range []string{"again", "left"} {
		var entries atomic.Int32
		h.store.Fail(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.Method == http.MethodPut && strings.Contains(r.URL.Path, prefix+"/_journal/") && entries.Add(1) > 1 {
				s3test.Gone(w, r, next)
				return
			}
			next.ServeHTTP(w, r)
		})
		if err := open(prefix).Fill(t.Context(), []string{dir}, path); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the store is gone: %v", err)
		}
		h.store.Fail(nil)
		h.store.Get(t, prefix+"/"+first) // it has come so far
	}
	left := open("left")
	mustOwn(t, left, h.log, 0)
	if err := left.SweepStrays(t.Context()); err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(h.store.Keys(t), func(key string) bool { return strings.HasPrefix(key, "left/raw/") }); i >= 0 {
		t.Errorf("a restore that was given up left %s", h.store.Keys(t)[i])
	}
	filled := open("again")
	missing := maps.Clone(path)
	missing[first] = filepath.Join(dir, "missing")
	if err := filled.Fill(t.Context(), []string{dir}, missing); err == nil {
		t.Error("a file that is not there was put")
	}
	if err := filled.Fill(t.Context(), []string{dir}, path); err != nil {
		t.Fatal(err)
	}
	if string(h.store.Get(t, "again/notes.txt")) != "of somebody else" {
		t.Error("an object that is no file of a lake was replaced")
	}
	again := open("again")
	wantRows(t, read(t, again, lake.Raw, "click"), rows...)
	was, is := h.lake.List(lake.Raw, "click"), again.List(lake.Raw, "click")
	if len(was) != len(is) || !reflect.DeepEqual(was, is) {
		t.Errorf("the files were %+v, and are %+v", was, is)
	}
	if err := open("again").Fill(t.Context(), []string{dir}, path); !errors.Is(err, lake.ErrNotEmpty) {
		t.Errorf("filled once more: %v", err)
	}
	if err := open("left").Fill(t.Context(), []string{dir}, path); !errors.Is(err, lake.ErrNotEmpty) {
		t.Errorf("filled, and another owns it: %v", err)
	}
	if err := h.lake.Fill(t.Context(), []string{dir}, path); !errors.Is(err, lake.ErrNotEmpty) {
		t.Errorf("a lake that has an owner was filled: %v", err)
	}
}
