package board

import (
	"net/http"

	"brine/kpi"
)

// funnel is how people went through a flow.
type funnel struct{ *kpi.Funnel }

func askFunnel(b *Board, r *http.Request, q question) (answer, error) {
	if q.Flow == "" {
		return funnel{&kpi.Funnel{Span: kpi.Span{From: q.From, To: q.To}, Steps: []kpi.FunnelStep{}}}, nil
	}
	f, err := b.KPI.Funnel(r.Context(), q.View)
	return funnel{f}, err
}

func (f funnel) body() any { return f.Funnel }

func (f funnel) table() table {
	t := table{header: append([]string{"flow", "step", "measure", "unit", "event"}, figureHeader...)}
	for _, s := range f.Steps {
		for _, m := range []struct {
			name, unit string
			figure     kpi.Figure
		}{
			{"reached", count, s.Reached}, {"of_first", share, s.OfFirst}, {"of_before", share, s.OfBefore},
			{"p50", ms, s.P50}, {"p75", ms, s.P75}, {"p95", ms, s.P95}, {"left", count, s.Left},
		} {
			t.add(m.figure, f.Flow, s.Name, m.name, m.unit, "")
		}
		for _, e := range s.NextEvent {
			t.add(e.Count, f.Flow, s.Name, "next_event", count, e.Event)
		}
		for _, e := range s.LastEvent {
			t.add(e.Count, f.Flow, s.Name, "last_event", count, e.Event)
		}
	}
	return t
}

// Empty says whether nobody is known to have gone this way.
func (f funnel) Empty() bool { return len(f.Steps) == 0 || nothing(f.Steps[0].Reached) }

// Chart is how many reached each step.
func (f funnel) Chart() chart {
	c := chart{Kind: "funnel", Name: "flow-" + f.Flow, Title: f.Title + ": how many reached each step", Unit: count}
	for i, s := range f.Steps {
		text := valueText(s.Reached, count)
		if s.OfFirst.Value != nil {
			text += " · " + valueText(s.OfFirst, share)
		}
		bar := chartBar{Label: s.Title, Value: s.Reached.Value, Text: text}
		if i > 0 && s.OfBefore.Value != nil {
			bar.Left = "−" + measure(1-*s.OfBefore.Value, share)
		}
		c.Bars = append(c.Bars, bar)
	}
	return c
}

// Leaving are the steps at which somebody is known to have left.
func (f funnel) Leaving() (steps []kpi.FunnelStep) {
	for _, s := range f.Steps {
		if len(s.NextEvent)+len(s.LastEvent) > 0 {
			steps = append(steps, s)
		}
	}
	return steps
}
