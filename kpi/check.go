package kpi

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"brine/event"
)

// Kept is what the allowlist leaves of interactions.
type Kept struct {
	Fields []KeptField
	Events []string // names and prefixes of event_stream that stay; ["*"]: all; empty: none
}

// KeptField is a field that stays.
type KeptField struct {
	Path   string    // like user_agent.os; with All the object that holds it
	All    bool      // everything below stays, too
	Hashed bool      // a pseudonym stands for the value
	Edges  []float64 // of the buckets whose labels stand for numbers; nil: the value itself
}

// Without is the definitions without those that the allowlist does not keep what they need of: the shipped ones are not the
// operator's, who may keep less than they take for granted.
func (d *Definitions) Without(kept Kept) *Definitions {
	faulty := map[string]bool{}
	for _, m := range d.Check(kept) {
		parts := strings.SplitN(m.Path, ".", 3)
		if len(parts) < 2 {
			return (&Definitions{Zone: d.Zone, file: d.file}).digested()
		}
		faulty[parts[0]+"."+parts[1]] = true
	}
	rest := *d
	rest.Segments = slices.DeleteFunc(slices.Clone(d.Segments), func(s Segment) bool { return faulty["segments."+s.Name] })
	rest.Flows = slices.DeleteFunc(slices.Clone(d.Flows), func(f Flow) bool { return faulty["flows."+f.Name] })
	rest.KPIs = slices.DeleteFunc(slices.Clone(d.KPIs), func(k KPI) bool {
		return faulty["kpis."+k.Name] || k.Flow != "" && rest.flow(k.Flow) < 0
	})
	return rest.digested()
}

// Check finds what the definitions name and the allowlist does not keep, or not as it is needed: events, fields,
// buckets. What a KPI uses would otherwise be zero for ever, without a word.
func (d *Definitions) Check(kept Kept) Mistakes {
	c := &checker{d: d, kept: kept}
	for _, field := range []string{"timestamp", "sample_rate"} {
		if len(d.KPIs) > 0 && !slices.ContainsFunc(kept.Fields, func(f KeptField) bool { return f.Path == field && !f.Hashed && f.Edges == nil }) {
			c.mistake("", "keep it in the allowlist", "the allowlist does not keep %s, without which nothing can be counted", field)
		}
	}
	for _, s := range d.Segments {
		c.segment(s)
	}
	for _, f := range d.Flows {
		c.flow(f)
	}
	for _, k := range d.KPIs {
		c.kpi(k)
	}
	return sorted(c.mistakes)
}

type checker struct {
	d        *Definitions
	kept     Kept
	mistakes Mistakes
}

func (c *checker) mistake(path, fix, what string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{File: c.d.file, Line: lineIn(c.d.lines, path), Path: path, What: fmt.Sprintf(what, args...), Fix: fix})
}

func (c *checker) segment(s Segment) {
	path := "segments." + s.Name
	if s.Experiment != "" {
		c.field(path+".experiment", s.path())
		return
	}
	path += ".field"
	field, ok := c.field(path, s.Field)
	switch number := isNumber(s.Field); {
	case !ok:
	case len(s.Buckets) > 0 && !number:
		c.mistake(path, "list values instead", "buckets are of numbers, and %s is none", s.Field)
	case len(s.Buckets) > 0 && field.Edges != nil:
		c.edges(s, field.Edges)
	}
}

// edges sees that each bucket of a segment is made of whole buckets of the allowlist. The first one has all below it,
// so where it begins does not matter.
func (c *checker) edges(s Segment, edges []float64) {
	for _, b := range s.Buckets[1:] {
		if slices.Contains(edges, b.From) {
			continue
		}
		texts := make([]string, len(edges))
		for i, e := range edges {
			texts[i] = strconv.FormatFloat(e, 'f', -1, 64)
		}
		c.mistake("segments."+s.Name+".buckets."+b.Value, "begin it at one of "+strings.Join(texts, ", ")+", or add the edge to the allowlist",
			"the allowlist keeps %s in buckets, of which none begins at %v", s.Field, b.From)
	}
}

func (c *checker) flow(f Flow) {
	path := "flows." + f.Name
	if f.Dialog != "" {
		c.field(path+".dialog", "dialog")
	}
	c.events(path+".exclude", f.Exclude)
	for _, s := range f.Steps {
		c.events(path+".steps."+s.Name, s.Events)
	}
}

func (c *checker) kpi(k KPI) {
	path := "kpis." + k.Name + "." + string(k.Kind)
	if k.Dialog != "" {
		c.field(path+".dialog", "dialog")
	}
	c.events(path, k.Events)
	if k.Field == "" {
		return
	}
	field, ok := c.field(path, k.Field)
	switch {
	case !ok:
	case !isNumber(k.Field):
		c.mistake(path, event.LikelyFix(k.Field, numberPaths()), "%s is no number", k.Field)
	case field.Edges != nil:
		c.mistake(path, "keep the number in the allowlist, or make a segment of it",
			"the allowlist keeps %s in buckets only, and buckets have no %s", k.Field, k.Kind)
	}
}

// field is what the allowlist keeps of a field; false where it is not enough for anything, which is told.
func (c *checker) field(path, name string) (KeptField, bool) {
	if known := fieldPaths(); !slices.Contains(known, name) && !strings.HasPrefix(name, "experiments.") {
		c.mistake(path, event.LikelyFix(name, known), "no interaction has a field %s", name)
		return KeptField{}, false
	}
	for _, f := range c.kept.Fields {
		if f.Path == name || f.All && strings.HasPrefix(name, f.Path+".") {
			if f.Hashed {
				c.mistake(path, "keep it in the allowlist, or take this off", "the allowlist makes %s a pseudonym, which changes with each salt", name)
			}
			return f, !f.Hashed
		}
	}
	c.mistake(path, "keep it in the allowlist, or take this off", "the allowlist drops %s", name)
	return KeptField{}, false
}

func (c *checker) events(path string, patterns []string) {
	for _, p := range patterns {
		if matches(c.kept.Events, p) || slices.Contains(c.kept.Events, "*") {
			continue
		}
		fix := "list it under event_stream in the allowlist, or take this off"
		if near := event.LikelyFix(p, c.kept.Events); len(c.kept.Events) > 0 && strings.HasPrefix(near, "did you mean") {
			fix = near
		}
		c.mistake(path, fix, "the allowlist drops the events %s", p)
	}
}

// Unusual finds events that are most likely misspelt: none that ships is called so, and one has nearly that name. Any name may be sent, so
// these are no mistakes.
func (d *Definitions) Unusual() (all Mistakes) {
	known := Shipped().eventNames()
	named := func(path string, patterns []string) {
		for _, p := range patterns {
			for _, name := range known {
				if !slices.Contains(known, p) && levenshtein.ComputeDistance(p, name) <= misspelt {
					all = append(all, Mistake{File: d.file, Line: lineIn(d.lines, path), Path: path, What: "no event of the sign-in dialog is called " + p, Fix: "did you mean " + name + "?"})
					break
				}
			}
		}
	}
	for _, f := range d.Flows {
		named("flows."+f.Name+".exclude", f.Exclude)
		for _, s := range f.Steps {
			named("flows."+f.Name+".steps."+s.Name, s.Events)
		}
	}
	for _, k := range d.KPIs {
		named("kpis."+k.Name+"."+string(k.Kind), k.Events)
	}
	return all
}

// misspelt is how many letters may differ between two names that are most likely one.
const misspelt = 2

// eventNames are the patterns of events that the definitions name.
func (d *Definitions) eventNames() (names []string) {
	for _, f := range d.Flows {
		names = append(names, f.Exclude...)
		for _, s := range f.Steps {
			names = append(names, s.Events...)
		}
	}
	for _, k := range d.KPIs {
		names = append(names, k.Events...)
	}
	return names
}

// fieldPaths are the fields of an interaction that have one value and are no time, id or rate.
func fieldPaths() (all []string) {
	for _, c := range event.InteractionColumns() {
		switch {
		case slices.Contains([]string{"timestamp", "id", "received", "event_stream", "sample_rate", "experiments"}, c.Name):
		case c.Kind == event.Struct:
			for _, f := range c.Fields {
				all = append(all, c.Name+"."+f.Name)
			}
		default:
			all = append(all, c.Name)
		}
	}
	return all
}

func numberPaths() (all []string) {
	for _, path := range fieldPaths() {
		if isNumber(path) {
			all = append(all, path)
		}
	}
	return all
}

// isNumber says whether a field of an interaction holds one.
func isNumber(path string) bool {
	name, below, nested := strings.Cut(path, ".")
	for _, c := range event.InteractionColumns() {
		if c.Name != name {
			continue
		}
		if nested {
			i := slices.IndexFunc(c.Fields, func(f event.Column) bool { return f.Name == below })
			return i >= 0 && c.Fields[i].Kind == event.Int32
		}
		return c.Kind == event.Int32
	}
	return false
}
