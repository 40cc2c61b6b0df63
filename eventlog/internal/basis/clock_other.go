//go:build !linux

package basis

import "time"

// SystemClock is the clock of this machine.
type SystemClock struct{}

var started = time.Now()

// Wall is the time of day.
func (SystemClock) Wall() time.Time { return time.Now() }

// Mono is the time since the start.
func (SystemClock) Mono() time.Duration { return time.Since(started) }
