package audit

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A file of records is named by a number and a day, like 000000000042-2026-11-25.ndjson. The day is that of its records, by the
// clock as it stood. The number, that of the first record where nothing went wrong, makes the files sort in the order in
// which they were written, wherever the clock jumped.
const (
	numberDigits = 12
	nameLength   = numberDigits + 18
)

var fileName = regexp.MustCompile(`^[0-9]{12}-[0-9]{4}-[0-9]{2}-[0-9]{2}\.ndjson$`)

// today is a day as the names of files have it.
func today(now time.Time) string { return now.UTC().Format(time.DateOnly) }

// dayOf is the day of a file, "" of none.
func dayOf(name string) string {
	_, day, _ := strings.Cut(strings.TrimSuffix(name, ".ndjson"), "-")
	return day
}

// newFile names the file of a day, so that it sorts after all there are. number is that of its first record.
func newFile(number uint64, day, newest string) string {
	name := fmt.Sprintf("%0*d-%s.ndjson", numberDigits, number, day)
	if name <= newest { // which holds no record, or one of a greater number
		before, _ := strconv.ParseUint(newest[:numberDigits], 10, 64)
		name = fmt.Sprintf("%0*d-%s.ndjson", numberDigits, before+1, day)
	}
	if !fileName.MatchString(name) { // somebody named one by the last number there is
		return newest
	}
	return name
}

func (l *Log) path(name string) string { return filepath.Join(l.o.Dir, name) }

// logFiles are the files of records, in the order in which they were written.
func logFiles(d disk, dir string) (files []info, err error) {
	all, err := d.list(dir)
	for _, i := range all {
		if fileName.MatchString(i.name) {
			files = append(files, i)
		}
	}
	return files, err
}

// since leaves out the oldest files, of days before t. One of an earlier day that follows one of a later day stays: it may
// hold the end of what the other began.
func since(files []info, t time.Time) []info {
	day := today(t)
	n := slices.IndexFunc(files, func(i info) bool { return dayOf(i.name) >= day })
	if n < 0 {
		return nil
	}
	return files[n:]
}
