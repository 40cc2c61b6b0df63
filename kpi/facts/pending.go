package facts

import (
	"context"
	"maps"
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
	digest string // of the definitions
	rules  string // the digest of the allowlist that raw rows passed
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
	named map[kpi.Date]map[string]bool

	key   pendingKey
	fresh func() adding
}

// tallies gives the days of several views, of what is in some sources. Each file is read once for all views that need it.
func (p *pendingTallies) tallies(ctx context.Context, s *Source, look *look, of []*pendingSource, views []viewed) (all []map[kpi.Date]held, err error) {
	p.forget(look, s.rules())
	parts := make([][]map[kpi.Date]held, len(views))
	for _, src := range of {
		sums, err := p.sumsOf(ctx, s, look, src, views)
		if err != nil {
			return nil, err
		}
		for i, sum := range sums {
			v := views[i].view
			days := sum.days(look.defs, v)
			for date, h := range days {
				if !look.takes(v, date, src.hour) {
					delete(days, date)
					continue
				}
				days[date] = h.cut()
			}
			parts[i] = append(parts[i], days)
		}
	}
	for _, part := range parts {
		all = append(all, total(look.defs, part))
	}
	return all, nil
}

// rules is the digest of the allowlist in force; "" where there is none.
func (s *Source) rules() string {
	plans, err := s.o.Plans()
	if err != nil || plans[stream] == nil {
		return ""
	}
	return plans[stream].Digest()
}

// forget lets go of what is of other definitions or another allowlist, or is in files now.
func (p *pendingTallies) forget(look *look, rules string) {
	there := map[sourceKey]bool{}
	for _, src := range look.pending {
		there[sourceKey{src.hour.Unix(), src.log}] = true
	}
	others := p.digest != look.defs.Digest || p.rules != rules
	p.digest, p.rules = look.defs.Digest, rules
	p.sums.dropIf(func(k pendingKey, _ *pendingSum) bool { return others || !there[k.sourceKey] })
}

// get is what a source's files have added up to for a view; nothing where one of them is gone, or others are told by name than were.
func (p *pendingTallies) get(look *look, src *pendingSource, o viewed, files []lake.File) *pendingSum {
	key := pendingKey{sourceKey: sourceKey{src.hour.Unix(), src.log}}
	fresh := func() adding { return newTally(look.defs) }
	if o.view.only != (kpi.Filter{}) {
		key.view = o.view
		fresh = func() adding {
			f := newFilter(look.defs, o.view.only)
			f.view(o.view, o.named, nil)
			return f
		}
	}
	if sum := p.sums.get(key); sum != nil && sum.within(files) && sum.names(o) {
		return sum
	}
	return &pendingSum{sum: fresh(), done: map[lake.Name]bool{}, named: o.named, key: key, fresh: fresh}
}

// names says whether the same values are told by name on the days of a view.
func (s *pendingSum) names(o viewed) bool {
	for date, names := range o.named {
		if !maps.Equal(s.named[date], names) {
			return false
		}
	}
	return true
}

// sumsOf adds up those files of a source that were not yet, by view.
func (p *pendingTallies) sumsOf(ctx context.Context, s *Source, look *look, src *pendingSource, views []viewed) ([]*pendingSum, error) {
	files := slices.SortedFunc(slices.Values(src.files), func(a, b lake.File) int { return int(a.First) - int(b.First) })
	sums, small := make([]*pendingSum, len(views)), make([]map[lake.Name]adding, len(views))
	for i, o := range views {
		sums[i], small[i] = p.get(look, src, o, files), map[lake.Name]adding{}
	}
	for n, f := range files {
		var into []adding
		for i, sum := range sums {
			switch last := n == len(files)-1; {
			case sum.done[f.Name]:
			case !last:
				into = append(into, sum.sum)
				sum.done[f.Name] = true
			case sum.small[f.Name] != nil:
				small[i][f.Name] = sum.small[f.Name]
			default:
				small[i][f.Name] = sum.fresh()
				into = append(into, small[i][f.Name])
			}
		}
		if err := s.addUp(ctx, look, src, f, into); err != nil {
			for _, sum := range sums {
				p.sums.drop(sum.key) // some of the file may be in it
			}
			return nil, err
		}
		for _, sum := range into {
			sum.rest()
		}
	}
	for i, sum := range sums {
		sum.small = small[i]
		p.sums.put(sum.key, sum, sum.key.view.bytes()+sum.bytes())
	}
	return sums, nil
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

// addUp adds up one file, for all that need it: raw rows pass the allowlist first, but for what it hashes, which no fact needs.
func (s *Source) addUp(ctx context.Context, look *look, src *pendingSource, f lake.File, into []adding) error {
	if len(into) == 0 {
		return nil
	}
	add := func(fact *kpi.Fact) {
		for _, sum := range into {
			sum.add(fact)
		}
	}
	if !src.raw {
		return s.addUpSanitized(ctx, look, f, add)
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
		return in.read(ctx, conn, sql, add)
	})
}

func (s *Source) addUpSanitized(ctx context.Context, look *look, f lake.File, add func(*kpi.Fact)) error {
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
		return newInteractions(look.defs, columns, hashed).read(ctx, conn, from, add)
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
