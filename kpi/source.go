package kpi

import (
	"context"
	"fmt"
)

// Filter narrows a question to the interactions with one value of a segment.
type Filter struct{ Segment, Value string }

// Slice is which cells a question needs.
type Slice struct {
	From, To Date    // From inclusive, To exclusive
	By       string  // a segment; "": all in one cell under ""
	Only     *Filter // nil: all interactions
	Left     bool    // with [Cell.Left], where By is ""
}

// Building is the error of a question that needs more facts than there are yet: they are being built, and it may be
// asked again. No answer mixes what different definitions make of interactions.
type Building struct{ Done, Of int } // hours

func (b *Building) Error() string {
	return fmt.Sprintf("the facts of %d hours are still being built, %d of %d are done: try again soon", b.Of-b.Done, b.Done, b.Of)
}

// Source has the cells of all that was received: of closed hours from files, of open ones from memory.
type Source interface {
	// Definitions are those that the cells are made by, now.
	Definitions() *Definitions

	// Days are the days of the range, each of them, in order. Cells are not to be changed. The error may be [Building].
	Days(ctx context.Context, s Slice) ([]Day, error)

	// Slots are the arrivals from a time to another, in ms, in order; those without arrivals are left out.
	Slots(ctx context.Context, from, to int64) ([]Slot, error)

	// Span is the first day and the day after the last that there is data of; both "" where there is none.
	Span() (from, to Date)
}
