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
		} else if past := s.unmade(from, s.living()); past.Due(s.now) {
			from = past.End
		} else {
			return false
		}
	}
	return true
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
	living := s.living()
	switch p := s.unmade(t, living); {
	case p.Due(s.now):
		return nil, fmt.Errorf("%w: it was to be destroyed at %s", ErrForgotten, hourText(p.Deletion))
	case s.external:
		return nil, fmt.Errorf("%w: the tool that keeps the salts has not put one there", ErrMissing)
	case t.Before(s.first(living)):
		return nil, fmt.Errorf("%w: there was none yet", ErrForgotten)
	}
	return nil, fmt.Errorf("%w: run brine salt rotate", ErrMissing)
}

func lostError(p Period) error {
	return fmt.Errorf("%w: %s was here and is not any more: put it back (is its folder mounted?), or give it up: brine salt destroy %s",
		ErrMissing, p.Name(), p.Name())
}

func hourText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04Z") }
