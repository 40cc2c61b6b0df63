package kpi

import "time"

// View is what a page shows, as its address says it.
type View struct {
	From, To Date    // From inclusive, To exclusive
	Only     *Filter // narrows all figures; nil: none
	By       string  // the segment to tell apart by
	Flow     string  // of the flow page
	KPI      string  // of the segments page's small multiples
	Compare  string  // what an overview is compared with: one of [Comparisons]; "" is [ComparePrevious]
	Cell     int64   // the fewest interactions that a figure may rest on, for who asks; 1: nothing is withheld
}

// Why a figure has no value.
const (
	NoData  = "no data"
	TooFew  = "too few"
	NotOver = "not over" // of a day, for who may not see small cells: it is told an hour after it is over
)

// Figure is one value with what it rests on. Bounds and value are in the unit of what is measured.
type Figure struct {
	Value        *float64 `json:"value"`                   // nil: see Why
	Low          *float64 `json:"low,omitempty"`           // bounds of its interval, where there is one; see stat.Sequence
	High         *float64 `json:"high,omitempty"`          //
	Interactions int64    `json:"interactions"`            // that it rests on; 0 where they are too few to be told
	Why          string   `json:"why,omitempty"`           // [NoData], [TooFew] or [NotOver], where there is no value
	WithheldDays int      `json:"withheld_days,omitempty"` // days that are left out of it, as too few came
}

// Point is a figure of a day.
type Point struct {
	Date Date `json:"date"`
	Open bool `json:"open,omitempty"`
	Figure
}

// Span is days, To exclusive.
type Span struct {
	From Date `json:"from"`
	To   Date `json:"to"`
}

// KPIInfo is what a page says of a KPI.
type KPIInfo struct {
	Name       string  `json:"name"`
	Title      string  `json:"title"`
	Kind       Kind    `json:"kind"`
	Unit       string  `json:"unit"` // share, ms, number or count
	MoreBetter bool    `json:"more_is_better"`
	Smallest   float64 `json:"smallest"`
}

// Mark is a change in a chart over time.
type Mark struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Date  Date   `json:"date"`
}

// Overview is each KPI now, against the period before.
type Overview struct {
	Span     Span          `json:"span"`
	Compare  string        `json:"compare"`           // one of [Comparisons]
	Previous Span          `json:"previous,omitzero"` // that it is compared with, of the same length and in whole weeks before; zero: none
	KPIs     []OverviewKPI `json:"kpis"`
	Changes  []Mark        `json:"changes"`
}

// OverviewKPI is one KPI of an overview.
type OverviewKPI struct {
	KPI    KPIInfo `json:"kpi"`
	Now    Figure  `json:"now"`
	Before Figure  `json:"before,omitzero"` // zero where there is no comparison
	Days   []Point `json:"days"`
}

// Funnel is how people went through a flow.
type Funnel struct {
	Span  Span         `json:"span"`
	Flow  string       `json:"flow"`
	Title string       `json:"title"`
	Steps []FunnelStep `json:"steps"`
}

// FunnelStep is one step of a funnel. Counts are weighted.
type FunnelStep struct {
	Name      string        `json:"name"`
	Title     string        `json:"title"`
	Reached   Figure        `json:"reached"`    // count
	OfFirst   Figure        `json:"of_first"`   // share
	OfBefore  Figure        `json:"of_before"`  // share of those at the step before
	P50       Figure        `json:"p50"`        // ms since the step before, or the opening
	P75       Figure        `json:"p75"`        //
	P95       Figure        `json:"p95"`        //
	Left      Figure        `json:"left"`       // count of those who got here and no further; of the last step none
	NextEvent []EventFigure `json:"next_event"` // what these did next, the most common first, at most 5 and the rest as Other
	LastEvent []EventFigure `json:"last_event"` // the last that these did
}

// EventFigure is how many of those who left did something.
type EventFigure struct {
	Event string `json:"event"` // "" for nothing more
	Count Figure `json:"count"`
	Share Figure `json:"share"` // of those who left
}

// Segments is the KPIs by the values of a segment.
type Segments struct {
	Span   Span           `json:"span"`
	By     string         `json:"by"`
	Title  string         `json:"title"`
	KPIs   []KPIInfo      `json:"kpis"`
	KPI    string         `json:"kpi"` // that Days are of
	Values []SegmentValue `json:"values"`
}

// SegmentValue is one value of a segment.
type SegmentValue struct {
	Value        string   `json:"value"`
	Interactions Figure   `json:"interactions"` // count, weighted
	Share        Figure   `json:"share"`        // of all interactions
	Figures      []Figure `json:"figures"`      // by KPI
	Days         []Point  `json:"days"`         // of one KPI
}

// Judged is what can be said of a change.
type Judged struct {
	Change   Change      `json:"change"`
	KPI      KPIInfo     `json:"kpi"`
	Units    string      `json:"units"` // days or dialogs
	Before   Span        `json:"before"`
	After    Span        `json:"after"`
	A        Figure      `json:"a"`                  // before, the mean of the days that are compared, without bounds; or the branch without the change, over its dialogs
	B        Figure      `json:"b"`                  // after, or the branch with it, likewise
	Diff     Figure      `json:"difference"`         // B less A, with its interval
	Verdict  string      `json:"verdict"`            // see stat.Verdict
	Words    string      `json:"words"`              // the verdict as a sentence, with how many more interactions would do
	More     int64       `json:"more,omitempty"`     // about how many more interactions would do, where not enough
	Adjusted *Figure     `json:"adjusted,omitempty"` // the difference over dialogs as if the mix of a segment had stayed
	AdjustBy string      `json:"adjusted_by,omitempty"`
	Flags    []string    `json:"flags,omitempty"` // sample ratio mismatch, a mix that moved, gaps in the data, each a sentence
	History  []Narrowing `json:"history"`         // the interval as it was on each day
	Others   []OtherKPI  `json:"others"`          // exploratory
	Segments []Split     `json:"segments"`        // the difference by the values of each segment: exploratory
}

// Narrowing is an interval as it stood after a day.
type Narrowing struct {
	Date Date     `json:"date"`
	Diff *float64 `json:"difference"`
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
}

// OtherKPI is a KPI that the change was not meant to move, judged at Alpha.
type OtherKPI struct {
	KPI     KPIInfo `json:"kpi"`
	A       Figure  `json:"a"`
	B       Figure  `json:"b"`
	Diff    Figure  `json:"difference"`
	Verdict string  `json:"verdict"`
	Alpha   float64 `json:"alpha"`
}

// Split is the difference of a change's KPI for one value of a segment.
type Split struct {
	Segment string `json:"segment"`
	Value   string `json:"value"`
	A       Figure `json:"a"`
	B       Figure `json:"b"`
	Diff    Figure `json:"difference"`
	Verdict string `json:"verdict"`
}

// Arrivals is whether interactions arrive as they use to.
type Arrivals struct {
	From    time.Time      `json:"from"`
	Slots   []ArrivalSlot  `json:"slots"`
	Alarm   string         `json:"alarm,omitempty"`      // none arrive where some use to: a sentence
	Last    *time.Time     `json:"last_event,omitempty"` // start of the last slot that some arrived in, and enough to be told
	Missing []MissingField `json:"missing"`              // over the last 7 whole days
}

// ArrivalSlot is 10 minutes.
type ArrivalSlot struct {
	Time  time.Time `json:"time"`
	Count *float64  `json:"count"` // weighted; nil: too few to be told, or none where few are not told
	Usual *float64  `json:"usual"` // median of the slots of this hour of the week, over the 4 weeks before; nil: not known, or too few
}

// MissingField is how often a field is absent.
type MissingField struct {
	Field string `json:"field"`
	Share Figure `json:"share"`
}
