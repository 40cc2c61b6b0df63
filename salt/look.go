package salt

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// aside is how the name of a salt begins while it is being made. It is Brine's alone.
const aside = ".new-"

// state is what the folder and the records say at one moment.
type state struct {
	now      time.Time
	periods  Periods
	external bool
	shared   *Shared
	salts    []entry  // files with a salt's name, by START
	leftover []string // names of files that a crash kept from becoming a salt
	faults   []error  // of other files
	history  history
}

// entry is a file with a salt's name.
type entry struct {
	Period
	name string
	size int
	salt *Salt // nil when it cannot be used
	err  error // why not
	file bool  // it is a file of our own that can be overwritten: no link, no folder
}

var errNoFolder = errors.New("the salts folder is not there")

// fault is what is wrong with one path, and the likely fix.
func fault(path, fix, what string, args ...any) error {
	return fmt.Errorf("%w: %s: %s (%s)", ErrBroken, path, fmt.Sprintf(what, args...), fix)
}

// checkFolder wants the folder as only its owner can reach it.
func (f *Folder) checkFolder() error {
	i, err := f.o.disk.stat(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		fix := "run brine salt rotate, which makes it; where salts were in it before: mount it, or put them back into a new one of mode 0700"
		if f.o.External {
			fix = "the tool that keeps the salts must make it"
		}
		return fmt.Errorf("%w: %s: %w (%s)", ErrMissing, f.dir, errNoFolder, fix)
	}
	if err != nil {
		return fmt.Errorf("look at the salts folder: %w", err)
	}
	switch uid := os.Geteuid(); {
	case i.mode.Type() == fs.ModeSymlink:
		return fault(f.dir, "name the real folder in salts.dir", "the salts folder is a symbolic link")
	case !i.mode.IsDir():
		return fault(f.dir, "name a folder in salts.dir", "the salts folder is no folder")
	case i.mode.Perm() != 0o700:
		return fault(f.dir, "chmod 700 "+f.dir, "the salts folder has mode %04o, it must be 0700", i.mode.Perm())
	case uid != 0 && i.uid != uid:
		return fault(f.dir, "chown it", "the salts folder belongs to uid %d, and this process is uid %d", i.uid, uid)
	}
	return nil
}

// look reads the folder and the records.
func (f *Folder) look(now time.Time) (*state, error) {
	s := &state{now: now, periods: f.o.Periods, external: f.o.External, shared: f.o.Shared}
	folder, err := f.o.disk.stat(f.dir)
	if err != nil {
		return nil, fmt.Errorf("look at the salts folder: %w", err)
	}
	files, err := f.o.disk.list(f.dir)
	if err != nil {
		return nil, fmt.Errorf("look at the salts folder: %w", err)
	}
	if s.history, err = f.records.read(); err != nil {
		return nil, fmt.Errorf("read the records of salts: %w", err)
	}
	for _, i := range files {
		f.lookAt(s, i, folder.uid)
	}
	slices.SortFunc(s.salts, func(a, b entry) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.name, b.name))
	})
	return s, nil
}

func (f *Folder) lookAt(s *state, i info, owner int) {
	made, isAside := strings.CutPrefix(i.name, aside)
	if _, err := ParseName(made); isAside && err == nil && !s.external && i.mode.IsRegular() {
		s.leftover = append(s.leftover, i.name)
		return
	}
	period, err := ParseName(i.name)
	if err != nil {
		s.faults = append(s.faults, fault(f.path(i.name), "only salts may lie in this folder: move it away", "%v", err))
		return
	}
	e := entry{Period: period, name: i.name, size: i.size, file: i.mode.IsRegular()}
	e.salt, e.err = f.readSalt(i, owner, period, s.history[i.name].Fingerprint)
	s.salts = append(s.salts, e)
}

// readSalt wants a file that only the folder's owner can read, with the content that it always had.
func (f *Folder) readSalt(i info, owner int, period Period, last string) (*Salt, error) {
	path := f.path(i.name)
	switch {
	case i.mode.Type() == fs.ModeSymlink:
		return nil, fault(path, "put the salt itself there", "it is a symbolic link")
	case !i.mode.IsRegular():
		return nil, fault(path, "move it away", "it is no file")
	case i.mode.Perm() != 0o600:
		return nil, fault(path, "chmod 600 "+path, "it has mode %04o, it must be 0600", i.mode.Perm())
	case i.uid != owner:
		return nil, fault(path, "chown it", "it belongs to uid %d, and the folder to uid %d", i.uid, owner)
	case i.links > 1:
		return nil, fault(path, "remove its other names", "it is a hard link, so it would outlive its end elsewhere")
	}
	content, err := f.o.disk.read(path, maxBytes+3)
	if err != nil {
		return nil, fault(path, "see that it can be read", "%v", err)
	}
	key, err := keyOf(content)
	if err != nil {
		return nil, fault(path, "put the salt back as it was, or give it up: brine salt destroy "+i.name, "%v", err)
	}
	salt := &Salt{period, hidden(key)}
	if is := salt.Fingerprint(); last != "" && is != last {
		return nil, fault(path, "put the salt back as it was, or give it up: brine salt destroy "+i.name,
			"it was changed: its fingerprint was %s and is %s", last, is)
	}
	return salt, nil
}
