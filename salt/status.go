package salt

import (
	"errors"
	"time"
)

// Status is how the salts stand. It holds no salt.
type Status struct {
	Dir          string     `json:"dir"`
	Manage       string     `json:"manage"`                  // internal or external
	Salts        []Standing `json:"salts"`                   // by START
	NextRotation *time.Time `json:"next_rotation,omitempty"` // when the salt in force gives way to the next; absent when none is in force
	Next         *Next      `json:"next,omitempty"`          // absent when nothing is due, as when another tool does it
	Faults       []string   `json:"faults"`                  // what is wrong, and what to do
}

// Standing is how one salt stands.
type Standing struct {
	Salt        string    `json:"salt"` // the name, START_END_DELETION
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Deletion    time.Time `json:"deletion"` // when it is destroyed
	State       State     `json:"state"`
	Fingerprint string    `json:"fingerprint,omitempty"` // "" where the salt cannot be read
}

// Next is the next thing that a rotation has to do, and when.
type Next struct {
	At   time.Time `json:"at"`
	Do   Do        `json:"do"`
	Salt string    `json:"salt"`
}

// State is where a salt stands between being made and being destroyed.
type State string

// The states of a salt.
const (
	Waiting State = "waiting"  // its period has not begun
	InForce State = "in force" //
	Grace   State = "grace"    // its period is over; hours of it may still be sanitized
	Overdue State = "overdue"  // it is not used any more, and is not destroyed yet
	Missing State = "missing"  // it should be in the folder and is not
	Broken  State = "broken"   // it cannot be used as it is
)

// Status looks, and changes nothing. What is wrong with the salts is in the answer.
func (f *Folder) Status() Status { return f.StatusAt(f.o.Now()) }

// StatusAt is [Folder.Status] as it will be at a time, if nothing is done until then.
func (f *Folder) StatusAt(now time.Time) Status {
	st := Status{Dir: f.dir, Manage: "internal", Salts: []Standing{}, Faults: []string{}}
	if f.o.External {
		st.Manage = "external"
	}
	err := f.lockedAt(now, func(s *state) error {
		st.fill(s)
		return s.broken()
	})
	st.fault(err)
	return st
}

// fault adds the lines of an error, each once.
func (st *Status) fault(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && !errors.Is(err, ErrMissing) {
		for _, err := range joined.Unwrap() {
			st.fault(err)
		}
	} else if err != nil {
		st.Faults = append(st.Faults, err.Error())
	}
}

func (st *Status) fill(s *state) {
	for _, e := range s.salts {
		standing := Standing{e.name, e.Start, e.End, e.Deletion, s.standing(e), s.fingerprint(e)}
		st.Salts = append(st.Salts, standing)
		if standing.State == InForce {
			st.NextRotation = &e.End
		}
	}
	for _, p := range s.lost() {
		st.Salts = append(st.Salts, Standing{p.Name(), p.Start, p.End, p.Deletion, Missing, s.history[p.Name()].Fingerprint})
		st.Faults = append(st.Faults, lostError(p).Error())
	}
	st.Next = s.next()
}

func (s *state) standing(e entry) State {
	switch {
	case e.Due(s.now) || s.history[e.name].What.ended():
		return Overdue
	case e.err != nil:
		return Broken
	case s.now.Before(e.Start):
		return Waiting
	case e.Holds(s.now):
		return InForce
	default:
		return Grace
	}
}

// next is the earliest of the destructions and of the next making.
func (s *state) next() *Next {
	if s.external {
		return nil
	}
	if steps, _ := s.plan(); len(steps) > 0 {
		return &Next{s.now.UTC().Truncate(time.Hour), steps[0].Do, steps[0].Salt}
	}
	var next *Next
	living := s.living()
	for _, e := range living {
		if next == nil || e.Deletion.Before(next.At) {
			next = &Next{e.Deletion, Destroy, e.name}
		}
	}
	bare := s.bare(s.first(living), living)
	if at := bare.Add(-ahead); next == nil || at.Before(next.At) {
		next = &Next{at, Make, s.unmade(bare, living).Name()}
	}
	return next
}
