package facts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"brine/kpi"
	"brine/lake"
	"brine/lake/duck"
)

// viewed is a view of some days.
type viewed struct {
	view  view
	dates []kpi.Date
	named map[kpi.Date]map[string]bool // of a filter for Other: the values that are told by name on each day
}

// heldOf gives the days of several views. What is not in the cache is loaded in one reading of the files: the views are either all of roll-ups, or all of facts.
func (s *Source) heldOf(ctx context.Context, look *look, of []viewed) ([]map[kpi.Date]held, error) {
	s.cache.forget(look.defs.Digest, look.there)
	if m := s.missing(look, of); len(m.anew) == 0 {
		return m.answers, nil
	}
	done, err := turn(ctx, s.loading)
	if err != nil {
		return nil, err
	}
	defer done()
	m := s.missing(look, of) // who had the turn before may have loaded it
	loaded, err := m.load(ctx, s.o.Lake)
	if err != nil {
		return nil, m.blame(ctx, s.o.Lake, err)
	}
	for _, a := range m.anew {
		if loaded != nil {
			if more, some := loaded[a.view][a.key.date]; some {
				a.held = a.held.plus(more, look.defs)
			}
		}
		m.answers[a.view][a.key.date] = a.held
		s.cache.put(a.entry)
	}
	return m.answers, nil
}

// missing says what the cache has of the views, and what is to be loaded.
func (s *Source) missing(look *look, of []viewed) *loading {
	m := &loading{look: look, wanted: map[lake.Name][]map[kpi.Date]bool{}, answers: make([]map[kpi.Date]held, len(of))}
	for i, o := range of {
		m.views, m.named = append(m.views, o.view), append(m.named, o.named)
		m.answers[i] = make(map[kpi.Date]held, len(o.dates))
		for _, date := range o.dates {
			e, add := s.remembered(look, o, date)
			if add == nil {
				m.answers[i][date] = e.held
				continue
			}
			for _, n := range add {
				m.want(n, i, date)
			}
			m.anew = append(m.anew, anew{e, i})
		}
	}
	return m
}

// anew is a day to be put into the cache.
type anew struct {
	*entry
	view int
}

// turn waits until there is room in a channel, in the order of coming, and gives what ends the turn.
func turn(ctx context.Context, in chan struct{}) (done func(), err error) {
	select {
	case in <- struct{}{}:
		return func() { <-in }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// remembered is a day as the cache has it; where that lacks files, an entry to put in its place, and the files to add, not nil.
func (s *Source) remembered(look *look, o viewed, date kpi.Date) (_ *entry, add []lake.Name) {
	key := cacheKey{look.defs.Digest, o.view, date}
	names, named := look.files(o.view, date), o.named[date]
	e := s.cache.get(key)
	if e != nil && slices.Equal(names, e.files) && maps.Equal(named, e.named) {
		return e, nil
	}
	base := newHeld()
	before := map[lake.Name]bool{}
	if e != nil && o.view.only.Value != kpi.Other { // what is Other may have changed
		base = e.held
		for _, n := range e.files { // all are there, or the cache would have forgotten the day
			before[n] = true
		}
	}
	add = []lake.Name{}
	for _, n := range names {
		if !before[n] {
			add = append(add, n)
		}
	}
	return &entry{key: key, files: names, named: named, held: base}, add
}

// having is a view with a filter, of those of its days on which somebody may have the value, by the roll-ups: facts of others need not be read. A value
// that is not told by name on a day is in its Other, but where the segment lists its values: all of these are told. Which values are Other hangs on
// what is in no file yet, too.
func (s *Source) having(ctx context.Context, look *look, v view, dates []kpi.Date) (some viewed, err error) {
	by := view{by: v.only.Segment, prompt: v.prompt}
	some.view = v
	if v.only.Value == kpi.Other {
		days, err := s.answer(ctx, look, by, dates)
		if err != nil {
			return some, err
		}
		some.named = namesOf(days)
		for _, date := range dates {
			if cut(days[date].cells)[kpi.Other] != nil {
				some.dates = append(some.dates, date)
			}
		}
		return some, nil
	}
	segment := look.defs.Segments[segmentPlace(look.defs, v.only.Segment)]
	all, err := s.heldOf(ctx, look, []viewed{{view: by, dates: dates}})
	if err != nil {
		return some, err
	}
	for _, date := range dates {
		cells := all[0][date].cells
		if cells[v.only.Value] != nil || cells[kpi.Other] != nil && !segment.Listed() {
			some.dates = append(some.dates, date)
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
	views  []view // all of roll-ups, or all of facts
	order  []lake.File
	wanted map[lake.Name][]map[kpi.Date]bool // by file and view: the days that are to be read of it
	named  []map[kpi.Date]map[string]bool    // by view

	answers []map[kpi.Date]held // by view: what the cache had
	anew    []anew              // what it had not
}

func (l *loading) want(n lake.Name, view int, date kpi.Date) {
	days, met := l.wanted[n]
	if !met {
		l.order = append(l.order, lake.File{Name: n})
	}
	for len(days) <= view {
		days = append(days, map[kpi.Date]bool{})
	}
	days[view][date] = true
	l.wanted[n] = days
}

// loaders is how many connections read side by side.
const loaders = 2

// fewFiles are not worth a second connection.
const fewFiles = 8

// load gives the days by view; nil where nothing is wanted.
func (l *loading) load(ctx context.Context, of *lake.Lake) ([]map[kpi.Date]held, error) {
	if len(l.order) == 0 {
		return nil, nil
	}
	size := (len(l.order) + loaders - 1) / loaders
	if len(l.order) <= fewFiles {
		size = len(l.order)
	}
	chunks := slices.Collect(slices.Chunk(l.order, size))
	parts, errs := make([][]map[kpi.Date]held, len(chunks)), make([]error, len(chunks))
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
		for i := range part {
			l.join(sum[i], part[i])
		}
	}
	return sum, nil
}

// join adds the days of a part, whose cells may be taken.
func (l *loading) join(sum, part map[kpi.Date]held) {
	for date, h := range part {
		if _, met := sum[date]; met {
			sum[date].merge(h, l.look.defs)
		} else {
			sum[date] = h
		}
	}
}

// part reads some of the files, on a connection of its own.
func (l *loading) part(ctx context.Context, of *lake.Lake, files []lake.File) (part []map[kpi.Date]held, err error) {
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
		wantedOf := map[string][]map[kpi.Date]bool{}
		for i, path := range paths {
			wantedOf[path] = l.wanted[files[i].Name]
		}
		if l.views[0].only == (kpi.Filter{}) {
			part, err = l.rollups(ctx, r.Conn, from, wantedOf)
		} else {
			part, err = l.facts(ctx, r.Conn, from, wantedOf)
		}
		return files, err
	})
	return part, err
}

func (l *loading) rollups(ctx context.Context, conn *duck.Conn, from string, wantedOf map[string][]map[kpi.Date]bool) ([]map[kpi.Date]held, error) {
	var selected strings.Builder
	views := make([]map[kpi.Date]held, len(l.views))
	for i, v := range l.views {
		views[i] = map[kpi.Date]held{}
		fmt.Fprint(&selected, ", ", duck.Ident(v.column()))
	}
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT filename, %s%s FROM %s", columnDate, selected.String(), from))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		names, dates := rows.Vector(0), rows.Vector(1)
		for row := range rows.Len() {
			date := kpi.Date(dates.String(row))
			for i, wanted := range wantedOf[string(names.String(row))] {
				if !wanted[date] {
					continue
				}
				if _, met := views[i][date]; !met {
					views[i][date] = newHeld()
				}
				if err := l.decode(l.views[i], views[i][date], rows.Vector(2+i).String(row)); err != nil {
					return nil, fmt.Errorf("a roll-up of %s: %w: build it anew with brine kpi rebuild", date, err)
				}
			}
		}
	}
	return views, rows.Err()
}

// column is the one of a roll-up that has what the view asks for.
func (v view) column() string {
	switch {
	case v.slots:
		return columnSlots
	case v.by != "":
		return columnOf(v.by)
	}
	return columnAll
}

// decode adds what a roll-up holds of a day for a view.
func (l *loading) decode(v view, into held, from []byte) error {
	switch {
	case v.slots:
		return mergeSlots(into.slots, from)
	case v.by != "":
		return mergeEncoded(into.cells, from, l.look.defs)
	}
	if into.cells[""] == nil {
		into.cells[""] = l.look.defs.NewCell(true)
	}
	d := kpi.NewDecoder(from)
	d.MergeCell(into.cells[""])
	return d.Err()
}

// facts adds up those of the files that the filters let through.
func (l *loading) facts(ctx context.Context, conn *duck.Conn, from string, wantedOf map[string][]map[kpi.Date]bool) ([]map[kpi.Date]held, error) {
	var wanted []map[kpi.Date]bool // of the file
	views := make([]*filtered, len(l.views))
	var filters []*filter
	for i, v := range l.views {
		n := slices.IndexFunc(filters, func(f *filter) bool { return f.only == v.only && f.views[0].prompt == v.prompt })
		if n < 0 {
			n, filters = len(filters), append(filters, newFilter(l.look.defs, v.only))
		}
		views[i] = filters[n].view(v, l.named[i], func(date kpi.Date) bool { return i < len(wanted) && wanted[i][date] })
	}
	read := newReader(l.look.defs, l.needs)
	rows, err := conn.Query(ctx, "SELECT filename, date, count, facts FROM "+from)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		files, dates, counts, facts := rows.Vector(0), rows.Vector(1), rows.Vector(2), rows.Vector(3)
		for i := range rows.Len() {
			date := kpi.Date(dates.String(i))
			wanted = wantedOf[string(files.String(i))]
			if !slices.ContainsFunc(wanted, func(days map[kpi.Date]bool) bool { return days[date] }) {
				continue
			}
			err := read.parse(int(counts.Int64(i)), facts.String(i))
			if err == nil {
				err = read.filter(date, filters)
			}
			if err != nil {
				return nil, fmt.Errorf("facts of %s: %w: build them anew with brine kpi rebuild", date, err)
			}
		}
	}
	days := make([]map[kpi.Date]held, len(views))
	for _, f := range filters {
		f.settle()
	}
	for i, v := range views {
		days[i] = v.days
	}
	return days, rows.Err()
}

// needs says whether the views need a part of facts.
func (l *loading) needs(place int) bool {
	segment := place - placeSegments
	return slices.ContainsFunc(l.views, func(v view) bool {
		return v.left && segment < 0 || segment >= 0 && (segment == segmentPlace(l.look.defs, v.only.Segment) || segment == segmentPlace(l.look.defs, v.by))
	})
}

// filter adds the facts of a day to the filters that let them through.
func (r *reader) filter(date kpi.Date, filters []*filter) error {
	passed := make([]bool, r.n)
	for _, f := range filters {
		values := &r.segments[f.place]
		passes := make([]bool, len(values.values))
		for place, value := range values.values {
			passes[place] = f.has(date, value)
		}
		for i, place := range values.of {
			passed[i] = passed[i] || passes[place]
		}
	}
	return r.each(func(i int) bool { return passed[i] }, func(fact *kpi.Fact) {
		for _, f := range filters {
			f.add(fact)
		}
	})
}
