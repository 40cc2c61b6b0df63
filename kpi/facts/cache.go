package facts

import (
	"container/list"
	"slices"

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

func (h held) bytes() (n int64) {
	for value, cell := range h.cells {
		n += int64(len(value)) + cell.Bytes()
	}
	return n + int64(len(h.slots))*64
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
	files []lake.Name // sorted
	held  held
	bytes int64
}

// cache remembers days, those that were used last, up to about so many bytes. It serves one goroutine.
type cache struct {
	limit, bytes int64
	entries      map[cacheKey]*list.Element
	order        *list.List // the last used in front
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, entries: map[cacheKey]*list.Element{}, order: list.New()}
}

func (c *cache) get(k cacheKey) *entry {
	e := c.entries[k]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry)
}

func (c *cache) put(e *entry) {
	c.drop(e.key)
	e.bytes = e.held.bytes()
	c.bytes += e.bytes
	c.entries[e.key] = c.order.PushFront(e)
	for c.bytes > c.limit && c.order.Len() > 1 {
		c.drop(c.order.Back().Value.(*entry).key)
	}
}

func (c *cache) drop(k cacheKey) {
	if old := c.entries[k]; old != nil {
		c.bytes -= old.Value.(*entry).bytes
		c.order.Remove(old)
		delete(c.entries, k)
	}
}

// forget drops the days of other definitions, and those with a file that is gone: what was taken out of files does not stay in memory.
func (c *cache) forget(digest string, there map[lake.Name]bool) {
	for k, e := range c.entries {
		gone := slices.ContainsFunc(e.Value.(*entry).files, func(n lake.Name) bool { return !there[n] })
		if k.digest != digest || gone {
			c.drop(k)
		}
	}
}
