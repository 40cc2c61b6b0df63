package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Room says why [Sources.Restore] could not make a folder, before anything is verified or written: it is written beside, and renamed.
func Room(to string) error {
	above := filepath.Dir(to)
	switch info, err := os.Lstat(to); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no folder: name the folder itself", to)
	case isMount(info, above):
		return fmt.Errorf("%s is a mount, and a folder cannot be put in its place: restore into one below it, like %s, and move what is in that up", to, filepath.Join(to, "restored"))
	default:
		if entries, err := os.ReadDir(to); err != nil || len(entries) > 0 {
			return errors.Join(err, fmt.Errorf("%s is not empty: restore into a folder that is", to))
		}
	}
	for _, err := os.Stat(above); errors.Is(err, fs.ErrNotExist); _, err = os.Stat(above) {
		above = filepath.Dir(above) // what is missing is made
	}
	probe, err := os.MkdirTemp(above, ".brine-probe-")
	if err != nil {
		return fmt.Errorf("%s is written beside and put there whole, and this user cannot write in %s: run it as one who can, like root, and give what is restored to brine's user (chown -R); or restore into a folder elsewhere: %w", to, above, err)
	}
	return os.Remove(probe)
}

// isMount says whether another file system begins at a folder.
func isMount(folder fs.FileInfo, above string) bool {
	outer, err := os.Stat(above)
	return err == nil && outer.Sys().(*syscall.Stat_t).Dev != folder.Sys().(*syscall.Stat_t).Dev
}
