package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"brine/kpi"
	"brine/lake"
	"brine/lake/duck"
)

// held gives days of what is in files, from the cache or loaded into it.
func (s *Source) held(ctx context.Context, look *look, v view, dates []kpi.Date, named map[kpi.Date]map[string]bool) (map[kpi.Date]held, error) {
	s.cache.forget(look.defs.Digest, look.there)
	answer := make(map[kpi.Date]held, len(dates))
	missing := &loading{look: look, view: v, wanted: map[lake.Name]map[kpi.Date]bool{}, named: named}
	var anew []*entry
	for _, date := range dates {
		key := cacheKey{look.defs.Digest, v, date}
		names := look.files(v, date)
		e := s.cache.get(key)
		if e != nil && slices.Equal(names, e.files) {
			answer[date] = e.held
			continue
		}
		base := newHeld()
		before := map[lake.Name]bool{}
		if e != nil && v.only.Value != kpi.Other { // what is Other may have changed
			base = e.held
			for _, n := range e.files { // all are there, or the cache would have forgotten the day
				before[n] = true
			}
		}
		for _, n := range names {
			if !before[n] {
				missing.want(n, date)
			}
		}
		anew = append(anew, &entry{key: key, files: names, held: base})
	}
	loaded, err := missing.load(ctx, s.o.Lake)
	if err != nil {
		return nil, missing.blame(ctx, s.o.Lake, err)
	}
	for _, e := range anew {
		if more, some := loaded[e.key.date]; some {
			e.held = e.held.plus(more, look.defs)
		}
		answer[e.key.date] = e.held
		s.cache.put(e)
	}
	return answer, nil
}

// having are the days on which somebody may have the value, by the roll-ups: facts of others need not be read. A value that is not told by name
// on a day is in its Other.
func (s *Source) having(ctx context.Context, look *look, v view, dates []kpi.Date) (some []kpi.Date, err error) {
	days, err := s.held(ctx, look, view{by: v.only.Segment, prompt: v.prompt}, dates, nil)
	if err != nil {
		return nil, err
	}
	for _, date := range dates {
		cells := days[date].cells
		if cells[v.only.Value] != nil || cells[kpi.Other] != nil {
			some = append(some, date)
		}
	}
	return some, nil
}

// files are those that a view of a day is loaded from, sorted.
func (k *look) files(v view, date kpi.Date) (names []lake.Name) {
	for _, src := range k.byDate[date] { // by hour, then by log
		switch {
		case !k.takes(v, date, src.sanitized.Hour):
		case v.only == (kpi.Filter{}):
			names = append(names, src.rollup.Name)
		default:
			names = append(names, src.facts.Name)
		}
	}
	return names
}

// loading reads days out of files.
type loading struct {
	look   *look
	view   view
	order  []lake.File
	wanted map[lake.Name]map[kpi.Date]bool // by file: the days that are to be read of it
	named  map[kpi.Date]map[string]bool
}

func (l *loading) want(n lake.Name, date kpi.Date) {
	if l.wanted[n] == nil {
		l.wanted[n] = map[kpi.Date]bool{}
		l.order = append(l.order, lake.File{Name: n})
	}
	l.wanted[n][date] = true
}

// loaders is how many connections read side by side.
const loaders = 2

// fewFiles are not worth a second connection.
const fewFiles = 8

func (l *loading) load(ctx context.Context, of *lake.Lake) (map[kpi.Date]held, error) {
	if len(l.order) == 0 {
		return nil, nil
	}
	size := (len(l.order) + loaders - 1) / loaders
	if len(l.order) <= fewFiles {
		size = len(l.order)
	}
	chunks := slices.Collect(slices.Chunk(l.order, size))
	parts, errs := make([]map[kpi.Date]held, len(chunks)), make([]error, len(chunks))
	var all sync.WaitGroup
	for i, files := range chunks {
		all.Go(func() { parts[i], errs[i] = l.part(ctx, of, files) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	sum := parts[0]
	for _, part := range parts[1:] {
		for date, h := range part {
			if _, met := sum[date]; met {
				sum[date].merge(h, l.look.defs)
			} else {
				sum[date] = h
			}
		}
	}
	return sum, nil
}

// part reads some of the files, on a connection of its own.
func (l *loading) part(ctx context.Context, of *lake.Lake, files []lake.File) (part map[kpi.Date]held, err error) {
	once := true
	err = of.Reading(ctx, func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
		if !once {
			return nil, errReplaced
		}
		once = false
		paths, err := r.Paths(ctx, files)
		if err != nil {
			return files, err
		}
		from := fmt.Sprintf("read_parquet(%s, hive_partitioning=false, filename=true)", duck.List(paths))
		wantedOf := map[string]map[kpi.Date]bool{}
		for i, path := range paths {
			wantedOf[path] = l.wanted[files[i].Name]
		}
		if l.view.only == (kpi.Filter{}) {
			part, err = l.rollups(ctx, r.Conn, from, wantedOf)
		} else {
			part, err = l.facts(ctx, r.Conn, from, wantedOf)
		}
		return files, err
	})
	return part, err
}

func (l *loading) rollups(ctx context.Context, conn *duck.Conn, from string, wantedOf map[string]map[kpi.Date]bool) (map[kpi.Date]held, error) {
	column := columnAll
	switch {
	case l.view.slots:
		column = columnSlots
	case l.view.by != "":
		column = columnOf(l.view.by)
	}
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT filename, %s, %s FROM %s", columnDate, duck.Ident(column), from))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	days := map[kpi.Date]held{}
	for rows.Next() {
		names, dates, values := rows.Vector(0), rows.Vector(1), rows.Vector(2)
		for i := range rows.Len() {
			date := kpi.Date(dates.String(i))
			if !wantedOf[string(names.String(i))][date] {
				continue
			}
			if _, met := days[date]; !met {
				days[date] = newHeld()
			}
			if err := l.decode(days[date], values.String(i)); err != nil {
				return nil, fmt.Errorf("a roll-up of %s: %w: build it anew with brine kpi rebuild", date, err)
			}
		}
	}
	return days, rows.Err()
}

// decode adds what a roll-up holds of a day.
func (l *loading) decode(into held, from []byte) error {
	switch {
	case l.view.slots:
		return mergeSlots(into.slots, from)
	case l.view.by != "":
		return mergeEncoded(into.cells, from, l.look.defs)
	}
	if into.cells[""] == nil {
		into.cells[""] = l.look.defs.NewCell(true)
	}
	d := kpi.NewDecoder(from)
	d.MergeCell(into.cells[""])
	return d.Err()
}

// facts adds up those of the files that the filter lets through.
func (l *loading) facts(ctx context.Context, conn *duck.Conn, from string, wantedOf map[string]map[kpi.Date]bool) (map[kpi.Date]held, error) {
	layout := newLayout(l.look.defs)
	names := make([]string, len(layout.columns))
	for i, c := range layout.columns {
		names[i] = duck.Ident(c.Name)
	}
	where := ""
	if value := l.view.only.Value; value != kpi.Other {
		where = fmt.Sprintf(" WHERE %s = %s", duck.Ident(columnOf(l.view.only.Segment)), duck.Quote(value))
	}
	rows, err := conn.Query(ctx, "SELECT "+strings.Join(names, ", ")+", filename FROM "+from+where)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	read, sum := layout.reader(), newFilter(l.look.defs, l.view, l.named)
	var file string
	var wanted map[kpi.Date]bool
	sum.wanted = func(date kpi.Date) bool { return wanted[date] }
	for rows.Next() {
		read.bind(rows)
		at := rows.Vector(len(names))
		for i := range rows.Len() {
			if name := at.String(i); string(name) != file {
				file = string(name)
				wanted = wantedOf[file]
			}
			sum.add(read.read(i))
		}
	}
	return sum.days, rows.Err()
}
