package lake

import (
	"errors"
	"log/slog"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sync/semaphore"

	"brine/lake/store"
	"brine/lake/store/s3test"
)

// slept is a reading of the clock after a machine has slept: the time of day went on, and Go's monotonic clock stood still.
func slept(d time.Duration) time.Time {
	t := time.Now().Add(d)
	(*struct {
		wall uint64
		mono int64
	})(unsafe.Pointer(&t)).mono -= int64(d)
	return t
}

// An owner sleeps for over a week, and wakes up when the entries after its own are gone, as all begin with a snapshot: it must not write
// under a number that another had.
func TestAnOwnerSleepsForAWeek(t *testing.T) {
	const week = 8 * 24 * time.Hour
	if before := time.Now(); slept(week).Sub(before) > time.Minute || slept(week).Round(0).Sub(before.Round(0)) < week {
		t.Fatal("time.Time is made otherwise: this test shows nothing")
	}
	for name, pending := range map[string]bool{"Idle": false, "Writing": true} {
		t.Run(name, func(t *testing.T) {
			s := s3test.Start(t)
			open := func() *journal {
				return &journal{bucket: s.Open(t, "lake"), log: slog.New(slog.DiscardHandler), now: time.Now, turn: semaphore.NewWeighted(1), state: newState()}
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			anyLake := func(*state) error { return nil }
			one, other := open(), open()
			_, err := one.own(t.Context(), 7, false, anyLake)
			must(err)
			must(one.append(t.Context(), &entry{Mark: &mark{"x", 1}}))
			if pending {
				s.Fail(s3test.Gone)
				if err := one.append(t.Context(), &entry{Mark: &mark{"x", 2}}); !errors.Is(err, store.ErrUnavailable) {
					t.Fatal(err)
				}
				s.Fail(nil)
			}
			_, err = other.own(t.Context(), 9, false, anyLake)
			must(err)
			for n := range uint64(3) {
				must(other.append(t.Context(), &entry{Mark: &mark{"x", 2 + n}}))
			}
			other.now = func() time.Time { return time.Now().Add(week) }
			must(other.snapshot(t.Context()))
			if _, err := other.bucket.Get(t.Context(), entryKey(3)); !errors.Is(err, store.ErrNotExist) {
				t.Fatalf("the entry is not gone: %v", err)
			}
			one.now = func() time.Time { return slept(week) }
			if err := one.append(t.Context(), &entry{Mark: &mark{"x", 2}}); !errors.Is(err, ErrFenced) {
				t.Errorf("the one that slept writes: %v", err)
			}
			if one.number() != other.number() || one.owned() == nil {
				t.Errorf("it is at %d, and the other at %d; it owns the lake: %v", one.number(), other.number(), one.owned())
			}
			if _, err := other.bucket.Get(t.Context(), entryKey(3)); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("the journal is forked: %v", err)
			}
		})
	}
}
