package sanitize

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"brine/event"
)

// Check finds every mistake of an allowlist, and warns of what is worth a second look. streams are
// those of the config, by name, with interaction.
func Check(list *Allowlist, streams map[string]*event.Stream, o Options) (mistakes, warnings Findings) {
	mistakes = slices.Clone(list.mistakes)
	used := map[*node]bool{}
	var strangers []*node // streams that the config lacks
	for _, n := range list.streams {
		stream, ok := streams[n.name]
		if !ok {
			warnings = append(warnings, list.noStream(n, streams))
			warnings = append(warnings, list.guesses(n.name, nil, n.fields)...)
			strangers = append(strangers, n)
			continue
		}
		c := &compiler{list: list, stream: stream, opts: o}
		c.entry()
		mistakes, warnings = append(mistakes, c.mistakes...), append(warnings, c.warnings...)
		markUsed(used, list.defaults, stream.Columns)
	}
	warnings = append(warnings, list.foreigners(strangers)...)
	warnings = append(warnings, list.unlisted(streams)...)
	warnings = append(warnings, list.unused(used, nil, list.defaults)...)
	warnings = append(warnings, list.guesses(defaultsKey, nil, list.defaults)...)
	for _, j := range Joins(list, streams, o) {
		warnings = append(warnings, j.warnings()...)
	}
	return mistakes.sorted(), warnings.sorted()
}

var streamName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

func (a *Allowlist) noStream(n *node, streams map[string]*event.Stream) Finding {
	f := Finding{File: a.File, Line: n.line, Path: n.name, What: "the config has no such stream: nothing of it is checked or kept"}
	near := nearest(n.name, slices.Sorted(maps.Keys(streams)))
	switch {
	case near != "":
		f.Fix = "did you mean " + near + "?"
	case !streamName.MatchString(n.name):
		f.Fix = "a stream's name is of a-z, 0-9 and _, like " + strings.Join(wordsOf(n.name), "_")
	default:
		f.Fix = "add it to streams in the config, or take it off"
	}
	return f
}

// unlisted warns of streams of which nothing is kept.
func (a *Allowlist) unlisted(streams map[string]*event.Stream) (warnings Findings) {
	for _, name := range slices.Sorted(maps.Keys(streams)) {
		if name != event.Interaction && a.entry(name) == nil && len(a.mistakes) == 0 {
			warnings = append(warnings, Finding{a.File, 0, name, "not listed: nothing of it outlives the raw window", "list its fields, or say " + name + ": drop"})
		}
	}
	return warnings
}

// guesses warns of what the config has no schema for by its names alone.
func (a *Allowlist) guesses(stream string, path []string, nodes []*node) (warnings Findings) {
	for _, n := range nodes {
		at := append(slices.Clone(path), n.name)
		switch {
		case n.rule.Kind == Fields:
			warnings = append(warnings, a.guesses(stream, at, n.fields)...)
		case n.rule.Kind == Keep && isIdentifierName(n.name):
			warnings = append(warnings, Finding{a.File, n.line, joinPath(stream, at), keptIdentifier("its name"), identifierFix})
		case n.rule.Kind == Keep && isTimeName(n.name):
			warnings = append(warnings, Finding{a.File, n.line, joinPath(stream, at), keptTime, timeFix})
		}
	}
	return warnings
}

// foreigners warns once of each field that lists of other systems have, in streams that the config lacks.
func (a *Allowlist) foreigners(streams []*node) (warnings Findings) {
	at := map[string]int{} // in warnings
	for _, stream := range streams {
		for _, n := range stream.fields {
			i, known := at[n.name]
			switch fix := foreign[n.name]; {
			case fix == "":
			case !known:
				at[n.name] = len(warnings)
				warnings = append(warnings, Finding{a.File, n.line, joinPath(stream.name, []string{n.name}), "this looks like a list for another system", fix})
			default:
				warnings[i].What = "this looks like a list for another system, here and in other streams"
			}
		}
	}
	return warnings
}

// markUsed notes which defaults some stream has.
func markUsed(used map[*node]bool, defaults []*node, columns []event.Column) {
	for _, n := range defaults {
		i := slices.IndexFunc(columns, func(c event.Column) bool { return c.Name == n.name })
		if i < 0 {
			continue
		}
		used[n] = true
		fields, free := below(columns[i])
		if free {
			for _, key := range n.fields {
				used[key] = true
			}
		}
		markUsed(used, n.fields, fields)
	}
}

func (a *Allowlist) unused(used map[*node]bool, path []string, defaults []*node) (warnings Findings) {
	for _, n := range defaults {
		at := append(slices.Clone(path), n.name)
		if used[n] {
			warnings = append(warnings, a.unused(used, at, n.fields)...)
			continue
		}
		fix := foreign[n.name]
		if fix == "" {
			fix = "mend the name, or take it off"
		}
		warnings = append(warnings, Finding{a.File, n.line, joinPath(defaultsKey, at), "no listed stream of the config has it", fix})
	}
	return warnings
}
