package lake

import (
	"context"
	"errors"
	"slices"
	"time"

	"brine/lake/store"
)

// A lake in an object store that another node owns is followed: what the owner does is taken up.

// followEvery is how far behind the owner at most what is asked without a query is, as [Lake.List].
const followEvery = time.Second

// follow takes up what the owner does until the context ends.
func (l *Lake) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	again := time.NewTicker(mendEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			l.mend(ctx)
		case <-tick.C:
		}
		err := l.upToDate(ctx)
		if ctx.Err() != nil {
			return
		}
		l.endLongReads()
		l.mu.Lock()
		before := l.trouble
		l.trouble = err
		l.mu.Unlock()
		if err != nil && before == nil {
			l.log.Error("the lake's owner cannot be followed: trying again", "err", err)
		}
	}
}

// mendEvery is how often files that were left out are looked at again: a store can be mended, which no folder is under a lake.
const mendEvery = 10 * time.Minute

// mend takes up files again that were damaged in the store, and are what was written.
func (l *Lake) mend(ctx context.Context) {
	r, ok := l.place.(*remote)
	if !ok {
		return
	}
	l.mu.Lock()
	left := slices.Clone(l.cat.faults)
	l.mu.Unlock()
	for _, fault := range left {
		n, err := ParseName(fault.Path)
		if fault.Why != damagedObject || err != nil || !r.whole(ctx, n) {
			continue
		}
		l.mu.Lock()
		l.cat.faults = slices.DeleteFunc(l.cat.faults, func(f Fault) bool { return f == fault })
		l.mu.Unlock()
		l.sync()
		l.log.Info("a file of the lake that was left out is whole again", "file", fault.Path)
	}
}

// longestRead is how long a read may go on with files that are gone, as erasure has it of the owner's own reads.
const longestRead = 10 * time.Minute

// endLongReads ends reads that hold what has long been taken out of the lake.
func (l *Lake) endLongReads() {
	l.mu.Lock()
	since := l.goneSince
	due := !since.IsZero() && l.opts.Now().Sub(since) > longestRead
	if due {
		l.goneSince = time.Time{}
	}
	l.mu.Unlock()
	if due {
		l.EndReads(since)
	}
}

// upToDate takes up all that the owner has committed, so that no read goes back behind another, wherever that was made. An
// owner by a lease looks too: it may have been paused, and have lost the lake.
func (l *Lake) upToDate(ctx context.Context) error {
	r, ok := l.place.(*remote)
	if !ok {
		return nil
	}
	l.mu.Lock()
	alone := l.from != nil && l.lease == 0
	l.mu.Unlock()
	if alone {
		return nil // its own catalogue is true
	}
	err := r.journal.refresh(ctx)
	if err == nil && l.Unknown() != nil {
		err = r.expected(r.lakeID())
	}
	l.mu.Lock()
	if err == nil && l.unknown != nil {
		l.unknown = nil
		l.log.Info("the lake is reached")
	}
	behind := l.cat == nil || l.cat.number != r.journal.number()
	l.mu.Unlock()
	if !behind {
		return err
	}
	l.sync() // also what a write found that was refused
	if r.forgetCopies() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.goneSince.IsZero() {
			l.goneSince = l.opts.Now()
		}
	}
	return err
}

// sync takes over what the journal says.
func (l *Lake) sync() {
	l.mu.Lock()
	defer l.mu.Unlock()
	cat := l.place.current()
	if cat == nil {
		return
	}
	cat.faults = slices.DeleteFunc(l.cat.faults, func(f Fault) bool { // what was left out stays so
		n, err := ParseName(f.Path)
		return err == nil && !l.place.present([]*File{{Name: n}})
	})
	left := map[Name]bool{}
	for _, n := range cat.leftOut() {
		left[n] = true
	}
	cat.files = slices.DeleteFunc(cat.files, func(f *File) bool { return left[f.Name] })
	l.cat = cat
	if l.from == nil {
		l.closedTo, l.completeTo = cat.hour, cat.completeTo
	}
}

// How often the store is looked through for files that are in no entry of the journal, and how soon first: an owner has those of the one
// before, which was cut off as it wrote, and may itself not be the owner for an hour.
const (
	straysEvery = time.Hour
	straysSoon  = time.Minute
)

func (l *Lake) sweepStrays(ctx context.Context) error {
	leave, err := l.enter()
	if err != nil {
		return err
	}
	defer leave()
	r, ok := l.place.(*remote)
	if !ok {
		return nil
	}
	return r.sweepStrays(ctx)
}

// ownAgain takes the lake back from one whose lease is older: a node that was paused and did not know that its lease had ended.
func (l *Lake) ownAgain(ctx context.Context, err error) error {
	r, ok := l.place.(*remote)
	if !ok || !errors.Is(err, ErrFenced) {
		return err
	}
	l.mu.Lock()
	from, lease := l.from, l.lease
	l.mu.Unlock()
	if from == nil || lease <= r.journal.leased() {
		return err
	}
	return errors.Join(err, l.own(ctx, from, lease))
}

// waitFor is how long fewer than waitRows events wait in the log while their hour is open, where the lake is in an object
// store: that says when it was given each object.
const (
	waitFor  = 10 * time.Minute
	waitRows = 1000
)

// Unavailable says whether a read failed as the object store cannot be used now, which another try may find otherwise.
func Unavailable(err error) bool {
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrWrong) || errors.Is(err, store.ErrCacheFull)
}
