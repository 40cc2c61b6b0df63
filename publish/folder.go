package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/access/private"
	"brine/kpi"
)

// folder is a ledger of one process, or of several that lock it.
//
//	2026-12-01.json   a [Release]
//	skip.json         what was or may have been published elsewhere, see [elsewhere]
//	.…                being written, or left by a crash
type folder struct{ dir string }

const skipFile = "skip.json"

// make makes the folder, and removes what a crash left in it.
func (f folder) make() error {
	if err := os.Mkdir(f.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := private.Sync(filepath.Dir(f.dir)); err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	left, err := filepath.Glob(filepath.Join(f.dir, ".*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// remove takes the folder away as a whole, and then what is in it: a ledger of which a crash left a part would be one that lacks releases.
func (f folder) remove() error {
	if err := os.Rename(f.dir, f.removed()); err != nil {
		return err
	}
	if err := private.Sync(filepath.Dir(f.dir)); err != nil {
		return err
	}
	return os.RemoveAll(f.removed())
}

// removed is where the folder lies while it is removed.
func (f folder) removed() string { return f.dir + ".brought" }

func (f folder) lock() (unlock func(), err error) { return private.LockFolder(f.dir) }

// read syncs the folder first: what is shown stays. Files that are as they were are not read again.
func (f folder) read(_ context.Context, before *ledgerState) (*ledgerState, error) {
	s, known := &ledgerState{}, map[kpi.Date]*Release{}
	if before != nil {
		for _, r := range before.releases {
			known[r.Date] = r
		}
	}
	if err := private.Sync(f.dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(f.dir, e.Name())
		switch day, ok := strings.CutSuffix(e.Name(), ".json"); {
		case e.Name() == skipFile:
			err = readJSON(path, &s.elsewhere)
		case !ok, isHidden(e.Name()):
		default:
			r := known[kpi.Date(day)]
			if r == nil || !r.is(e) {
				r, err = readRelease(path, day)
			}
			s.releases = append(s.releases, r)
		}
		if err != nil {
			return nil, fmt.Errorf("%w (restore the file)", err)
		}
	}
	slices.SortFunc(s.releases, byDate)
	for i, r := range s.byNumber() { // where one is missing, its epsilon would be spent twice
		if r.Number != i+1 {
			return nil, fmt.Errorf("in %s release number %d is missing (restore the file)", f.dir, i+1)
		}
	}
	s.last = len(s.releases)
	return s, nil
}

func readRelease(path, day string) (r *Release, err error) {
	r = &Release{}
	if r.file, err = os.Stat(path); err != nil {
		return nil, err
	}
	if err = readJSON(path, r); err == nil && string(r.Date) != day {
		err = fmt.Errorf("%s is the release of %s", path, r.Date)
	}
	return r, err
}

// is says whether a file is the one that the release was read from, unchanged.
func (r *Release) is(e fs.DirEntry) bool {
	now, err := e.Info()
	return err == nil && r.file != nil && os.SameFile(r.file, now) && r.file.Size() == now.Size() && r.file.ModTime().Equal(now.ModTime())
}

func byDate(a, b *Release) int { return strings.Compare(string(a.Date), string(b.Date)) }

// add has a new file there, whole and durable when it returns nil. One that is there is an error.
func (f folder) add(_ context.Context, _ *ledgerState, r *Release) error {
	aside, err := os.CreateTemp(f.dir, ".")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name())
	hour := time.Now().Truncate(time.Hour)
	_, err = aside.Write(append(mustJSON(r), '\n'))
	if err := errors.Join(err, os.Chtimes(aside.Name(), hour, hour), aside.Sync(), aside.Close()); err != nil {
		return err
	}
	if err := os.Link(aside.Name(), filepath.Join(f.dir, string(r.Date)+".json")); err != nil { // unlike a rename it replaces nothing
		return err
	}
	return private.Sync(f.dir)
}

func (f folder) note(_ context.Context, _ *ledgerState, e elsewhere) error {
	path := filepath.Join(f.dir, skipFile)
	var known elsewhere
	if err := readJSON(path, &known); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if all := known.with(e); !known.knows(all) {
		return private.Replace(path, append(mustJSON(all), '\n'))
	}
	return nil
}
