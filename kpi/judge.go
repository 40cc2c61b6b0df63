package kpi

import (
	"context"
	"math"

	"brine/event"
	"brine/kpi/stat"
)

// Changes judges all changes, the latest first: without their history, their other KPIs and segments. What the view says of
// days is not asked for: each change has its own.
func (b *Board) Changes(ctx context.Context, v View) ([]Judged, error) {
	v.By = ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	all := []Judged{}
	changes := b.changes(d)
	for i := range changes {
		t, err := b.try(ctx, d, v, changes[len(changes)-1-i])
		if err != nil {
			return nil, err
		}
		all = append(all, *t.judge())
	}
	return all, nil
}

// Change judges one change.
func (b *Board) Change(ctx context.Context, name string, v View) (*Judged, error) {
	v.By = ""
	b, d, v, err := b.asked(v)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range b.changes(d) {
		names = append(names, c.Name)
		if c.Name != name {
			continue
		}
		t, err := b.try(ctx, d, v, c)
		if err != nil {
			return nil, err
		}
		j := t.judge()
		if t.fault == "" {
			err = t.explore(ctx, j)
		}
		return j, err
	}
	return nil, BadQuestion{"change", "no change has this name", event.LikelyFix(name, names)}
}

// judge is the verdict, and what makes it less sure.
func (t *trial) judge() *Judged {
	j := &Judged{Change: t.change, Units: UnitsDays, Verdict: string(stat.NotEnough), History: []Narrowing{}, Others: []OtherKPI{}, Segments: []Split{}, Flags: []string{}}
	if t.sideBySide() {
		j.Units = UnitsDialogs
	}
	if t.kpi >= 0 {
		j.KPI = t.d.KPIs[t.kpi].info()
	}
	if t.fault != "" {
		j.Words = "Not enough data yet. " + t.fault
		none := Figure{Why: NoData}
		j.A, j.B, j.Diff = none, none, none
		return j
	}
	k := t.d.KPIs[t.kpi]
	j.Before, j.After = t.spans()
	a, z := t.totals(t.kpi)
	var c contrast
	c, j.A, j.B = t.contrast(Alpha, t.kpi).between(a.figure(k), z.figure(k))
	j.Diff = c.figure(j.A, j.B)
	verdict := c.verdict(k)
	j.Verdict = string(verdict)
	if j.A.Value != nil && j.B.Value != nil {
		j.More = t.more(c, k, a, z)
	}
	j.Words = t.words(c, k, verdict, j.A, j.B, j.More)
	j.Flags = append(j.Flags, t.flags()...)
	return j
}

// explore adds what stands beside the verdict: its history, the other KPIs, mixes and segments.
func (t *trial) explore(ctx context.Context, j *Judged) error {
	if j.Diff.Value != nil {
		j.History = t.history()
	}
	j.Others = t.others()
	return t.mixes(ctx, j)
}

// more is about how many more interactions it takes to find the smallest difference that matters; 0 where that is not known, or they
// are there and chance has been unkind.
func (t *trial) more(c contrast, k KPI, a, z total) int64 {
	if c.verdict(k) != stat.NotEnough {
		return 0
	}
	have, needed := t.units(c, k, a, z)
	missing := (needed - have) / have * float64(a.N+z.N)
	if missing > math.MaxInt32*1000 || math.IsNaN(missing) {
		return 0
	}
	return roundUp(missing)
}

// units are how many there are, and about how many would do; NaN or infinite where that is not known.
func (t *trial) units(c contrast, k KPI, a, z total) (have, needed float64) {
	na, nz := a.Effective(), z.Effective()
	switch {
	case !t.sideBySide():
		have = float64(c.units)
		if len(t.after) < stat.FirstLook {
			have = float64(len(t.after)) // the first of them have no weekday to be compared with yet
		}
		if !(c.sd > 0) {
			return have, math.NaN()
		}
		return have, max(stat.FirstLook, t.sequence(Alpha).Units(k.Smallest, c.sd))
	case k.Percentiles():
		needed = stat.PercentileUnits(k.Percentile, Alpha, k.Smallest, a.Sketch.Quantile, z.Sketch.Quantile, na, nz)
	default:
		needed = t.sequence(Alpha).Units(k.Smallest, c.sd)
	}
	return na + nz, max(needed, (na+nz)*fewestDialogs/min(na, nz))
}

// roundUp gives two digits, as an estimate has no more.
func roundUp(v float64) int64 {
	if v < 1 {
		return 0
	}
	step := math.Pow(10, math.Max(0, math.Floor(math.Log10(v))-1))
	return int64(math.Ceil(v/step) * step)
}

// history is the difference as it stood after each day.
func (t *trial) history() []Narrowing {
	all := []Narrowing{}
	before, after := t.dayValues(t.kpi)
	for n := range t.after {
		var c contrast
		if t.sideBySide() {
			c = t.branchesUntil(Alpha, t.kpi, n+1)
		} else {
			c = byDays(t.sequence(Alpha), before, after[:n+1], t.gap)
		}
		all = append(all, Narrowing{t.after[n].Date, finite(c.Estimate), finite(c.Low), finite(c.High)})
	}
	return all
}

// others are the KPIs that the change was not meant to move: of branches and releases without counts, which are as large as these are made.
func (t *trial) others() []OtherKPI {
	all := []OtherKPI{}
	alpha := stat.Exploratory(Alpha, len(t.d.KPIs)-1)
	for i, k := range t.d.KPIs {
		if i == t.kpi || t.segment != "" && k.Kind == Count {
			continue
		}
		a, z := t.totals(i)
		c, before, after := t.contrast(alpha, i).between(a.figure(k), z.figure(k))
		all = append(all, OtherKPI{k.info(), before, after, c.figure(before, after), string(c.verdict(k)), alpha})
	}
	return all
}
