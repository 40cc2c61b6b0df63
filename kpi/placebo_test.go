package kpi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"brine/kpi/stat"
	"brine/simulate"
)

// simulated are interactions of synthetic users, so many a day.
func simulated(t *testing.T, from Date, days, perDay int) *memory {
	t.Helper()
	m := &memory{d: Shipped(), open: from.Plus(days)}
	users := simulate.NewSource(1)
	for i := range days * perDay {
		at := from.Start(time.UTC).Add(time.Duration(i) * 24 * time.Hour / time.Duration(perDay)).Truncate(10 * time.Minute)
		m.take(t, users.AppendInteraction(nil, at))
	}
	return m
}

// take adds an interaction as users send it.
func (m *memory) take(t *testing.T, text []byte) {
	t.Helper()
	var row struct {
		Timestamp   int64
		EventStream [][]any           `json:"event_stream"`
		UserAgent   map[string]string `json:"user_agent"`
		Language    string            `json:"language"`
		EmailType   string            `json:"email_type"`
		Screen      map[string]int    `json:"screen_size"`
	}
	if err := json.Unmarshal(text, &row); err != nil {
		t.Fatal(err)
	}
	b := blob{fields: map[string]string{"user_agent.os": row.UserAgent["os"], "user_agent.browser": row.UserAgent["browser"],
		"language": row.Language, "email_type": row.EmailType, "screen_size.width": strconv.Itoa(row.Screen["width"])}}
	for _, e := range row.EventStream {
		b.events = append(b.events, blobEvent{e[0].(string), int32(e[1].(float64))})
	}
	m.add(b, time.UnixMilli(row.Timestamp), 1)
}

// added is a memory whose days are added up already.
type added struct {
	*memory
	days map[Date]Day
}

func addUp(t *testing.T, m *memory) *added {
	t.Helper()
	span, err := m.Span(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	days, err := m.Days(t.Context(), Slice{From: span.From, To: span.To})
	if err != nil {
		t.Fatal(err)
	}
	a := &added{m, map[Date]Day{}}
	for _, day := range days {
		a.days[day.Date] = day
	}
	return a
}

func (a *added) Days(_ context.Context, s Slice) (days []Day, _ error) {
	for date := s.From; date < s.To; date = date.Plus(1) {
		days = append(days, Day{Date: date, Open: date >= a.open, Cells: a.days[date].Cells})
	}
	return days, nil
}

// Changes that nobody made, at times of day, on the history that the demo shows, up to the day of its first real change and with its day
// without data: few raise an alarm, though all of them look.
func TestPlacebosOnTheDemosStory(t *testing.T) {
	end := Date("2026-11-28").Start(time.UTC)
	story := simulate.DemoStory(end)
	var text bytes.Buffer
	if err := (simulate.Config{Seed: 11, Days: 60, PerDay: 150, End: end, Story: story}).Write(&text); err != nil {
		t.Fatal(err)
	}
	m := &memory{d: Shipped(), open: DateOf(story.Redesign, time.UTC)}
	for line := range bytes.Lines(text.Bytes()) {
		m.take(t, line)
	}
	b := &Board{Source: addUp(t, m), Now: func() time.Time { return story.Redesign }}
	var placebos []Change
	span, err := m.Span(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for day := 0; day < 32-2*7; day += 2 {
		at := span.From.Plus(7 + day).Start(time.UTC).Add(time.Duration(7+day) * time.Hour)
		for _, k := range m.d.KPIs {
			placebos = append(placebos, Change{Name: fmt.Sprintf("%s_%d", k.Name, day), At: at, Moves: k.Name})
		}
	}
	b.Added = func() []Change { return placebos }
	all, err := b.Changes(t.Context(), View{})
	if err != nil {
		t.Fatal(err)
	}
	alarms, told := 0, 0
	for _, j := range all {
		if gap := DateOf(story.Gap, time.UTC); j.Before.From <= gap && gap < j.After.To && gap != j.Before.To && !strings.Contains(strings.Join(j.Flags, ""), "There is no data of "+string(gap)) {
			t.Errorf("%s, %v %v: the day without data is not told: %q", j.Change.Name, j.Before, j.After, j.Flags)
		}
		if j.Diff.Low != nil {
			told++
		}
		if j.Verdict == string(stat.Better) || j.Verdict == string(stat.Worse) {
			alarms++
			t.Log(j.Change.Name, j.Words)
		}
	}
	if alarms > told*5/100 || told < len(all)/3 {
		t.Errorf("of %d placebos %d have an interval, and %d are seen to have done something", len(all), told, alarms)
	}
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
