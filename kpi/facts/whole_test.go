package facts

import (
	"maps"
	"testing"
	"time"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// Days go whole, before their first hour does: whatever a viewer asks between two purges, a day's answer is what it always was, or that there is no data.
func TestADayGoesWholeBeforeItsHoursArePurged(t *testing.T) {
	for name, limit := range map[string]lake.Limit{"Age": {MaxAge: 96 * time.Hour}, "Bytes": {MaxBytes: 1}} {
		t.Run(name, func(t *testing.T) { testGoesWhole(t, limit) })
	}
}

func testGoesWhole(t *testing.T, limit lake.Limit) {
	const day, next = kpi.Date("2026-11-12"), kpi.Date("2026-11-13")
	h := openHouse(t)
	for range 40 {
		h.hour(12)
		h.pass(time.Hour)
	}
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	o := h.source.o
	o.Retention, o.Now = limit, h.Wall
	h.source = NewSource(o)
	if limit.MaxBytes > 0 {
		o.Retention.MaxBytes = h.bytes(lake.Sanitized)
		h.source = NewSource(o)
	}
	whole, analyst := h.asked(day, 5), h.asked(day, 1)
	gone := map[int64]map[string]string{}
	told := map[bool]int{}
	for range 17 {
		h.pass(3 * time.Hour)
		if limit.MaxBytes > 0 {
			limit.MaxBytes = h.bytes(lake.Sanitized) - 1 // the oldest hour goes
		}
		if _, err := h.lake.Purge(t.Context(), lake.Purge{Now: h.Wall(), Yes: true,
			Retention: lake.Retention{Limits: map[string]lake.Limit{lake.Sanitized: limit, lake.Raw: {MaxAge: time.Hour}}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.job.Run(t.Context(), Request{}); err != nil {
			t.Fatal(err)
		}
		for least, before := range map[int64]map[string]string{5: whole, 1: analyst} {
			now := h.asked(day, least)
			delete(now, "missing")
			delete(before, "missing")
			if gone[least] == nil && !maps.Equal(now, before) {
				gone[least] = now
			}
			if gone[least] != nil && !maps.Equal(now, gone[least]) {
				t.Fatalf("a day that went is told otherwise at %s:\n%v\nbefore:\n%v", h.Wall(), now, gone[least])
			}
			told[gone[least] == nil]++
		}
		if span := h.span(); gone[1] != nil && span.From != "" && span.From < next {
			t.Fatalf("data is said to begin on %s", span.From)
		}
	}
	if told[true] == 0 || told[false] == 0 {
		t.Errorf("the day was told %d times, and gone %d times: it was to go meanwhile", told[true], told[false])
	}
	for _, d := range h.days(kpi.Slice{From: day, To: next}) {
		if len(d.Cells) > 0 {
			t.Errorf("cells of a day that went: %v", d.Cells)
		}
	}
	slots, err := h.source.Slots(t.Context(), day.Start(h.defs.Zone).UnixMilli(), next.Start(h.defs.Zone).UnixMilli())
	if err != nil || len(slots) > 0 {
		t.Errorf("arrivals of a day that went: %v, %v", slots, err)
	}
}

// bytes are those of a dataset's files.
func (h *house) bytes(dataset string) (n int64) {
	for _, held := range h.lake.Held() {
		if held.Dataset == dataset {
			n += held.Bytes
		}
	}
	return n
}
