package lake

import (
	"context"
	"errors"

	"brine/lake/duck"
)

// examine looks for the files that made a query fail: each is read to its end, by itself. Damaged
// ones are left out, by name, and it says whether there were any, so that the query is worth
// another try. Where the disk or the memory is at fault, or the context, none is.
func (l *Lake) examine(ctx context.Context, conn *duck.Conn, failure error, files []*File) (leftOut bool) {
	var e *duck.Error
	if ctx.Err() != nil || !errors.As(failure, &e) || e.Machine() {
		return false
	}
	for _, f := range files {
		if err := l.readThrough(ctx, conn, f); errors.As(err, &e) && !e.Machine() {
			l.leaveOut(Fault{f.String(), "damaged: it cannot be read to its end (" + e.Kind() + ")"})
			leftOut = true
		}
	}
	return leftOut
}

func (l *Lake) readThrough(ctx context.Context, conn *duck.Conn, f *File) error {
	release, err := l.place.hold(ctx, []*File{f})
	if err != nil {
		return err
	}
	defer release()
	rows, err := conn.Query(ctx, "FROM "+l.readParquet(f))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
