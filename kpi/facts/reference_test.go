package facts

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/kpi"
	"brine/sanitize"
)

// plain is what a day's interactions come to, computed as one would by hand from what was sent, with [houseKPIs].
type plain struct {
	n       int
	weight  float64
	reached [4]float64 // of the flow sign_in, weighted
	both    float64    // who did both steps of the flow both
	errors  float64
	times   [][2]float64 // to sign in: ms, weight
	missing float64      // without a language
	next    map[string]float64
}

// add reads one interaction.
func (p *plain) add(s sent) {
	w := 1 / s["sample_rate"].(float64)
	p.n++
	p.weight += w
	if s["language"] == nil {
		p.missing += w
	}
	var names []string // in the order of their offsets, of those that the shipped allowlist keeps
	var offsets []float64
	for _, e := range s["event_stream"].([]any) {
		name := e.([]any)[0].(string)
		if !strings.HasPrefix(name, "private.") {
			names, offsets = append(names, name), append(offsets, float64(e.([]any)[1].(int)))
		}
	}
	has := func(prefix string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, prefix) })
	}
	if has("screen.error") {
		p.errors += w
	}
	if has("user.user_staged") && has("user.user_confirmed") {
		p.both += w
	}
	if has("staging_continuation") {
		return
	}
	at := -1
	for step, wanted := range [][]string{{"screen.rp_info"}, {"authenticate.enter_password", "screen.set_password"}, {"authenticate.password_submitted"}, {"assertion_generated"}} {
		i := slices.IndexFunc(names[at+1:], func(n string) bool { return slices.Contains(wanted, n) })
		if i < 0 {
			if step > 0 {
				next := ""
				if at+1 < len(names) {
					next = names[at+1]
				}
				p.next[next] += w
			}
			return
		}
		at += 1 + i
		p.reached[step] += w
	}
	p.times = append(p.times, [2]float64{offsets[at], w})
}

func (p *plain) quantile(share float64) float64 {
	slices.SortFunc(p.times, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	total, sum := 0.0, 0.0
	for _, t := range p.times {
		total += t[1]
	}
	for _, t := range p.times {
		if sum += t[1]; sum >= share*total {
			return t[0]
		}
	}
	return math.NaN()
}

// plainValue is the value of a segment.
func plainValue(segment string, s sent) string {
	switch segment {
	case "browser":
		agent, ok := s["user_agent"].(map[string]any)
		switch {
		case !ok:
			return kpi.Unknown
		case strings.HasPrefix(agent["browser"].(string), "Firefox"):
			return "Firefox"
		case agent["browser"] == "Chrome":
			return "Chrome"
		}
		return kpi.Other
	case "language":
		if l, ok := s["language"].(string); ok {
			return l
		}
	case "screen":
		if size, ok := s["screen_size"].(map[string]any); ok {
			switch width := size["width"].(int); {
			case width < 640:
				return "mobile"
			case width < 1024:
				return "tablet"
			}
			return "desktop"
		}
	case "form":
		if e, ok := s["experiments"].(map[string]any); ok {
			return e["form"].(string)
		}
	case "":
		return ""
	}
	return kpi.Unknown
}

// plainDays are those of all that was sent, by a segment, of the interactions that have one value of another.
func (h *house) plainDays(slice kpi.Slice) map[kpi.Date]map[string]*plain {
	days := map[kpi.Date]map[string]*plain{}
	for _, s := range h.sent {
		if slice.Only != nil && plainValue(slice.Only.Segment, s) != slice.Only.Value {
			continue
		}
		date := kpi.Date(time.UnixMilli(s["timestamp"].(int64)).In(h.zone()).Format(time.DateOnly))
		if days[date] == nil {
			days[date] = map[string]*plain{}
		}
		value := plainValue(slice.By, s)
		if days[date][value] == nil {
			days[date][value] = &plain{next: map[string]float64{}}
		}
		days[date][value].add(s)
	}
	return days
}

// zone is that of [houseKPIs], or of what stands in its place, by its name.
func (h *house) zone() *time.Location {
	h.tb.Helper()
	zone, err := time.LoadLocation(h.defs.Zone.String())
	if err != nil {
		h.tb.Fatal(err)
	}
	return zone
}

// houses gives each test a house in a zone, at random; a failure names the seed. Midnight is within the hours of Berlin; in Kolkata it is at
// half past six in the evening by UTC, so that an hour of the log belongs to two days.
func houses(t *testing.T, test func(t *testing.T, h *house)) {
	for seed, zone := range []string{"Europe/Berlin", "Asia/Kolkata", "Europe/Berlin"} {
		t.Run(fmt.Sprintf("seed %d, %s", seed, zone), func(t *testing.T) {
			h := openHouse(t)
			h.random = rand.New(rand.NewPCG(uint64(seed), 5))
			h.defs = parseKPIs(t, strings.Replace(houseKPIs, "Europe/Berlin", zone, 1))
			if zone == "Asia/Kolkata" {
				h.hour(3)
				h.closeHours()
				h.pass(20 * time.Hour) // 18:05
				for range 10 {
					h.send(h.interaction(h.Wall()))
				}
				h.pass(30 * time.Minute)
			}
			test(t, h)
		})
	}
}

// All figures of all kinds of questions are those that one computes by hand from what was sent, whether they come from memory, from
// roll-ups or from facts.
func TestFiguresAreThoseOfAPlainReading(t *testing.T) {
	houses(t, func(t *testing.T, h *house) {
		for range 3 { // over midnight
			h.hour(90)
		}
		h.closeHours()
		h.sanitize(sanitize.Request{})
		h.build()
		h.hour(30)
		compared := 0
		for _, slice := range allSlices() {
			want := h.plainDays(slice)
			for _, day := range h.days(slice) {
				if len(day.Cells) != len(want[day.Date]) {
					t.Errorf("%s, %s: %d values, want %d", name(slice), day.Date, len(day.Cells), len(want[day.Date]))
				}
				for value, p := range want[day.Date] {
					if cell := day.Cells[value]; cell != nil {
						p.compare(t, name(slice)+", "+string(day.Date)+" "+value, cell)
						compared++
					}
				}
			}
		}
		if compared < 100 {
			t.Errorf("only %d cells were compared", compared)
		}
	})
}

func (p *plain) compare(t *testing.T, what string, c *kpi.Cell) {
	t.Helper()
	is := func(name string, got, want float64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s is %v, want %v", what, name, got, want)
		}
	}
	is("count", float64(c.Count.N), float64(p.n))
	is("weight", c.Count.Weights, p.weight)
	for step, weight := range p.reached {
		is("a step", c.Flows[0][step].Weights, weight)
	}
	is("both", c.Flows[1][1].Weights, p.both)
	is("signed in", c.KPIs[0].Sum, p.reached[3])
	is("opened", c.KPIs[0].Weights, p.reached[0])
	is("errors", c.KPIs[2].Sum, p.errors)
	is("of", c.KPIs[2].Weights, p.weight)
	for _, share := range []float64{0.25, 0.5, 0.75, 0.95} {
		got, want := c.KPIs[1].Sketch.Quantile(share), p.quantile(share)
		if len(p.times) > 0 && math.Abs(got-want) > kpi.Accuracy*want*(1+1e-9) {
			t.Errorf("%s: quantile %v of the time is %v, want %v", what, share, got, want)
		}
	}
	if c.Missing == nil {
		return
	}
	is("without a language", c.Missing[slices.Index(kpi.Fields, "language")], p.missing)
	next := map[string]float64{}
	for _, left := range c.Left[0] {
		for event, m := range left.Next {
			next[event] += m.Weights
		}
	}
	for event, weight := range p.next {
		is("next "+event, next[event], weight)
	}
}

func TestArrivalsAreThoseOfAPlainReading(t *testing.T) {
	houses(t, func(t *testing.T, h *house) {
		h.hour(40)
		h.closeHours()
		h.sanitize(sanitize.Request{})
		h.build()
		h.hour(30)
		want := map[int64]kpi.Slot{}
		for _, s := range h.sent {
			at := s["timestamp"].(int64)
			want[at] = kpi.Slot{Time: at, N: want[at].N + 1, Weight: want[at].Weight + 1/s["sample_rate"].(float64)}
		}
		from, to := h.Wall().Add(-40*time.Hour).UnixMilli(), h.Wall().Add(-90*time.Minute).Truncate(10*time.Minute).UnixMilli()
		for at := range want {
			if at < from || at >= to {
				delete(want, at)
			}
		}
		slots, err := h.source.Slots(t.Context(), from, to)
		if err != nil || len(slots) != len(want) || len(want) < 5 {
			t.Fatalf("%d slots, want %d, %v", len(slots), len(want), err)
		}
		for i, s := range slots {
			if s != want[s.Time] || i > 0 && s.Time <= slots[i-1].Time {
				t.Errorf("slot %+v, want %+v", s, want[s.Time])
			}
		}
	})
}
