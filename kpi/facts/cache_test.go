package facts

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// heap is how many bytes are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What is remembered keeps to its limit, whatever is asked: days of values that nobody has are days, too, and a value may be any text.
func TestCacheIsBounded(t *testing.T) {
	const limit = 4 << 20
	defs := parseKPIs(t, houseKPIs)
	for name, fill := range map[string]func(*entry){
		"nothing":    func(*entry) {},
		"a few":      func(e *entry) { e.held.cells["Firefox"] = defs.NewCell(false) },
		"slots":      func(e *entry) { e.held.slots[1] = kpi.Slot{} },
		"files":      func(e *entry) { e.files = make([]lake.Name, 24) },
		"long texts": func(e *entry) { e.key.view.only.Value += strings.Repeat("x", 200) },
	} {
		before := heap()
		c := newCache(limit)
		for i := range 100 {
			for day := range 366 {
				e := &entry{key: cacheKey{"x", view{by: "form", only: kpi.Filter{Segment: "browser", Value: fmt.Sprint("nobody", i)}}, kpi.Date("2024-01-01").Plus(day)}, held: newHeld()}
				fill(e)
				c.put(e)
			}
		}
		used := heap() - before
		if c.bytes > limit || used > 2*limit || c.order.Len() != len(c.entries) || c.order.Len() < 1000 {
			t.Errorf("of %s: %d days, counted as %d bytes, take %d", name, c.order.Len(), c.bytes, used)
		}
		runtime.KeepAlive(c)
	}
}

// What is in no file yet is added up for each view that is asked, and remembered within the limit alone; figures are the same.
func TestPendingIsBounded(t *testing.T) {
	h := openHouse(t)
	for range 3 {
		h.hour(30)
	}
	h.closeHours()
	h.sanitize(sanitize.Request{})
	o := h.source.o
	o.Memory = 400_000
	small := NewSource(o)
	most := 0
	for i := range 40 {
		only := &kpi.Filter{Segment: "language", Value: fmt.Sprint("nobody", i)}
		if i%4 == 0 {
			only.Value = "de"
		}
		slice := kpi.Slice{From: "2026-11-09", To: "2026-11-12", By: "screen", Only: only}
		days, err := small.Days(t.Context(), slice)
		if err != nil {
			t.Fatal(err)
		}
		sameDays(t, only.Value, days, h.days(slice))
		if p := small.pending.sums; p.bytes > p.limit {
			t.Fatalf("%d sums take %d bytes", p.order.Len(), p.bytes)
		}
		most = max(most, small.pending.sums.order.Len())
	}
	if all := h.source.pending.sums.order.Len(); most >= all || most < 2 {
		t.Errorf("%d sums were remembered at most, and %d without such a limit", most, all)
	}
}
