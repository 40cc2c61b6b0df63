package kpi

import (
	"context"
	"fmt"
	"time"
)

// Filter narrows a question to the interactions with one value of a segment.
type Filter struct{ Segment, Value string }

// Slice is which cells a question needs.
type Slice struct {
	From, To Date    // From inclusive, To exclusive
	By       string  // a segment; "": all in one cell under ""
	Only     *Filter // nil: all interactions
	Left     bool    // with [Cell.Left], where By is ""
	Prompt   bool    // days as they stood soon after they ended, for ever: without what arrived too late for them, see [Date.LateFrom]
}

// promptFor is how long after its end a day takes in what belongs to it, where only what is prompt counts: a dialog that goes on over midnight
// is sent when it ends.
const promptFor = time.Hour

// LateFrom is the first hour whose arrivals are too late for the day, where only what is prompt counts: what comes in hours that
// begin before it is prompt. An import files events under the hours of their own times, so they are prompt.
func (d Date) LateFrom(zone *time.Location) time.Time { return d.Plus(1).Start(zone).Add(promptFor) }

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

	// Days are the days of the range, each of them, in order. Cells are not to be changed. The error may be [Building]. With Prompt
	// a day is open until no more can come that is prompt.
	Days(ctx context.Context, s Slice) ([]Day, error)

	// Slots are the arrivals from a time to another, in ms, in order; those without arrivals are left out.
	Slots(ctx context.Context, from, to int64) ([]Slot, error)

	// Span is the first day and the day after the last that there is data of; zero where there is none.
	Span(ctx context.Context) (Span, error)
}
