package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A data folder belongs to one process.
func TestSecondServeIsRefused(t *testing.T) {
	b := startBrine(t)
	id := newID()
	b.session().mustStore(t, blob(id))
	second := newBrine(t)
	second.configure(fmt.Sprintf("data: %q", b.data))
	stdout, stderr, code := second.command(nil, "serve")
	if code != 1 || stdout != "" || !strings.Contains(stderr, "data folder "+b.data) {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if second.ready() {
		t.Error("the second one opened its door")
	}
	b.session().mustStore(t, blob(newID()))
	if got := b.readAll("interaction"); len(got) != 2 {
		t.Errorf("%d events are left of 2", len(got))
	}
}

// An import goes through the socket of a brine that serves; neither loses anything, and the
// same input a second time adds nothing.
func TestImportBesideServe(t *testing.T) {
	b := startBrine(t)
	said := newLedger("interaction")
	stopSending := b.send(2, said)
	history := simulated(t, 1, 500)
	b.importHistory(history, len(history), 0)
	b.importHistory(history, 0, len(history))
	b.importHistory(simulated(t, 2, 500), len(history), 0)
	stopSending()
	for range 2 {
		if got, want := len(b.readAll("interaction")), 2*len(history)+len(said.acked); got != want {
			t.Errorf("%d events, want %d: %d were imported and %d sent", got, want, 2*len(history), len(said.acked))
		}
		b.kill()
		b.start()
	}
}

func TestImportWithoutServe(t *testing.T) {
	b := newBrine(t)
	history := simulated(t, 1, 300)
	b.importHistory(history, len(history), 0)
	b.importHistory(history, 0, len(history))
	b.start()
	if got := len(b.readAll("interaction")); got != len(history) {
		t.Errorf("%d events, want %d", got, len(history))
	}
	b.importHistory(history, 0, len(history))
	if got := len(b.readAll("interaction")); got != len(history) {
		t.Errorf("%d events after the repeated import, want %d", got, len(history))
	}
}

// simulated is the output of `brine simulate` for a day, by line. It has exactly n lines.
func simulated(t *testing.T, seed, n int) []string {
	t.Helper()
	out, stderr, code := runBrine(t, nil, "simulate", "--days=1", fmt.Sprintf("--per-day=%d", 2*n), fmt.Sprintf("--seed=%d", seed))
	lines := strings.SplitAfter(out, "\n")
	if code != 0 || len(lines) < n {
		t.Fatalf("exit code %d, %d lines\n%s", code, len(lines), stderr)
	}
	return lines[:n]
}

func (b *brine) importHistory(lines []string, stored, known int) {
	b.tb.Helper()
	out, stderr, code := b.command(strings.NewReader(strings.Join(lines, "")), "import", "interaction", "--json")
	var got struct{ Stored, Known int }
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Stored != stored || got.Known != known {
		b.tb.Fatalf("import: exit code %d, want %d stored and %d known: %s%s", code, stored, known, out, stderr)
	}
}

// What does not belong in the lake is told by name and left out, and the rest serves.
func TestBadFilesInTheLake(t *testing.T) {
	b := startBrine(t)
	history := simulated(t, 1, 300)
	b.importHistory(history, len(history), 0)
	s := b.session()
	for range 3 { // a file of the log whose range can be overlapped
		s.mustStore(t, blob(newID()), blob(newID()))
		b.waitFlushed()
	}
	b.stop()
	bad := b.spoilLake()
	b.start()

	var st status
	out, stderr, code := b.command(nil, "status", "--json")
	if err := json.Unmarshal([]byte(out), &st); err != nil || code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, stderr)
	}
	told := map[string]string{}
	for _, left := range st.LeftOut {
		told[left.Path] = left.Why
	}
	for path, why := range bad.why {
		if !strings.Contains(told[path], why) {
			t.Errorf("status says of %s %q, want %q", path, told[path], why)
		}
		if !strings.Contains(b.output(), path) {
			t.Errorf("the log does not name %s", path)
		}
	}
	if len(told) != len(bad.why) {
		t.Errorf("left out: %v", told)
	}
	id := newID()
	b.session().mustStore(t, blob(id))
	got := b.readAll("interaction")
	if want := len(history) + 6 + 1 - bad.rows; len(got) != want {
		t.Errorf("%d events are served, want %d", len(got), want)
	}
	for path := range bad.why {
		if _, err := os.Stat(filepath.Join(b.data, "lake", path)); err != nil {
			t.Errorf("a file that was left out is gone: %v", err)
		}
	}
}

// spoiled is what was done to a lake.
type spoiled struct {
	why  map[string]string // by path
	rows int               // that are no longer served
}

var logFile = regexp.MustCompile(`^(.*/\d{8}x\w+)-(\d+)-(\d+)(\.g\d+\.parquet)$`)

// spoilLake truncates one file of an import, breaks the footer of another, and adds a foreign
// file and one that overlaps another.
func (b *brine) spoilLake() spoiled {
	b.tb.Helper()
	s := spoiled{why: map[string]string{"raw/interaction/notes.txt": "foreign"}}
	lake := filepath.Join(b.data, "lake")
	write := func(path string, content []byte) {
		b.tb.Helper()
		if err := os.WriteFile(filepath.Join(lake, path), content, 0o600); err != nil {
			b.tb.Fatal(err)
		}
	}
	write("raw/interaction/notes.txt", []byte("not ours"))
	spoils := []func(content []byte) ([]byte, string){
		func(c []byte) ([]byte, string) { return c[:len(c)/2], "truncated" },
		func(c []byte) ([]byte, string) {
			return append(append(c[:len(c)/2:len(c)/2], bytes.Repeat([]byte{0xff}, 12)...), "PAR1"...), "footer"
		},
	}
	overlapped := false
	for _, path := range slices.Backward(b.lakeFiles()) { // the newest generation first: the others are covered
		content, err := os.ReadFile(filepath.Join(lake, path))
		if err != nil {
			b.tb.Fatal(err)
		}
		if part := logFile.FindStringSubmatch(path); part != nil {
			first, _ := strconv.Atoi(part[2])
			if part[2] == part[3] || overlapped {
				continue
			}
			overlapped = true
			copied := fmt.Sprintf("%s-%d-%s%s", part[1], first+1, part[3], part[4])
			write(copied, content)
			s.why[copied] = "overlaps"
		} else if len(spoils) > 0 {
			s.rows += b.countRows(path)
			spoilt, why := spoils[0](content)
			write(path, spoilt)
			s.why[path], spoils = why, spoils[1:]
		}
	}
	if len(s.why) != 4 {
		b.tb.Fatalf("the lake has not the files to spoil: %v", b.lakeFiles())
	}
	return s
}
