package facts

import (
	"time"

	"brine/kpi"
)

// whole is the first day of which nothing can have been purged, by the retention of sanitized; "" where it has no limit. Hours go one by one, so
// days before it are told as days without data: half a day is no figure of it, and asked for between two purges it would tell what the hour
// between them held. What arrives late goes after its day, and no longer counts.
func (s *Source) whole(all map[sourceKey]*source, zone *time.Location) kpi.Date {
	var from time.Time // the first hour that is surely held
	if age := s.o.Retention.MaxAge; age > 0 {
		from = s.o.Now().Add(-age).Truncate(time.Hour).Add(time.Hour)
	}
	if s.o.Retention.MaxBytes > 0 {
		if oldest := oldestHour(all); oldest.After(from) {
			from = oldest
		}
	}
	if from.IsZero() {
		return ""
	}
	day := dateOf(from.UnixMilli(), zone)
	for day.Start(zone).Add(-maxEarly).Before(from) { // clocks may be ahead: a day's first events come before it begins
		day = day.Plus(1)
	}
	return day
}

// oldestHour is the first that is sanitized; of all where none is. Zero where there is none.
func oldestHour(all map[sourceKey]*source) (oldest time.Time) {
	keys := sortedKeys(all)
	for _, k := range keys {
		if all[k].sanitized != nil {
			return time.Unix(k.hour, 0)
		}
	}
	if len(keys) > 0 {
		oldest = time.Unix(keys[0].hour, 0)
	}
	return oldest
}
