package basis

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// TryDisk finds out whether the disk takes writes, more cheaply than a server that has to be closed again.
func TryDisk(dir string) error {
	name := filepath.Join(dir, "try")
	defer os.Remove(name)
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if _, err = f.Write(make([]byte, 1<<20)); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// ReplaceFile writes a small file, which its owner alone may read, whole or not at all: when it returns nil it is on disk.
func ReplaceFile(name string, data []byte) error {
	aside := filepath.Join(filepath.Dir(name), "."+filepath.Base(name))
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(aside, name); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// SyncFolders syncs every folder below dir, so that the names of files just made last. JetStream removes folders meanwhile, of what was purged: one
// that is gone needs no sync.
func SyncFolders(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if path != dir && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		folder, err := os.Open(path)
		if path != dir && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer folder.Close()
		return folder.Sync()
	})
}
