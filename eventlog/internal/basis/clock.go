package eventlog

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Clock tells the time twice over: as the world has it, and as a count that nobody sets.
type Clock interface {
	Wall() time.Time     // the time of day, which an operator or a time server may step
	Mono() time.Duration // time since some fixed moment, which is never stepped
}

// maxDrift is how far the wall clock may leave the monotonic one before it is not trusted.
const maxDrift = 5 * time.Minute

// guard tells whether the wall clock can be trusted. Once it cannot, that stays so until the
// log is opened anew: which of the two times was right is for a person to say.
type guard struct {
	clock Clock
	wall  time.Time     // both clocks when the guard was made
	mono  time.Duration //
	log   *slog.Logger
	fault atomic.Pointer[error]
}

func newGuard(clock Clock, log *slog.Logger) *guard {
	return &guard{clock: clock, wall: clock.Wall().Round(0), mono: clock.Mono(), log: log}
}

// hour is the hour that the wall clock stands in.
func (g *guard) hour() (time.Time, error) {
	if err := g.err(); err != nil {
		return time.Time{}, err
	}
	wall := g.clock.Wall().Round(0)
	drift := wall.Sub(g.wall) - (g.clock.Mono() - g.mono)
	if drift.Abs() > maxDrift {
		g.distrust(fmt.Sprintf("it was moved by %s", drift.Round(time.Second)))
	}
	return wall.UTC().Truncate(time.Hour), g.err()
}

// checkNotBefore distrusts a clock that stands well before an hour that has begun.
func (g *guard) checkNotBefore(begun time.Time) {
	if g.wall.Before(begun.Add(-maxDrift)) {
		g.distrust(fmt.Sprintf("it says %s, but the log's hour %s has begun",
			g.wall.UTC().Format(time.RFC3339), begun.Format(time.RFC3339)))
	}
}

func (g *guard) distrust(why string) {
	err := fmt.Errorf("%w: %s; check the clock, then restart with the clock accepted", ErrClock, why)
	g.fault.Store(&err)
	g.log.Error("no event is taken", "reason", err)
}

func (g *guard) err() error {
	if fault := g.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}
