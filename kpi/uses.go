package kpi

import (
	"slices"
	"strings"
)

// UsesField says whether something that is defined is computed of a field of interactions, or of what is in it; path as in a sanitized one, like
// user_agent.os.
func (d *Definitions) UsesField(path string) bool {
	path = strings.TrimSuffix(path, ".*")
	for _, used := range d.fields() {
		if used == path || strings.HasPrefix(used, path+".") {
			return true
		}
	}
	return false
}

// fields are all that definitions name, and what counting takes.
func (d *Definitions) fields() (all []string) {
	if len(d.KPIs) > 0 {
		all = append(all, "timestamp", "sample_rate")
	}
	if len(d.Flows) > 0 || slices.ContainsFunc(d.KPIs, func(k KPI) bool { return k.Kind == Share }) {
		all = append(all, "event_stream.name", "event_stream.offset_ms")
	}
	for _, s := range d.Segments {
		all = append(all, s.path())
	}
	for _, f := range d.Flows {
		if f.Dialog != "" {
			all = append(all, "dialog")
		}
	}
	for _, k := range d.KPIs {
		if k.Dialog != "" {
			all = append(all, "dialog")
		}
		if k.Field != "" {
			all = append(all, k.Field)
		}
	}
	return all
}

// UsesEvent says whether a flow or KPI looks for an event of this name.
func (d *Definitions) UsesEvent(name string) bool {
	for _, f := range d.Flows {
		if matches(f.Exclude, name) || slices.ContainsFunc(f.Steps, func(s Step) bool { return matches(s.Events, name) }) {
			return true
		}
	}
	return slices.ContainsFunc(d.KPIs, func(k KPI) bool { return matches(k.Events, name) })
}
