package eventlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Entry is one entry of a log.
type Entry struct {
	Seq   uint64
	Hour  time.Time // the hour that it belongs to, UTC
	Mark  bool      // it says that Hour begins, and has no group
	Group []byte    // as it was appended; not to be changed
}

// What one request asks of the server at most, in bytes and in entries: it holds all of the answer at once,
// and acknowledges nothing meanwhile.
const (
	fetchBytes   = 1 << 20
	fetchEntries = 4096
)

// Logs gives every log there is, in order of creation; the last one is the current one.
func (l *Log) Logs() []Info {
	l.infoMu.Lock()
	defer l.infoMu.Unlock()
	return slices.Clone(l.infos)
}

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

// fetchTimeout is how long the next message of an answer may take to come.
const fetchTimeout = 10 * time.Second

// fetch asks for up to count entries from a sequence number on, until they reach maxBytes. It gives
// fewer where an entry cannot be read, and none where the first one cannot.
func (s *store) fetch(ctx context.Context, log string, from, count uint64, maxBytes int) ([]Entry, error) {
	request, err := json.Marshal(map[string]uint64{
		"seq":       from,
		"batch":     min(count, fetchEntries),
		"max_bytes": uint64(min(maxBytes, fetchBytes)),
	})
	if err != nil {
		return nil, err
	}
	answer, err := s.reader.SubscribeSync(s.reader.NewInbox())
	if err != nil {
		return nil, err
	}
	defer answer.Unsubscribe()
	answer.SetPendingLimits(-1, -1) // bounded by the request
	if err := s.reader.PublishRequest("$JS.API.DIRECT.GET."+log, answer.Subject, request); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	return collect(ctx, answer)
}

// The statuses of messages in an answer that are no entries.
const (
	statusEnd      = "204" // the answer is complete
	statusNotFound = "404"
)

func collect(ctx context.Context, answer *nats.Subscription) (entries []Entry, err error) {
	for {
		msg, err := answer.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		switch status := msg.Header.Get("Status"); status {
		case "":
			entry, err := parseEntry(msg)
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		case statusEnd, statusNotFound:
			return entries, nil
		default:
			return nil, errors.New(status + " " + msg.Header.Get("Description"))
		}
	}
}

func parseEntry(msg *nats.Msg) (Entry, error) {
	seq, err := strconv.ParseUint(msg.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return Entry{}, fmt.Errorf("an entry without a sequence number: %w", err)
	}
	kind, hour, err := parseSubject(msg.Header.Get("Nats-Subject"))
	return Entry{Seq: seq, Hour: hour, Mark: kind == markKind, Group: msg.Data}, err
}
