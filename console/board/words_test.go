package board

import (
	"strings"
	"testing"

	"brine/kpi"
)

// No two rows of a CSV have one key, also where a KPI has the name of a column.
func TestKeysOfSegments(t *testing.T) {
	d := kpi.Shipped()
	s := segments{&kpi.Segments{By: "os", Values: []kpi.SegmentValue{{Value: "Windows", Figures: make([]kpi.Figure, len(d.KPIs))}}}}
	for _, k := range d.KPIs {
		s.KPIs = append(s.KPIs, kpi.KPIInfo{Name: k.Name, Kind: k.Kind, Unit: k.Unit()})
	}
	s.KPI = s.KPIs[0].Name
	met := map[string]bool{}
	for _, row := range s.table().rows {
		key := strings.Join(row[:5], ",")
		if met[key] {
			t.Errorf("%s comes twice", key)
		}
		met[key] = true
	}
}

func TestWords(t *testing.T) {
	at := func(v float64) kpi.Figure { return kpi.Figure{Value: &v} }
	for _, c := range []struct{ got, want string }{
		{valueText(at(0.6123), share), "61.2 %"},
		{valueText(at(0), share), "0.0 %"},
		{valueText(at(850), ms), "850 ms"},
		{valueText(at(12_340), ms), "12.3 s"},
		{valueText(at(300_000), ms), "5.0 min"},
		{valueText(at(1_234_567.4), count), "1,234,567"},
		{valueText(at(3.14159), amount), "3.14"},
		{valueText(kpi.Figure{Why: kpi.TooFew}, share), "too few"},
		{valueText(kpi.Figure{}, share), "no data"},
		{differenceText(at(0.021), share), "+2.1 points"},
		{differenceText(at(-0.021), share), "−2.1 points"},
		{differenceText(at(0.0001), share), "±0.0 points"},
		{differenceText(at(-0.0001), share), "±0.0 points"},
		{differenceText(at(-1_500), ms), "−1.5 s"},
		{differenceText(at(-12), count), "−12"},
		{spanText(kpi.Span{From: "2026-11-01", To: "2026-11-29"}), "1 Nov 2026 – 28 Nov 2026"},
		{spanText(kpi.Span{From: "2026-11-01", To: "2026-11-02"}), "1 Nov 2026"},
	} {
		if got := strings.ReplaceAll(c.got, space, " "); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	low, high := -0.01, 0.03
	if got := intervalText(kpi.Figure{Low: &low, High: &high}, share); got != "−1.0 to +3.0"+space+"points" {
		t.Error(got)
	}
}

// A difference that rounds to nothing points nowhere.
func TestTurn(t *testing.T) {
	for _, c := range []struct {
		before, now float64
		unit        string
		want        turn
	}{
		{0.61, 0.6104, share, turn{"=", "±0.0\u00a0points", ""}},
		{0.61, 0.6096, share, turn{"=", "±0.0\u00a0points", ""}},
		{0.61, 0.611, share, turn{"▲", "+0.1\u00a0points", ""}},
		{0.61, 0.55, share, turn{"▼", "−6.0\u00a0points", "worse"}},
		{100_000, 100_010, count, turn{"=", "±0.0\u00a0%", ""}},
	} {
		k := kpi.OverviewKPI{KPI: kpi.KPIInfo{Unit: c.unit, MoreBetter: true, Smallest: 0.02}, Now: kpi.Figure{Value: &c.now}, Before: kpi.Figure{Value: &c.before}}
		if c.unit == count {
			k.KPI.Smallest = 100
		}
		if got := (overview{}).Turn(k); *got != c.want {
			t.Errorf("from %v to %v: %+v", c.before, c.now, *got)
		}
	}
}
