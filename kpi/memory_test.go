package kpi

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"
)

// memory is a Source of facts that are held in memory. They are all prompt.
type memory struct {
	d     *Definitions
	facts []*Fact
	open  Date // of the days from it on more may come; "": none
}

// add makes a fact of a blob.
func (m *memory) add(b blob, at time.Time, weight float64) {
	f := &Fact{}
	b.through(m.d.Walker(), f)
	f.Time, f.Weight = at.UnixMilli(), weight
	m.facts = append(m.facts, f)
}

func (m *memory) Definitions() *Definitions { return m.d }

func (m *memory) date(f *Fact) Date { return DateOf(time.UnixMilli(f.Time), m.d.Zone) }

func (m *memory) Days(_ context.Context, s Slice) (days []Day, _ error) {
	at := map[Date]*Day{}
	for date := s.From; date < s.To; date = date.Plus(1) {
		days = append(days, Day{Date: date, Open: m.open != "" && date >= m.open, Cells: map[string]*Cell{}})
	}
	for i := range days {
		at[days[i].Date] = &days[i]
	}
	adder := m.d.Adder()
	for _, f := range m.facts {
		day := at[m.date(f)]
		if day == nil || s.Only != nil && f.Segments[m.d.segment(s.Only.Segment)] != s.Only.Value {
			continue
		}
		value := ""
		if s.By != "" {
			value = f.Segments[m.d.segment(s.By)]
		}
		if day.Cells[value] == nil {
			day.Cells[value] = m.d.NewCell(s.Left && s.By == "")
		}
		adder.Set(f)
		adder.Add(day.Cells[value])
	}
	return days, nil
}

func (m *memory) Slots(_ context.Context, from, to int64) ([]Slot, error) {
	slots := map[int64]Slot{}
	for _, f := range m.facts {
		if f.Time >= from && f.Time < to {
			s := slots[f.Time]
			slots[f.Time] = Slot{f.Time, s.N + 1, s.Weight + f.Weight}
		}
	}
	var all []Slot
	for _, at := range slices.Sorted(maps.Keys(slots)) {
		all = append(all, slots[at])
	}
	return all, nil
}

func (m *memory) Span(context.Context) (span Span, _ error) {
	for _, f := range m.facts {
		if date := m.date(f); span.From == "" || date < span.From {
			span.From = date
		}
		span.To = max(span.To, m.date(f).Plus(1))
	}
	return span, nil
}

// board is a Board over the facts, for who looks at a day.
func (m *memory) board(today Date) *Board {
	return &Board{Source: m, Now: func() time.Time { return today.Start(m.d.Zone) }}
}

func ask[A any](t testing.TB, question func(context.Context, View) (*A, error), v View) *A {
	t.Helper()
	a, err := question(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
