package salt

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// The limits of what a config may ask for.
const (
	maxPeriod = 3660 * day // ten years
	maxGrace  = 90 * day   // the raw window: after it there is nothing left to hash
)

// Periods is how time is cut into periods: calendar quarters in UTC, or steps of one length that
// are counted from a start, backwards too. Each hour lies in exactly one.
type Periods struct {
	step  time.Duration // 0 for calendar quarters
	start time.Time
	grace time.Duration
}

var steps = regexp.MustCompile(`^([0-9]{1,6}) ?(d|days?|h|hours?)$`)

// ParsePeriods reads period, start and grace of the config: "quarter", "90d" or "90 days", "12h" or
// "12 hours"; a day or an RFC 3339 hour; full hours between END and DELETION. Empty texts are quarter and
// 2026-01-01. An error names the key first, like "period: …".
func ParsePeriods(period, start string, grace time.Duration) (p Periods, err error) {
	if p.step, err = parseStep(period); err != nil {
		return Periods{}, fmt.Errorf("period: %w", err)
	}
	if p.start, err = parseStart(start); err != nil {
		return Periods{}, fmt.Errorf("start: %w", err)
	}
	if grace < 0 || grace > maxGrace || grace%time.Hour != 0 {
		return Periods{}, fmt.Errorf("grace: expected full hours, from 0 to %d days", maxGrace/day)
	}
	p.grace = grace
	return p, nil
}

func parseStep(s string) (time.Duration, error) {
	if s == "" || s == "quarter" {
		return 0, nil
	}
	parts := steps.FindStringSubmatch(s)
	if parts == nil {
		return 0, errors.New("expected quarter, days like 90d, or hours like 12h")
	}
	unit := time.Hour
	if parts[2][0] == 'd' {
		unit = day
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || time.Duration(n) > maxPeriod/unit {
		return 0, fmt.Errorf("expected at least 1 hour and at most %d days", maxPeriod/day)
	}
	return time.Duration(n) * unit, nil
}

func parseStart(s string) (time.Time, error) {
	if s == "" {
		return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	if err != nil || !t.Equal(t.Truncate(time.Hour)) || t.Year() < 1 {
		return time.Time{}, errors.New("expected a day, like 2026-01-01, or a full hour, like 2026-01-01T06:00:00Z")
	}
	return t.UTC(), nil
}

// Quarters says whether the periods are calendar quarters.
func (p Periods) Quarters() bool { return p.step == 0 }

// Longest is how long a period is; of quarters, the third and the fourth of a year, which are the longest.
func (p Periods) Longest() time.Duration {
	if p.Quarters() {
		return 92 * day
	}
	return p.step
}

// Grace is how long a salt outlives its period.
func (p Periods) Grace() time.Duration { return p.grace }

// At is the period that holds a time.
func (p Periods) At(t time.Time) Period {
	start, end := quarter(t)
	if p.step > 0 {
		start, end = p.steps(t)
	}
	return Period{start, end, end.Add(p.grace)}
}

func quarter(t time.Time) (start, end time.Time) {
	year, month, _ := t.UTC().Date()
	first := month - (month-1)%3
	return time.Date(year, first, 1, 0, 0, 0, 0, time.UTC), time.Date(year, first+3, 1, 0, 0, 0, 0, time.UTC)
}

// steps counts in seconds, as a duration ends at 292 years.
func (p Periods) steps(t time.Time) (start, end time.Time) {
	step := int64(p.step / time.Second)
	after := t.Unix() - p.start.Unix()
	within := after % step
	if within < 0 {
		within += step
	}
	start = time.Unix(t.Unix()-within, 0).UTC()
	return start, start.Add(p.step)
}
