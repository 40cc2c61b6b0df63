package eventlog

import (
	"context"
	"fmt"
	"time"

	"brine/eventlog/internal/basis"
)

// How long the log waits between attempts to reopen itself.
const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// fail takes the log out of service after a failed write and starts to repair it. JetStream keeps
// its first write error for good, also when space is back, and may hold a group back that
// was not acknowledged; a fresh server on the same folder has neither. The caller holds mu.
func (l *Log) fail(cause error) error {
	l.broken.Store(true)
	if err := l.fault.Load(); err != nil {
		return *err // under repair, or closed
	}
	err := l.setFault(fmt.Errorf("%w: %w", ErrUnavailable, cause))
	l.opts.Logger.Error("the log takes no events and is being reopened", "reason", cause)
	l.work.Go(l.repair)
	return err
}

// failStore is fail for those who do not hold mu and used a store that may have been replaced since.
func (l *Log) failStore(s *store, cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store.Load() == s {
		l.fail(cause)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, cause)
}

func (l *Log) setFault(err error) error {
	l.fault.Store(&err)
	return err
}

func (l *Log) repair() {
	began := time.Now()
	for wait := minBackoff; ; wait = min(2*wait, maxBackoff) {
		err := l.reopen()
		if err == nil {
			l.opts.Logger.Info("the log takes events again", "after", time.Since(began).Round(time.Millisecond))
			return
		}
		select {
		case <-l.done:
			return
		case <-time.After(wait):
		}
	}
}

// reopen gets a fresh store where needed, which can be read and trimmed from then on, and ends the
// fault once the disk takes writes. Nothing else touches the writing side while there is a fault.
func (l *Log) reopen() error {
	if l.broken.Swap(false) {
		if old := l.store.Swap(nil); old != nil {
			old.close()
		}
		if err := l.load(context.Background()); err != nil {
			l.broken.Store(true)
			return l.stillFaulty(err)
		}
	}
	if err := basis.TryDisk(l.opts.Dir); err != nil {
		return l.stillFaulty(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() || l.broken.Load() {
		return ErrUnavailable
	}
	l.fault.Store(nil)
	return nil
}

func (l *Log) stillFaulty(cause error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
		return ErrClosed
	}
	return l.setFault(fmt.Errorf("%w: %w", ErrUnavailable, cause))
}

// load opens the store and learns from it where the log stands.
func (l *Log) load(ctx context.Context) error {
	s, err := openStore(l.opts.Dir, l.opts.Logger)
	if err != nil {
		return err
	}
	if err := l.learn(ctx, s); err != nil {
		s.close()
		return err
	}
	l.store.Store(s)
	return nil
}

func (l *Log) learn(ctx context.Context, s *store) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	hour, err := s.lastHour(ctx)
	if err != nil {
		return fmt.Errorf("read the last hour: %w", err)
	}
	infos, err := s.logs(ctx)
	if err != nil {
		return fmt.Errorf("list the logs: %w", err)
	}
	if err := checkAllListed(l.opts.Dir, infos); err != nil {
		return err
	}
	marked, current := false, ""
	if len(infos) > 0 {
		newest := infos[len(infos)-1]
		current = newest.Name
		// Of two records of the hour the later one holds: a log may have come from a backup.
		if hour, marked, err = s.newestHour(ctx, hour, newest); err != nil {
			return err
		}
	}
	l.tail.clear() // a group that was not acknowledged may have been stored after it
	l.infoMu.Lock()
	l.infos = infos
	l.infoMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hour, l.marked, l.current = hour, marked, current
	return nil
}

// newestHour is the hour that the newest log is in, at least the one that is recorded, and whether that log has its mark.
func (s *store) newestHour(ctx context.Context, recorded time.Time, newest Info) (hour time.Time, marked bool, err error) {
	hour = recorded
	if hour.Before(newest.Day) {
		hour = newest.Day
	}
	if newest.Last < newest.First {
		return hour, false, nil
	}
	entries, err := s.fetch(ctx, newest.Name, newest.Last, 1, 1)
	if err != nil || len(entries) == 0 || entries[0].Hour.Before(hour) {
		return hour, false, err
	}
	return entries[0].Hour, true, nil
}
