package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Edition is a policy that was in force, with its words as they were then.
type Edition struct {
	Since     string              `json:"since"` // the day, in UTC, like 2026-11-25
	Policy    Policy              `json:"policy"`
	Documents map[string]Document `json:"documents"` // by language
}

// NewEdition is the policy in all languages.
func NewEdition(p *Policy, now time.Time) *Edition {
	e := &Edition{Since: now.UTC().Format(time.DateOnly), Policy: *p, Documents: map[string]Document{}}
	for _, l := range languages {
		e.Documents[l.Tag] = p.Document(l)
	}
	return e
}

// History is a folder with the editions that were in force, one file each, named by the day on which each began: 2026-11-25.json, and
// 2026-11-25.2.json for the second of that day. Nothing in it tells when, more closely.
type History struct {
	dir    string
	mu     sync.Mutex
	latest []byte // the latest edition without its day; nil: none, or it cannot be read
	names  []string
}

// OpenHistory opens the folder, and makes it where there is none. Its parent must be there.
func OpenHistory(dir string) (*History, error) {
	h := &History{dir: dir}
	if err := h.open(); err != nil {
		return nil, fmt.Errorf("the history of the policy: %w", err)
	}
	return h, nil
}

func (h *History) open() error {
	if err := os.Mkdir(h.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := os.ReadDir(h.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		switch {
		case ok && editionName.MatchString(name):
			h.names = append(h.names, name)
		case strings.HasPrefix(e.Name(), asidePrefix): // a process that was killed left it
			if err := os.Remove(filepath.Join(h.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(h.names, newestFirst)
	if len(h.names) > 0 {
		if e, err := h.Edition(h.names[0]); err == nil {
			h.latest, _ = content(e)
		}
	}
	return h.settle(h.dir, time.Now())
}

var editionName = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(\.[1-9]\d{0,8})?$`)

const asidePrefix = ".aside-"

// newestFirst orders names by day and by their number within it.
func newestFirst(a, b string) int {
	dayA, numberA := splitName(a)
	dayB, numberB := splitName(b)
	if dayA != dayB {
		return strings.Compare(dayB, dayA)
	}
	return numberB - numberA
}

func splitName(name string) (day string, number int) {
	day, text, ok := strings.Cut(name, ".")
	if !ok {
		return day, 1
	}
	number, _ = strconv.Atoi(text)
	return day, number
}

// Names are those of all editions, the newest first.
func (h *History) Names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.names)
}

// ErrNoEdition is the error of an edition that is not there.
var ErrNoEdition = errors.New("no policy of that day is kept")

// Edition reads one by its name.
func (h *History) Edition(name string) (*Edition, error) {
	if !editionName.MatchString(name) {
		return nil, ErrNoEdition
	}
	text, err := os.ReadFile(filepath.Join(h.dir, name+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoEdition
	}
	if err != nil {
		return nil, err
	}
	e := &Edition{}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("%s.json: %w", filepath.Join(h.dir, name), err)
	}
	return e, nil
}

// Keep adds the edition where it differs from the latest one in more than its day. The file is whole and durable when
// it returns.
func (h *History) Keep(e *Edition) (added bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := content(e)
	if err != nil || h.latest != nil && bytes.Equal(c, h.latest) {
		return false, err
	}
	day, err := time.Parse(time.DateOnly, e.Since)
	if err != nil {
		return false, err
	}
	name := h.nextName(e.Since)
	if err := h.write(name, e, day); err != nil {
		return false, fmt.Errorf("keep the policy: %w", err)
	}
	h.names = append(h.names, name)
	slices.SortFunc(h.names, newestFirst)
	h.latest = c
	return true, nil
}

// content is an edition without its day.
func content(e *Edition) ([]byte, error) {
	timeless := *e
	timeless.Since = ""
	return json.Marshal(timeless)
}

func (h *History) nextName(day string) string {
	most := 0
	for _, name := range h.names {
		if d, number := splitName(name); d == day {
			most = max(most, number)
		}
	}
	if most == 0 {
		return day
	}
	return fmt.Sprintf("%s.%d", day, most+1)
}

func (h *History) write(name string, e *Edition, day time.Time) error {
	text, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(h.dir, asidePrefix)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, os.Chtimes(f.Name(), day, day), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(h.dir, name+".json"))
	}
	return errors.Join(err, h.settle(h.dir, day))
}

// settle takes the time of a folder down to the day, and makes the names in it durable.
func (h *History) settle(dir string, now time.Time) error {
	day := now.UTC().Truncate(24 * time.Hour)
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return errors.Join(os.Chtimes(dir, day, day), d.Sync())
}
