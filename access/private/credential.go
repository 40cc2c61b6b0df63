package private

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Exposed says whether a file's mode lets others than its owner do anything with it. One that systemd hands over may be read by its group: only
// the service may enter its folder, and an access list that lets the service's user read shows as the group's bits.
func Exposed(path string, mode fs.FileMode) bool {
	if IsCredential(path) {
		return mode.Perm()&0o037 != 0
	}
	return mode.Perm()&0o077 != 0
}

// IsCredential says whether systemd hands a file over to a service (LoadCredential=): it lies below systemd's folder for that, or the one that it
// names to this process.
func IsCredential(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	for _, folder := range []string{"/run/credentials", os.Getenv("CREDENTIALS_DIRECTORY")} {
		if filepath.IsAbs(folder) && strings.HasPrefix(path, filepath.Clean(folder)+"/") {
			return true
		}
	}
	return false
}
