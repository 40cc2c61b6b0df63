package lake

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// place is where the lake's files lie: a folder ([disk]) or an object store ([remote]). Files are written aside first.
type place interface {
	// own makes this process the owner: what was left is cleared away. It gives the epoch that names bear from now on.
	own(ctx context.Context, log Log, epoch uint64) (*catalogue, uint64, error)
	disown()
	look(ctx context.Context) (*catalogue, error)                        // what there is
	current() *catalogue                                                 // what there is as far as changes were seen; nil where only look can tell
	stage(ctx context.Context, f *File) error                            // makes a file ready that lies aside: all that takes long
	commit(ctx context.Context, c change) error                          // makes files count
	takeBack(ctx context.Context, b *batch) (committed bool, err error)  // settles what became of a commit that failed
	drop(ctx context.Context, covered, files []Name) error               // takes files away for good, those that are covered first
	discard(ctx context.Context, n Name) error                           // takes away what was staged in vain
	leave(n Name)                                                        // of what was staged and failed: it is a stray, unless it turns out to be committed
	forget(marks []mark) error                                           // takes away marks that others replaced
	sweep(ctx context.Context, names []Name) error                       // takes covered files away
	hold(ctx context.Context, files []*File) (release func(), err error) // makes sure that files can be read until release
	path(n Name) string                                                  // where a file is read
	present(files []*File) bool
	size(n Name) int64
	close() error
}

// change is what a commit adds.
type change struct {
	files      []*File
	mark       *mark     // a range of the log that it commits; nil for none
	hour       time.Time // that is open; zero where the change does not tell
	completeTo time.Time // zero where it does not tell
}

// folder is the [disk] as a place.
type folder struct{ *disk }

func (d folder) disown()             {}
func (d folder) leave(Name)          {}
func (d folder) current() *catalogue { return nil }
func (d folder) close() error        { return nil }

func (d folder) look(context.Context) (*catalogue, error)    { return readCatalogue(d.root) }
func (d folder) stage(context.Context, *File) error          { return nil }
func (d folder) discard(context.Context, Name) error         { return nil }
func (d folder) path(n Name) string                          { return d.disk.path(n.String()) }
func (d folder) size(n Name) int64                           { return sizeOf(d.path(n)) }
func (d folder) forget(marks []mark) error                   { return d.removeMarks(marks) }
func (d folder) sweep(_ context.Context, names []Name) error { return d.remove(names) }

func (d folder) hold(context.Context, []*File) (func(), error) { return func() {}, nil }

// own clears the folder and reads it.
func (d folder) own(_ context.Context, log Log, epoch uint64) (*catalogue, uint64, error) {
	if err := d.clearAside(); err != nil {
		return nil, 0, err
	}
	cat, err := readCatalogue(d.root)
	if err != nil {
		return nil, 0, err
	}
	first := map[string]uint64{}
	for _, info := range log.Logs() {
		first[info.Name] = info.First
		if err := notBehind(info, cat.marks[info.Name]); err != nil {
			return nil, 0, err
		}
	}
	for _, n := range cat.pending {
		from, there := first[n.Log]
		if !there || from > max(n.First, cat.marks[n.Log].Last+1) {
			cat.fault(n.String(), "not committed, and the log no longer has its events: add the mark "+
				mark{n.Log, n.Last}.String()+" to keep it, or remove it")
			continue
		}
		if err := d.remove([]Name{n}); err != nil {
			return nil, 0, err
		}
	}
	if err := errors.Join(d.remove(cat.covered), d.removeMarks(cat.stale)); err != nil {
		return nil, 0, err
	}
	cat.pending, cat.covered, cat.stale = nil, nil, nil
	return cat, epoch, nil
}

func (d folder) commit(_ context.Context, c change) error {
	if err := d.publish(namesOf(c.files)); err != nil {
		return err
	}
	if c.mark == nil {
		return nil
	}
	d.point("flush-published")
	return d.disk.commit(*c.mark)
}

// takeBack removes what a write that failed has left. The mark goes first, for good, as one without its files would
// lose them.
func (d folder) takeBack(_ context.Context, b *batch) (bool, error) {
	if err := d.removeMarks([]mark{b.mark()}); err != nil {
		return false, err
	}
	return false, d.withdraw(namesOf(b.files))
}

func (d folder) drop(_ context.Context, covered, files []Name) error {
	if err := d.removeDurably(covered); err != nil {
		return err
	}
	d.point("drop-covered")
	return d.removeDurably(files)
}

func (d folder) present(files []*File) bool {
	for _, f := range files {
		if _, err := os.Stat(d.path(f.Name)); errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
