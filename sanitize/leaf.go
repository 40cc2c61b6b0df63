package sanitize

import (
	"fmt"
	"strings"

	"brine/event"
	"brine/lake/duck"
)

// Leaf is a field of sanitized rows that has a value of its own, and is no pseudonym.
type Leaf struct {
	Path []string // names from the stream down; what is in an array has the array's path
	Rule Rule     // that it is kept by
	Kind event.Kind
	Time bool   // it says when: its schema calls it date-time, or it is the time field, or called like one
	List bool   // a row has several values of it: of an array, its elements; of an array of tuples, their first elements
	In   string // SQL of what a sanitized row has it in: the array that is around it, or else itself

	way []*field // from there down to the field
}

// Leaves are the plan's, of this stream, in the order of its columns. What is kept with all that is in it is one leaf.
func (p *Plan) Leaves(s *event.Stream) (all []Leaf) {
	c := &compiler{stream: s}
	var walk func(way, fields []*field)
	walk = func(way, fields []*field) {
		for _, f := range fields {
			way := append(way[:len(way):len(way)], f)
			switch f.rule.Kind {
			case Fields:
				walk(way, f.fields)
			case Hash, HashPerStream:
			default:
				l := Leaf{Path: f.path, Rule: f.rule, Kind: f.in.Kind, Time: c.tellsTime(f), In: duck.Ident(way[0].out.Name), way: way}
				l.List = isTexts(f.out) || len(arrays(way)) == 1 && !isNested(f.out)
				for len(l.way) > 1 && l.way[0].out.Kind != event.List {
					l.In, l.way = extract(l.In, l.way[1]), l.way[1:]
				}
				all = append(all, l)
			}
		}
	}
	walk(nil, p.fields)
	return all
}

func (c *compiler) tellsTime(f *field) bool {
	at := strings.Join(f.path, ".")
	return f.in.Kind == event.String && c.isTime(f.path) || f.in.Kind == event.Int64 && (at == c.stream.Time || isTimeName(f.path[len(f.path)-1]))
}

// arrays are the arrays of objects on the way to a field.
func arrays(way []*field) (all []*field) {
	for _, f := range way[:len(way)-1] {
		if f.out.Kind == event.List {
			all = append(all, f)
		}
	}
	return all
}

func isNested(c event.Column) bool { return len(c.Fields) > 0 }

// isTexts says whether a column is an array of plain values, or of tuples that begin with one.
func isTexts(c event.Column) bool {
	return c.Kind == event.List && (!isNested(c.Fields[0]) || c.Fields[0].Kind == event.Tuple && !isNested(c.Fields[0].Fields[0]))
}

// SQL is what a sanitized row has of the field: one value, or of a List the different ones in order; of what is deeper, its text.
func (l Leaf) SQL() string {
	sql, _ := l.value(Rule{Kind: Keep})
	return sql
}

// Coarser is the same for a sanitized row as a rule would leave it that keeps less; ok is false where that cannot be made of sanitized rows.
func (l Leaf) Coarser(rule Rule) (sql string, ok bool) {
	narrow, ok := narrowed(l.Rule, rule)
	f := l.way[len(l.way)-1]
	if !ok || fits(narrow, f.out, l.Time).what != "" {
		return "", false
	}
	return l.value(narrow)
}

func (l Leaf) value(rule Rule) (string, bool) {
	end := *l.way[len(l.way)-1]
	end.in, end.rule = end.out, rule
	end.out = result(rule, end.in)
	q := &query{}
	var at func(in string, way []*field) string
	at = func(in string, way []*field) string {
		switch f := way[0]; {
		case len(way) == 1:
			return firsts(q, q.value(in, &end), end.out)
		case f.out.Kind == event.List:
			return q.each(in, func(element string) string { return at(extract(element, way[1]), way[1:]) })
		}
		return at(extract(in, way[1]), way[1:])
	}
	sql := at(l.In, l.way)
	switch {
	case l.List:
		return "list_sort(list_distinct(" + sql + "))", true
	case isNested(end.out) || len(arrays(l.way)) > 0:
		return "CAST(" + sql + " AS VARCHAR)", true
	}
	return sql, true
}

// firsts are the first elements of tuples, which a rule only judges them by.
func firsts(q *query, sql string, c event.Column) string {
	if !isTexts(c) || c.Fields[0].Kind != event.Tuple {
		return sql
	}
	return q.each(sql, func(element string) string { return extract(element, &field{out: c.Fields[0].Fields[0]}) })
}

func extract(in string, member *field) string {
	return fmt.Sprintf("struct_extract(%s, %s)", in, duck.Quote(member.out.Name))
}

// Unit is the SQL of the pseudonym in a sanitized row that stands for the field at a path, like app_install_id; ok is false where the row
// has none. Alike says whether equal ids have equal ones in other streams, too.
func (p *Plan) Unit(path string) (sql string, alike, ok bool) {
	names := strings.Split(path, ".")
	f := find(p.fields, names)
	if f == nil || f.out.Kind != event.String || f.rule.Kind != Hash && f.rule.Kind != HashPerStream {
		return "", false, false
	}
	return member(names), f.rule.Kind == Hash, true
}
