package facts

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"brine/kpi"
	"brine/sanitize"
)

// asked is all that a board tells of one day to somebody who may see no fewer than so many interactions, as JSON.
func (h *house) asked(day kpi.Date, least int64) map[string]string {
	h.tb.Helper()
	b := &kpi.Board{Source: h.source, Now: h.Wall}
	v := kpi.View{From: day, To: day.Plus(1), Cell: least}
	told := map[string]string{}
	tell := func(what string, answer any, err error) {
		text, bad := json.Marshal(answer)
		if err != nil || bad != nil {
			h.tb.Fatal(what, err, bad)
		}
		told[what] = string(text)
	}
	overview, err := b.Overview(h.tb.Context(), v)
	tell("overview", overview, err)
	v.Flow = "sign_in"
	funnel, err := b.Funnel(h.tb.Context(), v)
	tell("funnel", funnel, err)
	for _, s := range h.defs.Segments {
		v.By = s.Name
		segments, err := b.Segments(h.tb.Context(), v)
		tell("by "+s.Name, segments, err)
	}
	v.By, v.Only = "", &kpi.Filter{Segment: "browser", Value: "Firefox"}
	only, err := b.Overview(h.tb.Context(), v)
	tell("only Firefox", only, err)
	if v.To <= kpi.DateOf(h.Wall(), h.defs.Zone) {
		arrivals, err := b.Arrivals(h.tb.Context(), kpi.View{Cell: least})
		if err != nil {
			h.tb.Fatal(err)
		}
		tell("missing", arrivals.Missing, nil)
	}
	return told
}

// promptly are the answers to all kinds of questions for what is prompt.
func (h *house) promptly() map[string][]kpi.Day {
	all := map[string][]kpi.Day{}
	for _, slice := range allSlices() {
		slice.Prompt = true
		all[name(slice)] = h.days(slice)
	}
	return all
}

// An interaction that comes late for a day that viewers were told changes what analysts are told of it, and nothing that viewers are: asked
// before and after, its values would be the difference.
func TestLateArrivalsAreNotToldToViewers(t *testing.T) {
	h := openHouse(t)
	const day = kpi.Date("2026-11-10") // ends at 23:00 UTC, which is midnight in Berlin
	during := h.Wall()
	var all []sent
	for range 60 {
		all = append(all, h.interaction(during))
	}
	h.send(all...)
	h.pass(2 * time.Hour)
	h.send(h.interaction(during)) // after midnight, and prompt
	h.pass(time.Hour)
	notOver := h.asked(day, 5)
	h.send(h.interaction(h.Wall()))
	viewer, analyst, prompt := h.asked(day, 5), h.asked(day, 1), h.promptly()
	if viewer["overview"] == notOver["overview"] {
		t.Fatal("a day is told while what is prompt may still come, or never")
	}
	if n := prompt[name(kpi.Slice{Prompt: true})][2].Cells[""].Count.N; n != 61 {
		t.Errorf("%d interactions of 61 are prompt", n)
	}

	check := func(stage string) {
		t.Helper()
		if now := h.asked(day, 5); !maps.Equal(now, viewer) {
			t.Errorf("%s: a viewer is told\n%v\nafter\n%v", stage, now, viewer)
		}
		for what, now := range h.asked(day, 1) {
			if what != "only Firefox" && what != "funnel" && what != "missing" && now == analyst[what] {
				t.Errorf("%s: an analyst is told nothing of the late one: %s", stage, what)
			}
		}
		for question, days := range h.promptly() {
			at := slices.IndexFunc(days, func(d kpi.Day) bool { return d.Date == day })
			sameDays(t, stage+": "+question, days[at:at+1], prompt[question][at:at+1])
			if days[at].Open {
				t.Errorf("%s: the day is open again", stage)
			}
		}
	}
	h.send(h.interaction(during))
	check("late, in the open hour")
	h.pass(time.Hour)
	h.closeHours()
	check("late, in a closed hour")
	h.sanitize(sanitize.Request{})
	check("late, in a sanitized hour")
	h.build()
	check("late, with facts")
	h.source = NewSource(h.source.o)
	check("late, by a new source")
}
