package eventlog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"brine/eventlog/internal/basis"
)

// Entry is one entry of a log.
type Entry struct {
	Seq   uint64
	Hour  time.Time // the hour that it belongs to, UTC
	Mark  bool      // it says that Hour begins, and has no group
	Group []byte    // as it was appended; not to be changed
}

// Logs gives every log there is, in order of creation; the last one is the current one.
func (l *Log) Logs() []Info {
	l.infoMu.Lock()
	defer l.infoMu.Unlock()
	return slices.Clone(l.infos)
}

// LogsNow is [Log.Logs]: one process knows its own log.
func (l *Log) LogsNow(context.Context) ([]Info, error) { return l.Logs(), nil }

func (l *Log) info(name string) (Info, error) {
	for _, info := range l.Logs() {
		if info.Name == name {
			return info, nil
		}
	}
	return Info{}, fmt.Errorf("%w: %s", ErrUnknown, name)
}

// Read gives the entries of a log in order, from the sequence number from on, up to the last one that was
// there when it was called, or until their groups reach maxBytes: at most one group more. What has
// been trimmed is left out. It ends before an entry that cannot be read; one that it begins with is asked for again for
// [basis.Patience], then left out and logged. It gives nothing, and no error,
// when there is nothing at or after from. The errors are ErrUnknown, ErrUnavailable and those of ctx.
func (l *Log) Read(ctx context.Context, log string, from uint64, maxBytes int) ([]Entry, error) {
	info, err := l.info(log)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for next := max(from, info.First); next <= info.Last && maxBytes > 0; {
		got, err := l.readSome(ctx, log, next, info.Last, maxBytes)
		if err != nil {
			return nil, err
		}
		if len(got) == 0 || got[0].Seq > next {
			if len(entries) > 0 {
				break // they are not kept waiting
			}
			if next, err = l.pass(ctx, log, next, info.Last); err != nil {
				return nil, err
			}
			continue
		}
		for _, entry := range got {
			if entry.Seq != next || next > info.Last { // a gap, or appended since
				break
			}
			entries = append(entries, entry)
			maxBytes -= len(entry.Group)
			next++
		}
	}
	return entries, nil
}

// readSome reads from memory, or where it does not go back so far, from the store.
func (l *Log) readSome(ctx context.Context, log string, from, last uint64, maxBytes int) ([]Entry, error) {
	entries, first := l.tail.read(log, from, maxBytes)
	if len(entries) > 0 {
		return entries, nil
	}
	if from < first {
		last = first - 1
	}
	s := l.store.Load()
	if s == nil {
		return nil, l.unavailable()
	}
	entries, err := s.fetch(ctx, log, from, last-from+1, maxBytes)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, l.failStore(s, fmt.Errorf("read %s from %d: %w", log, from, err))
	}
	return entries, nil
}

// pass goes on from next, which could not be read: to itself where it can be after all, else behind what is trimmed or missing.
// As entries are only ever trimmed from the front, what else is missing is damaged.
func (l *Log) pass(ctx context.Context, log string, next, last uint64) (uint64, error) {
	if first := l.first(log); next < first {
		return first, nil
	}
	l.opts.Logger.Warn("entries of the log cannot be read and are asked for again", "log", log, "from", next, "for", l.patience)
	end, err := basis.Missing(ctx, l.patience, next, last, func(seq uint64) (bool, error) {
		got, err := l.readSome(ctx, log, seq, seq, 1)
		return len(got) > 0 && got[0].Seq == seq, err
	})
	if err != nil || end == next {
		return next, err
	}
	if first := l.first(log); next < first {
		return max(end, first), nil
	}
	l.opts.Logger.Error("entries of the log are damaged on disk and left out", "log", log, "first", next, "last", end-1)
	return end, nil
}

// first is the sequence number of the first entry of a log that is not trimmed, 0 where the log is deleted.
func (l *Log) first(log string) uint64 {
	info, _ := l.info(log)
	return info.First
}

func (l *Log) unavailable() error {
	if err := l.Err(); err != nil {
		return err
	}
	return ErrUnavailable // reopened between two looks
}

// fetch is [basis.Fetch] of entries.
func (s *store) fetch(ctx context.Context, log string, from, count uint64, maxBytes int) ([]Entry, error) {
	messages, err := basis.Fetch(ctx, s.reader, log, from, count, maxBytes)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(messages))
	for i, msg := range messages {
		kind, hour, err := parseSubject(msg.Subject)
		if err != nil {
			return nil, err
		}
		entries[i] = Entry{Seq: msg.Seq, Hour: hour, Mark: kind == markKind, Group: msg.Data}
	}
	return entries, nil
}
