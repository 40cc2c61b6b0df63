package erasure

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// asidePrefix begins the names of files that are being written.
const asidePrefix = "."

// replaceFile puts content at path, 0600, whole or not at all, and durable when it returns nil. It is written in the
// folder aside, of the same file system, which [workFiles.open] clears. Its time and the folder's are the hour's.
func replaceFile(aside, path string, content []byte, now time.Time) error {
	f, err := os.CreateTemp(aside, asidePrefix+"*")
	if err != nil {
		return err
	}
	hour := now.Truncate(time.Hour)
	_, err = f.Write(content)
	if err == nil {
		err = os.Chtimes(f.Name(), hour, hour)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(path), now)
}

// syncFolder makes a folder's list of names durable.
func syncFolder(path string, now time.Time) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return err
	}
	hour := now.Truncate(time.Hour)
	return os.Chtimes(path, hour, hour)
}

// makeFolder makes a folder, 0700, where there is none. Its time is the hour's.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	above, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer above.Close()
	hour := time.Now().Truncate(time.Hour)
	return errors.Join(os.Chmod(path, 0o700), os.Chtimes(path, hour, hour), above.Sync())
}
