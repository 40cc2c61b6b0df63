package board

import "brine/kpi"

// chart is what charts/src/spec.ts calls a Spec. It shows nothing that the table beside it does not say.
type chart struct {
	Kind     string       `json:"kind"` // line, funnel, narrowing, forest or arrivals
	Title    string       `json:"title"`
	Unit     string       `json:"unit"`
	Small    bool         `json:"small,omitempty"`
	Domain   *[2]float64  `json:"domain,omitempty"`
	Smallest float64      `json:"smallest,omitempty"`
	Points   []chartPoint `json:"points,omitempty"`
	Usual    []chartPoint `json:"usual,omitempty"`
	Ticks    []chartTick  `json:"ticks,omitempty"` // of the axis of times
	Bars     []chartBar   `json:"bars,omitempty"`
	Marks    []chartMark  `json:"marks,omitempty"`
	Rows     []chartRow   `json:"rows,omitempty"`

	Name string `json:"-"` // of the file that it is saved as
}

type chartPoint struct {
	At    string   `json:"at"`
	Value *float64 `json:"value"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
	Open  bool     `json:"open,omitempty"`
	Why   string   `json:"why,omitempty"`
}

type chartTick struct {
	At    string `json:"at"`
	Label string `json:"label"`
}

type chartBar struct {
	Label string   `json:"label"`
	Value *float64 `json:"value"`
	Text  string   `json:"text"`
	Left  string   `json:"left,omitempty"`
}

type chartMark struct {
	At    string `json:"at"`
	Title string `json:"title"`
}

type chartRow struct {
	Label string   `json:"label"`
	Why   string   `json:"why,omitempty"`
	Value *float64 `json:"value"`
	Low   *float64 `json:"low,omitempty"`
	High  *float64 `json:"high,omitempty"`
}

func dayPoints(days []kpi.Point) []chartPoint {
	points := make([]chartPoint, len(days))
	for i, d := range days {
		points[i] = chartPoint{At: string(d.Date), Value: d.Value, Low: d.Low, High: d.High, Open: d.Open, Why: d.Why}
	}
	return points
}

func chartMarks(marks []kpi.Mark, within kpi.Span) (shown []chartMark) {
	for _, m := range marks {
		if m.Date >= within.From && m.Date < within.To {
			shown = append(shown, chartMark{string(m.Date), m.Title})
		}
	}
	return shown
}

// domainOf spans all values of some charts, so that they can be compared; nil where there are none.
func domainOf(all ...[]kpi.Point) *[2]float64 {
	var d *[2]float64
	for _, points := range all {
		for _, p := range points {
			switch {
			case p.Value == nil:
			case d == nil:
				d = &[2]float64{*p.Value, *p.Value}
			default:
				d[0], d[1] = min(d[0], *p.Value), max(d[1], *p.Value)
			}
		}
	}
	return d
}
