package kpi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"brine/event"
)

// What arrivals are told by.
const (
	slot        = event.Slot
	hourSlots   = 6
	shownSlots  = 48 * hourSlots // two days
	usualWeeks  = 4
	weekSlots   = 7 * 24 * hourSlots
	arriving    = 2 // slots that are not over, as a blob is sent at the end of its dialog
	missingDays = 7

	// surprising is how many interactions have to be missing for silence to be no chance: of a Poisson process that expects
	// so many, none come once in 1,000 times.
	surprising = 6.9
)

// Arrivals answers whether interactions arrive as they use to, over the last two days.
func (b *Board) Arrivals(ctx context.Context, v View) (*Arrivals, error) {
	v.By, v.From, v.To = "", "", ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	now := b.clock().Truncate(slot)
	from := now.Add((1 - shownSlots) * slot)
	began := from.Add(-usualWeeks * weekSlots * slot)
	slots, err := b.Source.Slots(ctx, began.UnixMilli(), now.Add(slot).UnixMilli())
	if err != nil {
		return nil, err
	}
	h := newRhythm(slots, began, b.begun(d))
	a := &Arrivals{From: from, Slots: []ArrivalSlot{}, Alarm: h.alarm(now, from), Missing: []MissingField{}}
	for at := from; !at.After(now); at = at.Add(slot) {
		a.Slots = append(a.Slots, h.slot(at, v.Cell))
	}
	for _, s := range slots {
		if s.N >= v.Cell {
			last := time.UnixMilli(s.Time).UTC()
			a.Last = &last
		}
	}
	return a, b.missing(ctx, d, v, a)
}

func (b *Board) clock() time.Time {
	if b.Now != nil {
		return b.Now().UTC()
	}
	return time.Now().UTC()
}

// begun is when there first was data.
func (b *Board) begun(d *Definitions) time.Time {
	from, _ := b.Source.Span()
	if from == "" {
		return b.clock()
	}
	return from.Start(d.Zone)
}

// rhythm is the arrivals of some weeks by slot.
type rhythm struct {
	began time.Time // of the first slot
	data  time.Time // from when on silence is silence, not the time before Brine
	slots []Slot    // all of them
}

func newRhythm(slots []Slot, began, data time.Time) *rhythm {
	h := &rhythm{began: began, data: data, slots: make([]Slot, usualWeeks*weekSlots+shownSlots)}
	for _, s := range slots {
		if i := h.place(time.UnixMilli(s.Time)); i >= 0 && i < len(h.slots) {
			h.slots[i] = s
		}
	}
	return h
}

func (h *rhythm) place(t time.Time) int { return int(t.Sub(h.began) / slot) }

// usual are the medians, over the weeks before, of the slots in the same hour of the week: of their number and of their
// weight. NaN where there was no data then.
func (h *rhythm) usual(t time.Time) (n, weight float64) {
	var ns, weights []float64
	hour := h.place(t.Truncate(time.Hour))
	for week := 1; week <= usualWeeks; week++ {
		for i := hour - week*weekSlots; i < hour-week*weekSlots+hourSlots; i++ {
			if i >= 0 && i < len(h.slots) && !h.began.Add(time.Duration(i)*slot).Before(h.data) {
				ns, weights = append(ns, float64(h.slots[i].N)), append(weights, h.slots[i].Weight)
			}
		}
	}
	return median(ns), median(weights)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// slot tells one. To who may not see small numbers it tells steps of the least one.
func (h *rhythm) slot(t time.Time, least int64) ArrivalSlot {
	s := h.slots[h.place(t)]
	n, weight := h.usual(t)
	a := ArrivalSlot{Time: t, Usual: stepped(n, weight, least)}
	if !t.Before(h.data) {
		a.Count = stepped(float64(s.N), s.Weight, least)
	}
	return a
}

// stepped is a weight, where its number is large enough: as it is, or as that of a whole number of steps.
func stepped(n, weight float64, least int64) *float64 {
	if least <= 1 || n == 0 {
		return finite(weight)
	}
	steps := math.Floor(n / float64(least))
	if !(steps >= 1) {
		return nil
	}
	return finite(weight / n * steps * float64(least))
}

// alarm tells that none have arrived for longer than chance allows; "" where that is not so.
func (h *rhythm) alarm(now, from time.Time) string {
	expected, since := 0.0, now
	for at := now.Add(-arriving * slot); !at.Before(from) && h.slots[h.place(at)].N == 0; at = at.Add(-slot) {
		if n, _ := h.usual(at); n > 0 {
			expected += n
		}
		since = at
	}
	for at := now.Add((1 - arriving) * slot); !at.After(now); at = at.Add(slot) {
		if h.slots[h.place(at)].N > 0 {
			return "" // they come again
		}
	}
	if expected < surprising {
		return ""
	}
	return fmt.Sprintf("No interaction has arrived since %s, where about %s use to.", since.Format("2006-01-02 15:04 MST"), thousands(int64(math.Round(expected))))
}

// missing is how often each field was absent over the last whole days. To who may not see small numbers, it is told in steps that stand
// for at least the least number on either side.
func (b *Board) missing(ctx context.Context, d *Definitions, v View, a *Arrivals) error {
	v.To = b.today(d)
	v.From = v.To.Plus(-missingDays)
	days, err := b.see(ctx, d, v, true)
	if err != nil {
		return err
	}
	all := sum(days, "", countPart, false)
	absent := make([]float64, len(Fields))
	for _, day := range days {
		if c := day.cells[""]; c.Cell != nil && c.Missing != nil {
			for i, w := range c.Missing {
				absent[i] += w
			}
		}
	}
	for i, name := range Fields {
		f := all.nothing()
		if share, ok := roundedShare(absent[i]/all.Weights, float64(all.N), v.Cell); ok {
			f = all.told(share)
		}
		a.Missing = append(a.Missing, MissingField{name, f})
	}
	return nil
}

// roundedShare is a share of n interactions, to the nearest step that stands for twice the least number, and at least a
// percent; as it is where there is no least number. False where there would be too few steps.
func roundedShare(share, n float64, least int64) (float64, bool) {
	if least <= 1 {
		return share, n > 0
	}
	step := max(0.01, 2*float64(least)/n)
	return min(1, math.Round(share/step)*step), step <= 0.25
}
