// Package kpi says how a dialog performs: flows, segments and KPIs as the operator defines them, and the
// answers to questions about them.
//
// Definitions come in as the text of kpi.yaml (Parse) and are checked against what the allowlist keeps.
// Facts, one an interaction, add up to cells, one for each day and value of a segment; package kpi/facts
// makes both from the sanitized dataset and hands cells in as a Source. Answers go out of a Board: figures
// with what they rest on, funnels, segments, and verdicts on changes. What is withheld from those who may
// not see small cells is withheld from the cells, before any question is asked (withhold.go), so that no
// two answers can be subtracted to tell of few.
//
// It imports event, kpi/stat and mistake, and knows nothing of files.
package kpi

import "time"

// Definitions are kpi.yaml, read and checked.
type Definitions struct {
	Zone     *time.Location // of days and weeks; default UTC
	Segments []Segment
	Flows    []Flow
	KPIs     []KPI
	Changes  []Change // in the order of their moments
	Publish  *Publish // nil: nothing is shown to everybody

	// Digest is the SHA-256 (hex) of all that facts and cells hang on: not of titles, directions or changes.
	Digest string

	file  string         // that they were read from
	lines map[string]int // of it, by path
}

// Segment is a way to tell interactions apart: each has one value of it.
type Segment struct {
	Name       string              // [a-z0-9_]{1,32}
	Title      string              // for people; default Name
	Field      string              // path in a sanitized interaction, like user_agent.os; "" for an experiment
	Experiment string              // whose branch is the value
	Values     map[string][]string // value → what the field may hold for it, a trailing * for any rest; empty: values are what the field holds
	Buckets    []Bucket            // of a number, ascending
	Order      []string            // of the values, as pages show them; others come after it by size
}

// What a segment's value is where the field does not say.
const (
	Other   = "Other"   // none of the values that are listed, or beyond the most frequent ones
	Unknown = "Unknown" // the field is absent
)

// MostValues is how many values a segment may have in a day; the rarest beyond it become [Other].
const MostValues = 50

// Bucket is the numbers from From on, up to the next bucket's.
type Bucket struct {
	From  float64
	Value string
}

// Flow is steps that a person goes through in a dialog.
type Flow struct {
	Name, Title string
	Dialog      string   // of which dialog only; "": of all
	Strict      bool     // each step after the one before, by offset
	Steps       []Step   // at least 2
	Exclude     []string // patterns: an interaction with one of these events is not in the flow
}

// Step is reached by the first event that one of the patterns names.
type Step struct {
	Name, Title string
	Events      []string // names, or prefixes that end in *
}

// Kind is what a KPI measures.
type Kind string

// The kinds, with the unit of their values.
const (
	Conversion Kind = "conversion" // share of those at step From who reach step To; 0..1
	TimeTo     Kind = "time"       // percentile of the time from step From (or the opening) to step To; ms
	Share      Kind = "share"      // share of interactions with one of Events; 0..1
	Mean       Kind = "mean"       // of a number; the field's unit
	Quantile   Kind = "percentile" // of a number; the field's unit
	Count      Kind = "count"      // interactions a day
)

// KPI is one key performance indicator.
type KPI struct {
	Name, Title string
	Kind        Kind
	Flow        string   // of a Conversion or TimeTo
	From, To    string   // steps of it; defaults: the first (TimeTo: the opening), the last
	Events      []string // of a Share: names, or prefixes that end in *
	Dialog      string   // of which dialog only; "": of all
	Field       string   // of a Mean or Quantile
	Percentile  float64  // of a TimeTo or Quantile, in 0..1
	MoreBetter  bool
	Smallest    float64 // the smallest difference that matters, in the KPI's unit, above 0
}

// Percentiles says whether the KPI's value comes from a sketch rather than from moments.
func (k KPI) Percentiles() bool { return k.Kind == TimeTo || k.Kind == Quantile }

// Change is something that was done to the dialog.
type Change struct {
	Name       string    `json:"name"`                 // [a-z0-9_-]{1,64}
	Title      string    `json:"title,omitempty"`      // for people; default Name
	At         time.Time `json:"at,omitzero"`          // when; of a release, when it went out, if that is known
	Release    string    `json:"release,omitempty"`    // only interactions that carry it count as after
	Experiment string    `json:"experiment,omitempty"` // whose branches are compared, side by side
	Branches   []string  `json:"branches,omitempty"`   // of an experiment: the one without the change, then the one that it is compared with; others count for shares alone
	Shares     []float64 `json:"shares,omitempty"`     // what each branch was meant to get; default: equal
	Link       string    `json:"link,omitempty"`       // http or https
	Moves      string    `json:"moves"`                // the KPI that it is meant to move
	Added      bool      `json:"added,omitempty"`      // by the dashboard or `brine change add`, not in kpi.yaml
}
