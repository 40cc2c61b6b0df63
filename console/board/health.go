package board

import (
	"net/http"
	"strconv"
	"time"

	"brine/kpi"
)

// Doors are how the doors stand: the figures as the cell of who asks permits.
type Doors struct {
	Ready      bool      `json:"ready"`
	Reason     string    `json:"reason,omitempty"`     // why events cannot be stored
	CompleteTo time.Time `json:"complete_to,omitzero"` // what was acknowledged before is counted
	Hours      int       `json:"hours_waiting"`        // closed hours that are not sanitized yet
	Refused    []Refused `json:"refused"`              // since the start, the most frequent first
	Canaries   []Canary  `json:"canaries,omitempty"`
}

// Canary is how what a collector sends to be watched reaches what can be read.
type Canary struct {
	Collector string    `json:"collector"`
	Taken     time.Time `json:"taken,omitzero"`           // when this node took the last one
	Readable  time.Time `json:"readable,omitzero"`        // when the last one could first be read
	Travel    float64   `json:"travel_seconds,omitempty"` // from when it was sent to there; 0 where another node took it
	Clock     string    `json:"clock"`                    // how the collector's stands to the store's, like “5m0s ahead”
	Missing   bool      `json:"missing,omitempty"`
}

// TakenAgo is how long ago this node took the last one.
func (c Canary) TakenAgo(a arrivals) string { return agoText(c.Taken, a.now) }

// ReadableAgo is how long ago the last one could first be read.
func (c Canary) ReadableAgo(a arrivals) string { return agoText(c.Readable, a.now) }

// TravelText is the travel time.
func (c Canary) TravelText() string {
	if c.Travel == 0 {
		return "not known here"
	}
	return strconv.FormatFloat(c.Travel, 'f', 1, 64) + " s"
}

func agoText(t, now time.Time) string {
	if t.IsZero() {
		return "none since the start"
	}
	return now.Sub(t).Round(time.Second).String() + " ago"
}

// Refused is how many events were refused for a reason.
type Refused struct {
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// arrivals are whether interactions arrive as they use to.
type arrivals struct {
	*kpi.Arrivals
	Doors Doors
	now   time.Time
	none  string // why a slot has no count
	zone  *time.Location
}

func askArrivals(b *Board, r *http.Request, q question) (answer, error) {
	a, err := b.KPI.Arrivals(r.Context(), q.View)
	if err != nil {
		return nil, err
	}
	doors := b.Doors(r.Context())
	doors.Refused = inSteps(doors.Refused, q.Cell)
	none := kpi.NoData // before there was any
	if q.Cell > 1 {
		none = kpi.TooFew
	}
	return arrivals{a, doors, b.now(), none, q.zone}, nil
}

// inSteps are the counts in steps of the cell; those below it are left out.
func inSteps(all []Refused, cell int64) []Refused {
	seen := []Refused{}
	for _, r := range all {
		if r.Count -= r.Count % max(1, cell); r.Count > 0 {
			seen = append(seen, r)
		}
	}
	return seen
}

func (a arrivals) body() any {
	return struct {
		*kpi.Arrivals
		Doors Doors `json:"doors"`
	}{a.Arrivals, a.Doors}
}

func (a arrivals) table() table {
	t := table{header: []string{"time", "count", "usual"}}
	for _, s := range a.Slots {
		t.rows = append(t.rows, []string{s.Time.UTC().Format(time.RFC3339), number(s.Count), number(s.Usual)})
	}
	return t
}

// tickHours is how many hours of the day lie between two ticks.
const tickHours = 3

// Chart is what arrived, against the usual. The axis is of moments, so that a clock that is put back moves nothing; its ticks say what the clock
// of the definitions' zone says.
func (a arrivals) Chart() chart {
	c := chart{Kind: "arrivals", Name: "arrivals", Title: "Interactions in each 10 minutes, and as usual at this hour of the week (dashed)", Unit: count}
	for _, s := range a.Slots {
		at, why := s.Time.UTC().Format(time.RFC3339), ""
		if s.Count == nil {
			why = a.none
		}
		if clock := s.Time.In(a.zone); clock.Minute() == 0 && clock.Hour()%tickHours == 0 {
			c.Ticks = append(c.Ticks, chartTick{at, clock.Format("15:04")})
		}
		c.Points = append(c.Points, chartPoint{At: at, Value: s.Count, Why: why})
		c.Usual = append(c.Usual, chartPoint{At: at, Value: s.Usual})
	}
	return c
}

// hourRow is an hour of the table of arrivals.
type hourRow struct{ Time, Count, Usual string }

// Hours are the slots, an hour each: what is too few to be told makes the hour "at least".
func (a arrivals) Hours() (rows []hourRow) {
	for i := 0; i < len(a.Slots); {
		hour := a.Slots[i].Time.In(a.zone).Truncate(time.Hour)
		sum, usual, few, unknown := 0.0, 0.0, false, false
		for ; i < len(a.Slots) && a.Slots[i].Time.In(a.zone).Truncate(time.Hour).Equal(hour); i++ {
			s := a.Slots[i]
			if s.Count != nil {
				sum += *s.Count
			}
			if s.Usual != nil {
				usual += *s.Usual
			}
			few, unknown = few || s.Count == nil, unknown || s.Usual == nil
		}
		row := hourRow{hour.Format("Mon 15:04"), measure(sum, count), measure(usual, count)}
		if few && sum == 0 {
			row.Count = a.none
		} else if few {
			row.Count += " and more"
		}
		if unknown {
			row.Usual = "not known"
		}
		if n := len(rows); n > 0 && rows[n-1].Time == row.Time { // the clock was put back
			row.Time += " again"
		}
		rows = append(rows, row)
	}
	return rows
}

// Since is how long ago the last event came.
func (a arrivals) Since() string {
	if a.Last == nil {
		return "none that can be told of"
	}
	ago := a.now.Sub(*a.Last).Round(10 * time.Minute)
	switch {
	case ago < 20*time.Minute:
		return "within the last 20 minutes"
	case ago < 2*time.Hour:
		return "about " + strconv.Itoa(int(ago.Minutes())) + " minutes ago"
	case ago < 48*time.Hour:
		return "about " + strconv.Itoa(int(ago.Hours())) + " hours ago"
	}
	return "about " + strconv.Itoa(int(ago.Hours()/24)) + " days ago"
}
