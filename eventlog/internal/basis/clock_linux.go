package basis

import (
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock is the clock of this machine.
type SystemClock struct{}

// Wall is the time of day.
func (SystemClock) Wall() time.Time { return time.Now() }

// Mono counts on while a laptop or a virtual machine sleeps, which Go's own monotonic
// reading does not: waking up is no fault of the clock.
func (SystemClock) Mono() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("log: CLOCK_BOOTTIME: " + err.Error()) // every Linux since 2.6.39 has it
	}
	return time.Duration(ts.Nano())
}
