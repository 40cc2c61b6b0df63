package lake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// disk puts files where they appear whole or not at all, and where neither they nor their
// folders bear a time finer than the hour.
type disk struct {
	root  string
	now   func() time.Time
	point func(string) // tests stop the process here; see Options.Point
}

const (
	asideFolder = "_aside"   // files being written
	marksFolder = "_flushed" // commit marks, below the raw dataset
)

func (d *disk) path(elem ...string) string {
	return filepath.Join(append([]string{d.root}, elem...)...)
}

// aside is where a file is written before it is published.
func (d *disk) aside(n Name) string {
	return d.path(asideFolder, strings.ReplaceAll(filepath.ToSlash(n.String()), "/", "~"))
}

// clearAside makes the folder of files being written, or empties it of what a crash left.
func (d *disk) clearAside() error {
	if err := os.RemoveAll(d.path(asideFolder)); err != nil {
		return err
	}
	if err := os.MkdirAll(d.path(asideFolder), 0o700); err != nil {
		return err
	}
	return errors.Join(d.coarsen(asideFolder), d.coarsen(""))
}

// publish moves files that were written aside to their places. When it returns without error
// they, their folders and every folder it made are on disk.
func (d *disk) publish(names []Name) error {
	folders := map[string]bool{}
	for _, n := range names {
		if err := syncFile(d.aside(n), n.Hour); err != nil {
			return err
		}
	}
	d.point("files-synced")
	for _, n := range names {
		if err := d.makeFolder(n.Folder(), folders); err != nil {
			return err
		}
		if err := os.Rename(d.aside(n), d.path(n.String())); err != nil {
			return err
		}
		folders[n.Folder()] = true
		d.point("file-renamed")
	}
	for folder := range folders {
		if err := d.syncFolder(folder); err != nil {
			return err
		}
	}
	return d.coarsen(asideFolder)
}

// makeFolder makes a folder and notes every one that changed by it.
func (d *disk) makeFolder(folder string, changed map[string]bool) error {
	err := os.Mkdir(d.path(folder), 0o700)
	switch {
	case err == nil:
		changed[folder], changed[filepath.Dir(folder)] = true, true
		return nil
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := d.makeFolder(filepath.Dir(folder), changed); err != nil {
			return err
		}
		return d.makeFolder(folder, changed)
	}
	return err
}

// commit writes a mark.
func (d *disk) commit(m mark) error {
	folder := filepath.Join(Raw, marksFolder)
	changed := map[string]bool{folder: true}
	if err := d.makeFolder(folder, changed); err != nil {
		return err
	}
	path := d.path(folder, m.String())
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	if err := syncFile(path, d.now()); err != nil {
		return err
	}
	for f := range changed {
		if err := d.syncFolder(f); err != nil {
			return err
		}
	}
	return nil
}

// removeMarks takes marks away where they are there. When it returns without error they are gone for good.
func (d *disk) removeMarks(marks []mark) error {
	folder := filepath.Join(Raw, marksFolder)
	for _, m := range marks {
		err := os.Remove(d.path(folder, m.String()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		d.point("mark-removed")
		if err := d.syncFolder(folder); err != nil {
			return err
		}
	}
	return nil
}

// withdraw takes files away wherever a write that failed has left them.
func (d *disk) withdraw(names []Name) error {
	for _, n := range names {
		if err := os.Remove(d.aside(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return d.remove(names)
}

// remove takes files away that another covers or that were never committed.
func (d *disk) remove(names []Name) error {
	for _, n := range names {
		err := os.Remove(d.path(n.String()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := d.coarsen(n.Folder()); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) syncFolder(folder string) error {
	f, err := os.Open(d.path(folder))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", folder, err)
	}
	return d.coarsen(folder)
}

// coarsen floors a folder's times to the hour, so that it does not tell when it last changed.
func (d *disk) coarsen(folder string) error {
	hour := d.now().Truncate(time.Hour)
	return os.Chtimes(d.path(folder), hour, hour)
}

// syncFile makes a file durable; its times are set to the start of the hour.
func syncFile(path string, hour time.Time) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	hour = hour.Truncate(time.Hour)
	if err := os.Chtimes(path, hour, hour); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
