package lake_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
)

// A script is what a process does that is killed, at the points of all steps but the first few.
type script struct {
	steps []step
	calm  int // so many steps it is not killed in
}

// A step of a script is done in the order of its fields.
type step struct {
	wait   time.Duration
	append []event.Record
	do     func(*lake.Lake, context.Context) error // Flush, Compact or nil
}

// Two streams lie in the first hour already when a flush replaces their files, and goes on
// into the next hour; there some of the first hour's events are sent again.
func flushAcrossAnHour() script {
	early, later := testStart.Add(-time.Hour), testStart
	return script{steps: []step{
		{append: []event.Record{click(early, 1), interaction(early, 2)}, do: (*lake.Lake).Flush},
		{append: []event.Record{click(later, 3), interaction(later, 4), click(early, 1)}},
		{wait: time.Hour, append: []event.Record{click(later, 3), interaction(later, 5), interaction(later, 4), click(later, 6)}, do: (*lake.Lake).Flush},
		{append: []event.Record{click(later, 7)}, do: (*lake.Lake).Flush},
	}}
}

// An hour whose first file is too large to be replaced is compacted when it is closed.
func compactAnHour() script {
	var many []event.Record
	for n := range lake.SmallRows + 1 {
		many = append(many, click(testStart, n))
	}
	return script{calm: 3, steps: []step{
		{append: many, do: (*lake.Lake).Flush},
		{append: []event.Record{click(testStart, lake.SmallRows+1)}, do: (*lake.Lake).Flush},
		{wait: time.Hour, append: []event.Record{click(testStart, lake.SmallRows+2)}, do: (*lake.Lake).Flush},
		{do: (*lake.Lake).Compact},
	}}
}

// The process is killed at every named point of a script, one after the other. Whatever the point,
// every acknowledged event reads back once, and nothing of the broken-off write is left.
func TestKilledAtEveryPoint(t *testing.T) {
	for name, script := range map[string]script{"FlushAcrossAnHour": flushAcrossAnHour(), "CompactAnHour": compactAnHour()} {
		t.Run(name, func(t *testing.T) {
			if dir := os.Getenv(crashDir); dir != "" {
				runToCrash(t, dir, script.steps)
				return
			}
			said := crash(t, t.TempDir(), 0)
			points := said.points
			t.Logf("%d points, the first %d passed by: %s", len(points), said.before[script.calm], strings.Join(points, ", "))
			if len(points) < len(script.steps) || said.steps != len(script.steps) {
				t.Fatalf("%d steps were done", said.steps)
			}
			for i, point := range points {
				if i < said.before[script.calm] {
					continue
				}
				t.Run(fmt.Sprintf("%d-%s", i+1, point), func(t *testing.T) {
					dir := t.TempDir()
					said := crash(t, dir, i+1)
					if !slices.Equal(said.points, points[:i+1]) {
						t.Fatalf("it was killed after %v", said.points)
					}
					checkCrashed(t, dir, script.steps[:said.steps])
				})
			}
		})
	}
}

// How the process that is killed is told what to do.
const (
	crashDir = "BRINE_TEST_CRASH_DIR"
	crashAt  = "BRINE_TEST_CRASH_AT" // the number of the point, from 1; 0: at none

	crashStore = "BRINE_TEST_CRASH_STORE" // the URL of a server and its file of credentials; nothing: a folder
)

// crashed is what a process said before it was killed.
type crashed struct {
	steps  int      // whose events were acknowledged
	points []string // that it came to
	before []int    // so many points it had come to when each step was acknowledged
}

// crash runs this test anew, in a process that kills itself at a point.
func crash(t *testing.T, dir string, at int) (said crashed) {
	t.Helper()
	name := strings.Join(strings.Split(t.Name(), "/")[:2], "$/^")
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("%s=%d", crashAt, at))
	out, err := cmd.CombinedOutput()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		what, point, _ := strings.Cut(lines.Text(), " ")
		switch what {
		case "acked":
			said.steps++
			said.before = append(said.before, len(said.points))
		case "point":
			said.points = append(said.points, point)
		}
	}
	if killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; killed != (at > 0) {
		t.Fatalf("killed: %t, %v\n%s", killed, err, out)
	}
	return said
}

// runToCrash is that process.
func runToCrash(t *testing.T, dir string, script []step) {
	at, err := strconv.Atoi(os.Getenv(crashAt))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	h := &house{tb: t, dir: dir, clock: &clock{}, store: crashServer()}
	h.point = func(name string) {
		fmt.Println("point", name)
		if n++; n == at {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // until it arrives
		}
	}
	h.open()
	defer h.close()
	for _, s := range script {
		h.clock.advance(s.wait)
		if len(s.append) > 0 {
			h.append(s.append...)
		}
		fmt.Println("acked")
		if s.do == nil {
			continue
		}
		if err := s.do(h.lake, t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// checkCrashed opens what a killed process has left, and uses it.
func checkCrashed(t *testing.T, dir string, acknowledged []step) {
	t.Helper()
	h := &house{tb: t, dir: dir, clock: &clock{}, point: func(string) {}, store: crashServer()}
	acked := map[event.Key]event.Record{}
	for _, s := range acknowledged {
		h.clock.advance(s.wait)
		for _, r := range s.append {
			acked[r.Key] = r
		}
	}
	h.open()
	defer func() { h.close() }()
	checkCleanHouse(t, h)
	h.flush()
	checkHolds(t, h.lake, acked)

	again := slices.Collect(maps.Values(acked)) // in any order
	again = again[:min(len(again), 500)]
	more := click(h.clock.Wall(), 1_000_000)
	acked[more.Key] = more
	h.append(append(again, more)...)
	h.flush()
	if err := h.lake.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	checkHolds(t, h.lake, acked)
	checkCleanHouse(t, h)
}

func checkCleanHouse(t *testing.T, h *house) {
	t.Helper()
	if h.store != nil {
		checkCleanStore(t, h)
	} else {
		checkClean(t, h.dir)
	}
}

func checkHolds(t *testing.T, l *lake.Lake, acked map[event.Key]event.Record) {
	t.Helper()
	streams := map[string][]event.Record{"click": nil, "interaction": nil}
	for _, r := range acked {
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	for stream, records := range streams {
		wantRows(t, read(t, l, lake.Raw, stream), records...)
	}
	_, faults, err := l.Summaries(t.Context())
	if err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
}

var markName = regexp.MustCompile(`^(\w+)-(\d+)$`)

// checkClean looks at the names in an open lake's folder: nothing lies aside, each log has one
// mark at most, and no file lies beyond it.
func checkClean(t *testing.T, dir string) {
	t.Helper()
	root := filepath.Join(dir, "lake")
	if aside, err := os.ReadDir(filepath.Join(root, "_aside")); err != nil || len(aside) > 0 {
		t.Errorf("left aside: %v, %v", aside, err)
	}
	flushed := map[string]uint64{}
	marks, err := os.ReadDir(filepath.Join(root, "raw", "_flushed"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, mark := range marks {
		part := markName.FindStringSubmatch(mark.Name())
		if part == nil {
			t.Fatalf("%s is no mark", mark.Name())
		}
		if flushed[part[1]] > 0 {
			t.Errorf("log %s has more than one mark", part[1])
		}
		flushed[part[1]], _ = strconv.ParseUint(part[2], 10, 64)
	}
	for _, path := range (&house{dir: dir}).files() {
		name, err := lake.ParseName(path)
		if err != nil || name.Last > flushed[name.Log] {
			t.Errorf("%s lies beyond the mark %d: %v", path, flushed[name.Log], err)
		}
	}
}

// interaction is a record of the stream interaction.
func interaction(at time.Time, n int) event.Record {
	id := click(at, n).Key.ID
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // version 4
	blob := fmt.Appendf(nil, `{"id":"%x-%x-%x-%x-%x","timestamp":%d,"event_stream":[["picker",%d]],"sample_rate":1,"user_agent":{"os":"iOS","browser":"Safari","version":"5"}}`,
		id[:4], id[4:6], id[6:8], id[8:10], id[10:], at.UnixMilli(), n)
	row, key, _, problem := event.InteractionStream().Append(nil, blob, &event.Arrival{Now: at, NewID: event.NewID, AnyAge: true})
	if problem != nil {
		panic(problem)
	}
	return event.Record{Dataset: lake.Raw, Stream: event.Interaction, Key: key, Row: row}
}

// A write fails after every named point, one after the other, as on a disk that is gone for a
// moment. The next flush takes back what the failed one has left; all events are stored once.
func TestFailsAfterEveryPoint(t *testing.T) {
	for at := 1; ; at++ {
		points := runToFailure(t, flushAcrossAnHour().steps, at)
		if points < at {
			t.Logf("failed after %d points", points)
			return
		}
	}
}

// runToFailure does a script whose disk goes away at a point, and comes back after the step.
// It gives the number of points it came to.
func runToFailure(t *testing.T, steps []step, at int) (points int) {
	t.Helper()
	h := &house{tb: t, dir: t.TempDir(), clock: &clock{}}
	mend := func() {}
	h.point = func(string) {
		if points++; points == at {
			mend = breakFolder(t, filepath.Join(h.dir, "lake", "raw"))
		}
	}
	h.open()
	defer func() { h.close() }()
	acked := map[event.Key]event.Record{}
	for _, s := range append(steps, step{do: (*lake.Lake).Flush}) {
		h.clock.advance(s.wait)
		for _, r := range s.append {
			acked[r.Key] = r
		}
		if len(s.append) > 0 {
			h.append(s.append...)
		}
		before := points
		if s.do == nil {
			continue
		}
		if err := s.do(h.lake, t.Context()); err != nil && (before >= at || points < at) {
			t.Fatalf("after point %d: %v", at, err)
		}
		mend()
		mend = func() {}
	}
	checkHolds(t, h.lake, acked)
	h.reopen()
	checkHolds(t, h.lake, acked)
	checkClean(t, h.dir)
	return points
}

// breakFolder puts a file in the place of a folder, until mended.
func breakFolder(t *testing.T, path string) (mend func()) {
	t.Helper()
	away := path + ".away"
	there := os.Rename(path, away) == nil
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if !there {
			return
		}
		if err := os.Rename(away, path); err != nil {
			t.Fatal(err)
		}
	}
}
