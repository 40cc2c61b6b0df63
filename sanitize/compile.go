package sanitize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"brine/event"
)

// Options are what the config says of allowlists.
type Options struct {
	AllowKeepAll bool // keep_all is not refused
}

// Compile makes of an allowlist what it says of one stream. A stream that is not listed has a
// plan too, which gives no rows. The error is of type [Findings]: all mistakes of the list's
// text and those about this stream, since a list that is not read whole is not to be followed.
func Compile(stream *event.Stream, list *Allowlist, o Options) (*Plan, error) {
	list, o = inForce(stream, list, o)
	c := &compiler{list: list, stream: stream, opts: o}
	fields := c.entry()
	if mistakes := append(slices.Clone(list.mistakes), c.mistakes...); len(mistakes) > 0 {
		return nil, mistakes.sorted()
	}
	return newPlan(stream, c.listed, fields), nil
}

// compiler compiles one stream.
type compiler struct {
	list     *Allowlist
	stream   *event.Stream
	opts     Options
	listed   bool
	mistakes Findings
	warnings Findings
}

// field is one field that stays, or of which something stays.
type field struct {
	path   []string // names from the stream down; arrays have none
	in     event.Column
	out    event.Column
	rule   Rule
	fields []*field // of a rule Fields, in the order of the schema
	line   int      // in the allowlist
	made   *Rule    // what the values were made by, where rule narrows a file that is sanitized already
}

// entry compiles the stream's entry: what stays of its rows.
func (c *compiler) entry() []*field {
	n := c.list.entry(c.stream.Name)
	if n == nil || n.rule.Kind == Drop || n.rule.Kind == 0 {
		return nil
	}
	c.listed = true
	switch n.rule.Kind {
	case KeepAll:
		c.keepAll(n, c.stream.Name)
		var all []*field
		for _, column := range c.stream.Columns {
			all = append(all, c.whole([]string{column.Name}, column, n))
		}
		return all
	case Fields:
		fields := c.fields(nil, c.stream.Columns, false, merge(c.list.defaults, n.fields))
		return fields
	}
	c.mistake(n, nil, "list its fields", "%s does not fit a stream", n.rule.Kind)
	return nil
}

// whole keeps a column of a stream of which all is kept.
func (c *compiler) whole(path []string, column event.Column, n *node) *field {
	rule := Rule{Kind: Keep}
	if holdsObjects(column) {
		rule.Kind = KeepAll
	}
	c.warnBelow(n, path, column)
	return &field{path: path, in: column, out: column, rule: rule, line: n.line}
}

// merge puts what a stream says over the defaults, field by field.
func merge(base, over []*node) []*node {
	merged := slices.Clone(over)
	for _, b := range base {
		i := slices.IndexFunc(merged, func(n *node) bool { return n.name == b.name })
		if i < 0 {
			merged = append(merged, b)
			continue
		}
		if merged[i].rule.Kind == Fields && b.rule.Kind == Fields {
			both := *merged[i]
			both.fields = merge(b.fields, both.fields)
			merged[i] = &both
		}
	}
	return merged
}

// fields compiles what is listed below a stream, an object or an array of objects, or the listed
// keys of a map, which then are the members of an object.
func (c *compiler) fields(path []string, columns []event.Column, free bool, nodes []*node) []*field {
	var fields []*field
	for _, n := range nodes {
		column, ok := c.column(path, columns, free, n)
		if !ok {
			continue
		}
		if f := c.field(append(slices.Clone(path), n.name), column, n); f != nil {
			fields = append(fields, f)
		}
	}
	place := func(f *field) int {
		return slices.IndexFunc(columns, func(c event.Column) bool { return c.Name == f.in.Name })
	}
	slices.SortFunc(fields, func(a, b *field) int {
		if free {
			return cmp.Compare(a.in.Name, b.in.Name)
		}
		return cmp.Compare(place(a), place(b))
	})
	return fields
}

func (c *compiler) column(path []string, columns []event.Column, free bool, n *node) (event.Column, bool) {
	i := slices.IndexFunc(columns, func(c event.Column) bool { return c.Name == n.name })
	if i >= 0 {
		return columns[i], true
	}
	if !n.byDefault && !free { // of a map's keys only those are missing that were told already
		c.mistake(n, append(slices.Clone(path), n.name), unknownFix(n.name, columns), "no schema of this stream has it")
	}
	return event.Column{}, false
}

func unknownFix(name string, columns []event.Column) string {
	if fix := foreign[name]; fix != "" {
		return fix
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return didYouMean(name, names)
}

// field compiles one field; nil where nothing stays of it.
func (c *compiler) field(path []string, column event.Column, n *node) *field {
	f := &field{path: path, in: column, out: column, rule: n.rule, line: n.line}
	switch n.rule.Kind {
	case 0, Drop:
		return nil
	case Fields:
		return c.object(f, n)
	}
	if n.rule.Kind == KeepAll && !c.keepAll(n, joinPath(c.stream.Name, path)) {
		return nil
	}
	if why := fits(n.rule, column, c.isTime(path)); why.what != "" {
		c.mistake(n, path, why.fix, "%s", why.what)
		return nil
	}
	f.out = result(n.rule, column)
	if n.rule.Kind == Keep || n.rule.Kind == KeepAll {
		c.warnBelow(n, path, column)
	}
	return f
}

// object compiles a field with fields below it.
func (c *compiler) object(f *field, n *node) *field {
	columns, free := below(f.in)
	if columns == nil && !free {
		c.mistake(n, f.path, "say keep, hash, floor, bucket, only or drop", "it is %s, which has no fields to list", kindName(f.in))
		return nil
	}
	if free {
		columns = c.keys(f, n)
	}
	f.fields = c.fields(f.path, columns, free, n.fields)
	if len(f.fields) == 0 {
		return nil
	}
	f.setOut()
	return f
}

// setOut makes the column of what stays below a field.
func (f *field) setOut() {
	f.out = event.Column{Kind: event.Struct}
	for _, member := range f.fields {
		f.out.Fields = append(f.out.Fields, member.out)
	}
	if f.in.Kind == event.List {
		f.out = event.Column{Kind: event.List, Fields: []event.Column{f.out}}
	}
	f.out.Name = f.in.Name
}

// keys are the listed keys of a map, as columns. They become members of an object, whose names must
// differ by more than case.
func (c *compiler) keys(f *field, n *node) (columns []event.Column) {
	for _, key := range n.fields {
		same := func(other event.Column) bool { return strings.EqualFold(other.Name, key.name) }
		if slices.ContainsFunc(columns, same) {
			c.mistake(key, append(slices.Clone(f.path), key.name), "list one of them", "keys that differ only by case cannot stand side by side")
			continue
		}
		column := f.in.Fields[0]
		column.Name = key.name
		columns = append(columns, column)
	}
	return columns
}

func (c *compiler) keepAll(n *node, path string) bool {
	if !c.opts.AllowKeepAll {
		c.mistakes = append(c.mistakes, Finding{c.list.File, n.line, path, "keep_all is not allowed here, since it lets through what later versions of a schema add",
			"list the fields, or set allow_keep_all: true in the config"})
	}
	return c.opts.AllowKeepAll
}

func (c *compiler) mistake(n *node, path []string, fix, what string, args ...any) {
	c.mistakes = append(c.mistakes, c.finding(n, path, fix, fmt.Sprintf(what, args...)))
}

// finding is about a line. What is wrong with a default in one stream names both.
func (c *compiler) finding(n *node, path []string, fix, what string) Finding {
	at := joinPath(c.stream.Name, path)
	if n.byDefault {
		what = "for the stream " + c.stream.Name + ": " + what
		at = joinPath(defaultsKey, path)
	}
	return Finding{c.list.File, n.line, at, what, fix}
}

func joinPath(stream string, path []string) string {
	return strings.Join(append([]string{stream}, path...), ".")
}

// entry is what is said of a stream, nil if nothing is.
func (a *Allowlist) entry(stream string) *node {
	i := slices.IndexFunc(a.streams, func(n *node) bool { return n.name == stream })
	if i < 0 {
		return nil
	}
	return a.streams[i]
}
