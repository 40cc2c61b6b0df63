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
	Logs() []eventlog.Info // those there are, by day; entries join the last
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
func (l *Lake) Own(_ context.Context, log Log, epoch uint64) error {
	leave, err := l.enter()
	if err != nil {
		return err
	}
	defer leave()
	l.writing.Lock()
	defer l.writing.Unlock()
	cat, err := l.recovered(log)
	if err != nil {
		return err
	}
	cat.logFaults(l.log)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat, l.from, l.epoch, l.fault = cat, log, epoch, nil
	return nil
}

// Disown ends what [Lake.Own] began, after the write under way. The lake is then read only.
func (l *Lake) Disown() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.failed, l.seen = nil, newSeen() // what others write meanwhile is not among the keys seen
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from, l.epoch, l.fault = nil, 0, nil
	l.completeTo, l.closedTo = time.Time{}, time.Time{}
}

// owned is the log of a lake that this process owns.
func (l *Lake) owned() (Log, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		return nil, ErrNotOwner
	}
	return l.from, nil
}

func (l *Lake) inEpoch() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}

// recovered clears the folder and reads it.
func (l *Lake) recovered(log Log) (*catalogue, error) {
	if err := l.disk.clearAside(); err != nil {
		return nil, err
	}
	cat, err := readCatalogue(l.opts.Dir)
	if err != nil {
		return nil, err
	}
	first := map[string]uint64{}
	for _, info := range log.Logs() {
		first[info.Name] = info.First
		if err := notBehind(info, cat.marks[info.Name]); err != nil {
			return nil, err
		}
	}
	for _, n := range cat.pending {
		from, there := first[n.Log]
		if !there || from > max(n.First, cat.marks[n.Log].Last+1) {
			cat.fault(n.String(), "not committed, and the log no longer has its events: add the mark "+
				mark{n.Log, n.Last}.String()+" to keep it, or remove it")
			continue
		}
		if err := l.disk.remove([]Name{n}); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(l.disk.remove(cat.covered), l.disk.removeMarks(cat.stale)); err != nil {
		return nil, err
	}
	cat.pending, cat.covered, cat.stale = nil, nil, nil
	return cat, nil
}
