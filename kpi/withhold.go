package kpi

import (
	"cmp"
	"slices"
	"strings"

	"brine/kpi/stat"
)

// What is withheld from who may not see small cells.
//
// A small number need not be asked for: it can be had as the difference of two large ones. So nothing is judged by the
// question. What is withheld is decided once for each day and segment, before any question, and every answer is a sum of
// what is told: a sum of told numbers, and a difference of such sums, tells nothing that they do not.
//
//   - The atoms are whole days that are over, times the values of one segment. Ranges differ by whole days; a day that
//     goes on could be asked for twice, and is not told yet.
//   - A day is told as it stood an hour after it ended, for ever ([Slice.Prompt]). What comes later, up to 7 days, is left out: who asked before
//     and after would have its values as the difference.
//   - A day is told while all of it is held. Where sanitized events are purged, hour by hour, the whole day goes before its first hour can
//     (facts/whole.go): who asked between two purges would have what an hour held as the difference.
//   - A day of fewer than the least number of interactions is not told at all.
//   - A value of fewer is withheld. As the day's total less the other values would tell it, the smallest further values of that
//     day are withheld with it, until those withheld are at least two and have the least number together. What can be told
//     by subtraction is then that sum.
//   - Within a cell, a flow divides its interactions into those who are not in it, those who left at each step, and those who
//     finished; a KPI divides them into those it says nothing of, those who have it and those who have not. Each of
//     these groups has to be empty or to have the least number, else the cell does not tell its numbers for that flow or KPI.
//     Steps are told all or none, so that no two steps can be subtracted.
//   - A flow's first KPI needs fewer groups than its funnel and may be told where the funnel is not. The cells that tell the funnel are
//     always among those that tell the KPI.
//   - The total less the cells that tell a flow or KPI gives the groups of those that do not, taken together. These
//     have to be empty or large enough, too, else the smallest cells that would tell join them, until they are. The total itself tells
//     nothing that is too small in it, and where it does not, no cell does.
//   - A share whose events are all among those of another one tells by subtraction those who have the other alone: this
//     group is judged with the others.
//   - KPIs of several dialogs are told where each of these dialogs, and all others together, are empty or large enough.
//   - Events that people left with are told from the least number on; the rest of a day and step is told together, and
//     joined by the smallest that would be told where it is one event or too few.
//   - One question names one segment: with two, cells of both could be subtracted from those of one. Parse refuses
//     two segments over one field for the same reason, and a segment over what a KPI is narrowed by or is the mean of.
//
// What remains: definitions of which one says the same as another in other words, such as two flows over nearly the same
// events, can be subtracted from each other, as nothing here knows that they belong together. And what operators do to a
// day that was told already, by an import, other rules, an erasure or a longer retention than there was, is seen by who asks before and after.
//
// Arrivals (arrivals.go) are told as they come, in whole steps of the least number: that some came in a slot is seen when a step is full, and
// of what came no more than the day's mean weight to two digits, which is the sample rates that the server gave out.

// withhold gives days, told apart by one segment or by none, as somebody may see them who may see no fewer than so many
// interactions.
func withhold(d *Definitions, days []Day, least int) (seen []seenDay) {
	plan := d.divisions()
	for _, day := range days {
		s := seenDay{Date: day.Date, Open: day.Open, cells: map[string]sight{}}
		n := 0
		for _, c := range day.Cells {
			n += c.Count.N
		}
		switch {
		case day.Open:
			s.state = notOver
		case n == 0:
			s.state = noData
		case n < least:
			s.state = withheld
		default:
			s.cells = withholdDay(d, plan, day, least)
			for _, c := range day.Cells {
				s.all.Moments = s.all.Plus(c.Count)
			}
		}
		seen = append(seen, s)
	}
	return seen
}

// row is the cell of one value while it is judged.
type row struct {
	value string
	cell  *Cell
	sight sight
	small bool // it is withheld
}

// withholdDay judges one day that has enough interactions.
func withholdDay(d *Definitions, plan []division, day Day, least int) map[string]sight {
	var rows []*row
	for value, c := range day.Cells {
		if c.Count.N > 0 {
			rows = append(rows, &row{value: value, cell: c, sight: sight{c, make([]bool, len(d.Flows)), make([]bool, len(d.KPIs))}})
		}
	}
	slices.SortFunc(rows, func(a, b *row) int {
		return cmp.Or(cmp.Compare(a.cell.Count.N, b.cell.Count.N), cmp.Compare(a.value, b.value))
	})
	withholdSmall(rows, least)
	for _, p := range plan {
		p.judge(rows, least)
	}
	seen := map[string]sight{}
	for _, r := range rows {
		if r.small {
			r.sight = sight{}
		}
		seen[r.value] = r.sight
	}
	return seen
}

// withholdSmall marks the rows that are too small, and the smallest of the others that it takes to hide them. Rows are in the order
// of their size.
func withholdSmall(rows []*row, least int) {
	together, marked := 0, 0
	for _, r := range rows {
		if r.cell.Count.N >= least && (marked == 0 || marked >= 2 && together >= least) {
			return
		}
		r.small = true
		together, marked = together+r.cell.Count.N, marked+1
	}
}

// division divides the interactions of a cell into groups, and says which flow or KPIs are told where they are large
// enough.
type division struct {
	groups func(*Cell) []int
	tell   func(*sight)
	told   func(sight) bool
}

// judge lets rows tell what the division is for. Where the total has a group that is too small, all rows end up hidden.
func (p *division) judge(rows []*row, least int) {
	var hidden, telling []*row
	for _, r := range rows {
		if r.small || !safe(p.groups(r.cell), least) {
			hidden = append(hidden, r)
		} else {
			telling = append(telling, r)
		}
	}
	p.lastFiner(telling)
	for !safe(sumGroups(hidden, p.groups), least) && len(telling) > 0 {
		hidden, telling = append(hidden, telling[0]), telling[1:]
	}
	for _, r := range telling {
		p.tell(&r.sight)
	}
}

// lastFiner puts rows that tell a finer division behind those that do not, so that they are never hidden: those that do not
// tell it are large enough together by it, and so by this one.
func (p *division) lastFiner(rows []*row) {
	if p.told == nil {
		return
	}
	slices.SortStableFunc(rows, func(a, b *row) int {
		switch x, y := p.told(a.sight), p.told(b.sight); {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	})
}

func sumGroups(rows []*row, groups func(*Cell) []int) (sum []int) {
	for _, r := range rows {
		g := groups(r.cell)
		if sum == nil {
			sum = make([]int, len(g))
		}
		for i, n := range g {
			sum[i] += n
		}
	}
	return sum
}

// safe says whether each group is empty or large enough.
func safe(groups []int, least int) bool {
	return !slices.ContainsFunc(groups, func(n int) bool { return n != 0 && n < least })
}

// divisions are those of all flows and KPIs, each finer one before the coarser one.
func (d *Definitions) divisions() (all []division) {
	for f := range d.Flows {
		all = append(all, d.funnelDivision(f))
		if headline := d.headline(f); headline >= 0 {
			all = append(all, d.flowDivision(f, headline))
		}
	}
	for i, k := range d.KPIs {
		if k.Flow == "" {
			all = append(all, d.kpiDivision(i))
		}
	}
	return all
}

// funnelDivision is by the steps that were reached. With it all KPIs of the flow are told.
func (d *Definitions) funnelDivision(f int) division {
	return division{
		groups: func(c *Cell) []int {
			reached := d.inDialog(c, d.Flows[f].Dialog)
			for _, s := range c.Flows[f] {
				reached = append(reached, s.N)
			}
			return gaps(reached)
		},
		tell: func(s *sight) {
			s.flows[f] = true
			for i, k := range d.KPIs {
				if k.Flow == d.Flows[f].Name {
					s.kpis[i] = true
				}
			}
		},
	}
}

// headline is the flow's KPI that is told where its funnel is not: its first conversion, else its first time; -1 where it has
// none.
func (d *Definitions) headline(f int) int {
	for _, kind := range []Kind{Conversion, TimeTo} {
		i := slices.IndexFunc(d.KPIs, func(k KPI) bool { return k.Flow == d.Flows[f].Name && k.Kind == kind })
		if i >= 0 {
			return i
		}
	}
	return -1
}

// flowDivision is by the steps of a flow's headline alone. With it the times up to its last step are told, too.
func (d *Definitions) flowDivision(f, headline int) division {
	steps := d.headlineSteps(f, headline)
	return division{
		groups: func(c *Cell) []int {
			reached := d.inDialog(c, d.Flows[f].Dialog)
			for _, s := range steps {
				reached = append(reached, c.Flows[f][s].N)
			}
			return gaps(reached)
		},
		tell: func(s *sight) {
			for i, k := range d.KPIs {
				times := k.Kind == TimeTo && d.Flows[f].step(k.To) == steps[len(steps)-1]
				if k.Flow == d.Flows[f].Name && (i == headline || times) {
					s.kpis[i] = true
				}
			}
		},
		told: func(s sight) bool { return s.flows[f] },
	}
}

func (d *Definitions) headlineSteps(f, headline int) []int {
	k := d.KPIs[headline]
	to := d.Flows[f].step(k.To)
	if k.Kind == Conversion {
		return []int{d.Flows[f].step(k.From), to}
	}
	return []int{to}
}

// gaps are the groups between numbers of which each is part of the one before.
func gaps(reached []int) (groups []int) {
	for i, n := range reached {
		if i+1 < len(reached) {
			n -= reached[i+1]
		}
		groups = append(groups, n)
	}
	return groups
}

// kpiDivision is by whether interactions say something of a KPI, and of a share whether they have it.
func (d *Definitions) kpiDivision(i int) division {
	share, wider, ofAll, ofEach := d.KPIs[i].Kind == Share, d.wider(i), d.ofAll(i), d.ofEach(i)
	return division{
		groups: func(c *Cell) []int {
			m := c.KPIs[i]
			reached := append(d.inDialog(c, d.KPIs[i].Dialog), m.N)
			if share {
				reached = append(reached, m.Ones)
			}
			groups := gaps(reached)
			if d.KPIs[i].Dialog != "" {
				groups = append(groups, d.byDialog(c)...)
			}
			for _, w := range wider {
				groups = append(groups, c.KPIs[w].Ones-m.Ones)
			}
			for _, w := range ofAll {
				groups = append(groups, d.beyond(c, w, i)...)
			}
			if len(ofEach) > 0 {
				groups = append(groups, d.beyond(c, i, ofEach...)...)
			}
			return groups
		},
		tell: func(s *sight) { s.kpis[i] = true },
	}
}

// dialogKPI is a KPI that counts all interactions of a dialog; -1 where none does.
func (d *Definitions) dialogKPI(dialog string) int {
	return slices.IndexFunc(d.KPIs, func(k KPI) bool { return k.Dialog == dialog && (k.Kind == Share || k.Kind == Count) })
}

// inDialog are all interactions of the cell, and, as far as a KPI tells it, those of one dialog.
func (d *Definitions) inDialog(c *Cell, dialog string) []int {
	i := d.dialogKPI(dialog)
	if dialog == "" || i < 0 {
		return []int{c.Count.N}
	}
	return []int{c.Count.N, c.KPIs[i].N}
}

// byDialog are the interactions of each dialog that KPIs name, and of all others.
func (d *Definitions) byDialog(c *Cell) (groups []int) {
	rest := c.Count.N
	for i, k := range d.KPIs {
		if k.Dialog != "" && d.dialogKPI(k.Dialog) == i {
			groups, rest = append(groups, c.KPIs[i].N), rest-c.KPIs[i].N
		}
	}
	return append(groups, rest)
}

// wider are the shares of which every interaction that has the i-th one is part.
func (d *Definitions) wider(i int) (all []int) {
	k := d.KPIs[i]
	for j, w := range d.KPIs {
		inDialog := w.Dialog == "" || w.Dialog == k.Dialog
		if j != i && w.Kind == Share && k.Kind == Share && inDialog && covered(k.Events, w.Events) {
			all = append(all, j)
		}
	}
	return all
}

// ofAll are the KPIs of all dialogs that measure what the i-th one measures in one of them: the difference is what was measured in the others.
func (d *Definitions) ofAll(i int) (all []int) {
	for j := range d.KPIs {
		if d.KPIs[i].Dialog != "" && d.KPIs[j].Dialog == "" && d.alike(i, j) {
			all = append(all, j)
		}
	}
	return all
}

// ofEach are the KPIs of single dialogs, one of each, that measure what the i-th one measures in all of them: less all of these it is what was measured
// in the others. Of one dialog alone [Definitions.ofAll] sees to that.
func (d *Definitions) ofEach(i int) (each []int) {
	met := map[string]bool{d.KPIs[i].Dialog: true}
	for j, k := range d.KPIs {
		if d.KPIs[i].Dialog == "" && !met[k.Dialog] && d.alike(i, j) {
			met[k.Dialog] = true
			each = append(each, j)
		}
	}
	if len(each) < 2 {
		return nil
	}
	return each
}

// beyond are the interactions that a KPI says something of and its parts do not: of shares those who have it, and who have it not.
func (d *Definitions) beyond(c *Cell, i int, parts ...int) []int {
	n, ones := c.KPIs[i].N, c.KPIs[i].Ones
	for _, p := range parts {
		n, ones = n-c.KPIs[p].N, ones-c.KPIs[p].Ones
	}
	if d.KPIs[i].Kind == Share {
		return []int{n - ones, ones}
	}
	return []int{n}
}

// alike says whether two KPIs measure the same but for the dialog.
func (d *Definitions) alike(i, j int) bool {
	a, b := d.KPIs[i], d.KPIs[j]
	if a.Kind == Share {
		return b.Kind == Share && covered(a.Events, b.Events) && covered(b.Events, a.Events)
	}
	number := func(k KPI) bool { return k.Kind == Mean || k.Kind == Quantile }
	return number(a) && number(b) && a.Field == b.Field
}

// covered says whether each of the patterns is within one of the others.
func covered(patterns, others []string) bool {
	return !slices.ContainsFunc(patterns, func(p string) bool {
		if strings.HasSuffix(p, "*") {
			return !slices.ContainsFunc(others, func(o string) bool {
				return strings.HasSuffix(o, "*") && strings.HasPrefix(p, strings.TrimSuffix(o, "*"))
			})
		}
		return !matches(others, p)
	})
}

// telling are the events that may be told apart, and the rest as [Other]: nothing where that would be too few.
func telling(events map[string]stat.Moments, least int) map[string]stat.Moments {
	if least <= 1 {
		return events
	}
	names := make([]string, 0, len(events))
	for name := range events {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(events[a].N, events[b].N), cmp.Compare(a, b))
	})
	told, rest, pooled := map[string]stat.Moments{}, stat.Moments{}, 0
	for _, name := range names {
		if m := events[name]; m.N >= least && (pooled == 0 || pooled >= 2 && rest.N >= least) {
			told[name] = m
			continue
		}
		rest, pooled = rest.Plus(events[name]), pooled+1
	}
	if rest.N >= least {
		told[Other] = told[Other].Plus(rest)
	}
	return told
}
