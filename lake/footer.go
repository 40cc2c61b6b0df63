package lake

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"brine/lake/duck"
)

// readFooters fills in rows and event times of the files that lack them. A file whose footer
// cannot be read is given back as a fault.
func readFooters(ctx context.Context, conn *duck.Conn, root, timeColumn string, files []*File) ([]Fault, error) {
	unknown := slices.DeleteFunc(slices.Clone(files), func(f *File) bool { return f.known })
	if len(unknown) == 0 {
		return nil, nil
	}
	err := footersOf(ctx, conn, root, timeColumn, unknown)
	if err == nil || ctx.Err() != nil {
		return nil, err
	}
	var faults []Fault // at least one is bad: look at each by itself
	for _, f := range unknown {
		if err := footersOf(ctx, conn, root, timeColumn, []*File{f}); err != nil {
			faults = append(faults, Fault{f.String(), "its footer cannot be read: " + err.Error()})
		}
	}
	return faults, ctx.Err()
}

func footersOf(ctx context.Context, conn *duck.Conn, root, timeColumn string, files []*File) error {
	byPath := make(map[string]*File, len(files))
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = root + "/" + f.String()
		byPath[paths[i]] = f
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT file_name, coalesce(sum(row_group_num_rows), 0)::BIGINT,
		coalesce(min(stats_min_value::BIGINT), 0), coalesce(max(stats_max_value::BIGINT), 0)
		FROM parquet_metadata(%s) WHERE path_in_schema = %s GROUP BY file_name`, duck.List(paths), duck.Quote(timeColumn)))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		name, count, lo, hi := rows.Vector(0), rows.Vector(1), rows.Vector(2), rows.Vector(3)
		for i := range rows.Len() {
			f := byPath[string(name.String(i))]
			f.Rows, f.Min, f.Max = count.Int64(i), lo.Int64(i), hi.Int64(i)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, f := range files { // an empty file has no row groups and so no row here
		f.known = true
	}
	return nil
}

// withFooters gives the files of a stream with rows and event times known.
func (l *Lake) withFooters(ctx context.Context, conn *duck.Conn, t Table) ([]*File, error) {
	l.mu.Lock()
	files := l.cat.of(t.Dataset, t.Stream)
	l.mu.Unlock()
	l.footers.Lock()
	defer l.footers.Unlock()
	faults, err := readFooters(ctx, conn, l.disk.root, t.Time, files)
	if err != nil {
		return nil, err
	}
	for _, fault := range faults {
		l.leaveOut(fault)
		files = slices.DeleteFunc(files, func(f *File) bool { return f.String() == fault.Path })
	}
	return files, nil
}

// leaveOut takes a file that cannot be read out of the catalogue, by name.
func (l *Lake) leaveOut(fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat.files = slices.DeleteFunc(l.cat.files, func(f *File) bool { return f.String() == fault.Path })
	l.cat.faults = append(l.cat.faults, fault)
	l.log.Warn("left out of the lake", slog.String("file", fault.Path), slog.String("why", fault.Why))
}
