package salt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// house is a salts folder with its records, in a data folder of a test, and a clock that the test sets.
type house struct {
	t       *testing.T
	data    string
	dir     string
	folder  *Folder
	now     time.Time
	options Options
}

func newHouse(t *testing.T, now string) *house {
	t.Helper()
	data := t.TempDir()
	h := &house{t: t, data: data, dir: filepath.Join(data, "salts"), now: at(now)}
	h.options = Options{Periods: mustPeriods(t, "quarter", "", 48*time.Hour), Records: filepath.Join(data, "salts.ndjson"), Now: func() time.Time { return h.now }}
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	h.open()
	return h
}

// open takes the folder anew, with the options as they are.
func (h *house) open() {
	h.t.Helper()
	folder, err := Open(h.dir, h.options)
	if err != nil {
		h.t.Fatal(err)
	}
	h.folder = folder
}

// at is an hour, like 2026-11-25T11.
func at(hour string) time.Time {
	t, err := time.Parse("2006-01-02T15", hour)
	if err != nil {
		panic(err)
	}
	return t
}

func mustPeriods(tb testing.TB, period, start string, grace time.Duration) Periods {
	tb.Helper()
	p, err := ParsePeriods(period, start, grace)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// testKey is a salt that a test can know again.
func testKey(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return hex.EncodeToString(sum[:])
}

// put puts a file into the folder as another tool would.
func (h *house) put(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) remove(name string) {
	h.t.Helper()
	if err := os.Remove(filepath.Join(h.dir, name)); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) has(name string) bool {
	_, err := os.Lstat(filepath.Join(h.dir, name))
	return err == nil
}

// names are the files of the folder.
func (h *house) names() string {
	h.t.Helper()
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func (h *house) content(name string) string {
	h.t.Helper()
	content, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(content)
}

func (h *house) rotateAt(now time.Time) []Step {
	h.t.Helper()
	h.now = now
	steps, err := h.folder.Rotate(now, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return steps
}

// what are the steps in one line.
func what(steps []Step) string {
	var all []string
	for _, s := range steps {
		all = append(all, string(s.Do)+" "+s.Salt)
	}
	return strings.Join(all, ", ")
}

func (h *house) mustFor(hour string) *Salt {
	h.t.Helper()
	salt, err := h.folder.For(at(hour))
	if err != nil {
		h.t.Fatal(err)
	}
	return salt
}

// wantFor wants an error with a text of the hour's salt.
func (h *house) wantFor(hour string, kind error, text string) {
	h.t.Helper()
	salt, err := h.folder.For(at(hour))
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), text) {
		h.t.Errorf("%s: %v, %v; want %v with %q", hour, salt, err, kind, text)
	}
}

// recorded is the file of records as it lies there.
func (h *house) recorded() string {
	h.t.Helper()
	content, err := os.ReadFile(h.options.Records)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(content)
}
