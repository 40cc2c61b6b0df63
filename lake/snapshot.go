package lake

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// Object is a file of a lake in an object store.
type Object struct {
	Path   string `json:"path"` // its key: what is below the lake's folder, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Link puts what the lake holds at one moment below dir, as far as which chooses it, where it stays as it is while the lake goes on: hard links
// to committed files, as dir is a folder of the same file system, and the commit marks. The files of a lake in an object store are given
// back instead: each is there until it is dropped or another has covered it for a while. A file of these that is left out is an error: it
// would seem to have been removed.
func (l *Lake) Link(dir string, which func(Name) bool) (objects []Object, err error) {
	_, local := l.place.(folder)
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	put := func(rel string, make func(path string) error) error {
		path := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return make(path)
	}
	for _, n := range l.cat.leftOut() {
		if which(n) {
			return nil, fmt.Errorf("%s is left out of the lake, as brine status says, and would seem to have been removed: restore it, or remove it", n)
		}
	}
	for _, f := range l.cat.files {
		switch {
		case !which(f.Name):
		case !local:
			objects = append(objects, Object{keyOf(f.Name), f.Size, hex.EncodeToString(f.sum[:])})
		default:
			if err := put(f.String(), func(path string) error { return os.Link(l.disk.path(f.String()), path) }); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range l.cat.marks {
		if err := put(filepath.Join(Raw, marksFolder, m.String()), func(path string) error { return os.WriteFile(path, nil, 0o600) }); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
