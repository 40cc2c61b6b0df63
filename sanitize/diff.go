package sanitize

import (
	"maps"
	"slices"

	"brine/event"
)

// Change is one field, or a whole stream, of which a new list keeps something else than an old one.
type Change struct {
	Path  string `json:"path"`          // with the stream
	Was   string `json:"was,omitempty"` // the rule; "" where nothing was kept
	Now   string `json:"now,omitempty"`
	Wider bool   `json:"wider"` // more is told than before
}

// Diff is the change in what is kept, in the order of streams and fields: defaults are worked out and keep_all is
// spelled out, so that only what makes a difference is in it.
func Diff(old, new *Allowlist, streams map[string]*event.Stream, o Options) (changes []Change) {
	was, now := rulesByPath(old, streams, o), rulesByPath(new, streams, o)
	paths := maps.Clone(was)
	maps.Copy(paths, now)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, after := was[path], now[path]
		if before.String() == after.String() {
			continue
		}
		wider := after.Kind != 0 && (before.Kind == 0 || !after.within(before))
		changes = append(changes, Change{path, keptBy(before), keptBy(after), wider})
	}
	return changes
}

// keptBy is a rule as a change has it; a stream's own is that it is listed.
func keptBy(r Rule) string {
	switch r.Kind {
	case 0:
		return ""
	case Fields:
		return "listed"
	}
	return r.String()
}

// rulesByPath has the rule of each field that stays, and fields for each listed stream.
func rulesByPath(list *Allowlist, streams map[string]*event.Stream, o Options) map[string]Rule {
	rules := map[string]Rule{}
	for _, e := range effects(list, streams, o) {
		rules[e.name] = Rule{Kind: Fields}
		for _, f := range leaves(e.fields) {
			rules[joinPath(e.name, f.path)] = f.rule
		}
	}
	return rules
}
