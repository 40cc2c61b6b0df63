package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"brine/eventlog"
	"brine/lease"
)

// attemptTimeout is how long an acknowledgement may take before the group is sent again: it, or the way to the
// stream's leader, may be lost.
const attemptTimeout = 3 * time.Second

// Append writes a group of 0 to [eventlog.MaxGroup] bytes, as [Log.AppendID] does, with an id of its own.
func (l *Log) Append(ctx context.Context, group []byte) error {
	return l.AppendID(ctx, uuid.NewString(), group)
}

// AppendID writes a group as the next entry and returns nil once it is synced to a majority of the disks that hold the
// log. A group with an id that the same log has had within 2 minutes is not written again. After an error it may be
// there, whole, also later and more than once; it is never there in part.
//
// It tries for up to Options.AppendTimeout, and ends with ctx. The errors are ErrTooLarge, ErrUnavailable,
// ErrClock and ErrClosed of eventlog, ErrForeign, ErrRemoved and those of ctx.
func (l *Log) AppendID(ctx context.Context, id string, group []byte) error {
	if len(group) > eventlog.MaxGroup {
		return fmt.Errorf("%w: %d bytes, at most %d are taken", eventlog.ErrTooLarge, len(group), eventlog.MaxGroup)
	}
	if err := l.cannot(); err != nil {
		return err
	}
	if _, err := l.guard.Hour(); err != nil {
		return err
	}
	began := l.opts.Clock.Mono()
	bounded, cancel := context.WithTimeout(ctx, l.opts.AppendTimeout)
	defer cancel()
	if err := l.waiting.Acquire(bounded, int64(len(group))+1); err != nil {
		return l.miss(ctx, errors.New("too much waits for its acknowledgement"))
	}
	defer l.waiting.Release(int64(len(group)) + 1)
	err := l.appendUntil(bounded, id, group)
	// The time is looked at again: a process that was stopped meanwhile may find an acknowledgement from before.
	if late := l.opts.Clock.Mono()-began > l.opts.AppendTimeout; err == nil && late {
		err = errors.New("the acknowledgement came too late")
	}
	if err != nil {
		return l.miss(ctx, err)
	}
	l.missed.Store(nil)
	return nil
}

// appendUntil tries until it is done or ctx ends.
func (l *Log) appendUntil(ctx context.Context, id string, group []byte) error {
	for {
		err := l.tryAppend(ctx, id, group)
		if err == nil || l.cannot() != nil {
			return err
		}
		if !lease.Pause(ctx, 100*time.Millisecond) {
			return err
		}
		l.hear(ctx) // the log may have been turned
	}
}

func (l *Log) tryAppend(ctx context.Context, id string, group []byte) error {
	s, err := l.fresh()
	if err != nil {
		return err
	}
	log := s.current()
	if log == "" {
		return errors.New("no node has made the first log yet")
	}
	n, err := l.up()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	_, err = publish(ctx, n, log+".group", id, group)
	return err
}

// miss makes the error of an append that got no acknowledgement.
func (l *Log) miss(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := l.cannot(); err != nil {
		return err
	}
	if !errors.Is(err, eventlog.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
	}
	l.missed.Store(&missed{err, l.opts.Clock.Mono()})
	return err
}

// publish writes one message into a log and gives its sequence number once a majority has it.
func publish(ctx context.Context, n *node, subject, id string, data []byte) (uint64, error) {
	answer, err := n.writer.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{nats.MsgIdHdr: {id}}})
	if err != nil {
		return 0, fmt.Errorf("no acknowledgement: %w", err)
	}
	var ack struct {
		apiAnswer
		Seq uint64 `json:"seq"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("acknowledgement: %w", err)
	}
	if err := ack.err(); err != nil {
		return 0, err
	}
	if ack.Seq == 0 {
		return 0, errors.New("the acknowledgement has no sequence number")
	}
	return ack.Seq, nil
}
