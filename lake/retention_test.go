package lake_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"brine/lake"
)

const day = 24 * time.Hour

var promised = lake.Retention{Limits: map[string]lake.Limit{lake.Raw: {MaxAge: 90 * day}}, Guard: 0.2}

// hoursBack are hours of raw, one every step, the newest one hour old.
func hoursBack(n int, step time.Duration, now time.Time) (held []lake.Held) {
	for i := range n {
		hour := now.Truncate(time.Hour).Add(-time.Hour - time.Duration(i)*step)
		held = append(held, lake.Held{Dataset: lake.Raw, Stream: "click", Hour: hour, Bytes: 100})
	}
	return held
}

func TestDueByAge(t *testing.T) {
	now := testStart
	for _, c := range []struct {
		name string
		hour time.Time
		due  bool
	}{
		{"FirstMomentAsOldAsTheLimit", now.Add(-90 * day), true},
		{"OneSecondYounger", now.Add(-90*day + time.Second), false},
		{"OneHourOlder", now.Add(-90*day - time.Hour), true},
		{"InTheFuture", now.Add(time.Hour), false},
	} {
		held := []lake.Held{
			{Dataset: lake.Raw, Stream: "click", Hour: c.hour, Bytes: 1, Unsanitized: true, Open: true},
			{Dataset: lake.Sanitized, Stream: "click", Hour: c.hour, Bytes: 1},
		}
		drops, stopped := promised.Due(held, now, false)
		if (len(drops) == 1 && drops[0].Why == lake.ForAge && drops[0].Dataset == lake.Raw) != c.due || len(stopped) > 0 {
			t.Errorf("%s: %v, %v", c.name, drops, stopped)
		}
	}
}

// The guard lets through what a purge that runs all the time drops, and what one night held up.
func TestGuard(t *testing.T) {
	now := testStart
	limits := func(l lake.Limit) lake.Retention {
		return lake.Retention{Limits: map[string]lake.Limit{lake.Raw: l}, Guard: 0.2}
	}
	for _, c := range []struct {
		name    string
		r       lake.Retention
		held    []lake.Held
		drops   int
		stopped bool
	}{
		{"TheNextHourOfMany", promised, hoursBack(90*24, time.Hour, now), 1, false},
		{"ANightHeldUp", promised, hoursBack(90*24+8, time.Hour, now), 9, false},
		{"ASmallLakeThatIsDoneWith", promised, hoursBack(10, time.Hour, now.Add(-90*day-9*time.Hour)), 10, false},
		{"AWeekHeldUp", promised, hoursBack(97*24, time.Hour, now), 7*24 + 1, false},
		{"ClockAheadByAMonth", promised, hoursBack(90*24, time.Hour, now.Add(-30*day)), 0, true},
		{"NineInsteadOfNinetyDays", limits(lake.Limit{MaxAge: 9 * day}), hoursBack(90*24, time.Hour, now), 0, true},
		{"ALoneHourLongOverdue", promised, hoursBack(1, time.Hour, now.Add(-200*day)), 1, false},
		{"ALittleOverTheSpace", limits(lake.Limit{MaxBytes: 950}), hoursBack(10, time.Hour, now), 1, false},
		{"ALoneHourOverTheSpace", limits(lake.Limit{MaxBytes: 150}), hoursBack(2, time.Hour, now), 1, false},
		{"SpaceForATenth", limits(lake.Limit{MaxBytes: 100}), hoursBack(10, time.Hour, now), 0, true},
	} {
		drops, stopped := c.r.Due(c.held, now, false)
		if len(drops) != c.drops || (len(stopped) == 1) != c.stopped {
			t.Errorf("%s: %d drops, stopped %v", c.name, len(drops), stopped)
		}
		if drops, stopped = c.r.Due(c.held, now, true); len(drops) == 0 || len(stopped) > 0 {
			t.Errorf("%s with a yes: %d drops, stopped %v", c.name, len(drops), stopped)
		}
	}
}

// Random lakes under random limits: what must hold of every decision does.
func TestDueProperties(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 4))
		held, retention := randomLake(r)
		drops, stopped := retention.Due(held, testStart, true)
		if len(stopped) > 0 {
			t.Fatalf("seed %d: stopped in spite of the yes", seed)
		}
		for dataset := range retention.Limits {
			checkDue(t, fmt.Sprintf("seed %d, %s", seed, dataset), retention.Limits[dataset], of(dataset, held), drops)
		}
		left := slices.DeleteFunc(slices.Clone(held), func(h lake.Held) bool { return dropped(drops, h) != "" })
		if again, _ := retention.Due(left, testStart, true); len(again) > 0 {
			t.Fatalf("seed %d: a second purge drops %v", seed, again)
		}
		checkGuard(t, seed, retention, held, drops)
		if t.Failed() {
			return
		}
	}
}

func randomLake(r *rand.Rand) (held []lake.Held, retention lake.Retention) {
	retention = lake.Retention{Guard: 0.2, Limits: map[string]lake.Limit{}}
	for _, dataset := range []string{lake.Raw, lake.Sanitized, lake.Rejected} {
		limit := lake.Limit{DropUnsanitized: r.IntN(2) == 0}
		if r.IntN(3) > 0 {
			limit.MaxAge = time.Duration(24+r.IntN(200)) * time.Hour
		}
		if r.IntN(3) > 0 {
			limit.MaxBytes = r.Int64N(5000)
		}
		if r.IntN(5) > 0 {
			retention.Limits[dataset] = limit
		}
		for _, stream := range []string{"a", "b"} {
			for back := range r.IntN(150) {
				if r.IntN(3) > 0 {
					held = append(held, lake.Held{Dataset: dataset, Stream: stream, Bytes: 12 + r.Int64N(100), Open: back < r.IntN(3),
						Hour: testStart.Truncate(time.Hour).Add(-2 * time.Duration(back) * time.Hour), Unsanitized: dataset == lake.Raw && r.IntN(4) == 0})
				}
			}
		}
	}
	r.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
	return held, retention
}

func of(dataset string, held []lake.Held) (own []lake.Held) {
	return slices.DeleteFunc(slices.Clone(held), func(h lake.Held) bool { return h.Dataset != dataset })
}

func dropped(drops []lake.Drop, h lake.Held) lake.Why {
	for _, d := range drops {
		if d.Dataset == h.Dataset && d.Stream == h.Stream && d.Hour.Equal(h.Hour) {
			return d.Why
		}
	}
	return ""
}

func checkDue(t *testing.T, of string, l lake.Limit, held []lake.Held, drops []lake.Drop) {
	t.Helper()
	var left, smallest int64
	var newest time.Time
	permitted := func(h lake.Held) bool { return !h.Open && (!h.Unsanitized || l.DropUnsanitized) }
	for _, h := range held {
		old := l.MaxAge > 0 && !h.Hour.Add(l.MaxAge).After(testStart)
		why := dropped(drops, h)
		switch {
		case old != (why == lake.ForAge):
			t.Errorf("%s: %v: old %t, dropped for %q", of, h, old, why)
		case why == lake.ForSpace && (l.MaxBytes == 0 || !permitted(h)):
			t.Errorf("%s: %v dropped for space", of, h)
		case why == lake.ForSpace:
			if h.Hour.After(newest) || h.Hour.Equal(newest) && h.Bytes < smallest {
				newest, smallest = h.Hour, h.Bytes
			}
		case why == "":
			left += h.Bytes
		}
	}
	for _, h := range held {
		if dropped(drops, h) != "" || !permitted(h) || l.MaxBytes == 0 {
			continue
		}
		if left > l.MaxBytes {
			t.Errorf("%s: %d bytes are left, and %v could go", of, left, h)
		}
		if h.Hour.Before(newest) {
			t.Errorf("%s: %v is older than what went", of, h)
		}
	}
	if !newest.IsZero() && left+2*112 < l.MaxBytes {
		t.Errorf("%s: more went than needed: %d bytes are left of %d", of, left, l.MaxBytes)
	}
}

// checkGuard compares a decision without a yes: a dataset goes as with one, or nothing of it goes.
func checkGuard(t *testing.T, seed uint64, r lake.Retention, held []lake.Held, withYes []lake.Drop) {
	t.Helper()
	drops, stopped := r.Due(held, testStart, false)
	for dataset, limit := range r.Limits {
		is := slices.ContainsFunc(stopped, func(s lake.Stopped) bool { return s.Dataset == dataset })
		var all, unusual int64
		hours := map[time.Time]bool{}
		for _, h := range of(dataset, held) {
			all += h.Bytes
			why := dropped(withYes, h)
			if want := why; !is && dropped(drops, h) != want || is && dropped(drops, h) != "" {
				t.Errorf("seed %d: %v dropped for %q, stopped %t", seed, h, dropped(drops, h), is)
			}
			if why == lake.ForSpace || why == lake.ForAge && testStart.Sub(h.Hour) > limit.MaxAge+day {
				unusual += h.Bytes
				hours[h.Hour] = true
			}
		}
		if want := len(hours) > 1 && float64(unusual) > r.Guard*float64(all); want != is {
			t.Errorf("seed %d: %s: stopped %t, with %d of %d bytes", seed, dataset, is, unusual, all)
		}
	}
}
