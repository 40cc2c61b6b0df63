package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"brine/lake/duck"
)

// footer is what a file's footer says.
type footer struct{ rows, min, max int64 }

// readFooters reads the footers of files. One that cannot be read is given back as a fault, unless
// the disk or the memory is to blame.
func readFooters(ctx context.Context, conn *duck.Conn, path func(Name) string, timeColumn string, files []*File) (map[*File]footer, []Fault, error) {
	footers, err := footersOf(ctx, conn, path, timeColumn, files)
	var e *duck.Error
	if err == nil || !errors.As(err, &e) || e.Machine() {
		return footers, nil, err
	}
	footers = map[*File]footer{}
	var faults []Fault // at least one is bad: look at each by itself
	for _, f := range files {
		one, err := footersOf(ctx, conn, path, timeColumn, []*File{f})
		switch {
		case err == nil:
			footers[f] = one[f]
		case !errors.As(err, &e) || e.Machine():
			return nil, nil, err
		default:
			faults = append(faults, Fault{f.String(), "damaged: its footer cannot be read (" + e.Kind() + ")"})
		}
	}
	return footers, faults, nil
}

func footersOf(ctx context.Context, conn *duck.Conn, path func(Name) string, timeColumn string, files []*File) (map[*File]footer, error) {
	byPath := make(map[string]*File, len(files))
	paths := make([]string, len(files))
	footers := make(map[*File]footer, len(files))
	for i, f := range files {
		paths[i] = path(f.Name)
		byPath[paths[i]] = f
		footers[f] = footer{} // an empty file has no row groups and so no row below
	}
	rows, err := conn.Query(ctx, fmt.Sprintf(`SELECT file_name, coalesce(sum(row_group_num_rows), 0)::BIGINT,
		coalesce(min(stats_min_value::BIGINT), 0), coalesce(max(stats_max_value::BIGINT), 0)
		FROM parquet_metadata(%s) WHERE path_in_schema = %s GROUP BY file_name`, duck.List(paths), duck.Quote(timeColumn)))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		name, count, lo, hi := rows.Vector(0), rows.Vector(1), rows.Vector(2), rows.Vector(3)
		for i := range rows.Len() {
			footers[byPath[string(name.String(i))]] = footer{count.Int64(i), lo.Int64(i), hi.Int64(i)}
		}
	}
	return footers, rows.Err()
}

// withFooters gives the files of a stream with rows and event times known; with an error, the files it looked at.
func (l *Lake) withFooters(ctx context.Context, conn *duck.Conn, t Table) ([]*File, error) {
	l.footers.Lock()
	defer l.footers.Unlock()
	l.mu.Lock()
	files := l.cat.of(t.Dataset, t.Stream)
	unknown := slices.DeleteFunc(slices.Clone(files), func(f *File) bool { return f.known })
	l.mu.Unlock()
	if len(unknown) == 0 {
		return files, nil
	}
	footers, faults, err := readFooters(ctx, conn, l.place.path, t.Time, unknown)
	if err != nil {
		return files, err
	}
	l.mu.Lock()
	for f, read := range footers {
		f.Rows, f.Min, f.Max, f.known = read.rows, read.min, read.max, true
	}
	l.mu.Unlock()
	for _, fault := range faults {
		l.leaveOut(fault)
		files = slices.DeleteFunc(files, func(f *File) bool { return f.String() == fault.Path })
	}
	return files, nil
}

// measure reads the footer of a file that lies aside, where the lake is in an object store: others are told what it says.
func (l *Lake) measure(ctx context.Context, conn *duck.Conn, f *File, inputs []*File) (err error) {
	if _, ok := l.place.(*remote); !ok {
		return nil
	}
	f.known = true
	t, err := l.Table(f.Dataset, f.Stream)
	if err == nil {
		footers, err := footersOf(ctx, conn, l.disk.aside, t.Time, []*File{f})
		f.Rows, f.Min, f.Max = footers[f].rows, footers[f].min, footers[f].max
		return err
	}
	f.Min, f.Max = inputs[0].Min, inputs[0].Max // a stream that is collected no more
	for _, in := range inputs {
		f.Min, f.Max = min(f.Min, in.Min), max(f.Max, in.Max)
	}
	f.Rows, err = number(ctx, conn, "SELECT num_rows FROM parquet_file_metadata("+duck.Quote(l.disk.aside(f.Name))+")")
	return err
}

// leaveOut takes a file that cannot be read out of the catalogue, by name.
func (l *Lake) leaveOut(fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.ContainsFunc(l.cat.faults, func(f Fault) bool { return f.Path == fault.Path }) {
		return
	}
	l.cat.files = slices.DeleteFunc(l.cat.files, func(f *File) bool { return f.String() == fault.Path })
	l.cat.faults = append(l.cat.faults, fault)
	l.log.Warn("left out of the lake", slog.String("file", fault.Path), slog.String("why", fault.Why))
}
