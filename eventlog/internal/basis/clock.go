package basis

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// ErrClock is a wall clock that cannot be trusted.
var ErrClock = errors.New("log: the clock cannot be trusted")

// Clock tells the time twice over: as the world has it, and as a count that nobody sets.
type Clock interface {
	Wall() time.Time     // the time of day, which an operator or a time server may step
	Mono() time.Duration // time since some fixed moment, which is never stepped
}

// maxDrift is how far the wall clock may leave the monotonic one before it is not trusted.
const maxDrift = 5 * time.Minute

// Guard tells whether the wall clock can be trusted. Once it cannot, that stays so until the
// log is opened anew: which of the two times was right is for a person to say.
type Guard struct {
	clock Clock
	wall  time.Time     // both clocks when the guard was made
	mono  time.Duration //
	log   *slog.Logger
	fault atomic.Pointer[error]
}

// NewGuard trusts the clock as it stands.
func NewGuard(clock Clock, log *slog.Logger) *Guard {
	return &Guard{clock: clock, wall: clock.Wall().Round(0), mono: clock.Mono(), log: log}
}

// Hour is the hour that the wall clock stands in.
func (g *Guard) Hour() (time.Time, error) {
	if err := g.Err(); err != nil {
		return time.Time{}, err
	}
	wall := g.clock.Wall().Round(0)
	drift := wall.Sub(g.wall) - (g.clock.Mono() - g.mono)
	if drift.Abs() > maxDrift {
		g.distrust(fmt.Sprintf("it was moved by %s", drift.Round(time.Second)))
	}
	return wall.UTC().Truncate(time.Hour), g.Err()
}

// CheckNotBefore distrusts a clock that stands well before an hour that has begun.
func (g *Guard) CheckNotBefore(begun time.Time) {
	if wall := g.clock.Wall(); wall.Before(begun.Add(-maxDrift)) {
		g.distrust(fmt.Sprintf("it says %s, but the log's hour %s has begun",
			wall.UTC().Format(time.RFC3339), begun.Format(time.RFC3339)))
	}
}

func (g *Guard) distrust(why string) {
	err := fmt.Errorf("%w: %s; check the clock, then restart with the clock accepted", ErrClock, why)
	g.fault.Store(&err)
	g.log.Error("no event is taken", "reason", err)
}

// Err says why the clock is not trusted; nil while it is.
func (g *Guard) Err() error {
	if fault := g.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}
