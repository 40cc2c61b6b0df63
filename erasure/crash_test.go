package erasure_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"brine/erasure"
)

// How the process that is killed is told what to do.
const (
	crashDir = "BRINE_TEST_CRASH_DIR"
	crashAt  = "BRINE_TEST_CRASH_AT" // the number of the point, from 1; 0: at none
)

// The process is killed at every named point between a request and its completion. Whatever the point,
// a request that was accepted is completed by the next process, and nobody else loses a row. With
// BRINE_EVERY_POINT=1 it is each time that a point is come to, else the first and the last time.
func TestKilledAtEveryPoint(t *testing.T) {
	if dir := os.Getenv(crashDir); dir != "" {
		eraseToCrash(t, dir)
		return
	}
	everyTime := os.Getenv("BRINE_EVERY_POINT") != ""
	points := crash(t, t.TempDir(), 0)
	t.Logf("%d points: %s", len(points), strings.Join(points, ", "))
	for _, want := range []string{"accepted", "rows-found", "rewrite-published", "pass-noted", "receipt-written", "work-file-removed"} {
		if !slices.Contains(points, want) {
			t.Errorf("it never came to %s", want)
		}
	}
	for i, point := range points {
		if !everyTime && slices.Index(points, point) != i && slices.Contains(points[i+1:], point) {
			continue
		}
		t.Run(fmt.Sprintf("%d-%s", i+1, point), func(t *testing.T) {
			dir := t.TempDir()
			if said := crash(t, dir, i+1); !slices.Equal(said, points[:i+1]) {
				t.Fatalf("it was killed after %v", said)
			}
			checkCrashed(t, dir)
		})
	}
}

// crash runs the test anew, in a process that kills itself at a point, and gives the points that it came to.
func crash(t *testing.T, dir string, at int) (points []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEveryPoint$", "-test.count=1")
	cmd.Env = append(os.Environ(), crashDir+"="+dir, fmt.Sprintf("%s=%d", crashAt, at))
	out, err := cmd.CombinedOutput()
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if what, point, _ := strings.Cut(lines.Text(), " "); what == "point" {
			points = append(points, point)
		}
	}
	if killed := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; killed != (at > 0) {
		t.Fatalf("killed: %t, %v\n%s", killed, err, out)
	}
	return points
}

// crashHouse is a house in a folder; whatever is done in it begins an hour and some after the events.
func crashHouse(t *testing.T, dir string) *house {
	return &house{tb: t, dir: dir, list: usualList, period: "quarter", clock: &clock{}, point: func(string) {}}
}

// eraseToCrash is that process.
func eraseToCrash(t *testing.T, dir string) {
	at, err := strconv.Atoi(os.Getenv(crashAt))
	if err != nil {
		t.Fatal(err)
	}
	h := crashHouse(t, dir)
	h.open()
	defer h.close()
	h.visit(ada, "app", "device")
	h.visit(bob, "app", "device")
	h.nextHour()
	h.visit(ada, "app", "device")
	h.visit(bob, "app", "device")
	n := 0
	h.point = func(name string) {
		fmt.Println("point", name)
		if n++; n == at {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // until it arrives
		}
	}
	h.accept(ada.id)
	h.accept(fmt.Sprint(ada.serial))
	h.step()
	quiet(h, h.nextDay)
	h.step()
	quiet(h, h.sweep)
	h.step()
}

// quiet does something at whose points the process is not killed.
func quiet(h *house, do func()) {
	point := h.point
	h.point = func(string) {}
	do()
	h.point = point
}

// checkCrashed opens what a killed process has left and lets it come to an end.
func checkCrashed(t *testing.T, dir string) {
	t.Helper()
	h := crashHouse(t, dir)
	h.clock.advance(time.Hour)
	if _, err := os.Stat(h.path("salts")); err != nil {
		t.Fatal(err)
	}
	if aWholeDayLater(h) {
		h.clock.advance(24 * time.Hour)
	}
	h.open()
	defer func() { h.close() }()
	if _, err := h.erasures.Accept(ada.id, true); err != nil { // a client whose request was not answered
		t.Fatal(err)
	}
	if _, err := h.erasures.Accept(fmt.Sprint(ada.serial), true); err != nil {
		t.Fatal(err)
	}
	secrets := append(ada.ids(), h.pseudonyms(ada, h.clock.Wall())...)
	h.step()
	h.nextDay()
	h.step()
	h.sweep()
	h.step()
	if st := h.erasures.Status(); st != (erasure.Status{}) {
		t.Errorf("left: %+v", st)
	}
	if found := h.holds(secrets...); len(found) > 0 {
		t.Errorf("found in %v", found)
	}
	for _, stream := range []string{"app", "device"} {
		if n := h.rows("raw", stream); n != 2 {
			t.Errorf("%s holds %d raw rows, want 2", stream, n)
		}
		if n := h.rows("sanitized", stream); n != 1 {
			t.Errorf("%s holds %d sanitized rows, want 1", stream, n)
		}
	}
}

// aWholeDayLater says whether the killed process had come to the next day: its clock must not go back.
func aWholeDayLater(h *house) bool {
	entries, err := os.ReadDir(h.path("log/jetstream/$G/streams"))
	if err != nil {
		h.tb.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "20261122") })
}
