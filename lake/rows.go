package lake

import (
	"context"
	"fmt"

	"brine/lake/duck"
)

// Rows reads files of a table whole, in no order that counts: it is for what copies them. A file that is swept or
// replaced under it is an error: the caller lists the files again.
func (l *Lake) Rows(ctx context.Context, t Table, files []File, each func(*Rows) error) error {
	if len(files) == 0 {
		return nil
	}
	conn, done, err := l.readConn()
	if err != nil {
		return err
	}
	defer done()
	ctx, ended := l.reading(ctx)
	defer ended()
	release, err := l.place.hold(ctx, pointersTo(files))
	if err != nil {
		return err
	}
	defer release()
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT %s, %s, %s FROM %s", columnList(t), duck.Ident(t.Time), duck.Ident(t.ID), l.typed(t, pointersTo(files)...)))
	if err != nil {
		return err
	}
	defer rows.Close()
	out, keyAt := &Rows{renderer: duck.NewRenderer(t.Columns)}, len(t.Columns)
	for rows.Next() {
		out.renderer.Bind(rows)
		out.n, out.times, out.ids = rows.Len(), rows.Vector(keyAt), rows.Vector(keyAt+1)
		if err := each(out); err != nil {
			return err
		}
	}
	return rows.Err()
}
