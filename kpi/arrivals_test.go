package kpi

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// slotsSource is a Source of slots alone.
type slotsSource struct {
	memory
	slots []Slot
}

func (s *slotsSource) Slots(_ context.Context, from, to int64) (some []Slot, _ error) {
	for _, slot := range s.slots {
		if slot.Time >= from && slot.Time < to {
			some = append(some, slot)
		}
	}
	return some, nil
}

func (s *slotsSource) Span(context.Context) (Span, error) {
	zone := s.d.Zone
	return Span{DateOf(time.UnixMilli(s.slots[0].Time), zone), DateOf(time.UnixMilli(s.slots[len(s.slots)-1].Time), zone).Plus(1)}, nil
}

// arrivals asks at a moment, after so many weeks of what n and weight say of each slot.
func arrivals(t *testing.T, zone string, now time.Time, v View, n func(time.Time) int, weight float64) *Arrivals {
	t.Helper()
	s := &slotsSource{memory: memory{d: mustParse(t, "timezone: "+zone+"\n"+walkerDefinitions)}}
	for at := now.Add(-6 * weekSlots * slot).Truncate(slot); !at.After(now); at = at.Add(slot) {
		if n := n(at); n > 0 {
			s.slots = append(s.slots, Slot{at.UnixMilli(), int64(n), float64(n) * weight})
		}
	}
	b := &Board{Source: s, Now: func() time.Time { return now }}
	return ask(t, b.Arrivals, v)
}

var arrivalsNow = time.Date(2026, 11, 28, 12, 7, 0, 0, time.UTC)

// A dialog that is used twice an hour has a median of 0 in each slot, and its silence is told all the same; one that is used twice a day is missed
// after some days.
func TestSilenceOfASlowDialog(t *testing.T) {
	for _, c := range []struct {
		every, silent time.Duration
		alarm         bool
	}{
		{30 * time.Minute, 2 * time.Hour, false},
		{30 * time.Minute, 5 * time.Hour, true},
		{12 * time.Hour, 2 * 24 * time.Hour, false},
		{12 * time.Hour, 5 * 24 * time.Hour, true},
	} {
		a := arrivals(t, "UTC", arrivalsNow, View{}, func(at time.Time) int {
			if at.After(arrivalsNow.Add(-c.silent)) || at.UnixMilli()%c.every.Milliseconds() != 0 {
				return 0
			}
			return 1
		}, 1)
		if (a.Alarm != "") != c.alarm {
			t.Errorf("one comes every %v, and none for %v: %q", c.every, c.silent, a.Alarm)
		}
	}
}

// An office opens at 9 by its own clock, also on the Monday after that was put back.
func TestUsualHoursAreOfTheZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 26, 8, 50, 0, 0, berlin)
	a := arrivals(t, "Europe/Berlin", now, View{}, func(at time.Time) int {
		if hour := at.In(berlin).Hour(); hour < 9 || hour >= 17 {
			return 0
		}
		return 10
	}, 1)
	if a.Alarm != "" {
		t.Errorf("before nine: %s", a.Alarm)
	}
	for _, s := range a.Slots {
		if *s.Usual != *s.Count {
			t.Errorf("at %v %v came, %v use to", s.Time.In(berlin), *s.Count, *s.Usual)
		}
	}
}

// Who may not see small numbers is told whole steps and nothing else: what differs within them makes no difference to any of it, the alarm
// and the last event included.
func TestArrivalsTellWholeStepsAlone(t *testing.T) {
	const least = 10
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 17))
		steps := map[time.Time]int{}
		busy, silent := r.IntN(4), time.Duration(r.IntN(40))*time.Hour
		answer := func() *Arrivals {
			a := arrivals(t, "Asia/Kolkata", arrivalsNow, View{Cell: least}, func(at time.Time) int {
				if _, drawn := steps[at]; !drawn {
					steps[at] = r.IntN(1 + busy)
					if at.After(arrivalsNow.Add(-silent)) {
						steps[at] = 0
					}
				}
				return steps[at]*least + r.IntN(least)
			}, 2)
			a.Missing = nil
			return a
		}
		a, b := answer(), answer()
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: of the same steps\n%+v\n%+v", seed, a, b)
		}
		for _, s := range a.Slots {
			told := 0.0
			if s.Count != nil {
				told = *s.Count
			}
			if told != float64(steps[s.Time]*least*2) {
				t.Fatalf("seed %d: %d steps are told as %v", seed, steps[s.Time], told)
			}
		}
	}
}

// A slot's weight is no fraction that its number could be had from: all slots of a day are told at one weight of two digits.
func TestArrivalsHideTheirWeights(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := &slotsSource{memory: memory{d: mustParse(t, walkerDefinitions)}}
	for at := arrivalsNow.Add(-5 * weekSlots * slot).Truncate(slot); !at.After(arrivalsNow); at = at.Add(slot) {
		ones, tens := r.IntN(30), r.IntN(30)
		s.slots = append(s.slots, Slot{at.UnixMilli(), int64(ones + tens), float64(ones + 10*tens)})
	}
	b := &Board{Source: s, Now: func() time.Time { return arrivalsNow }}
	told := 0
	for _, a := range ask(t, b.Arrivals, View{Cell: 10}).Slots {
		if a.Count == nil {
			continue
		}
		told++
		// 10 × steps × a weight of two digits, which lies between 1 and 10
		if tenths := *a.Count; math.Abs(tenths-math.Round(tenths)) > 1e-9 {
			t.Errorf("%v is told of a slot", *a.Count)
		}
	}
	if told < 100 {
		t.Errorf("%d slots are told", told)
	}
}

// A lone person who comes long after the others ends no alarm of who may not see small numbers, nor is it told since when.
func TestAlarmOfFew(t *testing.T) {
	lone := arrivalsNow.Add(-20 * time.Hour).Truncate(slot)
	of := func(alone int) *Arrivals {
		return arrivals(t, "UTC", arrivalsNow, View{Cell: 10}, func(at time.Time) int {
			switch {
			case at.Equal(lone):
				return alone
			case at.After(arrivalsNow.Add(-24 * time.Hour)):
				return 0
			}
			return 25
		}, 1)
	}
	want := "Fewer than 10 interactions have arrived in any 10 minutes since 2026-11-27 12:10 UTC, where about 2,840 use to."
	for alone := range 2 {
		if a := of(alone); a.Alarm != want || !a.Last.Before(lone) {
			t.Errorf("with %d after it: %s, the last at %v", alone, a.Alarm, a.Last)
		}
	}
}

// Arrivals are of all interactions. A question that narrows them is refused, not answered by others.
func TestArrivalsAreNotNarrowed(t *testing.T) {
	b := &Board{Source: &memory{d: mustParse(t, withheldDefinitions)}}
	_, err := b.Arrivals(t.Context(), View{Only: &Filter{"browser", "Firefox"}, Cell: 1})
	if bad := (BadQuestion{}); !errors.As(err, &bad) || bad.Param != "only" {
		t.Errorf("narrowed arrivals: %v", err)
	}
}
