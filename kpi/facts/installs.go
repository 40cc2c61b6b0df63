package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"brine/kpi"
	"brine/lake"
	"brine/lake/duck"
	"brine/sanitize"
)

// Whole is the first day of which nothing can have been purged, by the retention of sanitized; "" where all are whole.
func (s *Source) Whole(ctx context.Context) (kpi.Date, error) {
	look, err := s.pinned().lookOnce(ctx)
	if err != nil {
		return "", err
	}
	return look.whole, nil
}

// Installs counts the installs that a stream has sanitized events of on a day, of those that came before [kpi.Date.LateFrom]. unit is the rule in force of
// the field that holds the install id, salts are the names of those of [Source.HoursOf]. Hours that were made by a rule of another kind, or under another salt,
// as by a backfill, are not counted: so an install counts once under each salt, and once where its id is kept as it is. The error is [kpi.Building] while
// some of the hours are not sanitized.
func (s *Source) Installs(ctx context.Context, stream string, unit sanitize.FieldRule, salts []string, date kpi.Date) (n int64, err error) {
	zone := s.o.Definitions().Zone
	first, after := s.HoursOf(date)
	held, err := s.sanitizedHours(ctx, stream, first, after)
	if err != nil || len(held) == 0 {
		return 0, err
	}
	metas, err := s.o.Lake.Meta(ctx, held)
	if err != nil {
		return 0, err
	}
	files := slices.DeleteFunc(held, func(f lake.File) bool {
		meta := sanitize.ReadMeta(metas[f.Name])
		rule, kept := meta.Rule(unit.Path)
		return !kept || rule.Kind.String() != unit.Rule || unit.Hashes() && (meta.IsBackfill() || !slices.Contains(salts, meta.Salt))
	})
	if len(files) == 0 {
		return 0, nil
	}
	return s.countInstalls(ctx, files, unit.Path, date.Start(zone), date.Plus(1).Start(zone))
}

// HoursOf are the hours in which events of a day may have come in time, from one up to another.
func (s *Source) HoursOf(date kpi.Date) (from, to time.Time) {
	zone := s.o.Definitions().Zone
	return date.Start(zone).Add(-maxEarly), date.LateFrom(zone)
}

// sanitizedHours are the sanitized files of a stream's hours, from one up to another.
func (s *Source) sanitizedHours(ctx context.Context, stream string, from, to time.Time) (files []lake.File, err error) {
	within := func(f lake.File) bool { return !f.Hour.Before(from) && f.Hour.Before(to) }
	done := map[sourceKey]lake.File{}
	for _, f := range s.o.Lake.List(lake.Sanitized, stream) {
		if within(f) {
			files, done[sourceKey{f.Hour.Unix(), f.Log}] = append(files, f), f
		}
	}
	metas, err := s.o.Lake.Meta(ctx, files)
	if err != nil {
		return nil, err
	}
	waiting := map[sourceKey]bool{}
	for _, raw := range s.o.Lake.List(lake.Raw, stream) {
		key := sourceKey{raw.Hour.Unix(), raw.Log}
		f, there := done[key]
		if within(raw) && (!there || sanitize.ReadMeta(metas[f.Name]).Lacks([]lake.File{raw})) {
			waiting[key] = true
		}
	}
	if len(waiting) > 0 {
		return nil, &kpi.Building{Done: len(files), Of: len(files) + len(waiting)}
	}
	return files, nil
}

// countInstalls counts the different values of the unit among the rows of a time.
func (s *Source) countInstalls(ctx context.Context, files []lake.File, unit []string, from, to time.Time) (n int64, err error) {
	var column []string
	for _, name := range unit {
		column = append(column, duck.Ident(name))
	}
	id, at := strings.Join(column, "."), duck.Ident(duck.KeyColumns[0].Name)
	once := true
	err = s.o.Lake.Reading(ctx, func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
		if !once {
			return nil, errReplaced
		}
		once = false
		rows, err := r.From(ctx, files)
		if err != nil {
			return files, err
		}
		got, err := r.Conn.Query(ctx, fmt.Sprintf("SELECT count(DISTINCT %s) FROM %s WHERE %s >= %d AND %s < %d", id, rows, at, from.UnixMilli(), at, to.UnixMilli()))
		if err != nil {
			return files, err
		}
		defer got.Close()
		for got.Next() {
			n = got.Vector(0).Int64(0)
		}
		return files, got.Err()
	})
	return n, err
}
