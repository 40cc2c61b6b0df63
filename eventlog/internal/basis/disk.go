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
