package audit

import (
	"bytes"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// memDisk is a disk in memory that keeps apart what is there from what a power cut leaves.
type memDisk struct {
	mu      sync.Mutex // of the fields below
	held    sync.Mutex // the lock of the folder
	files   map[string]*memFile
	durable map[string]*memFile // the names that are on the disk
	folders map[string]bool
	read    int64                                                    // bytes that were read
	before  func(op, name string, content []byte) (n int, err error) // called before each change; with an error n bytes of it are done
}

type memFile struct {
	content []byte
	synced  []byte
}

const memDir = "/data/audit"

func newMemDisk() *memDisk {
	d := &memDisk{files: map[string]*memFile{}, durable: map[string]*memFile{}, folders: map[string]bool{}}
	d.healthy()
	return d
}

func (d *memDisk) healthy() {
	d.before = func(string, string, []byte) (int, error) { return 0, nil }
}

// powerCut leaves of what was not synced all, nothing, or a beginning of it, and zeros for the rest.
func (d *memDisk) powerCut(random *rand.Rand) {
	d.held = sync.Mutex{}
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		if d.durable[name] == nil && random.IntN(2) == 0 {
			d.durable[name] = d.files[name]
		}
	}
	d.files = maps.Clone(d.durable)
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[name]
		switch random.IntN(4) {
		case 0:
			f.content = slices.Clone(f.synced)
		case 1, 2:
			n := random.IntN(len(f.content) + 1)
			part := append(slices.Clone(f.content[:n]), f.synced[min(n, len(f.synced)):]...)
			if random.IntN(2) == 0 && len(part) < len(f.content) {
				part = append(part, make([]byte, len(f.content)-len(part))...)
			}
			f.content = part
		}
		f.synced = slices.Clone(f.content)
	}
}

func (d *memDisk) lock(string) (func(), error) { d.held.Lock(); return d.held.Unlock, nil }

func (d *memDisk) stat(path string) (info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.folders[path] {
		return info{filepath.Base(path), fs.ModeDir | 0o700, os.Geteuid(), 0}, nil
	}
	f := d.files[path]
	if f == nil {
		return info{}, &fs.PathError{Op: "stat", Path: path, Err: syscall.ENOENT}
	}
	return info{filepath.Base(path), 0o600, os.Geteuid(), int64(len(f.content))}, nil
}

func (d *memDisk) list(folder string) (all []info, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, path := range slices.Sorted(maps.Keys(d.files)) {
		if filepath.Dir(path) == folder {
			all = append(all, info{filepath.Base(path), 0o600, os.Geteuid(), int64(len(d.files[path].content))})
		}
	}
	return all, nil
}

// openFile reads a file of the disk as it is then.
type openFile struct {
	disk *memDisk
	file *memFile
}

func (o openFile) ReadAt(b []byte, at int64) (int, error) {
	o.disk.mu.Lock()
	defer o.disk.mu.Unlock()
	n, err := bytes.NewReader(o.file.content).ReadAt(b, at)
	o.disk.read += int64(n)
	return n, err
}

func (openFile) Close() error { return nil }

func (d *memDisk) open(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[path]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ENOENT}
	}
	return openFile{d, f}, nil
}

func (d *memDisk) mkdir(path string) error {
	d.folders[path] = true
	return nil
}

func (d *memDisk) write(path string, offset int64, content []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.before("write", filepath.Base(path), content)
	if err != nil && n == 0 {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	if err != nil {
		content = content[:n]
	}
	f := d.files[path]
	if f == nil {
		f = &memFile{}
		d.files[path] = f
	}
	if grown := int(offset) + len(content) - len(f.content); grown > 0 {
		f.content = append(f.content, make([]byte, grown)...)
	}
	copy(f.content[offset:], content)
	if err != nil {
		return &fs.PathError{Op: "write", Path: path, Err: err}
	}
	if _, err := d.before("sync", filepath.Base(path), nil); err != nil {
		return &fs.PathError{Op: "sync", Path: path, Err: err}
	}
	f.synced = append(f.synced[:min(int(offset), len(f.synced))], f.content[min(int(offset), len(f.synced)):]...)
	return nil
}

func (d *memDisk) truncate(path string, size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.before("truncate", filepath.Base(path), nil); err != nil {
		return err
	}
	f := d.files[path]
	f.content = slices.Clone(f.content[:size])
	if _, err := d.before("sync", filepath.Base(path), nil); err != nil {
		return err
	}
	f.synced = slices.Clone(f.content)
	return nil
}

func (d *memDisk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.before("remove", filepath.Base(path), nil); err != nil {
		return err
	}
	if d.files[path] == nil {
		return syscall.ENOENT
	}
	delete(d.files, path)
	return nil
}

func (d *memDisk) sync(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.before("sync", "folder", nil); err != nil {
		return err
	}
	d.durable = maps.Clone(d.files)
	return nil
}

// clone is another disk with the same files, all of them durable.
func (d *memDisk) clone() *memDisk {
	other := newMemDisk()
	other.folders = maps.Clone(d.folders)
	for name, f := range d.files {
		other.files[name] = &memFile{slices.Clone(f.content), slices.Clone(f.content)}
	}
	other.durable = maps.Clone(other.files)
	return other
}

// log opens the audit on this disk.
func (d *memDisk) log(t testing.TB, now *clock) *Log {
	t.Helper()
	return must(Open(Options{Dir: memDir, Now: now.now, disk: d}))
}
