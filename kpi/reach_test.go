package kpi

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"
)

// noting is a source that notes which days it is asked of.
type noting struct {
	*drawn
	asked Span
}

func (s *noting) Days(ctx context.Context, of Slice) ([]Day, error) {
	if s.asked == (Span{}) {
		s.asked = Span{of.From, of.To}
	}
	s.asked = Span{min(s.asked.From, of.From), max(s.asked.To, of.To)}
	return s.drawn.Days(ctx, of)
}

// No day is read for a verdict but those that are told before.
func TestVerdictsKeepToTheirReach(t *testing.T) {
	changes := []Change{
		{Name: "moment", At: Date("2026-09-29").Start(time.UTC), Moves: "errors"},
		{Name: "midday", At: Date("2026-09-29").Start(time.UTC).Add(12 * time.Hour), Moves: "errors"},
		{Name: "release", Release: "2.0", Moves: "errors"},
		{Name: "release_at", Release: "2.0", At: Date("2026-09-29").Start(time.UTC), Moves: "errors"},
		{Name: "experiment", Experiment: "form", Branches: []string{"a", "b"}, Moves: "errors"},
		{Name: "experiment_at", Experiment: "form", Branches: []string{"a", "b"}, At: Date("2026-09-29").Start(time.UTC), Moves: "errors"},
	}
	h := history(rand.New(rand.NewPCG(1, 2)), changeDefinitions, 200, 50, 0)
	for _, c := range changes {
		s := &noting{drawn: h}
		b := h.board()
		b.Source, b.Added = s, func() []Change { return changes }
		reach := b.ChangesReach(c.Name)
		ask(t, func(ctx context.Context, v View) (*Judged, error) { return b.Change(ctx, c.Name, v) }, View{})
		if s.asked.From < reach.From || s.asked.To > reach.To || s.asked == (Span{}) {
			t.Errorf("%s: %v were asked, and told are %v", c.Name, s.asked, reach)
		}
	}
}
