// Package simulate makes synthetic users of a sign-in dialog: for the demo, for load tests and for
// benchmarks. A seed goes in; interactions as JSON come out, as a browser would have sent them
// (stream interaction, dialog sign_in), and the same seed always gives the same bytes. It imports
// nothing of the house.
//
// # What the users do
//
// Three kinds of people open the dialog: those who have an account (most), those who are new, and
// those who find that they forgot their password. Each goes through the steps of its path (paths.go),
// leaves at each with a likelihood of its own, and takes log-normal times: a median for each step,
// a pace for each person, slower on a phone. Some give a wrong password, some meet an error.
// What they use (devices.go) is skewed as on the Web: browser, system and screen hang together.
//
// # When they do it
//
// Times are UTC and stand for an audience in Europe and the Americas (rhythm.go): the quietest hour
// is that from 03:00 with a fifth of the mean; it rises through the European morning to a peak of 1.7
// times the mean at 15:00, when both continents are at work, and falls slowly through the American
// evening. Between the full hours it is interpolated. Tuesdays are busiest, 1.12 times
// the mean; Saturdays, with 0.74, and Sundays are quiet. How many come in one slot of 10 minutes is
// drawn from a Poisson distribution. The release changes twice a month, on the 1st and the 15th.
//
// # What befalls the dialog
//
// Nothing, unless a [Story] is told: a redesign that helps on phones and hurts elsewhere, an experiment with the
// wording of a mail, a day of which nothing arrived.
package simulate

import (
	"fmt"
	"io"
	"time"
)

// slot is how fine the times of interactions are.
const slot = 10 * time.Minute

// flushAt is how many bytes are gathered before they are written.
const flushAt = 64 << 10

// Config says how much history to make.
type Config struct {
	Seed   uint64    // the same seed and the same other fields give the same bytes
	Days   int       // how many days of history, at least 1
	PerDay int       // how many interactions on a mean day, at least 1
	End    time.Time // the history ends before it; taken down to a multiple of 10 minutes
	Story  *Story    // what befalls the dialog; nil: nothing
}

// Write writes the history as NDJSON, one interaction a line, ordered by time. It holds no more than
// a few of them in memory. An error is that of the configuration or of the writer.
func (c Config) Write(w io.Writer) error {
	if c.Days < 1 || c.PerDay < 1 || c.End.IsZero() {
		return fmt.Errorf("simulate: %d days with %d interactions a day up to %s: the days and the number must be at least 1, and the end must be given",
			c.Days, c.PerDay, c.End.UTC().Format(time.RFC3339))
	}
	s := NewSource(c.Seed)
	s.Story = c.Story
	end := c.End.UTC().Truncate(slot)
	buf := make([]byte, 0, flushAt+4<<10)
	for at := end.AddDate(0, 0, -c.Days); at.Before(end); at = at.Add(slot) {
		if c.Story.silent(at) {
			continue
		}
		for range s.poisson(mean(at, c.PerDay)) {
			buf = append(s.AppendInteraction(buf, at), '\n')
			if len(buf) < flushAt {
				continue
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}
