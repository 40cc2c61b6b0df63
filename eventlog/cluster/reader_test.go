package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"brine/eventlog"
)

// reader reads the log as the lake does: rounds from what it has on to the end that each log has, then a trim, and a
// deletion of what is not current. What it has outlives the leaders.
type reader struct {
	mu        sync.Mutex
	committed map[string]uint64
	got       []string
	hours     map[string]time.Time // of each group, as it was read last
	seen      map[string]int
	closed    time.Time // no entry read later may belong to an hour before it
	faults    []string
}

func newReader() *reader {
	return &reader{committed: map[string]uint64{}, hours: map[string]time.Time{}, seen: map[string]int{}}
}

// round is one flush.
func (r *reader) round(ctx context.Context, l *Log) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	hour := l.Hour()
	logs, err := l.LogsNow(ctx)
	if err != nil {
		return err
	}
	for i, info := range logs {
		if err := r.flush(ctx, l, info); err != nil {
			return err
		}
		if i < len(logs)-1 {
			if err := l.Delete(ctx, info.Name); err != nil {
				return err
			}
		}
	}
	if hour.After(r.closed) {
		r.closed = hour
	}
	return nil
}

func (r *reader) flush(ctx context.Context, l *Log, info eventlog.Info) error {
	for r.committed[info.Name] < info.Last {
		from := r.committed[info.Name] + 1
		entries, err := l.Read(ctx, info.Name, from, 100_000)
		if err != nil {
			return err
		}
		if len(entries) == 0 || entries[0].Seq != from {
			r.fault("nothing read of %s from %d to %d", info.Name, from, info.Last)
			return errors.New("a gap")
		}
		for _, e := range entries {
			r.take(info.Name, e)
		}
		if err := l.Trim(ctx, info.Name, r.committed[info.Name]); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) take(log string, e eventlog.Entry) {
	if e.Seq != r.committed[log]+1 {
		r.fault("%s: %d follows %d", log, e.Seq, r.committed[log])
	}
	r.committed[log] = e.Seq
	if e.Hour.Before(r.closed) {
		r.fault("%s: %d belongs to %s, but %s has begun", log, e.Seq, e.Hour, r.closed)
	}
	if e.Mark {
		return
	}
	r.got = append(r.got, string(e.Group))
	r.hours[string(e.Group)] = e.Hour
	r.seen[string(e.Group)]++
}

func (r *reader) fault(format string, v ...any) {
	r.faults = append(r.faults, fmt.Sprintf(format, v...))
}

// check fails when an acknowledged group was not read, or a reader's rule was broken.
func (r *reader) check(t *testing.T, acked []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, fault := range r.faults {
		t.Error(fault)
	}
	missing := 0
	for _, group := range acked {
		if r.seen[group] == 0 {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged groups were not read", missing, len(acked))
	}
}

// drain reads until nothing but the current log is left.
func (r *reader) drain(t *testing.T, l *Log) {
	t.Helper()
	eventually(t, 30*time.Second, "everything is read, and only the current log is left", func() bool {
		return r.round(t.Context(), l) == nil && len(l.Logs()) == 1
	})
}
