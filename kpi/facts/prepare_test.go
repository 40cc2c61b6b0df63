package facts

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

func builtHouse(t *testing.T) *house {
	h := openHouse(t)
	for range 4 {
		h.hour(30)
	}
	h.closeHours()
	h.sanitize(sanitize.Request{})
	h.build()
	return h
}

// What was prepared needs no roll-up and no file of facts any more, and none of what is in no facts yet, and is what each question gives by itself: of Other, too.
func TestPreparedQuestionsReadNothing(t *testing.T) {
	h := builtHouse(t)
	h.hour(30)
	h.hour(30) // open
	var questions []kpi.Slice
	filtered := 0
	for _, slice := range allSlices() {
		slice.From, slice.To = "2026-11-08", "2026-11-14"
		questions = append(questions, slice)
		if v, _ := viewOf(slice); v.only != (kpi.Filter{}) {
			filtered++
		}
	}
	if filtered < 10 || len(questions) < filtered+4 {
		t.Fatalf("%d of %d questions need facts", filtered, len(questions))
	}
	want := make([][]kpi.Day, len(questions))
	for i, q := range questions {
		want[i] = h.days(q)
	}
	h.source = NewSource(h.source.o)
	if err := h.source.pinned().Prepare(t.Context(), questions); err != nil {
		t.Fatal(err)
	}
	others := 0
	for _, f := range slices.Concat(h.lake.List(lake.Facts, stream), h.lake.List(lake.Rollups, stream), h.lake.List(lake.Raw, stream)) {
		if err := os.Remove(filepath.Join(h.dir, "lake", f.String())); err != nil {
			t.Fatal(err)
		}
	}
	for i, q := range questions {
		sameDays(t, name(q), h.days(q), want[i])
		if q.Only != nil && q.Only.Value == kpi.Other && slices.ContainsFunc(want[i], func(d kpi.Day) bool { return len(d.Cells) > 0 }) {
			others++
		}
	}
	if others == 0 {
		t.Error("nobody was Other")
	}
	if len(h.source.damaged) > 0 {
		t.Errorf("files were read: %v", h.source.damaged)
	}
}

// What is remembered is told while another question reads, and a question that waits for its turn ends with its context.
func TestRememberedAnswersWaitForNobody(t *testing.T) {
	h := builtHouse(t)
	warm := kpi.Slice{From: "2026-11-08", To: "2026-11-14", Only: &kpi.Filter{Segment: "browser", Value: "Firefox"}, By: "screen"}
	want := h.days(warm)
	h.source.loading <- struct{}{} // another question reads
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := h.source.Days(ctx, warm)
	if err != nil {
		t.Fatal(err)
	}
	sameDays(t, "beside another", got, want)
	cold := warm
	cold.By = "language"
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := h.source.Days(gone, cold); err == nil {
		t.Error("a question that is cold did not wait")
	}
	<-h.source.loading
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := h.source.Days(t.Context(), cold); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A value that the segment does not list is nobody's: neither files nor what is in none are read.
func TestUnlistedValuesAreNobodys(t *testing.T) {
	h := builtHouse(t)
	h.hour(30)
	h.source.loading <- struct{}{}
	h.source.adding <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, only := range []kpi.Filter{{Segment: "browser", Value: "nobody"}, {Segment: "screen", Value: kpi.Other}} { // each number has its bucket
		days, err := h.source.Days(ctx, kpi.Slice{From: "2026-11-08", To: "2026-11-14", Only: &only, By: "language"})
		if err != nil || len(days) != 6 {
			t.Fatal(len(days), err)
		}
		for _, day := range days {
			if len(day.Cells) > 0 {
				t.Errorf("%s has %v", day.Date, day.Cells)
			}
		}
	}
}
