package audit

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"brine/access/private"
)

// osDisk is the real file system. What it syncs gets the times of the hour in which it was changed, as
// everything in a data folder: the records say when, and who may read them is told.
type osDisk struct{}

func (osDisk) lock(folder string) (unlock func(), err error) { return private.LockFolder(folder) }

func (osDisk) stat(path string) (info, error) {
	i, err := os.Lstat(path)
	if err != nil {
		return info{}, err
	}
	return infoOf(i), nil
}

func infoOf(i fs.FileInfo) info {
	return info{i.Name(), i.Mode(), int(i.Sys().(*syscall.Stat_t).Uid), i.Size()}
}

func (osDisk) list(folder string) (all []info, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process has just taken it away
		}
		if err != nil {
			return nil, err
		}
		all = append(all, infoOf(i))
	}
	return all, err
}

// open does not wait for the writer of a named pipe.
func (osDisk) open(path string) (file, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

func (d osDisk) mkdir(path string) error {
	if i, err := os.Stat(path); err == nil && i.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if err := d.mkdir(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(private.GiveToOwner(path), d.sync(above))
}

func (osDisk) write(path string, offset int64, content []byte) error {
	return durably(path, os.O_WRONLY|os.O_CREATE, func(f *os.File) error {
		_, err := f.WriteAt(content, offset)
		return err
	})
}

func (osDisk) truncate(path string, size int64) error {
	return durably(path, os.O_WRONLY, func(f *os.File) error { return f.Truncate(size) })
}

func (osDisk) remove(path string) error { return os.Remove(path) }

func (osDisk) sync(folder string) error { return private.Sync(folder) }

// durably changes a file and syncs it.
func durably(path string, flag int, change func(*os.File) error) (err error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := change(f); err != nil {
		return err
	}
	if flag&os.O_CREATE != 0 {
		if err := private.GiveToOwner(path); err != nil {
			return err
		}
	}
	if err := private.HourTime(path); err != nil {
		return err
	}
	return f.Sync()
}
