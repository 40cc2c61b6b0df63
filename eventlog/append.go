package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"brine/eventlog/internal/basis"
)

// Append writes a group of 0 to [MaxGroup] bytes as the next entry and returns nil once it is
// synced to disk. After an error it may still be there, whole; it is never there in part.
//
// ctx is looked at before the write; a write that has begun is waited for, up to
// Options.AppendTimeout. One that takes longer or fails makes the log unavailable until it has reopened
// itself, and every append until then fails at once. The errors are ErrTooLarge, ErrUnavailable, ErrClock,
// ErrClosed and those of ctx.
func (l *Log) Append(ctx context.Context, group []byte) error {
	if len(group) > MaxGroup {
		return fmt.Errorf("%w: %d bytes, at most %d are taken", ErrTooLarge, len(group), MaxGroup)
	}
	// Before the lock too: whoever comes while the log is away shall not queue.
	if err := l.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline := time.Now().Add(l.opts.AppendTimeout)
	if err := l.enterHour(deadline); err != nil {
		return err
	}
	if err := l.write(groupKind, l.hour, group, deadline); err != nil {
		return l.fail(err)
	}
	return nil
}

// enterHour makes sure that the hour of the clock has begun in the log: with a new log where a day
// begins, and with a mark. The caller holds mu.
func (l *Log) enterHour(deadline time.Time) error {
	if err := l.Err(); err != nil {
		return err
	}
	hour, err := l.guard.Hour()
	if err != nil {
		return err
	}
	if hour.Before(l.hour) {
		hour = l.hour
	}
	if l.marked && hour.Equal(l.hour) {
		return nil
	}
	if err := l.beginHour(hour, deadline); err != nil {
		return l.fail(fmt.Errorf("begin hour %s: %w", hour.Format(basis.HourForm), err))
	}
	return nil
}

func (l *Log) beginHour(hour, deadline time.Time) error {
	s := l.store.Load()
	day := hour.Truncate(24 * time.Hour)
	if l.current == "" || l.current[:len(basis.DayForm)] != day.Format(basis.DayForm) {
		if err := l.addLog(s, day, deadline); err != nil {
			return err
		}
	}
	if hour.After(l.hour) {
		if _, err := s.publish(hoursName, []byte(hour.Format(basis.HourForm)), time.Until(deadline)); err != nil {
			return err
		}
	}
	if err := l.write(markKind, hour, nil, deadline); err != nil {
		return err
	}
	l.hour, l.marked = hour, true
	return nil
}

func (l *Log) addLog(s *store, day, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	info := Info{Name: basis.NewName(day), Day: day, First: 1}
	if err := s.createLog(ctx, info.Name); err != nil {
		return fmt.Errorf("make log %s: %w", info.Name, err)
	}
	if err := basis.SyncFolders(l.opts.Dir); err != nil {
		return err
	}
	l.infoMu.Lock()
	defer l.infoMu.Unlock()
	l.infos = append(l.infos, info)
	l.current = info.Name
	return nil
}

// write appends one entry to the current log.
func (l *Log) write(kind string, hour time.Time, data []byte, deadline time.Time) error {
	seq, err := l.store.Load().publish(subject(l.current, kind, hour), data, time.Until(deadline))
	if err != nil {
		return err
	}
	l.tail.add(l.current, Entry{Seq: seq, Hour: hour, Mark: kind == markKind, Group: bytes.Clone(data)})
	l.infoMu.Lock()
	defer l.infoMu.Unlock()
	l.infos[len(l.infos)-1].Last = seq
	return nil
}

// keepHours writes the marks of hours in which nothing is appended. It looks each second rather than
// at the hour's end, as the clock may be set.
func (l *Log) keepHours() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
			l.tick()
		}
	}
}

// tick enters the hour of the clock; what is in the way of it, Err tells.
func (l *Log) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.enterHour(time.Now().Add(l.opts.AppendTimeout))
}
