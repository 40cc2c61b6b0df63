package eventlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Trim removes the entries of a log up to and including the sequence number last. Once last is the
// log's last entry nothing of it is left on disk; before that, what is trimmed may stay in a block file
// beside entries that are not, of 8 MB at most. Sequence numbers go on where they
// were. The errors are ErrUnknown, ErrSequence, ErrUnavailable and those of ctx.
func (l *Log) Trim(ctx context.Context, log string, last uint64) error {
	info, err := l.info(log)
	if err != nil {
		return err
	}
	if last > info.Last {
		return fmt.Errorf("%w: %d in %s, the last is %d", ErrSequence, last, log, info.Last)
	}
	if last < info.First {
		return nil
	}
	// "Up to last" is also right while groups are being appended: the server purges the whole
	// stream if nothing came after last, and otherwise leaves what did.
	err = l.change(ctx, func(ctx context.Context, s *store) error {
		stream, err := s.js.Stream(ctx, log)
		if err != nil {
			return err
		}
		return stream.Purge(ctx, jetstream.WithPurgeSequence(last+1))
	})
	if err != nil {
		return err
	}
	l.tail.trim(log, last)
	l.infoMu.Lock()
	defer l.infoMu.Unlock()
	for i := range l.infos {
		if l.infos[i].Name == log {
			l.infos[i].First = max(l.infos[i].First, last+1)
		}
	}
	return nil
}

// Delete removes a log whose day is done, with all that is left of it. The errors are ErrUnknown,
// ErrCurrent, ErrUnavailable and those of ctx.
func (l *Log) Delete(ctx context.Context, log string) error {
	info, err := l.info(log)
	if err != nil {
		return err
	}
	if logs := l.Logs(); logs[len(logs)-1].Name == log {
		return fmt.Errorf("%w: %s", ErrCurrent, log)
	}
	err = l.change(ctx, func(ctx context.Context, s *store) error {
		err := s.js.DeleteStream(ctx, log)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	l.tail.trim(log, info.Last)
	l.infoMu.Lock()
	defer l.infoMu.Unlock()
	l.infos = slices.DeleteFunc(l.infos, func(info Info) bool { return info.Name == log })
	return nil
}

// changeTimeout is how long the server may take to purge or delete a stream.
const changeTimeout = 30 * time.Second

// change does something to the stored streams. One that fails has left the server with a write error.
func (l *Log) change(ctx context.Context, do func(context.Context, *store) error) error {
	s := l.store.Load()
	if s == nil {
		return l.unavailable()
	}
	bounded, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	err := do(bounded, s)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return l.failStore(s, err)
	}
	return nil
}
