package eventlog

import (
	"fmt"
	"strings"
	"time"

	"brine/eventlog/internal/basis"
)

// The subject of an entry says in which log it is, whether it is a mark or a group, and to
// which hour it belongs, so that the hour is known when the mark is trimmed away:
// 20261121x4f09zk.group.2026112113
const (
	markKind  = "mark"
	groupKind = "group"
)

func subject(log, kind string, hour time.Time) string {
	return log + "." + kind + "." + hour.Format(basis.HourForm)
}

func parseSubject(subject string) (kind string, hour time.Time, err error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 3 || parts[1] != markKind && parts[1] != groupKind {
		return "", time.Time{}, fmt.Errorf("%q is no subject of an entry", subject)
	}
	hour, err = time.Parse(basis.HourForm, parts[2])
	return parts[1], hour, err
}
