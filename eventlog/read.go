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
// been trimmed is left out. An entry that is damaged on disk is left out and logged. It gives nothing, and no error,
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
		if len(got) == 0 {
			next = l.skip(log, next, next+1)
		}
		for _, entry := range got {
			if next = l.skip(log, next, entry.Seq); next > info.Last {
				break // appended since
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

// skip goes on from next to found. What lies between was trimmed since the look at First, or it is
// damaged, as entries are only ever trimmed from the front.
func (l *Log) skip(log string, next, found uint64) uint64 {
	if found == next {
		return found
	}
	if info, err := l.info(log); err == nil && next < info.First {
		return max(found, info.First)
	}
	l.opts.Logger.Error("entries of the log are damaged on disk and left out", "log", log, "first", next, "last", found-1)
	return found
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
