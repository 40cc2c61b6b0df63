package main

import (
	"bufio"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"brine/event"
	"brine/kpi"
	"brine/kpi/kpitest"
	"brine/simulate"
)

// demoBoard is the dashboard of a demo that was started at an end, with all that it is told and all that it makes up.
func demoBoard(t *testing.T, end time.Time) *kpi.Board {
	t.Helper()
	data := t.TempDir()
	file := filepath.Join(data, "kpi.yaml")
	if err := writeDemoKPIs(file); err != nil {
		t.Fatal(err)
	}
	defs, err := kpi.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	story := simulate.DemoStory(end)
	if err := addDemoChanges(data, defs, story); err != nil {
		t.Fatal(err)
	}
	history, w := io.Pipe()
	go func() { // of the 60 days those that the story is judged by: four weeks before its first change, and four after
		w.CloseWithError(simulate.Config{Seed: 1, Days: 56, PerDay: demoPerDay, End: end, Story: story}.Write(w))
	}()
	now := func() time.Time { return end }
	memory := &kpitest.Memory{Defs: defs, Now: now}
	lines := bufio.NewScanner(history)
	for lines.Scan() {
		row, _, _, problem := event.AppendInteraction(nil, lines.Bytes(), &event.Arrival{Now: end, NewID: event.NewID, AnyAge: true})
		if problem != nil {
			t.Fatal(problem)
		}
		if err := memory.Add(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	added, err := openChanges(data).list()
	if err != nil {
		t.Fatal(err)
	}
	return &kpi.Board{Source: memory, Added: func() []kpi.Change { return added }, Now: now}
}

// The demo's dashboard tells the story that was made up for it: a redesign that makes no difference over all, as it helps on phones and hurts
// on desktops, and a wording that helps.
func TestDemoStory(t *testing.T) {
	board := demoBoard(t, time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	judged := func(name string) *kpi.Judged {
		t.Helper()
		j, err := board.Change(t.Context(), name, kpi.View{})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	redesign := judged("redesign")
	if redesign.Verdict != "no difference that matters" {
		t.Errorf("the redesign: %s %+v", redesign.Words, redesign.Diff)
	}
	for value, want := range map[string]string{"mobile": "better", "desktop": "worse"} {
		i := slices.IndexFunc(redesign.Segments, func(s kpi.Split) bool { return s.Segment == "screen" && s.Value == value })
		if i < 0 {
			t.Errorf("the redesign is not told by screen: %+v", redesign.Segments)
		} else if got := redesign.Segments[i]; got.Verdict != want {
			t.Errorf("the redesign on %s: %s, want %s", value, got.Verdict, want)
		}
	}
	if wording := judged("wording"); wording.Verdict != "better" {
		t.Errorf("the wording: %s %+v", wording.Words, wording.Diff)
	}
}
