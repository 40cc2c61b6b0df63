package basis

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"time"
)

// A log's name is its UTC day and a random part, so that no two incarnations share one:
// 20261121x4f09zk. It has no dash, which parts it from the sequences in the lake's file names.
var logName = regexp.MustCompile(`^[0-9]{8}x[0-9a-z]{6}$`)

// The forms of a day and of an hour in names, for [time.Parse].
const (
	DayForm  = "20060102"
	HourForm = "2006010215"
)

// NewName is the name of a new log of a UTC day.
func NewName(day time.Time) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	part := make([]byte, 6)
	rand.Read(part)
	for i, b := range part {
		part[i] = letters[int(b)%len(letters)]
	}
	return day.Format(DayForm) + "x" + string(part)
}

// DayOf is the UTC day in the name of a log.
func DayOf(name string) (time.Time, error) {
	if !logName.MatchString(name) {
		return time.Time{}, fmt.Errorf("%q is no name of a log", name)
	}
	return time.Parse(DayForm, name[:len(DayForm)])
}

// IsName tells the name of a log from another.
func IsName(name string) bool { return logName.MatchString(name) }
