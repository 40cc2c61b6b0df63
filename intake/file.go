package intake

import (
	"os"
	"path/filepath"
	"time"
)

// writeAside writes a new file with mode 0600 beside path, makes it durable and returns its
// name. Its time is the hour's: no file tells more closely when something happened.
func writeAside(path string, content []byte, now time.Time) (aside string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	defer f.Close()
	if _, err = f.Write(content); err != nil {
		return "", err
	}
	hour := now.UTC().Truncate(time.Hour)
	if err = os.Chtimes(f.Name(), hour, hour); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

// replaceFile puts content at path, whole or not at all, and durable when it returns nil.
func replaceFile(path string, content []byte, now time.Time) error {
	aside, err := writeAside(path, content, now)
	if err != nil {
		return err
	}
	if err := os.Rename(aside, path); err != nil {
		os.Remove(aside)
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
