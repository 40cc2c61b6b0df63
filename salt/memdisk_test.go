package salt

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// memDisk is a disk in memory that keeps apart what is there from what a power cut leaves.
type memDisk struct {
	tb      testing.TB
	mu      sync.Mutex            // of the fields below
	held    sync.Mutex            // the lock of the one folder
	names   map[string]*memFile   // as processes see them
	durable map[string]*memFile   // as they are on the disk
	before  func(op string) error // called before each change; an error fails it
}

type memFile struct {
	folder  bool
	content []byte
	durable []byte
}

func newMemDisk(tb testing.TB, folders ...string) *memDisk {
	d := &memDisk{tb: tb, names: map[string]*memFile{}, before: func(string) error { return nil }}
	for _, folder := range folders {
		d.names[folder] = &memFile{folder: true}
	}
	d.durable = maps.Clone(d.names)
	return d
}

// powerCut leaves of each change that was not synced all, nothing or, of a content, a part.
func (d *memDisk) powerCut(random *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = sync.Mutex{}
	for name := range d.names {
		if _, known := d.durable[name]; !known {
			d.durable[name] = nil
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.durable)) {
		if now := d.names[name]; now != d.durable[name] && random.IntN(2) == 0 {
			d.durable[name] = now
		}
		if d.durable[name] == nil {
			delete(d.durable, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.durable)) {
		d.durable[name].cut(random)
	}
	d.names = maps.Clone(d.durable)
}

func (f *memFile) cut(random *rand.Rand) {
	switch random.IntN(3) {
	case 0:
		f.content = f.durable
	case 1: // its beginning was written and the rest not
		n := random.IntN(len(f.content) + 1)
		f.content = append(slices.Clone(f.content[:n]), f.durable[min(n, len(f.durable)):]...)
	}
	f.content = slices.Clone(f.content)
	f.durable = slices.Clone(f.content)
}

// change does one change, unless the test fails it.
func (d *memDisk) change(op, path string, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.before(op + " " + filepath.Base(path)); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	if err := do(); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	return nil
}

func (d *memDisk) lock(string) (func(), error) { d.held.Lock(); return d.held.Unlock, nil }

func (d *memDisk) stat(path string) (info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.names[path]
	if f == nil {
		return info{}, &fs.PathError{Op: "stat", Path: path, Err: syscall.ENOENT}
	}
	return f.info(path), nil
}

func (f *memFile) info(path string) info {
	mode := fs.FileMode(0o600)
	if f.folder {
		mode = fs.ModeDir | 0o700
	}
	return info{filepath.Base(path), mode, os.Geteuid(), 1, len(f.content)}
}

func (d *memDisk) list(folder string) (all []info, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(d.names)) {
		if filepath.Dir(path) == folder && path != folder {
			all = append(all, d.names[path].info(path))
		}
	}
	return all, nil
}

func (d *memDisk) read(path string, max int) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.names[path]
	if f == nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.ENOENT}
	}
	return slices.Clone(f.content[:min(max, len(f.content))]), nil
}

func (d *memDisk) mkdir(path string) error {
	return d.change("mkdir", path, func() error {
		if d.names[path] != nil {
			return syscall.EEXIST
		}
		d.names[path] = &memFile{folder: true}
		return nil
	})
}

func (d *memDisk) create(path string, content []byte) error {
	return d.change("create", path, func() error {
		if d.names[path] != nil {
			return syscall.EEXIST
		}
		d.names[path] = &memFile{content: slices.Clone(content)}
		return nil
	})
}

func (d *memDisk) overwrite(path string, content []byte) error {
	return d.write("overwrite", path, func(f *memFile) { copy(f.content, content) })
}

func (d *memDisk) append(path string, content []byte) error {
	return d.change("append", path, func() error {
		if d.names[path] == nil {
			d.names[path] = &memFile{}
		}
		d.names[path].content = append(slices.Clone(d.names[path].content), content...)
		return nil
	})
}

func (d *memDisk) truncate(path string, size int) error {
	return d.write("truncate", path, func(f *memFile) { f.content = f.content[:size] })
}

func (d *memDisk) write(op, path string, do func(*memFile)) error {
	return d.change(op, path, func() error {
		f := d.names[path]
		if f == nil {
			return syscall.ENOENT
		}
		f.content = slices.Clone(f.content)
		do(f)
		return nil
	})
}

func (d *memDisk) rename(from, to string) error {
	return d.change("rename", to, func() error {
		if d.names[from] == nil || d.names[to] != nil {
			return errors.New("a rename of nothing, or over something")
		}
		d.names[to] = d.names[from]
		delete(d.names, from)
		return nil
	})
}

// remove wants zeros, on the disk, in whatever was or could have become a salt.
func (d *memDisk) remove(path string) error {
	return d.change("remove", path, func() error {
		f := d.names[path]
		if f == nil {
			return syscall.ENOENT
		}
		if strings.Trim(string(f.durable), "\x00") != "" || !bytes.Equal(f.content, f.durable) {
			d.tb.Errorf("%s is unlinked with its content on the disk", path)
		}
		delete(d.names, path)
		return nil
	})
}

func (d *memDisk) sync(path string) error {
	return d.change("sync", path, func() error {
		f := d.names[path]
		if f == nil {
			return syscall.ENOENT
		}
		f.durable = slices.Clone(f.content)
		if !f.folder {
			return nil
		}
		inside := func(name string, _ *memFile) bool { return filepath.Dir(name) == path && name != path }
		maps.DeleteFunc(d.durable, inside)
		for name, f := range d.names {
			if inside(name, f) {
				d.durable[name] = f
			}
		}
		return nil
	})
}
