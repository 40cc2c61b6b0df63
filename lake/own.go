package lake

import (
	"context"
	"errors"
	"time"

	"brine/eventlog"
)

// Log is where events come from: the log of one node or of several.
type Log interface {
	Hour() time.Time       // the hour that is open; zero before the first
	Logs() []eventlog.Info // those there are, by day, as far as is known; entries join the last
	// LogsNow gives them up to ends before which all lies that was acknowledged before the call.
	LogsNow(ctx context.Context) ([]eventlog.Info, error)
	// Read gives entries from a sequence number on, about so many bytes of them; none where the log has no more.
	Read(ctx context.Context, log string, from uint64, maxBytes int) ([]eventlog.Entry, error)
	Trim(ctx context.Context, log string, last uint64) error // takes out the entries up to a sequence number, that included
	Delete(ctx context.Context, log string) error            // takes out a log whose day is done
}

// ErrNotOwner is work on a lake that another process owns.
var ErrNotOwner = errors.New("this lake is another's: only its owner writes")

// Own makes this process the one that writes the lake, until [Lake.Disown]. The epoch is higher than that of any owner
// before it where nodes take turns, and 0 where there is one. What a crash or an owner before left is cleared away:
// files being written, and files of a range that was never committed and still is in the log, from which it will be
// flushed anew.
func (l *Lake) Own(ctx context.Context, log Log, epoch uint64) error {
	leave, err := l.enter()
	if err != nil {
		return err
	}
	defer leave()
	l.writing.Lock()
	defer l.writing.Unlock()
	return l.own(ctx, log, epoch)
}

func (l *Lake) own(ctx context.Context, log Log, lease uint64) error {
	cat, epoch, err := l.place.own(ctx, log, lease)
	if err != nil {
		return err
	}
	cat.logFaults(l.log)
	l.failed, l.seen = nil, newSeen() // others may have written meanwhile
	clear(l.waiting)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat, l.from, l.lease, l.epoch, l.fault, l.unknown = cat, log, lease, epoch, nil, nil
	return nil
}

// Owned says whether this process owns the lake, as far as it knows.
func (l *Lake) Owned() bool {
	_, err := l.owned()
	return err == nil
}

// Disown ends what [Lake.Own] began, after the write under way. The lake is then read only.
func (l *Lake) Disown() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.place.disown()
	l.mu.Lock()
	l.from, l.lease, l.epoch, l.fault = nil, 0, 0, nil
	l.completeTo, l.closedTo = time.Time{}, time.Time{}
	l.mu.Unlock()
	l.sync()
}

// owned is the log of a lake that this process owns.
func (l *Lake) owned() (Log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.from != nil:
		return l.from, nil
	case l.unknown != nil:
		return nil, l.unknown
	}
	return nil, ErrNotOwner
}

// leased says whether this process owns the lake for a term, as where nodes take turns.
func (l *Lake) leased() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lease > 0
}

func (l *Lake) inEpoch() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}
