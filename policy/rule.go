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
}

// Apply puts the rules of the allowlist to the fields. Those without one are not kept longer than the raw event.
func (p *Policy) Apply(rules []Rule) {
	p.Reduced = true
	for _, s := range p.Streams {
		for i := range s.Fields {
			s.Fields[i].Rule = ruleOf(rules, s.Name, s.Fields[i].Path)
		}
	}
}

// ruleOf is the rule of a field, or of the nearest field around it.
func ruleOf(rules []Rule, stream, path string) *Rule {
	for {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.Stream == stream && r.Field == path })
		if i >= 0 {
			if rules[i].Name == "drop" {
				return nil
			}
			return &rules[i]
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
