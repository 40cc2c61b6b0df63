package kpi

import "context"

// Filter narrows a question to the interactions with one value of a segment.
type Filter struct{ Segment, Value string }

// Slice is which cells a question needs.
type Slice struct {
	From, To Date    // From inclusive, To exclusive
	By       string  // a segment; "": all in one cell under ""
	Only     *Filter // nil: all interactions
	Left     bool    // with [Cell.Left], where By is ""
}

// Source has the cells of all that was received: of closed hours from files, of open ones from memory.
type Source interface {
	// Definitions are those that the cells are made by, now.
	Definitions() *Definitions

	// Days are the days of the range, each of them, in order. Cells are not to be changed.
	Days(ctx context.Context, s Slice) ([]Day, error)

	// Slots are the arrivals from a time to another, in ms, in order; those without arrivals are left out.
	Slots(ctx context.Context, from, to int64) ([]Slot, error)

	// Span is the first day and the day after the last that there is data of; both "" where there is none.
	Span() (from, to Date)
}
