package kpi

import "math"

// Fact is what questions need of one interaction. Its slices are as long as what they stand for in the
// definitions. [Walker] makes it.
type Fact struct {
	Time     int64     // ms since the epoch, a multiple of 10 minutes
	Weight   float64   // 1/sample_rate
	Segments []string  // by segment: its value
	Flows    []Walk    // by flow
	Values   []float64 // by KPI, in its unit, 0 or 1 for a share; NaN: the interaction says nothing about it
	Missing  uint64    // bit i is set where the i-th of [Fields] is absent
}

// Walk is how one interaction went through one flow.
type Walk struct {
	Offsets []int32 // by step: ms since the dialog opened; -1 where it was not reached
	Reached int     // steps reached, counted from the first without a gap; 0: not in the flow
	Next    string  // of who did not finish: the event after the last step reached; "" where none came
	Last    string  // of who did not finish: the last event of all
}

// StepTime is how long it took from the step before, or the opening, to a step that was reached, in ms. It is 0 where
// a flow of any order had the step before later.
func (w *Walk) StepTime(step int) float64 { return w.between(step-1, step) }

// between is the time between two steps, in ms; from -1 is the opening. NaN where to was not reached.
func (w *Walk) between(from, to int) float64 {
	switch {
	case w.Reached <= to:
		return math.NaN()
	case from < 0:
		return float64(w.Offsets[to])
	}
	return max(0, float64(w.Offsets[to]-w.Offsets[from]))
}

// Fields are those of an interaction of which the health page tells how often they are absent.
var Fields = []string{"email_type", "number_emails", "number_sites_logged_in", "new_account", "language",
	"screen_size", "user_agent", "dialog", "release", "experiments"}
