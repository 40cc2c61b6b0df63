package kpi

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"brine/simulate"
)

// simulated are interactions of synthetic users, so many a day.
func simulated(t *testing.T, from Date, days, perDay int) *memory {
	t.Helper()
	m := &memory{d: Shipped(), open: from.Plus(days)}
	users := simulate.NewSource(1)
	for i := range days * perDay {
		at := from.Start(time.UTC).Add(time.Duration(i) * 24 * time.Hour / time.Duration(perDay)).Truncate(10 * time.Minute)
		var row struct {
			EventStream [][]any           `json:"event_stream"`
			UserAgent   map[string]string `json:"user_agent"`
			Language    string            `json:"language"`
			EmailType   string            `json:"email_type"`
			Screen      map[string]int    `json:"screen_size"`
		}
		if err := json.Unmarshal(users.AppendInteraction(nil, at), &row); err != nil {
			t.Fatal(err)
		}
		b := blob{fields: map[string]string{"user_agent.os": row.UserAgent["os"], "user_agent.browser": row.UserAgent["browser"],
			"language": row.Language, "email_type": row.EmailType, "screen_size.width": strconv.Itoa(row.Screen["width"])}}
		for _, e := range row.EventStream {
			b.events = append(b.events, blobEvent{e[0].(string), int32(e[1].(float64))})
		}
		m.add(b, at, 1)
	}
	return m
}

// Changes that nobody made, on the history that the demo shows, raise no alarm: with any KPI, on any Monday.
func TestPlacebosOnSimulatedHistory(t *testing.T) {
	const days = 56
	from := Date("2026-09-07")
	m := simulated(t, from, days, 120)
	b := m.board(from.Plus(days))
	for week := 1; week < days/7; week++ {
		for _, k := range m.d.KPIs {
			b.Added = func() []Change {
				return []Change{{Name: "placebo", At: from.Plus(7 * week).Start(time.UTC), Moves: k.Name}}
			}
			all, err := b.Changes(t.Context(), View{})
			if err != nil {
				t.Fatal(err)
			}
			if v := all[0].Verdict; v == "better" || v == "worse" {
				t.Errorf("%s, week %d: %s", k.Name, week, all[0].Words)
			}
		}
	}
}
