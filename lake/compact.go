package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"brine/lake/duck"
)

// Compact makes one file of all that a closed hour of a stream holds from one log. An hour that
// cannot be compacted does not keep others from it.
func (l *Lake) Compact(ctx context.Context) error {
	leave, err := l.enter()
	if err != nil {
		return err
	}
	defer leave()
	conn, err := l.writer.Conn()
	if err != nil {
		return err
	}
	defer conn.Close()
	var errs []error
	for _, group := range l.uncompacted() {
		t, err := l.Table(group[0].Dataset, group[0].Stream)
		if err != nil {
			continue // a stream that the config no longer has stays as it is
		}
		if err := l.compact(ctx, conn, t, group); err != nil && !l.examine(ctx, conn, err, group) {
			errs = append(errs, fmt.Errorf("compact %s: %w", group[0].Folder(), err))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}

// uncompacted groups the files of closed hours that lie beside others of the same source.
func (l *Lake) uncompacted() [][]*File {
	l.mu.Lock()
	defer l.mu.Unlock()
	type source struct {
		tableKey
		hour time.Time
		log  string
	}
	groups := map[source][]*File{}
	for _, f := range l.cat.files {
		if f.Hour.Before(l.closedTo) {
			k := source{tableKey{f.Dataset, f.Stream}, f.Hour, f.Log}
			groups[k] = append(groups[k], f)
		}
	}
	var several [][]*File
	for _, group := range groups {
		if len(group) > 1 {
			several = append(several, group)
		}
	}
	return several
}

func (l *Lake) compact(ctx context.Context, conn *duck.Conn, t Table, group []*File) (err error) {
	whole := &File{Name: group[0].Name}
	for _, f := range group {
		whole.First, whole.Last = min(whole.First, f.First), max(whole.Last, f.Last)
		whole.Generation = max(whole.Generation, f.Generation)
	}
	whole.Generation++
	defer os.Remove(l.disk.aside(whole.Name)) // where it was not published
	source := l.ordered(t, "FROM "+l.readParquet(group...))
	if err := conn.Exec(ctx, tight.copyTo(source, l.disk.aside(whole.Name))); err != nil {
		return err
	}
	if whole.Size, err = parquetSize(l.disk.aside(whole.Name)); err != nil {
		return err
	}
	l.disk.point("compact-written")
	return l.replace(group, whole)
}

// replace publishes a rewrite of a group of files, unless one of them was replaced meanwhile: an
// import may have gone on in their hour. The next round then sees the hour as it is.
func (l *Lake) replace(group []*File, whole *File) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if !l.allRead(group) {
		return nil
	}
	if err := l.disk.publish([]Name{whole.Name}); err != nil {
		return err
	}
	l.disk.point("compact-published")
	l.taken([]*File{whole})
	return nil
}

// allRead says whether all files are still read.
func (l *Lake) allRead(files []*File) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range files {
		if !slices.Contains(l.cat.files, f) {
			return false
		}
	}
	return true
}
