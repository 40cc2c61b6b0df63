package basis_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"brine/eventlog/internal/basis"
)

// What is missing of the entries 5 to 9 at one look or another, and where the stretch of it ends that begins at 5.
func TestMissing(t *testing.T) {
	for name, test := range map[string]struct {
		missing func(seq uint64, passed time.Duration) bool
		end     uint64
		takes   time.Duration // at least, a look less
	}{
		"NotAtAll":      {func(uint64, time.Duration) bool { return false }, 5, 0},
		"ForAMoment":    {func(_ uint64, passed time.Duration) bool { return passed < 30*time.Second }, 5, 30 * time.Second},
		"ForGood":       {func(seq uint64, _ time.Duration) bool { return seq < 8 }, 8, time.Minute},
		"AllOfThem":     {func(uint64, time.Duration) bool { return true }, 10, time.Minute},
		"SomeOfAMoment": {func(seq uint64, passed time.Duration) bool { return seq < 7 || passed < time.Second }, 7, time.Minute},
		"MoreAtLast":    {func(seq uint64, passed time.Duration) bool { return seq < 7 || passed > 50*time.Second }, 7, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				end, err := basis.Missing(t.Context(), basis.Patience, 5, 9, func(seq uint64) (bool, error) {
					return !test.missing(seq, time.Since(began)), nil
				})
				if took := time.Since(began); err != nil || end != test.end || took < test.takes || took > test.takes+6*time.Second {
					t.Errorf("%d, %v after %s, want %d after %s", end, err, took, test.end, test.takes)
				}
			})
		})
	}
}

func TestMissingErrors(t *testing.T) {
	gone := errors.New("the server is gone")
	if _, err := basis.Missing(t.Context(), time.Hour, 1, 2, func(uint64) (bool, error) { return false, gone }); !errors.Is(err, gone) {
		t.Errorf("%v, want %v", err, gone)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := basis.Missing(ctx, time.Hour, 1, 2, func(uint64) (bool, error) { cancel(); return false, nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want it canceled", err)
	}
}
