package lake_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"brine/event"
)

// For seven days events come in and one in a hundred comes again up to six days later, across
// restarts, with little memory for what was seen: each is stored once.
func TestResends(t *testing.T) {
	const (
		days    = 7
		perSlot = 12 // events in ten minutes
		bound   = 1 << 20
		latest  = 6 * 24 * time.Hour
	)
	end := testStart.Add(days * 24 * time.Hour)
	h := mustOpen(t)
	random := rand.New(rand.NewPCG(1, 2))
	var all []event.Record
	again := map[time.Time][]event.Record{} // by the slot in which it is sent again
	resent, most := 0, uint(0)
	for slot := range days * 24 * 6 {
		now := h.clock.Wall()
		group := again[now]
		resent += len(group)
		for range perSlot {
			r := click(now.Add(-time.Duration(random.Int64N(int64(time.Hour)))), len(all))
			all, group = append(all, r), append(group, r)
			if random.IntN(100) == 0 {
				at := now.Add(time.Duration(random.Int64N(int64(min(latest, end.Sub(now))))).Truncate(event.Slot))
				again[at] = append(again[at], r)
			}
		}
		h.append(group...)
		if slot%6 == 0 {
			h.lake.BoundSeen(bound)
			h.flush()
			most = max(most, h.lake.SeenBits())
		}
		if slot%100 == 99 {
			h.reopen()
		}
		h.clock.advance(event.Slot)
	}
	h.flush()
	t.Logf("%d events, %d of them sent again; the filters took %d of %d bits", len(all), resent, most, bound)
	if resent < len(all)/200 {
		t.Fatalf("only %d were sent again", resent)
	}
	if most > bound {
		t.Errorf("the filters took %d bits of %d", most, bound)
	}
	wantRows(t, read(t, h.lake, "raw", "click"), all...)
}

// An event that comes again in the next hour, before the first is flushed, is stored once.
func TestResendAcrossTheHour(t *testing.T) {
	h := mustOpen(t)
	a, b := click(testStart, 1), click(testStart, 2)
	h.append(a)
	h.clock.advance(time.Hour)
	h.append(b, a)
	h.flush()
	wantRows(t, read(t, h.lake, "raw", "click"), a, b)
}

// Events of any time, each of a slot of its own, are looked up together: what a flush asks grows with the days that are held, and neither with the slots nor with
// the files. Those that come again are stored once, whatever their time.
func TestTimesAllOver(t *testing.T) {
	h := mustOpen(t)
	var all []event.Record
	next := func(count int) (records []event.Record) {
		for range count {
			n := len(all)
			r := click(testStart.Add(time.Duration(n%2*2-1)*time.Duration(n)*499*time.Hour), n) // from the year 1985 to 2068
			records, all = append(records, r), append(all, r)
		}
		return records
	}
	const hours = 30 // of two days
	for range hours {
		h.append(append(next(20), click(h.clock.Wall(), 10_000+len(all)))...)
		all = append(all, click(h.clock.Wall(), 10_000+len(all)))
		h.flush()
		h.clock.advance(time.Hour)
	}
	h.append(append(next(100), all[:200]...)...)
	before := h.lake.Asked()
	h.flush()
	if asked := h.lake.Asked() - before; asked > 6 { // three of each day
		t.Errorf("the raw files were asked %d times", asked)
	}
	wantRows(t, read(t, h.lake, "raw", "click"), all...)
}
