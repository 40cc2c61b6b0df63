package audit

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Purge removes the files of days that ended longer ago than maxAge (0: none), the oldest first, and gives their names. Before that
// a record of each is durable, with what [Verify] needs to know of the chain; the file of the last record
// stays. A crash between leaves files that the next purge removes. dryRun only says which.
func (l *Log) Purge(now time.Time, maxAge time.Duration, dryRun bool) (removed []string, err error) {
	if maxAge == 0 {
		return nil, nil
	}
	files, err := logFiles(l.o.disk, l.o.Dir)
	if err != nil {
		return nil, err
	}
	newest := dayFile(now.Add(-maxAge - 24*time.Hour))
	for n, i := range files {
		if i.name > newest || n == len(files)-1 {
			break
		}
		if !dryRun {
			if err := l.purge(i, files[n+1:]); err != nil {
				return removed, fmt.Errorf("purge the audit: %w", err)
			}
		}
		removed = append(removed, i.name)
	}
	return removed, nil
}

func (l *Log) purge(i info, after []info) error {
	start, err := l.startOf(after)
	if err != nil {
		return err
	}
	_, err = l.Append(Record{Action: Purge, Who: "brine", Dataset: "audit", Anchor: start.String(),
		Note: fmt.Sprintf("the audit of %s, up to record %d, is older than retention.audit.max_age", strings.TrimSuffix(i.name, ".ndjson"), start.Number)})
	if err != nil {
		return err
	}
	return errors.Join(l.o.disk.remove(l.path(i.name)), l.o.disk.sync(l.o.Dir))
}

// startOf is what stands before the first record of some files.
func (l *Log) startOf(files []info) (Anchor, error) {
	for _, i := range files {
		r, err := l.first(i)
		if !errors.Is(err, io.EOF) {
			return Anchor{r.Number - 1, r.Before}, err
		}
	}
	return Anchor{}, errors.New("no file holds a record: look at brine audit verify")
}

// first is the first record of a file. Where it is none, nothing is removed, so that what was changed can be looked into.
func (l *Log) first(i info) (Record, error) {
	f, err := l.o.disk.open(l.path(i.name))
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	line, _, err := newLineReader(f, 0, i.size).next()
	if err != nil {
		return Record{}, err
	}
	r, err := parseLine(line)
	if err != nil {
		return Record{}, fmt.Errorf("%s:1: %w: look at brine audit verify", l.path(i.name), err)
	}
	return r, nil
}
