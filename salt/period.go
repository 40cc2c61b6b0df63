package salt

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Period is the hours that one salt is for, and when that salt is destroyed. All three are full
// hours in UTC.
type Period struct {
	Start    time.Time // inclusive
	End      time.Time // exclusive
	Deletion time.Time // from then on the salt is not used any more; never before End
}

// nameTime is how a time stands in a name: YYYYMMDDHH.
const nameTime = "2006010215"

// Name is the name of the salt's file: START_END_DELETION, like 2026100100_2027010100_2027010300.
func (p Period) Name() string {
	return p.Epoch() + "_" + p.End.UTC().Format(nameTime) + "_" + p.Deletion.UTC().Format(nameTime)
}

// Epoch is the START part of the name: the sampling epoch.
func (p Period) Epoch() string { return p.Start.UTC().Format(nameTime) }

// IsZero is whether this is no period at all.
func (p Period) IsZero() bool { return p == Period{} }

// Holds is whether a time lies in the period.
func (p Period) Holds(t time.Time) bool { return !t.Before(p.Start) && t.Before(p.End) }

// Due is whether the salt is to be destroyed.
func (p Period) Due(now time.Time) bool { return !now.Before(p.Deletion) }

// overlaps is whether the two have an hour in common.
func (p Period) overlaps(q Period) bool { return p.Start.Before(q.End) && q.Start.Before(p.End) }

// ParseName reads the name of a salt's file. Its error says which part is wrong, without the name.
func ParseName(name string) (p Period, err error) {
	parts := strings.Split(name, "_")
	if len(parts) == 2 {
		return Period{}, errors.New("the name has no DELETION: it is START_END_DELETION, each YYYYMMDDHH")
	}
	if len(parts) != 3 {
		return Period{}, errors.New("not a name of a salt: that is START_END_DELETION, each YYYYMMDDHH")
	}
	times := []*time.Time{&p.Start, &p.End, &p.Deletion}
	for i, part := range []string{"START", "END", "DELETION"} {
		if *times[i], err = parseNameTime(parts[i]); err != nil {
			return Period{}, fmt.Errorf("the name's %s %w", part, err)
		}
	}
	switch {
	case !p.Start.Before(p.End):
		return Period{}, errors.New("the name's END is not after its START")
	case p.Deletion.Before(p.End):
		return Period{}, errors.New("the name's DELETION is before its END")
	}
	return p, nil
}

func parseNameTime(s string) (time.Time, error) {
	t, err := time.Parse(nameTime, s)
	var wrong *time.ParseError
	switch {
	case errors.As(err, &wrong) && wrong.Message != "":
		return t, fmt.Errorf("is no time%s", wrong.Message) // like ": month out of range"
	case err != nil:
		return t, errors.New("is no time, YYYYMMDDHH")
	}
	return t, nil
}
