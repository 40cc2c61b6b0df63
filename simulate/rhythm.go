package simulate

import "time"

// hours is how busy each hour of a day (UTC) begins, with a mean of about 1.
var hours = [24]float64{
	0.78, 0.54, 0.32, 0.20, 0.22, 0.31, 0.52, 0.82, 1.04, 1.15, 1.18, 1.15,
	1.21, 1.43, 1.64, 1.70, 1.66, 1.50, 1.32, 1.22, 1.16, 1.10, 0.98, 0.88,
}

// weekdays is how busy each day of a week is, from Sunday, with a mean of about 1.
var weekdays = [7]float64{0.82, 1.08, 1.12, 1.11, 1.09, 1.04, 0.74}

const (
	slotsPerHour = int(time.Hour / slot)
	slotsPerDay  = 24 * slotsPerHour
)

// mean is how many interactions are to be expected in the slot that begins at a time, where a mean
// day has perDay of them.
func mean(at time.Time, perDay int) float64 {
	hour, within := at.Hour(), float64(at.Minute())/60
	busy := hours[hour] + within*(hours[(hour+1)%24]-hours[hour])
	return float64(perDay) / float64(slotsPerDay) * busy * weekdays[at.Weekday()]
}
