package publish

import (
	"errors"
	"fmt"
	"os"
	"time"

	"brine/access/private"
	"brine/kpi"
)

// seenFile is what this process has seen of a ledger, kept apart from it: what is missing there is noticed, and its epsilon is not spent twice.
type seenFile string

type seen struct {
	Date   kpi.Date  `json:"date,omitempty"` // of the release that was published last
	Sum    string    `json:"sum,omitempty"`  // of that
	Before kpi.Date  `json:"before,omitempty"`
	Hour   time.Time `json:"hour,omitzero"` // that is open in the log
}

// seenIn is beside the folder of a ledger.
func seenIn(dir string) seenFile { return seenFile(dir + ".seen") }

func (f seenFile) read() (s seen, err error) {
	if err = readJSON(string(f), &s); errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return s, err
}

func (f seenFile) write(s seen) error { return private.Replace(string(f), append(mustJSON(s), '\n')) }

// judge refuses a ledger that lacks what was seen of it, and remembers what is there.
func (f seenFile) judge(state *ledgerState) error {
	s, err := f.read()
	if err != nil {
		return fmt.Errorf("%w (remove the file, where the ledger is known to be whole)", err)
	}
	const what = "%s was there, and is missing (restore it; or where another ledger is meant, move %s away)"
	if s.Sum != "" && !state.has(s.Date, s.Sum) {
		return fmt.Errorf(what, "the release of "+string(s.Date), string(f))
	}
	if s.Before > state.Before {
		return fmt.Errorf(what, "that days before "+string(s.Before)+" count as spent", string(f))
	}
	next := s
	next.Before = state.Before
	if all := state.byNumber(); len(all) > 0 {
		last := all[len(all)-1]
		next.Date, next.Sum = last.Date, last.sum()
	}
	if next == s {
		return nil
	}
	return f.write(next)
}

// Leap is hours that were passed over at once.
type Leap struct{ From, To time.Time }

func (l Leap) Error() string {
	return fmt.Sprintf("the hour was %s when totals were last looked after, and is %s: brine did not run, could not file what came, or the clock is ahead, and days of which nothing is known would be "+
		"published as empty for good (look at the clock, then restart with --accept-clock)", l.From.Format("2006-01-02 15:04"), l.To.Format("2006-01-02 15:04"))
}

// maxLeap is how far hours may go on while nobody looks.
const maxLeap = 48 * time.Hour

// Enter takes note of the hour that is open. The error is a [Leap] where that is far beyond the hour before and the end of all that is published, and nobody has
// accepted it.
func (l *Ledger) Enter(hour time.Time, accepted bool) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	s, err := l.seen.read()
	if err != nil || !hour.After(s.Hour) {
		return err
	}
	last, state := s.Hour, l.now()
	if n := len(state.releases); n > 0 && state.releases[n-1].End.After(last) {
		last = state.releases[n-1].End
	}
	if state.Before != "" && state.Before.Start(time.UTC).After(last) {
		last = state.Before.Start(time.UTC)
	}
	if !last.IsZero() && hour.Sub(last) > maxLeap && !accepted {
		return Leap{last.UTC(), hour.UTC()}
	}
	s.Hour = hour
	return l.seen.write(s)
}
