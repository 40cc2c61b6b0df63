package event

import "github.com/goccy/go-yaml"

// Elements stands in a path of [Schema.Describe] for what is in an array.
const Elements = "[]"

// Describe is what the schema says of the field at a path of names: of members, of keys of a map,
// or [Elements]. It is nil where the schema says nothing of it.
func (s *Schema) Describe(path []string) map[string]any {
	d := deriver{root: s.document}
	var node any = s.document
	for _, name := range path {
		resolved, err := d.resolve("", node)
		if err != nil {
			return nil
		}
		if node = d.child(resolved, name); node == nil {
			return nil
		}
	}
	node, err := d.resolve("", node)
	if _, isObject := node.(yaml.MapSlice); err != nil || !isObject {
		return nil
	}
	return unordered(node).(map[string]any)
}

// child is the schema of a member, a key or the elements; nil where there is none.
func (d *deriver) child(node any, name string) any {
	if name == Elements {
		items, _ := member(node, "items")
		return items
	}
	properties, _ := member(node, "properties")
	if child, ok := member(properties, name); ok {
		return child
	}
	all, _ := member(node, "allOf")
	parts, _ := all.([]any)
	for _, part := range parts {
		if resolved, err := d.resolve("", part); err == nil {
			if child := d.child(resolved, name); child != nil {
				return child
			}
		}
	}
	free, _ := member(node, "additionalProperties")
	if _, typed := free.(yaml.MapSlice); typed {
		return free
	}
	return nil
}
