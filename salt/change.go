package salt

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// do does one step of a rotation.
func (f *Folder) do(s *state, step *Step) (err error) {
	switch step.Do {
	case Clear:
		return f.wipe(aside + step.Salt)
	case Destroy:
		return f.destroy(s.now, step.Salt, step.Fingerprint)
	case Wipe:
		return f.end(s, step.Salt, step.Fingerprint)
	case Forget:
		return f.record(s.now, Gone, step.Salt, step.Fingerprint)
	default:
		if err := f.o.Shared.make(); err != nil {
			return err // it was asked before; the lease may have gone since
		}
		step.Fingerprint, err = f.make(s.now, step.Salt)
		return err
	}
}

// make makes a salt so that it appears whole or not at all: it is written aside, synced, renamed,
// and the folder synced. Nothing is replaced, as the caller holds the lock and saw that nothing is there.
func (f *Folder) make(now time.Time, name string) (fingerprint string, err error) {
	period, err := ParseName(name)
	if err != nil {
		return "", err
	}
	salt := &Salt{period, fresh()}
	return salt.Fingerprint(), f.put(now, salt, Made)
}

// put writes a salt that is not there, and its record.
func (f *Folder) put(now time.Time, salt *Salt, what What) error {
	name := salt.Period.Name()
	path := f.path(aside + name)
	if err := f.o.disk.create(path, append(salt.key(), '\n')); err != nil {
		return err
	}
	if err := f.o.disk.sync(path); err != nil {
		return err
	}
	if _, err := f.o.disk.stat(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already: %w", name, errors.Join(err, fs.ErrExist))
	}
	if err := f.o.disk.rename(path, f.path(name)); err != nil {
		return err
	}
	if err := f.o.disk.sync(f.dir); err != nil {
		return err
	}
	return f.record(now, what, name, salt.Fingerprint())
}

// destroy ends a salt. From the first record on it is not used, and a later rotation ends what a
// crash or an error left undone.
func (f *Folder) destroy(now time.Time, name, fingerprint string) error {
	if err := f.record(now, Destroying, name, fingerprint); err != nil {
		return err
	}
	if err := f.wipe(name); err != nil {
		return err
	}
	return f.record(now, Destroyed, name, fingerprint)
}

// wipe overwrites a file with zeros and unlinks it, each synced before what follows.
func (f *Folder) wipe(name string) error {
	path := f.path(name)
	i, err := f.o.disk.stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.o.disk.sync(f.dir)
	}
	if err == nil && !i.mode.IsRegular() {
		err = fault(path, "remove it by hand", "it is no file of Brine's")
	}
	if err == nil {
		err = f.o.disk.overwrite(path, make([]byte, i.size))
	}
	if err == nil {
		err = f.o.disk.sync(path)
	}
	if err == nil {
		err = f.o.disk.remove(path)
	}
	if err == nil {
		err = f.o.disk.sync(f.dir)
	}
	return err
}

// Destroy ends a salt before its time, or gives up one that is not there any more. Hours that have
// begun and are not sanitized can then only be backfilled; the next rotation makes a salt for the hours after them.
func (f *Folder) Destroy(name string) (rec Record, err error) {
	if f.o.External {
		return Record{}, ErrExternal
	}
	if _, err := ParseName(name); err != nil {
		return Record{}, err
	}
	err = f.locked(func(s *state) error {
		rec = Record{s.now.UTC().Truncate(time.Hour), Destroyed, name, s.history[name].Fingerprint}
		i := slices.IndexFunc(s.salts, func(e entry) bool { return e.name == name })
		switch last := s.history[name].What; {
		case f.o.Shared != nil && (i >= 0 || last != "" && !last.ended()):
			if i >= 0 {
				rec.Fingerprint = s.fingerprint(s.salts[i])
			}
			rec.What = Destroying
			return f.end(s, name, rec.Fingerprint)
		case f.o.Shared != nil && last == Destroying:
			rec.What = Destroying
			return nil
		case i >= 0:
			rec.Fingerprint = s.fingerprint(s.salts[i])
			return f.destroy(s.now, name, rec.Fingerprint)
		case last == Destroying:
			return f.destroy(s.now, name, rec.Fingerprint)
		case last == Made || last == Seen || last == Handed:
			rec.What = Gone
			return f.record(s.now, Gone, name, rec.Fingerprint)
		}
		return fmt.Errorf("no salt %s; there are: %s", name, strings.Join(s.names(), ", "))
	})
	if err != nil {
		return Record{}, err
	}
	return rec, nil
}

func (s *state) names() (all []string) {
	for _, e := range s.salts {
		all = append(all, e.name)
	}
	return all
}
