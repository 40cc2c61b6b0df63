package salt

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// The errors of [Folder.For] and of what changes a folder, to be asked for with errors.Is.
var (
	ErrForgotten = errors.New("its salt is gone for good") // destroyed, or its time has passed
	ErrMissing   = errors.New("its salt is missing")       // there should be one
	ErrBroken    = errors.New("the salts are not in order")
	ErrExternal  = errors.New("salts.manage is external: another tool makes and destroys salts, Brine only reads them")
)

// Options say how a folder is kept.
type Options struct {
	Periods  Periods
	Records  string           // path of the file of records, outside the folder; no default
	External bool             // another tool makes and destroys; default Brine does
	Now      func() time.Time // default time.Now
	Shared   *Shared          // other nodes have the same salts; default nil: this folder is alone
	Told     func(Record)     // gets each new record, after it is durable and while the folder is locked; default nobody

	disk disk // default the real one
}

// Folder is a folder of salts.
type Folder struct {
	dir     string
	o       Options
	records *recordFile
}

// Open makes a handle, and from here on this process leaves no core dump: it may come to hold a
// salt. The folder itself is looked at by each call, and need not be there yet.
func Open(dir string, o Options) (*Folder, error) {
	if err := noCoreDumps(); err != nil {
		return nil, fmt.Errorf("salts must not get into a core dump: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Told == nil {
		o.Told = func(Record) {}
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	return &Folder{filepath.Clean(dir), o, &recordFile{o.disk, o.Records}}, nil
}

// For is the salt of an hour. The error is [ErrForgotten], [ErrMissing] or, where the folder or a
// file in it is not as it must be, [ErrBroken]; its text says what to do.
func (f *Folder) For(hour time.Time) (salt *Salt, err error) {
	err = f.locked(func(s *state) error {
		if err := errors.Join(s.broken(), f.o.Shared.use()); err != nil {
			return err
		}
		if salt, err = s.choose(hour); err != nil {
			return fmt.Errorf("hour %s: %w", hour.UTC().Format("2006-01-02T15"), err)
		}
		return f.note(s)
	})
	if err != nil {
		return nil, err
	}
	return salt, nil
}

// Check is nil when the folder is in order, else [ErrBroken] with all that is not.
func (f *Folder) Check() error {
	return f.locked((*state).broken)
}

// watch is [Folder.Check], and keeps a record of each salt: whether one was there must not hang on whether it was used.
func (f *Folder) watch() error {
	return f.locked(func(s *state) error {
		if err := s.broken(); err != nil {
			return err
		}
		return f.note(s)
	})
}

// locked looks at the folder and does something about it while nobody else can.
func (f *Folder) locked(do func(*state) error) error { return f.lockedAt(f.o.Now(), do) }

func (f *Folder) lockedAt(now time.Time, do func(*state) error) error {
	if err := f.checkFolder(); err != nil {
		return err
	}
	unlock, err := f.o.disk.lock(f.dir)
	if err != nil {
		return fmt.Errorf("lock the salts folder: %w", err)
	}
	defer unlock()
	s, err := f.look(now)
	if err != nil {
		return err
	}
	return do(s)
}

// note keeps a record of each salt that has none yet: from then on a change of it is seen. One that
// Brine made before it was killed may not be durable: nothing is hashed with a salt that may vanish.
func (f *Folder) note(s *state) error {
	for _, e := range s.salts {
		if _, known := s.history[e.name]; e.salt == nil || known {
			continue
		}
		if err := f.syncSalt(e.name); err != nil {
			return err
		}
		if err := f.record(s.now, Seen, e.name, e.salt.Fingerprint()); err != nil {
			return err
		}
	}
	return nil
}

func (f *Folder) syncSalt(name string) error {
	if f.o.External {
		return nil
	}
	if err := f.o.disk.sync(f.path(name)); err != nil {
		return err
	}
	return f.o.disk.sync(f.dir)
}

func (f *Folder) record(now time.Time, what What, name, fingerprint string) error {
	rec := Record{now.UTC().Truncate(time.Hour), what, name, fingerprint}
	if err := f.records.append(rec); err != nil {
		return err
	}
	f.o.Told(rec)
	return nil
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, name) }
