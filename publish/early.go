package publish

import (
	"fmt"
	"time"

	"brine/kpi"
)

// Early is the error of days that are to be published from long ago on.
type Early struct {
	First kpi.Date
	Hour  time.Time
}

func (e Early) Error() string {
	return fmt.Sprintf("publishing would begin with %s, over %d days before the hour, which is %s: a day of which nothing is held would be published as empty for good, and spend as much as any other (put "+
		"publish.from in kpi.yaml off; or where it and the clock are meant so, restart with --accept-clock)", e.First, maxBack, e.Hour.UTC().Format("2006-01-02 15:04"))
}

// maxBack is how many days before the hour publishing may begin while nobody looks.
const maxBack = 31

// TooEarly says whether a first day is so far before a time that it is most likely not meant.
func TooEarly(first kpi.Date, zone *time.Location, now time.Time) bool {
	return first.Plus(maxBack).Start(zone).Before(now)
}

// early is [Early] where publishing would begin long before an hour, and earlier than ever before.
func (s *ledgerState) early(first kpi.Date, zone *time.Location, hour time.Time) error {
	first = max(first, s.Before)
	if begun := s.begun(); TooEarly(first, zone, hour) && (begun == "" || first < begun) {
		return Early{first, hour}
	}
	return nil
}

// begun is the earliest day that publishing began with; "" where it did not yet.
func (s *ledgerState) begun() kpi.Date {
	if len(s.releases) > 0 && (s.First == "" || s.releases[0].Date < s.First) {
		return s.releases[0].Date
	}
	return s.First
}

// Begun says whether the ledger that is in a folder, or was brought over from it, has a release, as far as this process has seen.
func Begun(dir string) bool {
	s, err := seenIn(dir).read()
	return err != nil || s.Date != ""
}
