//go:build !linux

package eventlog

import "time"

type systemClock struct{}

var started = time.Now()

func (systemClock) Wall() time.Time     { return time.Now() }
func (systemClock) Mono() time.Duration { return time.Since(started) }
