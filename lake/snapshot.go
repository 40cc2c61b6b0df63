package lake

import (
	"errors"
	"os"
	"path/filepath"
)

// ErrInBucket is a use of a lake that needs it to lie in a folder.
var ErrInBucket = errors.New("the lake lies in an object store: back the bucket up by the store's own means, without versions that outlive retention")

// Link puts hard links to the committed files that which chooses, and to the commit marks, below dir, a folder of the same file system:
// what the lake holds at one moment, which stays as it is while the lake goes on. Of a lake in an object store there are no files to link: [ErrInBucket].
func (l *Lake) Link(dir string, which func(Name) bool) error {
	if _, local := l.place.(folder); !local {
		return ErrInBucket
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	link := func(rel string) error {
		path := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.Link(l.disk.path(rel), path)
	}
	for _, f := range l.cat.files {
		if which(f.Name) {
			if err := link(f.String()); err != nil {
				return err
			}
		}
	}
	for _, m := range l.cat.marks {
		if err := link(filepath.Join(Raw, marksFolder, m.String())); err != nil {
			return err
		}
	}
	return nil
}
