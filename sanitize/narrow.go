package sanitize

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"brine/event"
	"brine/lake/duck"
)

// Narrowing is what takes out of a sanitized file what an allowlist no longer permits. It needs
// neither raw rows nor a salt.
type Narrowing struct {
	Plan  *Plan   // from the file to what may stay; its [Plan.Made] is the new file's
	Taken []Taken // what is taken out; empty: the file may stay as it is
}

// Taken is one field that loses something.
type Taken struct {
	Path []string `json:"path"`
	Was  string   `json:"was"` // the rule that the file was made by
	Now  string   `json:"now"` // what it is made by then; drop: it is gone
}

// Narrow works out what must be taken out of a file that says of itself what [Plan.Made] gave, and has
// these columns. Nothing is ever widened:
//
//   - what the plan keeps coarser, and still can be made so, is: kept values are floored, put in buckets
//     and filtered, floored times are floored further, buckets are joined where their edges are among those of the file
//   - what cannot be made as the plan has it is dropped: a kept value cannot be hashed without its salt
//   - what is narrower than the plan stays as it is
func (p *Plan) Narrow(fileMade string, columns []event.Column) (*Narrowing, error) {
	var was made
	if err := json.Unmarshal([]byte(fileMade), &was); err != nil || was.Version != 1 {
		return nil, fmt.Errorf("what the file was made by cannot be read: it is none of this version's")
	}
	n := &narrower{rules: map[string]Rule{}}
	for _, r := range was.Rules {
		n.rules[key(r.Path)] = r.rule()
	}
	fields := n.fields(nil, columns, p.fields, nil)
	narrowed := &Plan{Stream: p.Stream, Listed: p.Listed, time: p.time, fields: fields}
	for _, f := range fields {
		narrowed.Columns = append(narrowed.Columns, f.out)
	}
	if was.Listed && !p.Listed {
		n.taken = append(n.taken, Taken{Was: "listed", Now: Drop.String()})
	}
	return &Narrowing{narrowed, n.taken}, nil
}

// rule is the rule that a field rule tells of.
func (r FieldRule) rule() Rule {
	rule := Rule{Edges: r.Edges, Only: r.Only}
	rule.Kind = RuleKind(max(0, slices.Index(ruleNames[:], r.Rule)))
	for _, f := range floors {
		if f.text == r.Floor {
			rule.Floor = f.every
		}
	}
	return rule
}

// key is a path as a map has it.
func key(path []string) string { return strings.Join(path, "\x00") }

// narrower compares a file with a plan.
type narrower struct {
	rules map[string]Rule // that the file was made by, by path
	taken []Taken
}

// fields narrows the columns below a path to what permits says. above is the rule of the
// nearest field around them that was kept with all that is in it, or nil.
func (n *narrower) fields(path []string, columns []event.Column, permitted []*field, above *Rule) (fields []*field) {
	for _, c := range columns {
		if len(path) == 0 && slices.ContainsFunc(duck.KeyColumns, func(k event.Column) bool { return k.Name == c.Name }) {
			continue // keys are made anew
		}
		at := append(slices.Clone(path), c.Name)
		i := slices.IndexFunc(permitted, func(f *field) bool { return f.out.Name == c.Name })
		var may *field
		if i >= 0 {
			may = permitted[i]
		}
		if f := n.field(at, c, may, above); f != nil {
			fields = append(fields, f)
		}
	}
	return fields
}

// field narrows one column; nil where nothing of it may stay.
func (n *narrower) field(path []string, c event.Column, may *field, above *Rule) *field {
	was, leaf := n.rules[key(path)]
	if above != nil {
		was, leaf = *above, true
	}
	switch {
	case may == nil:
		return n.drop(path, was)
	case leaf && was.Kind != KeepAll:
		return n.leaf(path, c, was, may.rule)
	case may.rule.Kind == KeepAll:
		return n.whole(path, c, was, leaf)
	case may.rule.Kind == Fields:
		if leaf {
			above = &was
		}
		return n.object(path, c, may, above)
	case leaf && !holdsObjects(toTuple(c)):
		return n.leaf(path, c, Rule{Kind: Keep}, may.rule)
	}
	return n.drop(path, was)
}

// drop notes what is lost.
func (n *narrower) drop(path []string, was Rule) *field {
	text := was.String()
	if was.Kind == 0 {
		text = Fields.String()
	}
	n.taken = append(n.taken, Taken{path, text, Drop.String()})
	return nil
}

// whole keeps a column with all that is in it, as the file has it.
func (n *narrower) whole(path []string, c event.Column, was Rule, leaf bool) *field {
	if leaf {
		return &field{path: path, in: c, out: c, rule: Rule{Kind: KeepAll}, made: &was}
	}
	columns, _ := below(c)
	var all []*field
	for _, column := range columns {
		all = append(all, &field{out: column, rule: Rule{Kind: KeepAll}})
	}
	return n.object(path, c, &field{fields: all}, nil)
}

// object narrows what is below an object, an array of objects, or a map of which some keys are permitted.
func (n *narrower) object(path []string, c event.Column, may *field, above *Rule) *field {
	columns, free := below(c)
	if free {
		for _, f := range may.fields {
			column := c.Fields[0]
			column.Name = f.out.Name
			columns = append(columns, column)
		}
		n.taken = append(n.taken, Taken{append(slices.Clone(path), "*"), Keep.String(), Drop.String()})
	}
	f := &field{path: path, in: c, rule: Rule{Kind: Fields}, fields: n.fields(path, columns, may.fields, above)}
	if len(f.fields) == 0 {
		return nil
	}
	f.setOut()
	return f
}

// leaf narrows a value.
func (n *narrower) leaf(path []string, c event.Column, was, may Rule) *field {
	c = toTuple(c)
	if was.within(may) {
		return &field{path: path, in: c, out: c, rule: Rule{Kind: Keep}, made: &was}
	}
	rule, ok := narrowed(was, may)
	isText := c.Kind == event.String
	if !ok || fits(rule, c, isText).what != "" {
		return n.drop(path, was)
	}
	n.taken = append(n.taken, Taken{path, was.String(), may.String()})
	return &field{path: path, in: c, out: result(rule, c), rule: rule, made: &may}
}

// narrowed is the rule that makes of values that were kept by one rule those of another, where it can be done.
func narrowed(was, may Rule) (Rule, bool) {
	switch {
	case was.Kind == Bucket && may.Kind == Bucket && subset(may.Edges, was.Edges):
		return Rule{Kind: relabel, Edges: may.Edges, finer: was.Edges}, true
	case was.Kind != Keep && was.Kind != may.Kind:
		return Rule{}, false
	case may.Kind == Floor || may.Kind == Only || may.Kind == Bucket && was.Kind == Keep:
		return may, true
	}
	return Rule{}, false
}

// toTuple takes objects below a column for tuples: where a rule for values was followed, they are.
func toTuple(c event.Column) event.Column {
	if c.Kind == event.Struct {
		c.Kind = event.Tuple
	}
	c.Fields = slices.Clone(c.Fields)
	for i := range c.Fields {
		c.Fields[i] = toTuple(c.Fields[i])
	}
	return c
}

// Narrows says whether p keeps nothing that o does not: a file made by o could be tightened to p, and
// one made by p may stay under o.
func (p *Plan) Narrows(o *Plan) bool {
	if p.Listed && !o.Listed {
		return false
	}
	return !slices.ContainsFunc(ends(p.fields), func(f *field) bool {
		rule, ok := ruleAt(o.fields, f.path)
		return !ok || !f.rule.within(rule)
	})
}

// ruleAt is what fields say of a path: its own rule, or that of what it lies in.
func ruleAt(fields []*field, path []string) (Rule, bool) {
	i := slices.IndexFunc(fields, func(f *field) bool { return f.out.Name == path[0] })
	switch {
	case i < 0:
		return Rule{}, false
	case fields[i].rule.Kind == KeepAll:
		return fields[i].rule, true
	case len(path) == 1:
		return fields[i].rule, fields[i].rule.Kind != Fields
	}
	return ruleAt(fields[i].fields, path[1:])
}
