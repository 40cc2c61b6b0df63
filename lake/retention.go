package lake

import (
	"cmp"
	"slices"
	"time"
)

// Limit is how much of a dataset is kept.
type Limit struct {
	MaxAge          time.Duration // 0: for ever
	MaxBytes        int64         // 0: no limit
	DropUnsanitized bool          // for space also hours that are not sanitized yet
}

// Retention says what of a lake is kept. It decides; [Lake.Purge] acts on it.
type Retention struct {
	Limits map[string]Limit // by dataset; one without a limit is kept whole
	Guard  float64          // the share of a dataset's bytes, above 0 and up to 1, that may go at once; see [Retention.Due]
}

// Held is one hour of a stream in a dataset.
type Held struct {
	Dataset, Stream string
	Hour            time.Time // its start
	Bytes           int64
	Open            bool     // events still join it; of sanitized: its raw hour is there, of which it would be made again
	Unsanitized     bool     // of raw: what is to be kept of it is not in the sanitized dataset yet
	Files           nameList // also those that are covered or left out
}

// Why is why an hour is dropped.
type Why string

// The reasons.
const (
	ForAge   Why = "age"
	ForSpace Why = "space"
)

// Drop is an hour that is to go.
type Drop struct {
	Held
	Why Why
}

// Stopped is a dataset of which nothing is dropped, as it would be too much at once.
type Stopped struct {
	Dataset string  `json:"dataset"`
	Hours   int     `json:"hours"` // of streams, that are due
	Bytes   int64   `json:"bytes"` // of these
	Share   float64 `json:"share"` // of the dataset's bytes that is unusual to go at once
}

// Due is what the limits no longer permit, dataset by dataset, the oldest first. An hour is due by
// age once its first moment is as old as the limit, so that no row is ever older; also when it is
// not sanitized. Hours go for space until the rest is within the limit; those that are open are
// not counted on for that, nor those that are not sanitized.
//
// The guard stops a dataset of which an unusual share would go at once, as after a mistake in the
// config or of the clock. What came due by age within the last day is the everyday course and not
// unusual; the rest is, unless it is a single hour. Yes takes the guard away.
func (r Retention) Due(held []Held, now time.Time, yes bool) (drops []Drop, stopped []Stopped) {
	byDataset := map[string][]Held{}
	for _, h := range held {
		byDataset[h.Dataset] = append(byDataset[h.Dataset], h)
	}
	for _, dataset := range sortedKeys(byDataset) {
		limit, limited := r.Limits[dataset]
		if !limited {
			continue
		}
		due := limit.due(byDataset[dataset], now)
		if share := limit.unusual(due, byDataset[dataset], now); share > r.Guard && !yes {
			stopped = append(stopped, Stopped{dataset, len(due), bytesOf(due), share})
			continue
		}
		drops = append(drops, due...)
	}
	return drops, stopped
}

func (l Limit) due(held []Held, now time.Time) (drops []Drop) {
	held = slices.SortedFunc(slices.Values(held), func(a, b Held) int {
		return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.Stream, b.Stream))
	})
	var left int64
	for _, h := range held {
		if l.aged(h, now) {
			drops = append(drops, Drop{h, ForAge})
		} else {
			left += h.Bytes
		}
	}
	for _, h := range held {
		if l.MaxBytes == 0 || left <= l.MaxBytes {
			break
		}
		if !l.aged(h, now) && l.mayGoForSpace(h) {
			drops = append(drops, Drop{h, ForSpace})
			left -= h.Bytes
		}
	}
	return drops
}

// aged says whether the first moment of an hour is as old as the limit.
func (l Limit) aged(h Held, now time.Time) bool {
	return l.MaxAge > 0 && !h.Hour.Add(l.MaxAge).After(now)
}

func (l Limit) mayGoForSpace(h Held) bool { return !h.Open && (!h.Unsanitized || l.DropUnsanitized) }

// everyday is how long ago an hour may have come due for its drop to be nothing unusual: a purge
// that was held up over a night goes on by itself.
const everyday = 24 * time.Hour

// unusual is the share of a dataset's bytes in what is due and would not have been in the everyday course.
func (l Limit) unusual(due []Drop, held []Held, now time.Time) float64 {
	var bytes, all int64
	hours := map[time.Time]bool{}
	for _, d := range due {
		if d.Why == ForSpace || d.Hour.Add(l.MaxAge+everyday).Before(now) {
			bytes += d.Bytes
			hours[d.Hour] = true
		}
	}
	for _, h := range held {
		all += h.Bytes
	}
	if len(hours) < 2 || all == 0 {
		return 0
	}
	return float64(bytes) / float64(all)
}

func bytesOf(drops []Drop) (n int64) {
	for _, d := range drops {
		n += d.Bytes
	}
	return n
}

// NextDue is when the next hour comes due by age; false where none ever does.
func (r Retention) NextDue(held []Held) (next time.Time, ok bool) {
	for _, h := range held {
		due := h.Hour.Add(r.Limits[h.Dataset].MaxAge)
		if r.Limits[h.Dataset].MaxAge > 0 && (!ok || due.Before(next)) {
			next, ok = due, true
		}
	}
	return next, ok
}
