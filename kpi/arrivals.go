package kpi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
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

	// surprising is how much has to be missing for silence to be no chance: of a Poisson process that expects so many, none
	// come once in 1,000 times.
	surprising = 6.9
)

// Arrivals answers whether interactions arrive as they use to, over the last two days: all of them, which nothing narrows.
func (b *Board) Arrivals(ctx context.Context, v View) (*Arrivals, error) {
	if v.Only != nil {
		return nil, BadQuestion{"only", "arrivals are of all interactions", "leave it out"}
	}
	v.By, v.From, v.To = "", "", ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	began, end := b.ArrivalsReach()
	now := end.Add(-slot)
	from := end.Add(-shownSlots * slot)
	slots, err := b.Source.Slots(ctx, began.UnixMilli(), end.UnixMilli())
	if err != nil {
		return nil, err
	}
	begun, err := b.begun(ctx, d)
	if err != nil {
		return nil, err
	}
	h := newRhythm(arrivedOf(slots, v.Cell, d.Zone), began, begun, d.Zone)
	a := &Arrivals{From: from, Slots: []ArrivalSlot{}, Alarm: h.alarm(now, v.Cell), Last: h.last(), Missing: []MissingField{}}
	for at := from; !at.After(now); at = at.Add(slot) {
		a.Slots = append(a.Slots, h.slot(at, v.Cell))
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
func (b *Board) begun(ctx context.Context, d *Definitions) (time.Time, error) {
	all, err := b.Source.Span(ctx)
	if all.From == "" {
		return b.clock(), err
	}
	return all.From.Start(d.Zone), nil
}

// arrived is what came in a slot, as who asks may see it. All that is said of arrivals is said of these.
type arrived struct {
	at     time.Time
	steps  float64 // interactions, or whole steps of the least number
	weight float64 // that they stand for
}

// arrivedOf are the slots that may be told. Who may not see small numbers sees whole steps of the least one, at the mean weight of all that came
// on the day, to two digits: a slot's own weight would tell how many it is the sum of.
func arrivedOf(slots []Slot, least int64, zone *time.Location) (all []arrived) {
	means := map[Date]float64{}
	if least > 1 {
		means = meanWeights(slots, zone)
	}
	for _, s := range slots {
		a := arrived{time.UnixMilli(s.Time).UTC(), float64(s.N), s.Weight}
		if least > 1 {
			a.steps = float64(s.N / least)
			a.weight = a.steps * float64(least) * means[DateOf(a.at, zone)]
		}
		if a.steps > 0 {
			all = append(all, a)
		}
	}
	return all
}

// meanWeights are those of each day's interactions, to two digits.
func meanWeights(slots []Slot, zone *time.Location) map[Date]float64 {
	counts, weights := map[Date]float64{}, map[Date]float64{}
	for _, s := range slots {
		date := DateOf(time.UnixMilli(s.Time), zone)
		counts[date], weights[date] = counts[date]+float64(s.N), weights[date]+s.Weight
	}
	for date, weight := range weights {
		weights[date] = twoDigits(weight / counts[date])
	}
	return weights
}

func twoDigits(v float64) float64 {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 2, 64), 64)
	return rounded
}

// rhythm is the arrivals of some weeks by slot.
type rhythm struct {
	began time.Time // of the first slot
	data  time.Time // from when on silence is silence, not the time before Brine
	slots []arrived // all of them
	hours []int     // of the week, in the definitions' zone, by slot
}

func newRhythm(all []arrived, began, data time.Time, zone *time.Location) *rhythm {
	const n = usualWeeks*weekSlots + shownSlots
	h := &rhythm{began: began, data: data, slots: make([]arrived, n), hours: make([]int, n)}
	for i := range h.hours {
		at := began.Add(time.Duration(i) * slot).In(zone)
		h.hours[i] = int(at.Weekday())*24 + at.Hour()
	}
	for _, a := range all {
		if i := h.place(a.at); i >= 0 && i < n {
			h.slots[i] = a
		}
	}
	return h
}

func (h *rhythm) place(t time.Time) int { return int(t.Sub(h.began) / slot) }

// before are the slots in the same hour of the week, over the weeks before. A clock that was put forward or back moves them by an hour.
func (h *rhythm) before(t time.Time) (same []arrived) {
	at := h.place(t)
	for week := 1; week <= usualWeeks; week++ {
		middle := at - week*weekSlots
		for i := max(0, h.place(h.data), middle-2*hourSlots); i <= middle+2*hourSlots; i++ {
			if h.hours[i] == h.hours[at] {
				same = append(same, h.slots[i])
			}
		}
	}
	return same
}

// usual is the median weight of the slots before; NaN where there was no data then.
func (h *rhythm) usual(t time.Time) float64 {
	var weights []float64
	for _, a := range h.before(t) {
		weights = append(weights, a.weight)
	}
	return median(weights)
}

// expected is how many steps are to come in a slot: the mean of the slots before, as the median of slots is 0 where few come in an hour.
func (h *rhythm) expected(t time.Time) float64 {
	same, sum := h.before(t), 0.0
	for _, a := range same {
		sum += a.steps
	}
	return sum / float64(max(1, len(same)))
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

// slot tells one. Where small numbers are not told, none is one of them: with the number of a whole day, one slot that is known to have few
// among many that are known to have none would be told.
func (h *rhythm) slot(t time.Time, least int64) ArrivalSlot {
	a := ArrivalSlot{Time: t}
	if s := h.slots[h.place(t)]; !t.Before(h.data) && (s.steps > 0 || least <= 1) {
		a.Count = finite(s.weight)
	}
	if usual := h.usual(t); usual > 0 || least <= 1 {
		a.Usual = finite(usual)
	}
	return a
}

// last is the last slot that may be told.
func (h *rhythm) last() *time.Time {
	for _, a := range slices.Backward(h.slots) {
		if a.steps > 0 {
			return &a.at
		}
	}
	return nil
}

// alarm tells that none have arrived for longer than chance allows; "" where that is not so. Where whole steps are counted it comes no sooner: that
// no step is full is never likelier by chance than exp of less their mean number.
func (h *rhythm) alarm(now time.Time, least int64) string {
	expected, since := 0.0, now
	for at := now; !at.Before(h.began) && h.slots[h.place(at)].steps == 0; at = at.Add(-slot) {
		if at.After(now.Add(-arriving * slot)) {
			continue
		}
		expected, since = expected+h.expected(at), at
	}
	if expected < surprising {
		return ""
	}
	few := "No interaction has arrived"
	if least > 1 {
		few = fmt.Sprintf("Fewer than %d interactions have arrived in any 10 minutes", least)
	}
	return fmt.Sprintf("%s since %s, where about %s use to.", few, since.Format("2006-01-02 15:04 MST"), thousands(int64(math.Round(expected))*max(1, least)))
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
	absent, looked := make([]float64, len(Fields)), false
	for _, day := range days {
		if c := day.cells[""]; c.Cell != nil && c.Missing != nil {
			looked = true
			for i, w := range c.Missing {
				absent[i] += w
			}
		}
	}
	for i, name := range Fields {
		f := all.nothing()
		if share, ok := roundedShare(absent[i]/all.Weights, float64(all.N), v.Cell); ok && looked {
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
