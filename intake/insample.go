package intake

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"
)

// epochForm is how the start of a salt period names the sampling epoch.
const epochForm = "2006010215"

// turnGrace is how long after the beginning of an epoch an app may still go by the one before.
const turnGrace = 48 * time.Hour

// inSample tells whether an install is in the sample at a rate, for an event of a time in ms: by the
// epoch of that time, or for a while after it began by the one before.
// An event without a unit is in the sample only where all are.
func (s *Server) inSample(unit string, ms int64, rate float64) bool {
	if rate >= 1 || unit == "" {
		return rate >= 1
	}
	at := time.UnixMilli(ms)
	epoch := s.Epoch(at)
	if InSample(epoch, unit, rate) {
		return true
	}
	began, err := time.Parse(epochForm, epoch)
	return err == nil && at.Sub(began) < turnGrace && InSample(s.Epoch(began.Add(-time.Nanosecond)), unit, rate)
}

// InSample tells whether an install is in the sample of an epoch.
func InSample(epoch, unit string, rate float64) bool { return isBelow(fraction(epoch, unit), rate) }

// fraction is where an install lies among all, as a fraction of 2^64: the first 8 bytes of
// SHA-256(epoch + ":" + unit), big-endian. An install that is in the sample at 1 % is in it at 5 %.
func fraction(epoch, unit string) uint64 {
	var room [96]byte
	text := append(append(append(room[:0], epoch...), ':'), unit...)
	sum := sha256.Sum256(text)
	return binary.BigEndian.Uint64(sum[:])
}

// isBelow compares exactly: a rate times 2^64 only changes its exponent.
func isBelow(fraction uint64, rate float64) bool {
	return rate >= 1 || fraction < uint64(math.Ceil(math.Ldexp(rate, 64)))
}
