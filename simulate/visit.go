package simulate

import (
	"math"
	"strconv"
	"strings"
)

// A person's pace and the times within one path vary by these (sigma of the log-normal distribution).
const (
	paceSigma = 0.35
	timeSigma = 0.55
)

// longest is the longest offset or duration that an interaction may have, in ms.
const longest = 86_400_000

// visit is one use of the dialog, being walked through. Its entries are written as they come.
type visit struct {
	*Source
	chapter
	buf    []byte
	clock  float64 // ms since the dialog was opened
	pace   float64 // how long this person takes, compared with the median
	mobile bool    // on a phone or a tablet

	known bool // an e-mail address was given
	isNew bool // it had no account yet
}

// walk goes through a stretch of steps, and says whether the person is still there at its end.
func (v *visit) walk(steps []step) bool {
	for _, s := range steps {
		if stay := v.stay(s); stay < 1 && !v.happens(stay) {
			v.leave(s.wait)
			return false
		}
		began := v.clock + v.time(s.wait)
		v.clock = began
		if s.takes == 0 {
			v.entry(s.name, began)
			continue
		}
		took := v.time(s.takes)
		v.clock += took
		v.timed(s.name, began, took, 1)
		if strings.HasPrefix(s.name, "xhr_complete.") && v.happens(errorShare) {
			v.entry(pick(v.Source, failures), v.clock)
			return false
		}
	}
	return true
}

// await looks again and again whether the link in the mail was followed, while the person is away;
// the looks are folded into one entry. Who does not come back is not waited for to the end.
func (v *visit) await(poll string, then []step) bool {
	began := v.clock
	if !v.happens(v.stay(then[0])) {
		v.polled(poll, began, v.time(then[0].wait))
		v.leave(pollEvery)
		return false
	}
	away := v.time(then[0].wait)
	v.polled(poll, began, away)
	v.clock = began + away
	v.entry(then[0].name, v.clock)
	return true
}

func (v *visit) polled(name string, began, away float64) {
	looks := min(int(away/pollEvery)+1, 10_000)
	v.timed(name, began+pollEvery, v.time(170), looks)
	v.clock = began + away
}

// leave ends the visit: with the cancel button, or by just going away.
func (v *visit) leave(wait float64) {
	if v.happens(cancelShare) {
		v.clock += v.time(wait)
		v.entry("screen.cancel", v.clock)
	}
}

// time draws how long something takes this person, in ms.
func (v *visit) time(median float64) float64 {
	return v.logNormal(median*v.pace, timeSigma)
}

func (v *visit) entry(name string, at float64) {
	v.buf = append(v.buf, `["`...)
	v.buf = append(v.buf, name...)
	v.buf = append(v.buf, `",`...)
	v.buf = appendMillis(v.buf, at)
	v.buf = append(v.buf, `],`...)
}

func (v *visit) timed(name string, at, took float64, repeat int) {
	v.entry(name, at)
	v.buf = append(v.buf[:len(v.buf)-len(`],`)], ',')
	v.buf = appendMillis(v.buf, took)
	if repeat > 1 {
		v.buf = append(v.buf, ',')
		v.buf = strconv.AppendInt(v.buf, int64(repeat), 10)
	}
	v.buf = append(v.buf, `],`...)
}

func appendMillis(buf []byte, ms float64) []byte {
	return strconv.AppendInt(buf, int64(math.Min(ms, longest)), 10)
}
