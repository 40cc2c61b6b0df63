package lake_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/lake"
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
	return &s3test.Server{URL: url, Credentials: credentials}
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

// There are no files to link of a lake in an object store: a backup of it is refused, and writes nothing.
func TestNoLinksToAStore(t *testing.T) {
	h := inStore(t)
	h.append(click(h.clock.Wall(), 1))
	h.flush()
	dir := t.TempDir()
	if err := h.lake.Link(dir, func(lake.Name) bool { return true }); !errors.Is(err, lake.ErrInBucket) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
