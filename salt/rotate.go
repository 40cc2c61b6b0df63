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
	Wipe    Do = "wipe"    // this node's copy of it; it is destroyed once every node's is, see [Folder.Complete]
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
	last, err := f.records.read()
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
	steps = append(steps, s.endings()...)
	if refusal = s.broken(); refusal != nil {
		return steps, refusal
	}
	if lost := s.lost(); len(lost) > 0 {
		return steps, lostError(lost[0])
	}
	wanted := s.wanted()
	if err := s.shared.make(); err != nil && len(wanted) > 0 {
		return steps, s.late(wanted, err)
	}
	return append(steps, wanted...), nil
}

// endings are the salts whose time has passed. From then on they count as ended: no other is made
// for their hours.
func (s *state) endings() (steps []Step) {
	for _, e := range s.salts {
		if e.Due(s.now) || s.history[e.name].What.ended() {
			steps = append(steps, Step{s.ending(), e.name, s.fingerprint(e)})
		}
	}
	for _, name := range s.halfDestroyed() {
		if s.shared != nil {
			break // other nodes are awaited
		}
		steps = append(steps, Step{Destroy, name, s.history[name].Fingerprint})
	}
	for _, p := range s.lost() {
		if p.Due(s.now) {
			do := Forget
			if s.shared != nil {
				do = Wipe
			}
			steps = append(steps, Step{do, p.Name(), s.history[p.Name()].Fingerprint})
		}
	}
	for _, step := range steps {
		if p, err := ParseName(step.Salt); err == nil && !s.history[step.Salt].What.ended() {
			s.history[step.Salt] = past{Record{s.now, Gone, step.Salt, step.Fingerprint}, p}
		}
	}
	return steps
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
