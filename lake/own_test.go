package lake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/eventlog"
	"brine/lake"
)

// Two processes take turns in owning a lake: whoever does not own it reads what the owner committed.
func TestOwnersTakeTurns(t *testing.T) {
	h := mustOpen(t)
	h.lake.Close()
	one, other := h.openLake(nil), h.openLake(nil)
	h.lake = one
	defer other.Close()
	a, b := click(testStart, 1), click(testStart, 2)
	if err := one.Flush(t.Context()); !errors.Is(err, lake.ErrNotOwner) {
		t.Fatal(err)
	}
	mustOwn(t, one, h.log, 7)
	h.append(a)
	h.flush()
	one.Disown()
	mustOwn(t, other, h.log, 9)
	h.append(b, a)
	if err := one.Flush(t.Context()); !errors.Is(err, lake.ErrNotOwner) {
		t.Fatal(err)
	}
	if err := other.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRows(t, read(t, other, lake.Raw, "click"), a, b)
	for _, name := range h.files() {
		if !strings.HasSuffix(name, ".e7.parquet") && !strings.HasSuffix(name, ".e9.parquet") {
			t.Errorf("%s does not bear the epoch of its owner", name)
		}
	}
}

func mustOwn(t *testing.T, l *lake.Lake, log lake.Log, epoch uint64) {
	t.Helper()
	if err := l.Own(t.Context(), log, epoch); err != nil {
		t.Fatal(err)
	}
}

// unsure is a log whose end cannot be known as long as err is there.
type unsure struct {
	lake.Log
	err error
}

func (l *unsure) LogsNow(ctx context.Context) ([]eventlog.Info, error) {
	if l.err != nil {
		return nil, l.err
	}
	return l.Log.LogsNow(ctx)
}

// While the end of the log is not known nothing is said to be complete; events wait in the log meanwhile, and it is told why.
func TestUnknownEnd(t *testing.T) {
	h := mustOpen(t)
	h.lake.Close()
	log := &unsure{Log: h.log}
	h.lake = h.openLake(log)
	h.flush()
	before := h.lake.CompleteTo()
	h.append(click(testStart, 1))
	h.clock.advance(time.Minute)
	log.err = fmt.Errorf("%w: log x", eventlog.ErrUnavailable)
	if err := h.lake.Flush(t.Context()); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("flush: %v", err)
	}
	if got := h.lake.CompleteTo(); !got.Equal(before) {
		t.Errorf("complete to %s, want %s", got, before)
	}
	if err := h.lake.Err(); err != nil {
		t.Errorf("events are refused: %v", err)
	}
	if err := h.lake.Trouble(); !errors.Is(err, eventlog.ErrUnavailable) {
		t.Errorf("what is told: %v", err)
	}
	log.err = nil
	h.flush()
	if got := h.lake.CompleteTo(); !got.After(before) || h.lake.Trouble() != nil {
		t.Errorf("complete to %s, %v", got, h.lake.Trouble())
	}
	wantRows(t, read(t, h.lake, lake.Raw, "click"), click(testStart, 1))
}

// At the end of a term nothing is flushed any more: the next owner has what is left. Who is alone flushes once more.
func TestEndOfTerm(t *testing.T) {
	for name, c := range map[string]struct {
		epoch uint64
		want  int
	}{"leased": {1, 0}, "alone": {0, 1}} {
		t.Run(name, func(t *testing.T) {
			h := mustOpen(t)
			mustOwn(t, h.lake, h.log, c.epoch)
			h.append(click(testStart, 1))
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := h.lake.Run(ctx); err != nil {
				t.Error(err)
			}
			if got := len(h.lake.List(lake.Raw, "click")); got != c.want {
				t.Errorf("%d files, want %d", got, c.want)
			}
		})
	}
}
