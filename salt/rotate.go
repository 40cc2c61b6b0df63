package salt

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// ahead is how long before an hour begins its salt is made: a long weekend.
const ahead = 72 * time.Hour

// Step is one thing that a rotation does, or would do.
type Step struct {
	Do          Do     `json:"do"`
	Salt        string `json:"salt"`                  // the name, START_END_DELETION
	Fingerprint string `json:"fingerprint,omitempty"` // "" where the salt is still to be made, or cannot be read
}

// Do is what a step does.
type Do string

// The steps, in the order in which they are done.
const (
	Clear   Do = "clear"   // what a crash left of a salt that was never used
	Destroy Do = "destroy" // a salt whose time has passed
	Forget  Do = "forget"  // one that is not in the folder any more, and whose time has passed
	Make    Do = "make"    // a salt that is needed within three days
)

// Rotate destroys what is due at a time, and makes what is needed by then or soon after. With
// dry it only says so. It may be run at any time, and by several at once. What is due is destroyed even
// where the folder is [ErrBroken] or a salt is [ErrMissing]; then nothing is made, and that is the
// error. The steps are those that were done.
func (f *Folder) Rotate(now time.Time, dry bool) (done []Step, err error) {
	if f.o.External {
		return nil, ErrExternal
	}
	made, err := f.makeFolder(now, dry)
	if err != nil || dry && made != nil {
		return made, err
	}
	err = f.lockedAt(now, func(s *state) error {
		steps, refusal := s.plan()
		if dry {
			done = steps
			return refusal
		}
		errs := []error{f.note(s)}
		for _, step := range steps {
			if err := f.do(s, &step); err != nil {
				errs = append(errs, fmt.Errorf("%s salt %s: %w", step.Do, step.Salt, err))
				continue
			}
			done = append(done, step)
		}
		return errors.Join(append(errs, refusal)...)
	})
	return done, err
}

// makeFolder makes the folder where it is not there and no salt that lives was ever in it: else it
// is not mounted. It gives the salts that will be made in it.
func (f *Folder) makeFolder(now time.Time, dry bool) ([]Step, error) {
	if err := f.checkFolder(); !errors.Is(err, errNoFolder) {
		return nil, nil // any other fault is told once the folder is looked at
	}
	last, _, err := f.records.read()
	if err != nil {
		return nil, fmt.Errorf("read the records of salts: %w", err)
	}
	s := &state{now: now, periods: f.o.Periods, history: last}
	for _, p := range s.lost() {
		if !p.Due(now) {
			return nil, fmt.Errorf("%s: %w: %w", f.dir, errNoFolder, lostError(p))
		}
	}
	if dry {
		return s.wanted(), nil
	}
	if err := f.o.disk.mkdir(f.dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the salts folder: %w", err)
	}
	return nil, f.o.disk.sync(filepath.Dir(f.dir))
}

// plan is what is to be done, and what keeps more from being done.
func (s *state) plan() (steps []Step, refusal error) {
	for _, name := range s.leftover {
		steps = append(steps, Step{Do: Clear, Salt: name[len(aside):]})
	}
	for _, e := range s.salts {
		if e.Due(s.now) || s.history[e.name].What.ended() {
			steps = append(steps, Step{Do: Destroy, Salt: e.name, Fingerprint: s.fingerprint(e)})
		}
	}
	for _, name := range s.halfDestroyed() {
		steps = append(steps, Step{Do: Destroy, Salt: name, Fingerprint: s.history[name].Fingerprint})
	}
	lost := slices.DeleteFunc(s.lost(), func(p Period) bool {
		if p.Due(s.now) {
			steps = append(steps, Step{Do: Forget, Salt: p.Name(), Fingerprint: s.history[p.Name()].Fingerprint})
		}
		return p.Due(s.now)
	})
	if refusal = s.broken(); refusal != nil {
		return steps, refusal
	}
	if len(lost) > 0 {
		return steps, lostError(lost[0])
	}
	return append(steps, s.wanted()...), nil
}

// halfDestroyed are the salts whose file is gone while the record of it is not made yet.
func (s *state) halfDestroyed() (names []string) {
	for name, rec := range s.history {
		if rec.What == Destroying && !s.here(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// fingerprint is the one of the records, as a crash may have left only half of a salt's content.
func (s *state) fingerprint(e entry) string {
	if last := s.history[e.name].Fingerprint; last != "" || e.salt == nil {
		return last
	}
	return e.salt.Fingerprint()
}

// wanted are the salts to make: for each hour from the first that may still be without one up to
// a while ahead. A period that is there, or was, keeps its END, whatever the config says by now.
func (s *state) wanted() (steps []Step) {
	living := s.living()
	for t := s.first(living); t.Before(s.now.Add(ahead)); {
		if i := slices.IndexFunc(living, func(e entry) bool { return e.Holds(t) }); i >= 0 {
			t = living[i].End
			continue
		}
		if gone := s.endedAt(t, true); !gone.IsZero() {
			t = gone.End
			continue
		}
		p := s.periods.At(t)
		p.Start = t
		for _, e := range slices.Backward(living) {
			if e.Start.After(t) && e.Start.Before(p.End) {
				p.End, p.Deletion = e.Start, e.Start.Add(s.periods.grace)
			}
		}
		if !p.Due(s.now) {
			steps = append(steps, Step{Do: Make, Salt: p.Name()})
		}
		t = p.End
	}
	return steps
}

// first is the earliest hour that may need a salt.
func (s *state) first(living []entry) time.Time {
	t := s.periods.At(s.now).Start
	if len(living) > 0 {
		t = earlier(t, living[0].Start)
	}
	end := time.Time{}
	for name, rec := range s.history {
		p, err := ParseName(name)
		if err == nil && rec.What.ended() {
			end = later(end, earlier(p.End, rec.At.Add(time.Hour)))
		}
	}
	if !end.IsZero() {
		t = earlier(t, end)
	}
	return t
}
