package policy

import (
	"slices"
	"strings"
)

// Rule is what the allowlist does with one field of a stream, and with what is below it.
type Rule struct {
	Stream string    `json:"-"`
	Field  string    `json:"-"` // path, as of [event.Field]
	Name   string    `json:"name"`
	Floor  string    `json:"floor,omitempty"`  // of floor: 10m, 1h or 1d
	Bucket []float64 `json:"bucket,omitempty"` // of bucket: where each range but the first begins
	Only   []string  `json:"only,omitempty"`   // of only: what is kept; * at the end stands for anything
	Of     string    `json:"of,omitempty"`     // the field around this one that the rule is for; "" for this one
}

// hashes says whether the rule makes pseudonyms.
func (r *Rule) hashes() bool { return strings.HasPrefix(r.Name, "hash") }

// Apply puts the rules of the allowlist to the fields. Those without one are not kept longer than the raw event. The
// keys of a map that have rules become fields of their own. The fields that were there stay as they were, for others who hold them.
func (p *Policy) Apply(rules []Rule) {
	p.Reduced = true
	for i := range p.Streams {
		s := &p.Streams[i]
		s.Fields = withKeys(s.Fields, rules, s.Name)
		for j := range s.Fields {
			s.Fields[j].Rule = ruleOf(rules, s.Name, s.Fields[j].Path)
		}
	}
}

// withKeys are the fields, and after each map the keys of it that have rules, in the words of the map.
func withKeys(fields []Field, rules []Rule, stream string) (all []Field) {
	for i, f := range fields {
		all = append(all, f)
		if !strings.Contains(f.Path+".", ".*.") {
			continue
		}
		if f.Description == "" && i > 0 && f.Path == fields[i-1].Path+".*" {
			f.Description, f.Purpose = fields[i-1].Description, fields[i-1].Purpose
		}
		for _, r := range rules {
			if r.Stream == stream && r.Field != f.Path && matches(f.Path, r.Field) {
				f.Path = r.Field
				all = append(all, f)
			}
		}
	}
	return all
}

// matches says whether a path is that of a field, in which * stands for any key of a map.
func matches(field, path string) bool {
	pattern, names := strings.Split(field, "."), strings.Split(path, ".")
	return slices.EqualFunc(pattern, names, func(p, name string) bool { return p == "*" || p == name })
}

// ruleOf is the rule of a field, or of the nearest field around it.
func ruleOf(rules []Rule, stream, path string) *Rule {
	for field := path; ; {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.Stream == stream && r.Field == path })
		if i >= 0 {
			if rules[i].Name == "drop" {
				return nil
			}
			r := rules[i]
			if path != field {
				r.Of = path
			}
			return &r
		}
		at := strings.LastIndexByte(path, '.')
		if at < 0 {
			return nil
		}
		path = path[:at]
	}
}

// rule is what a rule of the allowlist leaves, in words.
func (l *Language) rule(r *Rule) string {
	if r == nil {
		return l.text("rule_drop")
	}
	if r.Of != "" {
		return l.text("rule_of", "field", r.Of)
	}
	switch r.Name {
	case "floor":
		return l.text("rule_floor_" + r.Floor)
	case "bucket":
		edges := make([]string, len(r.Bucket))
		for i, edge := range r.Bucket {
			edges[i] = l.number(edge)
		}
		return l.text("rule_bucket", "edges", strings.Join(edges, "; "))
	case "only":
		return l.text("rule_only", "values", strings.Join(r.Only, ", "))
	}
	return l.text("rule_" + r.Name)
}
