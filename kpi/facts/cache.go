package facts

import (
	"slices"
	"sync"
	"unsafe"

	"brine/kpi"
	"brine/lake"
)

// held is what is known of a day for a view: cells by value, or arrivals by slot.
type held struct {
	cells map[string]*kpi.Cell
	slots map[int64]kpi.Slot
}

func newHeld() held { return held{map[string]*kpi.Cell{}, map[int64]kpi.Slot{}} }

// plus is both, as something of its own; what is in one of them only is shared.
func (h held) plus(o held, defs *kpi.Definitions) held {
	sum := newHeld()
	for value, cell := range h.cells {
		sum.cells[value] = cell
	}
	for value, cell := range o.cells {
		if before := sum.cells[value]; before != nil {
			cell = before.Plus(cell)
		}
		sum.cells[value] = cell
	}
	for at, slot := range h.slots {
		sum.slots[at] = slot
	}
	for at, slot := range o.slots {
		before := sum.slots[at]
		sum.slots[at] = kpi.Slot{Time: at, N: before.N + slot.N, Weight: before.Weight + slot.Weight}
	}
	return sum
}

// bytes is about how much memory it takes.
func (h held) bytes() (n int64) {
	const cell, slot = 160, 64 // beside what a cell says of itself: its place in the map, and what its slices take
	for value, c := range h.cells {
		n += cell + int64(len(value)) + c.Bytes()
	}
	return n + int64(len(h.slots))*slot
}

// cacheKey is a day of a view, by definitions.
type cacheKey struct {
	digest string
	view   view
	date   kpi.Date
}

// entry is a day that was loaded, with the files that it was loaded from.
type entry struct {
	key   cacheKey
	files []lake.Name     // sorted
	named map[string]bool // of a filter for Other: the values that were told by name; shared
	held  held
}

func (e *entry) bytes() int64 {
	return e.key.view.bytes() + int64(len(e.files))*int64(unsafe.Sizeof(lake.Name{})) + e.held.bytes()
}

// bytes are those of the texts that whoever asks may choose.
func (v view) bytes() int64 { return int64(len(v.by) + len(v.only.Segment) + len(v.only.Value)) }

// cache remembers days. Its methods may be called from any goroutine.
type cache struct {
	mu sync.Mutex
	*recent[cacheKey, *entry]
}

func newCache(limit int64) *cache { return &cache{recent: newRecent[cacheKey, *entry](limit)} }

func (c *cache) get(k cacheKey) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent.get(k)
}

func (c *cache) put(e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent.put(e.key, e, e.bytes())
}

// forget drops the days of other definitions, and those with a file that is gone: what was taken out of files does not stay in memory.
func (c *cache) forget(digest string, there map[lake.Name]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropIf(func(k cacheKey, e *entry) bool {
		return k.digest != digest || slices.ContainsFunc(e.files, func(n lake.Name) bool { return !there[n] })
	})
}
