package lake

import (
	"context"
	"errors"
	"fmt"
	"os"
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
		if f.Hour.Before(l.closedTo) && fromLog(f.Dataset) {
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
	leave, err := l.rewrites.enter(ctx, hourKey{t.Stream, group[0].Hour.Unix()})
	if err != nil {
		return err
	}
	defer leave()
	whole := &File{Name: group[0].Name}
	whole.Epoch = l.inEpoch()
	for _, f := range group {
		whole.First, whole.Last = min(whole.First, f.First), max(whole.Last, f.Last)
		whole.Generation = max(whole.Generation, f.Generation)
	}
	whole.Generation++
	defer os.Remove(l.disk.aside(whole.Name)) // where it was not published
	release, err := l.place.hold(ctx, group)
	if err != nil {
		return err
	}
	defer release()
	source := l.ordered(t, "FROM "+l.readParquet(group...))
	if err := conn.Exec(ctx, tight.copyTo(source, l.disk.aside(whole.Name))); err != nil {
		return err
	}
	if whole.Size, err = parquetSize(l.disk.aside(whole.Name)); err != nil {
		return err
	}
	if err := l.measure(ctx, conn, whole, group); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			l.place.leave(whole.Name)
		}
	}()
	if err := l.place.stage(ctx, whole); err != nil {
		return err
	}
	l.disk.point("compact-written")
	if err := l.replace(ctx, namesOf(group), whole); !errors.Is(err, ErrReplaced) {
		return err
	}
	return nil // the next round sees the hour as it is
}
