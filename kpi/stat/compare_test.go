package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A simulated KPI: a share of a day's dialogs, with the rhythm of a week and a swing from day to day.
const (
	share   = 0.62
	rhythm  = 0.05 // between the week's days
	swing   = 0.02 // standard deviation from day to day
	dialogs = 5000 // a day
)

// day is one day's share; effect is what a change adds.
func day(r *rand.Rand, n int, effect float64) float64 {
	p := share + rhythm*math.Sin(2*math.Pi*float64(n)/weekDays) + swing*r.NormFloat64() + effect
	return p + math.Sqrt(p*(1-p)/dialogs)*r.NormFloat64() // the normal limit of a binomial count
}

// change looks each day, and says whether it ever saw a difference.
func change(r *rand.Rand, s Sequence, days int, effect float64) bool {
	var before, after []float64
	for n := range days {
		before, after = append(before, day(r, -1-n, 0)), append(after, day(r, n, effect))
		if i, _ := s.Days(before, after, 0); i.Low > 0 || i.High < 0 {
			return true
		}
	}
	return false
}

// Changes without an effect, looked at daily for 30 days, raise at most 6 % false alarms. Those with the
// smallest effect that matters are found in at least 80 %, with the days that are asked for.
func TestChangesLookedAtDaily(t *testing.T) {
	s := Sequence{Alpha: 0.05, Best: 28}
	if alarms := looks(2000, func(r *rand.Rand) bool { return change(r, s, 30, 0) }); alarms > 0.06 {
		t.Errorf("%.3f of the changes without an effect raise an alarm", alarms)
	}
	deviation := math.Sqrt(2 * (swing*swing + share*(1-share)/dialogs)) // of a pair of days
	for _, smallest := range []float64{0.01, 0.02, 0.03} {
		days := int(s.Units(smallest, deviation))
		if seen := looks(2000, func(r *rand.Rand) bool { return change(r, s, days, smallest) }); seen < 0.8 {
			t.Errorf("an effect of %v is found in %.3f of the changes, with the %d days that are asked for", smallest, seen, days)
		}
	}
}

// Each day after is compared with the same weekday before, week for week away from the change.
func TestDaysArePairedByWeekday(t *testing.T) {
	for gap := range 3 {
		used := map[int]bool{}
		for i := range 28 {
			after, before := gap+i, -1-Mirror(i, gap)
			if (after-before)%weekDays != 0 {
				t.Errorf("%d days between: day %d is compared with day %d: not the same weekday", gap, after, before)
			}
			if i/weekDays != Mirror(i, gap)/weekDays {
				t.Errorf("%d days between: day %d is compared with day %d: not as many weeks away", gap, after, before)
			}
			used[before] = true
		}
		if len(used) != 28 {
			t.Errorf("%d days between: of 28 days before %d are compared", gap, len(used))
		}
	}
}

func TestDaysWithGaps(t *testing.T) {
	s := Sequence{Alpha: 0.05, Best: 28}
	before, after := make([]float64, 14), make([]float64, 14)
	after[3], before[Mirror(9, 0)] = math.NaN(), math.NaN()
	if _, n := s.Days(before, after, 0); n != 12 {
		t.Errorf("%d pairs of 14 are counted, two of which have a gap", n)
	}
	if _, n := s.Days(before[:6], after, 0); n >= FirstLook {
		t.Errorf("%d pairs are made of 6 days before", n)
	}
	if i, n := s.Days(before, after[:6], 0); n != 5 || !math.IsInf(i.Low, -1) || !math.IsInf(i.High, 1) {
		t.Errorf("%d pairs give the interval %v: before a week nothing is said", n, i)
	}
}

// Branches side by side, looked at each hundred dialogs, with weights that differ.
func TestBranchesLookedAtAllTheTime(t *testing.T) {
	s := Sequence{Alpha: 0.05, Best: 10_000}
	run := func(r *rand.Rand, effect float64) bool {
		var a, b Moments
		for n := range 6000 {
			a.Add(bit(r, share), 1+9*bit(r, 0.2))
			b.Add(bit(r, share+effect), 1+9*bit(r, 0.2))
			if n%100 == 99 && n > 200 {
				if i := s.Branches(a, b); i.Low > 0 || i.High < 0 {
					return true
				}
			}
		}
		return false
	}
	if alarms := looks(1000, func(r *rand.Rand) bool { return run(r, 0) }); alarms > 0.06 {
		t.Errorf("%.3f of the branches that are the same raise an alarm", alarms)
	}
	if seen := looks(200, func(r *rand.Rand) bool { return run(r, 0.1) }); seen < 0.8 {
		t.Errorf("10 points are found in %.3f of the pairs", seen)
	}
}

func bit(r *rand.Rand, p float64) float64 {
	if r.Float64() < p {
		return 1
	}
	return 0
}

// With as many units as are asked for, a difference of percentiles is found in at least 80 %.
func TestPercentileUnits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(n int, more float64) func(float64) float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = 1000*r.ExpFloat64() + more
		}
		return Sample(values)
	}
	const smallest = 250
	for _, p := range []float64{0.5, 0.9} {
		units := PercentileUnits(p, 0.05, smallest, draw(5000, 0), draw(5000, 0), 5000, 5000)
		if few := PercentileUnits(p, 0.05, smallest, draw(300, 0), draw(300, 0), 300, 300); few < units/2 || few > units*2 {
			t.Errorf("%v: %v units by 10,000, %v by 600", p, units, few)
		}
		n := int(units / 2)
		if seen := looks(100, func(*rand.Rand) bool {
			i := Percentiles(p, 0.05, draw(n, 0), draw(n, smallest), float64(n), float64(n))
			return i.Low > 0
		}); seen < 0.8 || units > 1e5 {
			t.Errorf("%v: found in %.2f with %v", p, seen, units)
		}
	}
	two := Sample([]float64{0, 1000})
	if units := PercentileUnits(0.5, 0.05, 10, two, two, 2, 2); !math.IsInf(units, 1) {
		t.Errorf("values that lie 1000 apart tell 10 apart with %v", units)
	}
}

func TestPercentilesOfBranches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var a, b []float64
	for range 4000 {
		a, b = append(a, 1000*r.ExpFloat64()), append(b, 2000*r.ExpFloat64())
	}
	difference := Percentiles(0.5, 0.05, Sample(a), Sample(b), 4000, 4000)
	if truth := 1000 * math.Ln2; difference.Low > truth || difference.High < truth || difference.Low <= 0 {
		t.Errorf("the medians differ by %v, in truth by %v", difference, truth)
	}
	if i := Percentiles(0.95, 0.05, Sample(a[:20]), Sample(b[:20]), 20, 20); !math.IsInf(i.High, 1) || !math.IsInf(i.Low, -1) {
		t.Errorf("20 values bound their 95th percentile: %v", i)
	}
	if i := Percentiles(0.5, 0.05, Sample(nil), Sample(b), 0, 4000); !math.IsNaN(i.Estimate) || !math.IsInf(i.High, 1) {
		t.Errorf("no values give %v", i)
	}
}
