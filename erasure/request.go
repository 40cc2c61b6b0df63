package erasure

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"brine/lake"
)

// request is one request to erase, as its work file holds it.
type request struct {
	Unit    string   `json:"unit"`
	Quiet   bool     `json:"quiet"` // see [Erasures.Accept]
	Logs    []string `json:"logs"`  // that may hold what was acknowledged before the first pass
	Last    bool     `json:"last"`  // the last pass is made
	Receipt Receipt  `json:"receipt"`

	came time.Time // when it was accepted here; zero: by another process

	// What may still show the rows since the last pass of this process; a start ends both, but not what another node left.
	covered []lake.Name // files
	removed time.Time   // reads that began before; zero: none
}

func newRequest(unit string, quiet bool, now time.Time) *request {
	number := make([]byte, 16)
	rand.Read(number)
	return &request{Unit: unit, Quiet: quiet, came: now, Receipt: Receipt{Number: hex.EncodeToString(number), State: Accepted, Accepted: day(now),
		Removed: []Removal{}, OutOfReach: []OutOfReach{}}}
}

// waitsFor says whether one of its logs is still there.
func (r *request) waitsFor(logs []string) bool {
	return slices.ContainsFunc(r.Logs, func(name string) bool { return slices.Contains(logs, name) })
}

// held says whether a file is still there that holds its rows.
func (r *request) held(covered []lake.Name) bool {
	return slices.ContainsFunc(r.covered, func(n lake.Name) bool { return slices.Contains(covered, n) })
}

// workFiles is the folder of requests: one file each, named by the number of the receipt.
type workFiles struct {
	dir string
	now func() time.Time
}

var numberPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

const workEnding = ".json"

// open makes the folder where it is missing, clears away what a crash left half-written, and reads the requests. What
// cannot be read is told as broken, and does not keep the others from being done.
func (w *workFiles) open() (all []*request, broken, err error) {
	if err := makeFolder(w.dir); err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		path := filepath.Join(w.dir, entry.Name())
		if strings.HasPrefix(entry.Name(), asidePrefix) {
			if err := os.Remove(path); err != nil {
				return nil, nil, err
			}
			continue
		}
		r, err := readRequest(path)
		if err != nil {
			broken = errors.Join(broken, err)
			continue
		}
		all = append(all, r)
	}
	return all, broken, nil
}

// readRequest reads a work file. What is wrong with one is told without what it holds.
func readRequest(path string) (*request, error) {
	number := strings.TrimSuffix(filepath.Base(path), workEnding)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &request{}
	switch {
	case !numberPattern.MatchString(number):
		return nil, fmt.Errorf("%s: not the work file of an erasure: move it away", path)
	case !info.Mode().IsRegular() || info.Mode().Perm() != 0o600:
		return nil, fmt.Errorf("%s: its mode is %s, expected a file that only its owner reads: chmod 0600", path, info.Mode())
	case json.Unmarshal(content, r) != nil || r.Unit == "" || r.Receipt.Number != number:
		return nil, fmt.Errorf("%s: not the work file of an erasure (damaged?): erase that install again, and remove the file", path)
	}
	return r, nil
}

func (w *workFiles) path(r *request) string {
	return filepath.Join(w.dir, r.Receipt.Number+workEnding)
}

// save makes a request durable.
func (w *workFiles) save(r *request) error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return replaceFile(w.dir, w.path(r), content, w.now())
}

func (w *workFiles) remove(r *request) error {
	if err := os.Remove(w.path(r)); err != nil && !os.IsNotExist(err) {
		return err
	}
	return syncFolder(w.dir, w.now())
}
