package lake

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// Drop takes files of the hour away for good, and before them what they cover, as a crash half-way
// brings nothing older back, and what was made of those that are sanitized. All are of one dataset.
func (h *Hour) Drop(ctx context.Context, files []File) error {
	l := h.r.lake
	if len(files) > 0 && files[0].Dataset == Sanitized {
		ofThem := func(made File) bool {
			return slices.ContainsFunc(files, func(f File) bool { return f.Log == made.Log })
		}
		if err := h.dropFollowing(ctx, ofThem); err != nil {
			return err
		}
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	var covered []Name
	l.cat.covered = slices.DeleteFunc(l.cat.covered, func(n Name) bool {
		gone := slices.ContainsFunc(files, func(f File) bool { return f.sameSource(n) && f.Overlaps(n) })
		if gone {
			covered = append(covered, n)
			delete(l.coveredSince, n)
		}
		return gone
	})
	l.cat.files = slices.DeleteFunc(l.cat.files, func(f *File) bool {
		return slices.ContainsFunc(files, func(d File) bool { return d.Name == f.Name })
	})
	for _, f := range files {
		delete(l.metas, f.Name)
	}
	l.mu.Unlock()
	return l.lookAgain(ctx, l.place.drop(ctx, covered, namesOf(pointersTo(files))))
}

// following are the datasets that are made of Sanitized and live no longer than it.
var following = []string{Rollups, Facts}

// dropFollowing takes away what was made of the hour's sanitized files.
func (h *Hour) dropFollowing(ctx context.Context, which func(File) bool) error {
	for _, dataset := range following {
		files := slices.DeleteFunc(h.Files(dataset), func(f File) bool { return !which(f) })
		if len(files) == 0 {
			continue
		}
		if err := h.Drop(ctx, files); err != nil {
			return err
		}
	}
	return nil
}

// lookAgain reads anew what there is where a change to it failed half-way.
func (l *Lake) lookAgain(ctx context.Context, err error) error {
	if _, remote := l.place.(*remote); err == nil || remote {
		l.sync()
		return err
	}
	cat, readErr := l.place.look(ctx)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat = cat
	return err
}

// removeDurably takes files away, and folders that are empty without them. When it returns
// without error they are gone from the disk.
func (d *disk) removeDurably(names []Name) error {
	folders := map[string]bool{}
	for _, n := range names {
		if err := os.Remove(d.path(n.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		folders[n.Folder()] = true
		d.point("file-removed")
	}
	for folder := range folders {
		if err := d.prune(folder); err != nil {
			return err
		}
	}
	return nil
}

// prune removes a partition's folders while they are empty, and syncs the first that is not.
func (d *disk) prune(folder string) error {
	for ; filepath.Dir(folder) != "."; folder = filepath.Dir(folder) {
		err := os.Remove(d.path(folder))
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
			break
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return d.syncFolder(folder)
}

// Covered are the files that others replaced and that are still on disk: they are swept half a
// minute after, for readers that began before.
func (l *Lake) Covered() []Name {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.cat.covered)
}

// reads are the reads under way, so that those which hold what was erased can be ended.
type reads map[*read]bool

type read struct {
	began time.Time
	end   context.CancelCauseFunc
}

// ErrEnded is a read that was ended because data it may hold was erased meanwhile.
var ErrEnded = errors.New("this read was ended, as data that it may hold was erased: read again")

// EndReads ends the reads that began before a time, and says whether there were any.
func (l *Lake) EndReads(before time.Time) (some bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range l.reads {
		if r.began.Before(before) {
			r.end(ErrEnded)
			some = true
		}
	}
	return some
}

// ReadsBefore says whether a read is under way that began before a time.
func (l *Lake) ReadsBefore(t time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range l.reads {
		if r.began.Before(t) {
			return true
		}
	}
	return false
}

// reading notes a read until done is called; its context ends when the read is to end.
func (l *Lake) reading(ctx context.Context) (_ context.Context, done func()) {
	ctx, end := context.WithCancelCause(ctx)
	r := &read{l.opts.Now(), end}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reads[r] = true
	return ctx, func() {
		l.mu.Lock()
		delete(l.reads, r)
		l.mu.Unlock()
		end(nil)
	}
}
