package audit

import (
	"path/filepath"
	"regexp"
	"time"
)

// fileName is the name of a file of records.
var fileName = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}\.ndjson$`)

// dayFile is the file of a day.
func dayFile(t time.Time) string { return t.UTC().Format(time.DateOnly) + ".ndjson" }

func (l *Log) path(name string) string { return filepath.Join(l.o.Dir, name) }

// logFiles are the files of records, the oldest first.
func logFiles(d disk, dir string) (files []info, err error) {
	all, err := d.list(dir)
	for _, i := range all {
		if fileName.MatchString(i.name) {
			files = append(files, i)
		}
	}
	return files, err
}
