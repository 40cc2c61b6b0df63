// Package kpitest holds simulated interactions in memory, as a [kpi.Source] for tests of what is asked of one.
//
// It imports event, kpi and simulate.
package kpitest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"brine/event"
	"brine/kpi"
	"brine/simulate"
)

// Memory is a [kpi.Source] that adds up all its facts for each question. They are all prompt.
type Memory struct {
	Defs  *kpi.Definitions
	Facts []kpi.Fact
	Now   func() time.Time // days from its own on are open

	walker *kpi.Walker
	dates  []kpi.Date // of the facts
}

// Simulated is a memory of so many interactions a day, of the day of an end up to it and of those before, but for days that are left out.
func Simulated(defs *kpi.Definitions, end time.Time, days, perDay int, without ...kpi.Date) (*Memory, error) {
	m := &Memory{Defs: defs, Now: func() time.Time { return end }}
	users := simulate.NewSource(1)
	stream := event.InteractionStream()
	for date := m.date(end.AddDate(0, 0, -days).UnixMilli()); date <= m.date(end.UnixMilli()); date = date.Plus(1) {
		if slices.Contains(without, date) {
			continue
		}
		for i := range perDay {
			at := date.Start(defs.Zone).Add(time.Duration(i) * 24 * time.Hour / time.Duration(perDay)).Truncate(10 * time.Minute)
			if !at.Before(end) {
				break
			}
			row, _, _, problem := stream.Append(nil, users.AppendInteraction(nil, at), &event.Arrival{Now: at, NewID: event.NewID, AnyAge: true})
			if problem != nil {
				return nil, fmt.Errorf("a simulated interaction is refused: %v", problem)
			}
			if err := m.Add(row); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// Add adds a row of the stream interaction.
func (m *Memory) Add(row []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(row, &fields); err != nil {
		return err
	}
	if m.walker == nil {
		m.walker = m.Defs.Walker()
	}
	w := m.walker
	for i, path := range w.Fields() {
		if value, ok := find(fields, path); ok {
			w.Field(i, []byte(value))
		}
	}
	for _, entry := range fields["event_stream"].([]any) {
		e := entry.([]any)
		w.Event([]byte(e[0].(string)), int32(e[1].(float64)))
	}
	f := kpi.Fact{Time: int64(fields["timestamp"].(float64)), Weight: 1 / fields["sample_rate"].(float64)}
	for i, name := range kpi.Fields {
		if fields[name] == nil {
			f.Missing |= 1 << i
		}
	}
	w.Finish(&f)
	m.Facts, m.dates = append(m.Facts, f), append(m.dates, m.date(f.Time))
	return nil
}

// find is the text of a field, like that of user_agent.os.
func find(fields map[string]any, path string) (string, bool) {
	name, below, nested := strings.Cut(path, ".")
	switch value := fields[name].(type) {
	case nil:
		return "", false
	case map[string]any:
		if !nested {
			return "", false
		}
		return find(value, below)
	case float64:
		if value == math.Trunc(value) {
			return fmt.Sprintf("%.0f", value), true
		}
		return fmt.Sprint(value), true
	default:
		return fmt.Sprint(value), true
	}
}

// Definitions are those that the facts were made by.
func (m *Memory) Definitions() *kpi.Definitions { return m.Defs }

// Days adds up.
func (m *Memory) Days(_ context.Context, s kpi.Slice) (days []kpi.Day, err error) {
	today := m.date(m.Now().UnixMilli())
	at := map[kpi.Date]int{}
	for d := s.From; d < s.To; d = d.Plus(1) {
		at[d] = len(days)
		open := d >= today || s.Prompt && d.LateFrom(m.Defs.Zone).After(m.Now())
		days = append(days, kpi.Day{Date: d, Open: open, Cells: map[string]*kpi.Cell{}})
	}
	add := m.Defs.Adder()
	for i := range m.Facts {
		f := &m.Facts[i]
		day, ok := at[m.dates[i]]
		if !ok || s.Only != nil && m.value(f, s.Only.Segment) != s.Only.Value {
			continue
		}
		by := m.value(f, s.By)
		c := days[day].Cells[by]
		if c == nil {
			c = m.Defs.NewCell(s.Left && s.By == "")
			days[day].Cells[by] = c
		}
		add.Set(f)
		add.Add(c)
	}
	return days, nil
}

func (m *Memory) date(ms int64) kpi.Date {
	return kpi.Date(time.UnixMilli(ms).In(m.Defs.Zone).Format(time.DateOnly))
}

func (m *Memory) value(f *kpi.Fact, segment string) string {
	i := slices.IndexFunc(m.Defs.Segments, func(s kpi.Segment) bool { return s.Name == segment })
	if i < 0 {
		return ""
	}
	return f.Segments[i]
}

// Slots counts.
func (m *Memory) Slots(_ context.Context, from, to int64) (slots []kpi.Slot, err error) {
	sums := map[int64]*kpi.Slot{}
	for _, f := range m.Facts {
		if f.Time < from || f.Time >= to {
			continue
		}
		s := sums[f.Time]
		if s == nil {
			s = &kpi.Slot{Time: f.Time}
			sums[f.Time] = s
		}
		s.N++
		s.Weight += f.Weight
	}
	for _, s := range sums {
		slots = append(slots, *s)
	}
	slices.SortFunc(slots, func(a, b kpi.Slot) int { return int(a.Time - b.Time) })
	return slots, nil
}

// Span is from the first fact's day to the last one's.
func (m *Memory) Span(context.Context) (span kpi.Span, _ error) {
	for _, f := range m.Facts {
		d := m.date(f.Time)
		if span.From == "" || d < span.From {
			span.From = d
		}
		span.To = max(span.To, d.Plus(1))
	}
	return span, nil
}
