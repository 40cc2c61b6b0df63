package e2e

import (
	"context"
	"time"

	"brine/kpi"
)

type canned struct{ *kpi.Board }

func f(v float64) *float64 { return &v }

func (c canned) judged() kpi.Judged {
	k := kpi.KPIInfo{Name: "sign_in", Title: "Sign-in rate", Kind: "conversion", Unit: "share", MoreBetter: true, Smallest: 0.02}
	j := kpi.Judged{Change: c.Source.Definitions().Changes[0], KPI: k, Units: "days", Before: kpi.Span{From: "2026-10-26", To: "2026-11-09"}, After: kpi.Span{From: "2026-11-10", To: "2026-11-24"},
		A: kpi.Figure{Value: f(0.612), Interactions: 4000}, B: kpi.Figure{Value: f(0.651), Interactions: 4200}, Diff: kpi.Figure{Value: f(0.039), Low: f(0.012), High: f(0.066), Interactions: 8200},
		Verdict: "better", Words: "The sign-in rate rose by 3.9 points (1.2 to 6.6): more people sign in since the short form.",
		Adjusted: &kpi.Figure{Value: f(0.031), Low: f(0.01), High: f(0.05)}, AdjustBy: "screen",
		Flags: []string{"The mix of screens moved: 61% were phones before, 68% after.", "A day is missing: 17 Nov 2026."}}
	for i := range 14 {
		w := 0.12/float64(i+1) + 0.027
		j.History = append(j.History, kpi.Narrowing{Date: kpi.Date("2026-11-10").Plus(i), Diff: f(0.039 + 0.01/float64(i+1)), Low: f(0.039 - w), High: f(0.039 + w)})
	}
	for _, o := range []struct {
		n, t, u string
		a, b, w float64
	}{{"errors", "Dialogs with an error", "share", 0.08, 0.074, 0.01}, {"sign_in_time", "Time to sign in, median", "ms", 21000, 18500, 1500}, {"interactions", "Interactions a day", "count", 290, 302, 25}} {
		d := o.b - o.a
		j.Others = append(j.Others, kpi.OtherKPI{KPI: kpi.KPIInfo{Name: o.n, Title: o.t, Unit: o.u}, A: kpi.Figure{Value: f(o.a)}, B: kpi.Figure{Value: f(o.b)}, Diff: kpi.Figure{Value: f(d), Low: f(d - o.w), High: f(d + o.w)}, Verdict: "not enough data yet", Alpha: 0.01})
	}
	for _, s := range []struct {
		s, v    string
		d, w    float64
		verdict string
	}{{"screen", "mobile", 0.07, 0.03, "better"}, {"screen", "tablet", 0.01, 0.06, "not enough data yet"}, {"screen", "desktop", -0.03, 0.02, "worse"}, {"browser", "Firefox", 0.03, 0.05, "not enough data yet"}, {"browser", "Opera", 0, 0, ""}} {
		sp := kpi.Split{Segment: s.s, Value: s.v, A: kpi.Figure{Value: f(0.6)}, B: kpi.Figure{Value: f(0.6 + s.d)}, Diff: kpi.Figure{Value: f(s.d), Low: f(s.d - s.w), High: f(s.d + s.w)}, Verdict: s.verdict}
		if s.verdict == "" {
			sp.A, sp.B, sp.Diff, sp.Verdict = kpi.Figure{Why: kpi.TooFew}, kpi.Figure{Why: kpi.TooFew}, kpi.Figure{Why: kpi.TooFew}, "not enough data yet"
		}
		j.Segments = append(j.Segments, sp)
	}
	return j
}

func (c canned) Changes(context.Context, kpi.View) ([]kpi.Judged, error) {
	all := []kpi.Judged{c.judged()}
	for _, a := range c.Added() {
		j := kpi.Judged{Change: a, KPI: all[0].KPI, Units: "days", Verdict: "not enough data yet", Words: "Not enough data yet."}
		all = append(all, j)
	}
	return all, nil
}

func (c canned) Change(ctx context.Context, name string, v kpi.View) (*kpi.Judged, error) {
	all, _ := c.Changes(ctx, v)
	for _, j := range all {
		if j.Change.Name == name {
			return &j, nil
		}
	}
	return nil, kpi.BadQuestion{Param: "change", What: "none"}
}

func (c canned) Arrivals(ctx context.Context, v kpi.View) (*kpi.Arrivals, error) {
	a := &kpi.Arrivals{From: boardNow.Add(-24 * time.Hour)}
	slots, _ := c.Source.Slots(ctx, a.From.UnixMilli(), boardNow.UnixMilli())
	n := map[int64]float64{}
	for _, s := range slots {
		n[s.Time] = s.Weight
	}
	for t := a.From; t.Before(boardNow); t = t.Add(10 * time.Minute) {
		a.Slots = append(a.Slots, kpi.ArrivalSlot{Time: t, Count: f(n[t.UnixMilli()]), Usual: f(2.2)})
	}
	last := boardNow.Add(-10 * time.Minute)
	a.Last = &last
	a.Alarm = ""
	for i, field := range kpi.Fields {
		a.Missing = append(a.Missing, kpi.MissingField{Field: field, Share: kpi.Figure{Value: f(float64(i) / 100)}})
	}
	return a, nil
}
