package kpi

import (
	"context"
	"fmt"
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
		reach, err := b.ChangesReach(t.Context(), c.Name)
		if err != nil {
			t.Fatal(err)
		}
		ask(t, func(ctx context.Context, v View) (*Judged, error) { return b.Change(ctx, c.Name, v) }, View{})
		if s.asked.From < reach.From || s.asked.To > reach.To || s.asked == (Span{}) {
			t.Errorf("%s: %v were asked, and told are %v", c.Name, s.asked, reach)
		}
	}
}

// preparing is a source that notes what it is prepared for, and which questions about segments it was not.
type preparing struct {
	*drawn
	prepared map[string]bool
	readings int
	missed   []string
}

func questionName(of Slice) string {
	only := Filter{}
	if of.Only != nil {
		only = *of.Only
	}
	return fmt.Sprintf("%s to %s by %s only %v, prompt %t", of.From, of.To, of.By, only, of.Prompt)
}

func (s *preparing) Prepare(_ context.Context, questions []Slice) error {
	s.readings++
	for _, q := range questions {
		s.prepared[questionName(q)] = true
	}
	return nil
}

func (s *preparing) Days(ctx context.Context, of Slice) ([]Day, error) {
	if of.By != "" && of.By != "form" && !s.prepared[questionName(of)] {
		s.missed = append(s.missed, questionName(of))
	}
	return s.drawn.Days(ctx, of)
}

// A change's page tells its source of all segments at once: of all interactions, and within a value.
func TestChangesPrepareTheirSource(t *testing.T) {
	changes := []Change{
		{Name: "moment", At: Date("2026-09-29").Start(time.UTC), Moves: "errors"},
		{Name: "experiment", Experiment: "form", Branches: []string{"a", "b"}, Moves: "errors"},
	}
	r := rand.New(rand.NewPCG(1, 2))
	moment, experiment := history(r, changeDefinitions, 200, 50, 0), history(r, changeDefinitions, 20, 10, 0)
	for day := range experiment.days {
		experiment.days[day] = map[string]*Cell{"a": experiment.some(500, 0.3, r), "b": experiment.some(500, 0.25, r)}
	}
	for name, c := range map[string]struct {
		of     *drawn
		change string
		view   View
	}{"Moment": {moment, "moment", View{}}, "Viewer": {moment, "moment", View{Cell: 10}}, "Value": {moment, "moment", View{Only: &Filter{"form", "a"}}}, "Experiment": {experiment, "experiment", View{}}} {
		s := &preparing{drawn: c.of, prepared: map[string]bool{}}
		b := c.of.board()
		b.Source, b.Added = s, func() []Change { return changes }
		ask(t, func(ctx context.Context, v View) (*Judged, error) { return b.Change(ctx, c.change, v) }, c.view)
		if s.readings != 1 || len(s.prepared) == 0 || len(s.missed) > 0 {
			t.Errorf("%s: prepared %d times, for %d questions, and not for %v", name, s.readings, len(s.prepared), s.missed)
		}
	}
}

// A release or an experiment without a moment is looked for in the days that may be asked for at once, however long ago the data begins; what is there on
// the first of them may be older, and that is said.
func TestFirstDayIsLookedForInBounds(t *testing.T) {
	h := &drawn{d: history(rand.New(rand.NewPCG(1, 2)), changeDefinitions, 1, 1, 0).d, start: "2020-01-06", days: make([]map[string]*Cell, 2000)}
	changes := []Change{{Name: "experiment", Experiment: "form", Branches: []string{"a", "b"}, Moves: "errors"}}
	for name, c := range map[string]struct {
		ago   int // days, of the first one that somebody was seen in a branch on
		since bool
	}{"Never": {-1, false}, "Within": {30, true}, "Before": {MostDays + 100, true}} {
		for i := range h.days {
			h.days[i] = nil
			if ago := len(h.days) - i; ago <= c.ago {
				h.days[i] = map[string]*Cell{"a": h.some(50, 0.3, rand.New(rand.NewPCG(1, 2))), "b": h.some(50, 0.3, rand.New(rand.NewPCG(1, 2)))}
			}
		}
		s := &noting{drawn: h}
		b := h.board()
		b.Source, b.Added = s, func() []Change { return changes }
		j := ask(t, func(ctx context.Context, v View) (*Judged, error) { return b.Change(ctx, "experiment", v) }, View{})
		first := b.today(h.d).Plus(1 - MostDays)
		if s.asked.From != first || (j.After.From != "") != c.since || (len(j.Flags) > 0 && j.After.From == first) != (name == "Before") {
			t.Errorf("%s: from %s on was asked, want %s; compared are %v, %q %q", name, s.asked.From, first, j.After, j.Words, j.Flags)
		}
	}
}
