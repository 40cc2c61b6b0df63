package salt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Shared says how a folder is kept whose salts other nodes have too. One node makes them and hands them to the others; a salt is
// destroyed once every node has destroyed its copy. What passes between nodes is for package peers.
type Shared struct {
	Make func() error // an error says why this node makes no salt now; asked again right before each is made
	Use  func() error // an error says why no salt may be used yet; default: they may
}

// handTime is how long it may take until a node has a salt that another makes, before that is told.
const handTime = time.Hour

func (s *Shared) make() error {
	if s == nil {
		return nil
	}
	return s.Make()
}

func (s *Shared) use() error {
	if s == nil || s.Use == nil {
		return nil
	}
	if err := s.Use(); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return nil
}

// ending is how a rotation ends a salt.
func (s *state) ending() Do {
	if s.shared != nil {
		return Wipe
	}
	return Destroy
}

// late is nil while a salt that another node is to make is not needed for long.
func (s *state) late(wanted []Step, why error) error {
	for _, step := range wanted {
		if p, err := ParseName(step.Salt); step.Do == Make && err == nil && p.Start.Before(s.now.Add(ahead-handTime)) {
			return fmt.Errorf("%w: %s is not made: %w", ErrMissing, step.Salt, why)
		}
	}
	return nil
}

// end destroys this node's copy of a salt. That it is destroyed is recorded once it is everywhere.
func (f *Folder) end(s *state, name, fingerprint string) error {
	if s.history[name].What != Destroying {
		if err := f.record(s.now, Destroying, name, fingerprint); err != nil {
			return err
		}
	}
	return f.wipe(name)
}

// Copy is how a node stands with one salt. It never holds the salt.
type Copy struct {
	Salt        string `json:"salt"`                  // the name, START_END_DELETION
	Fingerprint string `json:"fingerprint,omitempty"` // "" where it is not known
	What        What   `json:"what"`                  // the last record; "" where there is none
	Here        bool   `json:"here"`                  // its file is there
	Broken      bool   `json:"broken,omitempty"`      // and cannot be used
}

// Ended is whether this node does not use the salt any more.
func (c Copy) Ended() bool { return c.What.ended() }

// Complete is whether the salt is known to be destroyed on every node.
func (c Copy) Complete() bool { return !c.Here && (c.What == Destroyed || c.What == Gone) }

// Destroyed is whether nothing is left of the salt on this node, and none is taken any more.
func (c Copy) Destroyed() bool { return c.What.ended() && !c.Here }

// Copies are all salts that are in the folder, that are to be, or whose destruction is not complete, by name.
func (f *Folder) Copies() (all []Copy, err error) {
	err = f.locked(func(s *state) error {
		if err := f.note(s); err != nil {
			return err
		}
		if s.history, err = f.records.read(); err != nil {
			return err
		}
		for _, e := range s.salts {
			all = append(all, Copy{e.name, s.fingerprint(e), s.history[e.name].What, true, e.err != nil})
		}
		for name, past := range s.history {
			if !s.here(name) && (past.What == Destroying || !past.period.Due(s.now)) {
				all = append(all, Copy{Salt: name, Fingerprint: past.Fingerprint, What: past.What})
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Copy) int { return strings.Compare(a.Salt, b.Salt) })
	return all, err
}

// Hand gives the text of a salt, for another node alone: its folder is where it goes.
func (f *Folder) Hand(name string) (key []byte, err error) {
	err = f.locked(func(s *state) error {
		i := slices.IndexFunc(s.living(), func(e entry) bool { return e.name == name })
		switch {
		case i < 0:
			return fmt.Errorf("%w: no salt of this name lives here", ErrForgotten)
		case s.living()[i].err != nil:
			return s.living()[i].err
		}
		key = append(key, s.living()[i].salt.key()...)
		return nil
	})
	return key, err
}

// Take puts a salt of another node into the folder, whole or not at all. One that is there already with the same content stays as it is.
// Refused, and nothing changed: what is no name or no salt, a salt that has ended here or is due ([ErrForgotten]), one that was another
// here, and one whose hours another has ([ErrBroken]).
func (f *Folder) Take(name string, key []byte) error {
	period, err := ParseName(name)
	if err != nil {
		return err
	}
	if key, err = keyOf(key); err != nil {
		return err
	}
	salt := &Salt{period, hidden(key)}
	return f.locked(func(s *state) error {
		past := s.history[name]
		switch {
		case past.What.ended():
			return fmt.Errorf("%w: %s was destroyed here", ErrForgotten, name)
		case period.Due(s.now):
			return fmt.Errorf("%w: the time of %s has passed", ErrForgotten, name)
		case past.Fingerprint != "" && past.Fingerprint != salt.Fingerprint():
			return fmt.Errorf("%w: %s is %s here, and %s on another node", ErrBroken, name, past.Fingerprint, salt.Fingerprint())
		}
		for _, e := range s.salts {
			switch {
			case e.name == name && e.err != nil:
				return e.err
			case e.name == name && e.salt.Fingerprint() != salt.Fingerprint():
				return fmt.Errorf("%w: %s is %s here, and %s on another node", ErrBroken, name, e.salt.Fingerprint(), salt.Fingerprint())
			case e.name == name:
				return f.note(s)
			case e.overlaps(period) && !e.Due(s.now) && !s.history[e.name].What.ended():
				return fmt.Errorf("%w: %s is here, and %s of another node is for some of its hours", ErrBroken, e.name, name)
			}
		}
		if slices.Contains(s.leftover, aside+name) {
			if err := f.wipe(aside + name); err != nil {
				return err
			}
		}
		return f.put(s.now, salt, Handed)
	})
}

// End destroys this node's copy of a salt, and from then on takes none of this name. It may be called again.
func (f *Folder) End(name, fingerprint string) error {
	if _, err := ParseName(name); err != nil {
		return err
	}
	return f.locked(func(s *state) error {
		if s.history[name].What.ended() && !s.here(name) {
			return nil
		}
		return f.end(s, name, fingerprint)
	})
}

// errNotEnded is a destruction that would be recorded too early.
var errNotEnded = errors.New("this node has not destroyed its copy")

// Complete records that a salt is destroyed on every node, and gives the record; nil where it was recorded before.
func (f *Folder) Complete(name string) (done *Record, err error) {
	err = f.locked(func(s *state) error {
		past := s.history[name]
		switch {
		case s.here(name) || !past.What.ended():
			return fmt.Errorf("%s: %w", name, errNotEnded)
		case past.What != Destroying:
			return nil
		}
		if err := f.record(s.now, Destroyed, name, past.Fingerprint); err != nil {
			return err
		}
		done = &Record{s.now.UTC().Truncate(time.Hour), Destroyed, name, past.Fingerprint}
		return nil
	})
	return done, err
}
