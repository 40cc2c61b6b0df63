package kpi

import (
	"encoding/json"
	"fmt"
	"slices"

	"brine/event"
)

// CheckChange is a [BadQuestion] about a change that is to be added to those that there are.
func (d *Definitions) CheckChange(c Change, added []Change) error {
	if what, fix := c.fault(); what != "" {
		return BadQuestion{"change", what, fix}
	}
	named := func(o Change) bool { return o.Name == c.Name }
	switch {
	case slices.ContainsFunc(d.Changes, named):
		return BadQuestion{"change", c.Name + " stands in the file of KPIs", "choose another name, or change it there"}
	case slices.ContainsFunc(added, named):
		return BadQuestion{"change", "there is a change " + c.Name, "choose another name, or remove that one"}
	case len(added) >= mostChanges:
		return BadQuestion{"change", fmt.Sprintf("%d changes have been added already", mostChanges), "remove old ones"}
	}
	if err := d.hasExperiment(c.Experiment); err != nil {
		return err
	}
	if what, fix := d.hidesRelease(c); what != "" {
		return BadQuestion{"release", what, fix}
	}
	return unknown("moves", "KPI", c.Moves, d.kpiNames())
}

// hidesRelease is what is wrong where the segment over releases has the change's together with others: who has it could not be told.
func (d *Definitions) hidesRelease(c Change) (what, fix string) {
	i := slices.IndexFunc(d.Segments, func(s Segment) bool { return s.Field == "release" })
	if c.Release == "" || i < 0 || d.Segments[i].alone(c.Release) {
		return "", ""
	}
	s := d.Segments[i]
	return fmt.Sprintf("segment %s tells the release %s as %s, which other releases are, too", s.Name, c.Release, s.value(c.Release)),
		"give it a value of its own there, or take the values off"
}

// alone says whether no other text has the value that a text has.
func (s Segment) alone(held string) bool {
	if len(s.Buckets) > 0 {
		return false
	}
	return len(s.Values) == 0 || slices.Equal(s.Values[s.value(held)], []string{held})
}

// hasExperiment is a [BadQuestion] about an experiment that no segment goes by: its branches could not be told apart.
func (d *Definitions) hasExperiment(name string) error {
	if name == "" || slices.ContainsFunc(d.Segments, func(s Segment) bool { return s.Experiment == name }) {
		return nil
	}
	return BadQuestion{"experiment", fmt.Sprintf("no segment goes by the experiment %.64q", name),
		fmt.Sprintf("add one to the file of KPIs, like segments: {%s: {experiment: %[1]s}}", name)}
}

// EncodeChanges is the text of the file that added changes are kept in.
func EncodeChanges(added []Change) []byte {
	text, err := json.MarshalIndent(added, "", "  ")
	if err != nil {
		panic(err) // texts, times and finite numbers
	}
	return append(text, '\n')
}

// DecodeChanges reads what [EncodeChanges] wrote. A change that has become wrong is left out, with an error beside the others.
func DecodeChanges(text []byte) (added []Change, err error) {
	var all []Change
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("the added changes are no JSON: %w", err)
	}
	for _, c := range all {
		if what, _ := c.fault(); what != "" {
			err = fmt.Errorf("the added change %.64q: %s", c.Name, what)
			continue
		}
		if c.Title == "" {
			c.Title = c.Name
		}
		c.Added = true
		added = append(added, c)
	}
	return added, err
}

// FindKPI is the KPI of a name, or a [BadQuestion].
func (d *Definitions) FindKPI(name string) (KPI, error) {
	if i := d.kpi(name); i >= 0 {
		return d.KPIs[i], nil
	}
	return KPI{}, BadQuestion{"kpi", fmt.Sprintf("no KPI is called %.64q", name), event.LikelyFix(name, d.kpiNames())}
}

// AllChanges are those of the definitions and the added ones, in the order of their moments. A change of the definitions hides an
// added one of its name.
func (d *Definitions) AllChanges(added []Change) []Change {
	all := slices.Clone(d.Changes)
	for _, c := range added {
		if !slices.ContainsFunc(d.Changes, func(o Change) bool { return o.Name == c.Name }) {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, byMoment)
	return all
}
