package event

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Field is one field of a stream's events, as its schemas describe it to people.
type Field struct {
	Path        string   // names joined by points, like meta.dt; what a list or tuple holds stands below its name, what a map holds as *
	Type        string   // as JSON Schema names it, or map, list, tuple
	Values      []string // all that it may hold, where the schema lists them
	Description string   // what it holds; "" where no schema says so
	Purpose     string   // what it is for, by the keyword x-purpose; "" where no schema says so
}

// Fields are the fields of the schemas, in the order of [Columns]: those of the first schema first. What a
// schema does not say of a field, the ones after it may. The schemas must have columns.
func Fields(schemas ...*Schema) []Field {
	return fieldsOf(schemas, func(string) bool { return false })
}

// Fields are those of the stream's schemas, but for what is removed on receipt.
func (s *Stream) Fields() []Field {
	if s.Name == Interaction { // nothing is removed: what has another form is refused
		return Fields(s.Schemas...)
	}
	return fieldsOf(s.Schemas, func(name string) bool { return isClientField(name) && !slices.Contains(s.keep, plainName(name)) })
}

// fieldsOf are the fields of the schemas, without members of such names and what is below them.
func fieldsOf(schemas []*Schema, without func(name string) bool) []Field {
	var fields []Field
	for _, s := range schemas {
		d := describer{deriver: deriver{root: s.document}, fields: fields, without: without}
		d.below("", s.document, 0)
		fields = d.fields
	}
	return fields
}

// describer collects the fields of one schema.
type describer struct {
	deriver
	fields  []Field
	without func(name string) bool
}

// field adds a node, or what it says more, and what is below it.
func (d *describer) field(path string, node any, depth int) {
	resolved, err := d.resolve(path, node)
	if err != nil {
		return // a schema with columns has no such node
	}
	column, err := d.column(path, node)
	if err != nil {
		return
	}
	f := Field{Path: path, Type: column.Kind.String(), Values: valuesOf(resolved)}
	for _, n := range []any{node, resolved} { // words beside a $ref are of this field
		f.fill(textMember(n, "description"), textMember(n, "x-purpose"))
	}
	if i := slices.IndexFunc(d.fields, func(known Field) bool { return known.Path == path }); i >= 0 {
		d.fields[i].fill(f.Description, f.Purpose)
	} else {
		d.fields = append(d.fields, f)
	}
	d.below(path, resolved, depth+1)
}

// fill sets what is not said yet.
func (f *Field) fill(description, purpose string) {
	if f.Description == "" {
		f.Description = strings.TrimSpace(description)
	}
	if f.Purpose == "" {
		f.Purpose = strings.TrimSpace(purpose)
	}
}

// below adds the members of an object, of a tuple, of a map, and of what a list holds.
func (d *describer) below(path string, node any, depth int) {
	if depth > 32 {
		return
	}
	node, err := d.resolve(path, node)
	if err != nil {
		return
	}
	properties, _ := member(node, "properties")
	members, _ := properties.(yaml.MapSlice)
	for _, m := range members {
		if d.without(m.Key.(string)) {
			continue
		}
		d.field(fieldPath(path, m.Key.(string)), m.Value, depth)
	}
	all, _ := member(node, "allOf")
	parts, _ := all.([]any)
	for _, part := range parts {
		d.below(path, part, depth+1)
	}
	if free, _ := member(node, "additionalProperties"); isObject(free) {
		d.field(fieldPath(path, "*"), free, depth)
	}
	d.elements(path, node, depth)
}

func (d *describer) elements(path string, node any, depth int) {
	items, _ := member(node, "items")
	prefix, _ := member(node, "prefixItems")
	list, ok := prefix.([]any)
	if !ok {
		list, ok = items.([]any)
	}
	if !ok && isObject(items) {
		d.below(path, items, depth+1)
	}
	for i, item := range list {
		name := textMember(item, "title")
		if name == "" {
			name = strconv.Itoa(i)
		}
		d.field(fieldPath(path, name), item, depth)
	}
}

func isObject(node any) bool { _, ok := node.(yaml.MapSlice); return ok }

func fieldPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// valuesOf are the texts of an enum or const, without null.
func valuesOf(node any) (values []string) {
	listed, _ := member(node, "enum")
	list, _ := listed.([]any)
	if only, ok := member(node, "const"); ok {
		list = []any{only}
	}
	for _, value := range list {
		if text, ok := value.(string); ok {
			values = append(values, text)
		}
	}
	return values
}
