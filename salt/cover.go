package salt

import (
	"slices"
	"time"
)

// wanted are the salts to make: for each hour from the first that may still be without one up to
// a while ahead. A period that is there, or was, keeps its END, whatever the config says by now.
// Hours whose time has passed before they got a salt are forgotten as one, for good: a later change
// of the config gives them none.
func (s *state) wanted() (steps []Step) {
	living := s.living()
	var p, forgotten Period
	for t := s.bare(s.first(living), living); t.Before(s.now.Add(ahead)); t = s.bare(p.End, living) {
		if p = s.unmade(t, living); !p.Due(s.now) {
			steps = append(steps, Step{Do: Make, Salt: p.Name()})
			continue
		}
		if forgotten.IsZero() {
			forgotten = p
		}
		forgotten.End, forgotten.Deletion = p.End, p.Deletion
	}
	if !forgotten.IsZero() {
		steps = append([]Step{{Do: Forget, Salt: forgotten.Name()}}, steps...)
	}
	return steps
}

// bare is the first hour, from a time on, that has and had no salt.
func (s *state) bare(t time.Time, living []entry) time.Time {
	for {
		if i := slices.IndexFunc(living, func(e entry) bool { return e.Holds(t) }); i >= 0 {
			t = living[i].End
		} else if gone := s.endedAt(t, true); !gone.IsZero() {
			t = gone.End
		} else {
			return t
		}
	}
}

// unmade is the period of a salt that is not there, from a time on: as the config has it, or shorter
// where another begins before.
func (s *state) unmade(t time.Time, living []entry) Period {
	p := s.periods.At(t)
	p.Start = t
	for _, e := range living {
		if e.Start.After(t) && e.Start.Before(p.End) {
			p.End, p.Deletion = e.Start, e.Start.Add(s.periods.grace)
		}
	}
	return p
}

// first is the earliest hour that may need a salt: where the salts that are known begin, or end. The
// very first one is for the whole of its period.
func (s *state) first(living []entry) time.Time {
	var end time.Time
	for _, p := range s.history {
		if p.What.ended() && p.used().After(p.period.Start) {
			end = later(end, p.used())
		}
	}
	if end.IsZero() && len(living) == 0 {
		return s.periods.At(s.now).Start
	}
	t := s.now.UTC().Truncate(time.Hour)
	if !end.IsZero() {
		t = earlier(t, end)
	}
	if len(living) > 0 {
		t = earlier(t, living[0].Start)
	}
	return t
}

// used is until when a salt that is gone was used. One that was destroyed early had the hours that
// had begun by then.
func (p past) used() time.Time { return earlier(p.period.End, p.At.Add(time.Hour)) }

// endedAt is the period of a salt that is gone and that held a time; where there are several, the
// one that goes furthest. With used it ends where its use did.
func (s *state) endedAt(t time.Time, used bool) (last Period) {
	for _, past := range s.history {
		p := past.period
		if used {
			p.End = past.used()
		}
		if past.What.ended() && p.Holds(t) && p.End.After(last.End) {
			last = p
		}
	}
	return last
}

// Within are the names of the salts that hours from one up to another have or had, in order; of one that was destroyed early, the hours until then. Which
// of these hours hold events makes no difference.
func (f *Folder) Within(from, to time.Time) (names []string, err error) {
	hours := Period{Start: from, End: to}
	err = f.locked(func(s *state) error {
		if err := f.note(s); err != nil {
			return err
		}
		if s.history, err = f.records.read(); err != nil {
			return err
		}
		for name, past := range s.history {
			p := past.period
			if past.What.ended() {
				p.End = past.used()
			}
			if hours.overlaps(p) {
				names = append(names, name)
			}
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// lost are the salts that should be in the folder and are not, by START.
func (s *state) lost() (all []Period) {
	for name, past := range s.history {
		if !past.What.ended() && !s.here(name) {
			all = append(all, past.period)
		}
	}
	slices.SortFunc(all, func(a, b Period) int { return a.Start.Compare(b.Start) })
	return all
}

func (s *state) here(name string) bool {
	return slices.ContainsFunc(s.salts, func(e entry) bool { return e.name == name })
}

func (s *state) lostAt(t time.Time) Period {
	for _, p := range s.lost() {
		if p.Holds(t) {
			return p
		}
	}
	return Period{}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
