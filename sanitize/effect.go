package sanitize

import (
	"maps"
	"slices"

	"brine/event"
)

// effect is what a list comes to for one stream.
type effect struct {
	name   string
	list   *Allowlist // the operator's, or the shipped one
	fields []*field
}

// effects are those of the config's streams that something is said of, in the order of their names.
// Mistakes are left out.
func effects(list *Allowlist, streams map[string]*event.Stream, o Options) (all []effect) {
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		from, o := inForce(streams[name], list, o)
		c := &compiler{list: from, stream: streams[name], opts: o}
		if fields := c.entry(); c.listed {
			all = append(all, effect{name, from, fields})
		}
	}
	return all
}

// leaves are the fields that stay, without those that only hold others; what keep_all keeps is spelled out.
func leaves(fields []*field) (all []*field) {
	for _, f := range fields {
		switch f.rule.Kind {
		case Fields:
			all = append(all, leaves(f.fields)...)
		case KeepAll:
			all = append(all, spelled(f, f.path, f.in)...)
		default:
			all = append(all, f)
		}
	}
	return all
}

// spelled are the fields below a column of which all is kept.
func spelled(f *field, path []string, column event.Column) (all []*field) {
	fields, free := below(column)
	if free {
		path = append(slices.Clone(path), "*")
		column = column.Fields[0]
		fields, _ = below(column)
	}
	if fields == nil {
		return []*field{{path: path, in: column, rule: Rule{Kind: Keep}, line: f.line}}
	}
	for _, c := range fields {
		all = append(all, spelled(f, append(slices.Clone(path), c.Name), c)...)
	}
	return all
}
