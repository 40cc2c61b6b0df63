package eventlog

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A log's name is its UTC day and a random part, so that no two incarnations share one:
// 20261121x4f09zk. It has no dash, which parts it from the sequences in the lake's file names.
var logName = regexp.MustCompile(`^[0-9]{8}x[0-9a-z]{6}$`)

const (
	dayForm  = "20060102"
	hourForm = "2006010215"
)

func newName(day time.Time) string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	part := make([]byte, 6)
	rand.Read(part)
	for i, b := range part {
		part[i] = letters[int(b)%len(letters)]
	}
	return day.Format(dayForm) + "x" + string(part)
}

// dayOf is the UTC day in the name of a log.
func dayOf(name string) (time.Time, error) {
	if !logName.MatchString(name) {
		return time.Time{}, fmt.Errorf("%q is no name of a log", name)
	}
	return time.Parse(dayForm, name[:len(dayForm)])
}

// The subject of an entry says in which log it is, whether it is a mark or a group, and to
// which hour it belongs, so that the hour is known when the mark is trimmed away:
// 20261121x4f09zk.group.2026112113
const (
	markKind  = "mark"
	groupKind = "group"
)

func subject(log, kind string, hour time.Time) string {
	return log + "." + kind + "." + hour.Format(hourForm)
}

func parseSubject(subject string) (kind string, hour time.Time, err error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 3 || parts[1] != markKind && parts[1] != groupKind {
		return "", time.Time{}, fmt.Errorf("%q is no subject of an entry", subject)
	}
	hour, err = time.Parse(hourForm, parts[2])
	return parts[1], hour, err
}
