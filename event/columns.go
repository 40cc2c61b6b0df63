package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Columns are what the events of the schemas are stored in: the fields of all of them, those
// of the first schema first, each in the order of its file. A field that several have must
// have the same type in all, but for integer and number, which make number.
//
// What a schema says becomes a [Kind] by this table; null beside a type only says that the
// field may be absent. Strings stay strings whatever their format.
//
//	boolean, integer, number, string     Bool, Int64, Double, String
//	integer between bounds of 32 bits    Int32
//	several of those                     String: their text
//	object with properties               Struct
//	object with additionalProperties     Map
//	array with one schema for items      List
//	array with a schema for each item    Tuple
//
// Fields that a schema does not describe have no column and are not kept, so an object or
// array that says nothing of what is in it is an error, as is what stands beside a $ref. So are names that
// differ only by case, since SQL engines take them for one.
func Columns(schemas ...*Schema) ([]Column, error) {
	var merged []Column
	for _, s := range schemas {
		columns, err := s.columns()
		if err == nil {
			merged, err = mergeFields("", merged, columns)
		}
		if err != nil {
			return nil, fileError(s.File, err)
		}
	}
	return merged, nil
}

func (s *Schema) columns() ([]Column, error) {
	d := deriver{root: s.document}
	root, err := d.column("", s.document)
	if err != nil {
		return nil, err
	}
	if root.Kind != Struct {
		return nil, errors.New("an event is an object: say type: object, and its properties")
	}
	return root.Fields, nil
}

// deriver derives the columns of one schema.
type deriver struct {
	root  any
	depth int // of $ref in $ref, which may go round in circles
}

// maxSchemaDepth is about 32 levels of objects: each counts once itself and once for its properties.
const maxSchemaDepth = 64

func tooDeep(path string) error {
	return at(path, "nested more than 32 levels, or a $ref that leads to itself")
}

// column derives a node and what is below it. path is for messages.
func (d *deriver) column(path string, node any) (Column, error) {
	node, err := d.resolve(path, node)
	if err != nil {
		return Column{}, err
	}
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > maxSchemaDepth {
		return Column{}, tooDeep(path)
	}
	types, err := typesOf(path, node)
	if err != nil {
		return Column{}, err
	}
	switch {
	case len(types) == 1 && types[0] == "object":
		return d.object(path, node)
	case len(types) == 1 && types[0] == "array":
		return d.array(path, node)
	}
	kind, err := scalarKind(path, types)
	if kind == Int64 && fits32(node) {
		kind = Int32
	}
	return Column{Kind: kind}, err
}

// fits32 says whether an integer's bounds lie within 32 bits.
func fits32(node any) bool {
	for _, keyword := range []string{"minimum", "maximum"} {
		value, _ := member(node, keyword)
		number, ok := value.(json.Number)
		if !ok {
			return false
		}
		if _, why := parseInteger([]byte(number), math.MinInt32, math.MaxInt32); why != "" {
			return false
		}
	}
	return true
}

// resolve follows a $ref within the file, and takes the one schema of anyOf or oneOf that is
// not null.
func (d *deriver) resolve(path string, node any) (any, error) {
	for range 32 {
		ref := textMember(node, "$ref")
		if ref == "" {
			return d.alternative(path, node)
		}
		for _, keyword := range [...]string{"properties", "additionalProperties", "items", "prefixItems", "allOf", "anyOf", "oneOf"} {
			if _, ok := member(node, keyword); ok {
				return nil, at(path, keyword+" beside a $ref would not be stored: say type: object, and put the $ref into allOf")
			}
		}
		target, err := pointed(d.root, ref)
		if err != nil {
			return nil, at(path, err.Error())
		}
		node = target
	}
	return nil, at(path, "a $ref that leads to itself")
}

func (d *deriver) alternative(path string, node any) (any, error) {
	if _, ok := member(node, "type"); ok {
		return node, nil
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		list, _ := member(node, keyword)
		options, _ := list.([]any)
		options = slices.DeleteFunc(slices.Clone(options), func(o any) bool { return textMember(o, "type") == "null" })
		if len(options) == 1 {
			return d.resolve(path, options[0])
		}
	}
	return node, nil
}

// pointed is what a reference like #/$defs/name points to.
func pointed(root any, ref string) (any, error) {
	pointer, ok := strings.CutPrefix(ref, "#")
	if !ok || pointer != "" && pointer[0] != '/' {
		return nil, fmt.Errorf("the $ref %q is none within the file, like #/$defs/name", ref)
	}
	node := root
	for _, part := range strings.Split(pointer, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if node, ok = member(node, part); !ok {
			return nil, fmt.Errorf("the $ref %q points to nothing", ref)
		}
	}
	return node, nil
}

// typesOf are the types that a node may have, without null.
func typesOf(path string, node any) ([]string, error) {
	var types []string
	value, _ := member(node, "type")
	switch value := value.(type) {
	case string:
		types = []string{value}
	case []any:
		for _, v := range value {
			name, _ := v.(string)
			types = append(types, name)
		}
	case nil:
		types = impliedTypes(node)
	}
	types = slices.DeleteFunc(types, func(t string) bool { return t == "null" })
	if len(types) == 0 {
		return nil, at(path, "no type: say type: string, integer, number, boolean, object or array")
	}
	return types, nil
}

// impliedTypes are those that properties, items, enum or const stand for.
func impliedTypes(node any) []string {
	for _, implied := range [...]struct{ keyword, typ string }{
		{"properties", "object"}, {"additionalProperties", "object"}, {"items", "array"}, {"prefixItems", "array"},
	} {
		if _, ok := member(node, implied.keyword); ok {
			return []string{implied.typ}
		}
	}
	values, _ := member(node, "enum")
	list, _ := values.([]any)
	if value, ok := member(node, "const"); ok {
		list = append(list, value)
	}
	var types []string
	for _, value := range list {
		if name := typeName(value); !slices.Contains(types, name) {
			types = append(types, name)
		}
	}
	return types
}

// typeName is the type of a value as JSON Schema names it.
func typeName(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case json.Number:
		if d := parseDecimal([]byte(value)); d.isInteger() {
			return "integer"
		}
		return "number"
	}
	return "object"
}

func scalarKind(path string, types []string) (Kind, error) {
	kinds := map[string]Kind{"boolean": Bool, "integer": Int64, "number": Double, "string": String}
	var kind Kind
	for _, name := range types {
		k, ok := kinds[name]
		switch {
		case !ok && len(types) > 1:
			return 0, at(path, fmt.Sprintf("the types %s cannot be stored in one column: take one of them", strings.Join(types, ", ")))
		case !ok:
			return 0, at(path, fmt.Sprintf("%q is no type: say string, integer, number, boolean, object or array", name))
		case kind == 0 || kind == k:
			kind = k
		case kind == Int64 && k == Double || kind == Double && k == Int64:
			kind = Double
		default:
			kind = String
		}
	}
	return kind, nil
}

// object derives a Struct from properties, also from those of allOf, or else a Map.
func (d *deriver) object(path string, node any) (Column, error) {
	fields, err := d.properties(path, node)
	if err != nil {
		return Column{}, err
	}
	free, _ := member(node, "additionalProperties")
	if _, typed := free.(yaml.MapSlice); !typed {
		if len(fields) == 0 {
			return Column{}, at(path, "an object of which nothing is said: list its properties, or say additionalProperties: {type: string}")
		}
		return Column{Kind: Struct, Fields: fields}, nil
	}
	value, err := d.column(path+".*", free)
	if err != nil {
		return Column{}, err
	}
	for _, f := range fields {
		if f.Name = ""; !equalColumn(f, value) {
			return Column{}, at(path, "properties and additionalProperties of different types cannot be stored in one column: take one of them")
		}
	}
	return Column{Kind: Map, Fields: []Column{value}}, nil
}

func (d *deriver) properties(path string, node any) ([]Column, error) {
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > maxSchemaDepth {
		return nil, tooDeep(path)
	}
	list, _ := member(node, "properties")
	items, _ := list.(yaml.MapSlice)
	var fields []Column
	for _, item := range items {
		name := item.Key.(string)
		if err := fieldName(path, name); err != nil {
			return nil, err
		}
		field, err := d.column(path+"."+name, item.Value)
		if err != nil {
			return nil, err
		}
		field.Name = name
		if fields, err = mergeFields(path, fields, []Column{field}); err != nil {
			return nil, err
		}
	}
	all, _ := member(node, "allOf")
	parts, _ := all.([]any)
	for _, part := range parts {
		resolved, err := d.resolve(path, part)
		if err != nil {
			return nil, err
		}
		more, err := d.properties(path, resolved)
		if err == nil {
			fields, err = mergeFields(path, fields, more)
		}
		if err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// fieldName refuses what SQL has no name for.
func fieldName(path, name string) error {
	if name == "" || strings.Contains(name, "\x00") {
		return at(path, fmt.Sprintf("a field called %q cannot be stored: rename it", name))
	}
	return nil
}

// array derives a Tuple from prefixItems, or from items as draft-07 has them, or else a List.
func (d *deriver) array(path string, node any) (Column, error) {
	items, _ := member(node, "items")
	prefix, _ := member(node, "prefixItems")
	list, ok := prefix.([]any)
	if !ok {
		list, ok = items.([]any)
	}
	if ok {
		return d.tuple(path, list)
	}
	if _, ok := items.(yaml.MapSlice); !ok {
		return Column{}, at(path, "an array of which nothing is said: say items: {type: string}")
	}
	element, err := d.column(path+"[]", items)
	return Column{Kind: List, Fields: []Column{element}}, err
}

// tuple names the members by their title, or by their place.
func (d *deriver) tuple(path string, items []any) (Column, error) {
	c := Column{Kind: Tuple}
	for i, item := range items {
		field, err := d.column(path+"["+strconv.Itoa(i)+"]", item)
		if err != nil {
			return c, err
		}
		if field.Name = textMember(item, "title"); field.Name == "" {
			field.Name = strconv.Itoa(i)
		}
		if err := fieldName(path, field.Name); err != nil {
			return c, err
		}
		if same := func(f Column) bool { return strings.EqualFold(f.Name, field.Name) }; slices.ContainsFunc(c.Fields, same) {
			return c, at(path, fmt.Sprintf("two items are called %s, in whichever case: give each a title of its own", field.Name))
		}
		c.Fields = append(c.Fields, field)
	}
	return c, nil
}

// mergeFields adds to fields those of more that they lack, and merges the others.
func mergeFields(path string, fields, more []Column) ([]Column, error) {
	fields = slices.Clone(fields)
	for _, m := range more {
		i := slices.IndexFunc(fields, func(f Column) bool { return strings.EqualFold(f.Name, m.Name) })
		if i < 0 {
			fields = append(fields, m)
			continue
		}
		if fields[i].Name != m.Name {
			return nil, at(path, fmt.Sprintf("%s and %s differ only by case: rename one of them", fields[i].Name, m.Name))
		}
		merged, err := merge(path+"."+m.Name, fields[i], m)
		if err != nil {
			return nil, err
		}
		fields[i] = merged
	}
	return fields, nil
}

func merge(path string, a, b Column) (Column, error) {
	switch {
	case a.Kind.widensTo(b.Kind):
		return b, nil
	case b.Kind.widensTo(a.Kind):
		return a, nil
	case a.Kind != b.Kind:
		return a, at(path, fmt.Sprintf("it is %s here and %s in another version: give it one type, or raise the major version", b.Kind, a.Kind))
	case a.Kind == Struct:
		fields, err := mergeFields(path, a.Fields, b.Fields)
		a.Fields = fields
		return a, err
	}
	return mergeByPlace(path, a, b)
}

// widensTo says whether every value of a kind is also one of another.
func (k Kind) widensTo(wide Kind) bool {
	return k == Int32 && (wide == Int64 || wide == Double) || k == Int64 && wide == Double
}

// mergeByPlace merges what is below a List, a Map or a Tuple.
func mergeByPlace(path string, a, b Column) (Column, error) {
	fields := slices.Clone(a.Fields)
	for i, f := range b.Fields {
		if i == len(fields) {
			fields = append(fields, f)
			continue
		}
		if fields[i].Name != f.Name { // of a tuple, whose items are stored by their names
			return a, at(path, fmt.Sprintf("item %d is called %s here and %s in another version: keep its title, or raise the major version", i, f.Name, fields[i].Name))
		}
		merged, err := merge(path+"[]", fields[i], f)
		if err != nil {
			return a, err
		}
		fields[i] = merged
	}
	a.Fields = fields
	return a, nil
}

func equalColumn(a, b Column) bool {
	return a.Name == b.Name && a.Kind == b.Kind && slices.EqualFunc(a.Fields, b.Fields, equalColumn)
}

// at puts a field's path, like meta.id, before a message.
func at(path, message string) error {
	if path == "" {
		return errors.New(message)
	}
	return errors.New(strings.TrimPrefix(path, ".") + ": " + message)
}
