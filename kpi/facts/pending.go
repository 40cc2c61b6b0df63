package facts

import (
	"context"
	"slices"
	"unsafe"

	"brine/kpi"
	"brine/lake"
	"brine/lake/duck"
	"brine/sanitize"
)

// pendingTallies are what interactions add up to that are in no file of facts yet: those of the open hour, and of hours
// whose facts are still to be made. They are in memory only. Files that were added up are not read again, as long as there is room for what
// they add up to.
type pendingTallies struct {
	digest string
	sums   *recent[pendingKey, *pendingSum]
}

// pendingKey is a source, and what is asked of it: zero for all that needs no filter.
type pendingKey struct {
	sourceKey
	view view
}

// pendingSum is what a source's files add up to.
type pendingSum struct {
	sum   adding               // of those in done
	done  map[lake.Name]bool   // files that are not replaced any more, unless all are
	small map[lake.Name]adding // the last one, that a flush may replace
}

// tallies gives, source by source, the days that the view asks for.
func (p *pendingTallies) tallies(ctx context.Context, s *Source, look *look, of []*pendingSource, v view, named map[kpi.Date]map[string]bool) (parts []map[kpi.Date]held, err error) {
	p.forget(look)
	for _, src := range of {
		key := pendingKey{sourceKey: sourceKey{src.hour.Unix(), src.log}}
		fresh := func() adding { return newTally(look.defs) }
		if v.only != (kpi.Filter{}) {
			key.view = v
			fresh = func() adding { return newFilter(look.defs, v, named) }
			if v.only.Value == kpi.Other { // which values that is may have changed
				p.sums.drop(key)
			}
		}
		sum, err := p.sum(ctx, s, look, src, key, fresh)
		if err != nil {
			return nil, err
		}
		days := sum.days(look.defs, v)
		for date, h := range days {
			if !look.takes(v, date, src.hour) {
				delete(days, date)
				continue
			}
			days[date] = h.cut()
		}
		parts = append(parts, days)
	}
	return parts, nil
}

// forget lets go of what is of other definitions, or is in files now.
func (p *pendingTallies) forget(look *look) {
	there := map[sourceKey]bool{}
	for _, src := range look.pending {
		there[sourceKey{src.hour.Unix(), src.log}] = true
	}
	others := p.digest != look.defs.Digest
	p.digest = look.defs.Digest
	p.sums.dropIf(func(k pendingKey, _ *pendingSum) bool { return others || !there[k.sourceKey] })
}

// sum adds up those files of a source that were not yet.
func (p *pendingTallies) sum(ctx context.Context, s *Source, look *look, src *pendingSource, key pendingKey, fresh func() adding) (*pendingSum, error) {
	files := slices.SortedFunc(slices.Values(src.files), func(a, b lake.File) int { return int(a.First) - int(b.First) })
	sum := p.sums.get(key)
	if sum == nil || !sum.within(files) {
		sum = &pendingSum{sum: fresh(), done: map[lake.Name]bool{}}
	}
	small := map[lake.Name]adding{}
	for i, f := range files {
		switch {
		case sum.done[f.Name]:
		case i < len(files)-1:
			if err := s.addUp(ctx, look, src, f, sum.sum); err != nil {
				p.sums.drop(key) // some of the file may be in it
				return nil, err
			}
			sum.done[f.Name] = true
		case sum.small[f.Name] != nil:
			small[f.Name] = sum.small[f.Name]
		default:
			small[f.Name] = fresh()
			if err := s.addUp(ctx, look, src, f, small[f.Name]); err != nil {
				return nil, err
			}
		}
	}
	sum.small = small
	p.sums.put(key, sum, key.view.bytes()+sum.bytes())
	return sum, nil
}

// within says whether all that was added up is still there.
func (s *pendingSum) within(files []lake.File) bool {
	n := 0
	for _, f := range files {
		if s.done[f.Name] {
			n++
		}
	}
	return n == len(s.done)
}

func (s *pendingSum) bytes() int64 {
	n := s.sum.bytes() + int64(len(s.done))*int64(unsafe.Sizeof(lake.Name{}))
	for _, small := range s.small {
		n += small.bytes()
	}
	return n
}

func (s *pendingSum) days(defs *kpi.Definitions, v view) map[kpi.Date]held {
	parts := []map[kpi.Date]held{s.sum.held(v)}
	for _, small := range s.small {
		parts = append(parts, small.held(v))
	}
	return total(defs, parts)
}

// addUp adds up one file: raw rows pass the allowlist first, but for what it hashes, which no fact needs.
func (s *Source) addUp(ctx context.Context, look *look, src *pendingSource, f lake.File, into adding) error {
	if !src.raw {
		return s.addUpSanitized(ctx, look, f, into)
	}
	plans, err := s.o.Plans()
	if err != nil {
		return err
	}
	plan := plans[stream]
	if plan == nil || !plan.Listed {
		return nil
	}
	bare := plan.WithoutPseudonyms()
	in := newInteractions(look.defs, bare.Columns, nil)
	return s.reading(ctx, f, func(ctx context.Context, conn *duck.Conn, from string) error {
		sql, done, err := bare.Select(conn, sanitize.Input{Rows: from, Hour: src.hour, Unordered: true})
		if err != nil {
			return err
		}
		defer done()
		return in.read(ctx, conn, sql, into.add)
	})
}

func (s *Source) addUpSanitized(ctx context.Context, look *look, f lake.File, into adding) error {
	metas, err := s.o.Lake.Meta(ctx, []lake.File{f})
	if err != nil {
		return err
	}
	hashed := sanitize.ReadMeta(metas[f.Name]).Hashed()
	return s.reading(ctx, f, func(ctx context.Context, conn *duck.Conn, from string) error {
		columns, err := conn.Columns(ctx, from)
		if err != nil {
			return err
		}
		return newInteractions(look.defs, columns, hashed).read(ctx, conn, from, into.add)
	})
}

// reading reads one file, once: where it was replaced meanwhile the question is begun anew.
func (s *Source) reading(ctx context.Context, f lake.File, read func(ctx context.Context, conn *duck.Conn, from string) error) error {
	files := []lake.File{f}
	once := true
	return s.o.Lake.Reading(ctx, func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
		if !once {
			return nil, errReplaced
		}
		once = false
		rows, err := r.From(ctx, files)
		if err != nil {
			return files, err
		}
		return files, read(ctx, r.Conn, rows)
	})
}
