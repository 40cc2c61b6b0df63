package salt

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// broken is nil when the folder is in order, else all that is not. What is overdue is judged no
// more: nothing is done with it but destroying it.
func (s *state) broken() error {
	errs := slices.Clone(s.faults)
	var before *entry
	for _, e := range s.living() {
		errs = append(errs, e.err)
		if before != nil {
			errs = append(errs, s.seam(before, &e))
		}
		if before == nil || before.End.Before(e.End) {
			before = &e
		}
	}
	return errors.Join(errs...)
}

// living are the salts that are not at their end: waiting, in force or in grace.
func (s *state) living() []entry {
	return slices.DeleteFunc(slices.Clone(s.salts), func(e entry) bool {
		return e.Due(s.now) || s.history[e.name].What.ended()
	})
}

// seam wants two salts that follow one another to meet.
func (s *state) seam(a, b *entry) error {
	switch {
	case a.overlaps(b.Period):
		return fault(a.name+" and "+b.name, "remove the one that was never used: brine salt destroy NAME",
			"these salts overlap: hours from %s would have two", hourText(b.Start))
	case !s.explained(a.End, b.Start):
		return fault(a.name+" and "+b.name, "put back what was between them, or give it up: brine salt destroy NAME",
			"there is a gap between these salts: hours from %s on have none", hourText(a.End))
	}
	return nil
}

// explained is whether each hour of a range had a salt that is known to be gone, or is past its time.
func (s *state) explained(from, to time.Time) bool {
	for from.Before(to) {
		if gone := s.endedAt(from, false); !gone.IsZero() {
			from = gone.End
		} else if lost := s.lostAt(from); !lost.IsZero() {
			from = lost.End
		} else if past := s.periods.At(from); past.Due(s.now) {
			from = past.End
		} else {
			return false
		}
	}
	return true
}

// endedAt is the period of a salt that is gone and that held a time; where there are several, the
// one that goes furthest. One that was destroyed early was used for the hours that had begun by
// then; those after them get a salt of their own.
func (s *state) endedAt(t time.Time, used bool) (last Period) {
	for name, rec := range s.history {
		p, err := ParseName(name)
		if err != nil || !rec.What.ended() {
			continue
		}
		if used {
			p.End = earlier(p.End, rec.At.Add(time.Hour))
		}
		if p.Holds(t) && p.End.After(last.End) {
			last = p
		}
	}
	return last
}

// lost are the salts that should be in the folder and are not, by START.
func (s *state) lost() (all []Period) {
	for name, rec := range s.history {
		if p, err := ParseName(name); err == nil && !s.here(name) && !rec.What.ended() {
			all = append(all, p)
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

// choose is the salt of the hour that a time lies in.
func (s *state) choose(t time.Time) (*Salt, error) {
	for _, e := range s.salts {
		switch {
		case !e.Holds(t):
		case s.history[e.name].What.ended():
			return nil, fmt.Errorf("%w: %s is destroyed", ErrForgotten, e.name)
		case e.Due(s.now):
			return nil, fmt.Errorf("%w: the time of %s has passed", ErrForgotten, e.name)
		default:
			return e.salt, nil
		}
	}
	switch lost := s.lostAt(t); {
	case lost.IsZero():
	case lost.Due(s.now):
		return nil, fmt.Errorf("%w: the time of %s has passed", ErrForgotten, lost.Name())
	default:
		return nil, lostError(lost)
	}
	if gone := s.endedAt(t, true); !gone.IsZero() {
		return nil, fmt.Errorf("%w: it was destroyed", ErrForgotten)
	}
	if p := s.periods.At(t); p.Due(s.now) {
		return nil, fmt.Errorf("%w: it was to be destroyed at %s", ErrForgotten, hourText(p.Deletion))
	}
	if s.external {
		return nil, fmt.Errorf("%w: the tool that keeps the salts has not put one there", ErrMissing)
	}
	return nil, fmt.Errorf("%w: run brine salt rotate", ErrMissing)
}

func lostError(p Period) error {
	return fmt.Errorf("%w: %s was here and is not any more: put it back (is its folder mounted?), or give it up: brine salt destroy %s",
		ErrMissing, p.Name(), p.Name())
}

func hourText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }

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
