package sanitize

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"brine/event"
)

// Join is what can be joined within a salt period: fields of several streams that are hashed alike,
// so that equal ids have equal pseudonyms.
type Join struct {
	Units    []string    `json:"units"`   // the names of the fields
	Streams  []string    `json:"streams"` // that have them
	Together []JoinField `json:"together"`

	units []*unit
}

// JoinField is one field that then lies together with the others.
type JoinField struct {
	Path    string `json:"path"` // with the stream
	Rule    string `json:"rule"`
	Propose string `json:"propose,omitempty"` // what would tell less
}

// unit is a hashed field of a stream.
type unit struct {
	in    effect
	field *field
}

// Joins finds what a list lets be joined across streams. Fields count as the same unit where their names
// are the same, in whatever spelling.
func Joins(list *Allowlist, streams map[string]*event.Stream, o Options) []Join {
	units := map[string][]*unit{}
	for _, e := range effects(list, streams, o) {
		for _, f := range leaves(e.fields) {
			if f.rule.Kind == Hash {
				name := plain(f.path[len(f.path)-1])
				units[name] = append(units[name], &unit{e, f})
			}
		}
	}
	var joins []Join
	for _, name := range slices.Sorted(maps.Keys(units)) {
		j := newJoin(units[name])
		same := func(other Join) bool { return slices.Equal(other.Streams, j.Streams) }
		if i := slices.IndexFunc(joins, same); i >= 0 {
			joins[i].Units, joins[i].units = append(joins[i].Units, j.Units...), append(joins[i].units, j.units...)
		} else if len(j.Streams) > 1 {
			joins = append(joins, j)
		}
	}
	return joins
}

func newJoin(units []*unit) Join {
	j := Join{Units: []string{units[0].field.path[len(units[0].field.path)-1]}, units: units}
	for _, u := range units {
		if slices.Contains(j.Streams, u.in.name) {
			continue
		}
		j.Streams = append(j.Streams, u.in.name)
		for _, f := range leaves(u.in.fields) {
			j.Together = append(j.Together, JoinField{joinPath(u.in.name, f.path), f.rule.String(), proposal(f)})
		}
	}
	return j
}

// proposal is a rule that tells less than the present one.
func proposal(f *field) string {
	switch {
	case f.rule.Kind == Hash:
		return "hash_per_stream"
	case f.rule.Kind != Keep:
		return ""
	}
	if isTimeName(f.path[len(f.path)-1]) && (f.in.Kind == event.String || f.in.Kind == event.Int64) {
		return "floor"
	}
	switch f.in.Kind {
	case event.Int32, event.Int64, event.Double:
		return "bucket"
	case event.String:
		return "only"
	case event.List:
		if namesIn(f.in) {
			return "only"
		}
	}
	return ""
}

// warnings are one for each hashed field.
func (j Join) warnings() (all Findings) {
	for _, u := range j.units {
		others := slices.DeleteFunc(slices.Clone(j.Streams), func(s string) bool { return s == u.in.name })
		if len(others) > 3 {
			others = append(others[:3:3], fmt.Sprintf("%d more", len(others)-3))
		}
		all = append(all, Finding{u.in.list.File, u.field.line, joinPath(u.in.name, u.field.path),
			"hashed the same way as in " + strings.Join(others, ", ") + ": within a salt period their rows can be joined",
			"say hash_per_stream, unless that is wanted; brine check --joins lists what then lies together"})
	}
	return all
}
