package event

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// describe writes columns as one line: a:string b:{c:integer} d:[string] e:<integer> f:(string,integer).
func describe(columns []Column) string {
	var parts []string
	for _, c := range columns {
		name := c.Name
		if name != "" {
			name += ":"
		}
		parts = append(parts, name+describeKind(c))
	}
	return strings.Join(parts, " ")
}

func describeKind(c Column) string {
	around := map[Kind]string{List: "[%s]", Struct: "{%s}", Map: "<%s>", Tuple: "(%s)"}
	if layout, ok := around[c.Kind]; ok {
		return fmt.Sprintf(layout, describe(c.Fields))
	}
	return c.Kind.String()
}

// TestInteractionColumnsAreTheSchemas keeps the columns that are written by hand from drifting.
func TestInteractionColumnsAreTheSchemas(t *testing.T) {
	want, err := Columns(InteractionSchema())
	if err != nil {
		t.Fatal(err)
	}
	want[1].Kind = UUID // the schema calls it a string with a pattern
	want = slices.Insert(want, 2, Column{Name: "received", Kind: Int64})
	if got := InteractionColumns(); describe(got) != describe(want) {
		t.Errorf("columns\n%s, want\n%s", describe(got), describe(want))
	}
}

func TestInteractionSchemaIsAGlossary(t *testing.T) {
	schema := InteractionSchema()
	if schema.ID != "/interaction/1" || schema.Title != Interaction {
		t.Errorf("$id %s, title %s", schema.ID, schema.Title)
	}
	var check func(path string, node any)
	check = func(path string, node any) {
		object, _ := node.(map[string]any)
		properties, _ := object["properties"].(map[string]any)
		for name, property := range properties {
			described(t, path+"/"+name, property)
			check(path+"/"+name, property)
		}
		for _, keyword := range []string{"items", "additionalProperties"} {
			if below, ok := object[keyword].(map[string]any); ok {
				described(t, path+"/"+keyword, below)
				check(path+"/"+keyword, below)
			}
		}
		places, _ := object["prefixItems"].([]any)
		for i, place := range places {
			described(t, fmt.Sprint(path, "/", i), place)
		}
	}
	check("", schema.JSONDocument())
}

func described(t *testing.T, path string, node any) {
	object, _ := node.(map[string]any)
	for _, keyword := range []string{"description", "x-purpose"} {
		if text, _ := object[keyword].(string); text == "" {
			t.Errorf("%s has no %s", path, keyword)
		}
	}
}

func TestColumns(t *testing.T) {
	tests := []struct{ name, properties, want string }{
		{"scalars", `{a: {type: boolean}, b: {type: integer}, c: {type: number}, d: {type: string}}`, "a:boolean b:integer c:number d:string"},
		{"the order of the file", `{z: {type: string}, a: {type: string}}`, "z:string a:string"},
		{"a format is a string still", `{a: {type: string, format: uuid}}`, "a:string"},
		{"null says absent", `{a: {type: [integer, "null"]}, b: {anyOf: [{type: "null"}, {type: string}]}}`, "a:integer b:string"},
		{"integer or number", `{a: {type: [integer, number]}}`, "a:number"},
		{"text or number", `{a: {type: [string, number]}}`, "a:string"},
		{"an enum without a type", `{a: {enum: [x, y, null]}, b: {const: 1}, c: {enum: [1, 1.5]}}`, "a:string b:integer c:number"},
		{"an object", `{a: {type: object, properties: {b: {type: string}, c: {properties: {d: {type: integer}}}}}}`, "a:{b:string c:{d:integer}}"},
		{"a map", `{a: {type: object, additionalProperties: {type: integer}}}`, "a:<integer>"},
		{"a map of which some keys are known", `{a: {properties: {b: {type: string}}, additionalProperties: {type: string}}}`, "a:<string>"},
		{"a list", `{a: {type: array, items: {type: object, properties: {b: {type: string}}}}}`, "a:[{b:string}]"},
		{"a tuple", `{a: {type: array, prefixItems: [{title: n, type: string}, {type: integer}]}}`, "a:(n:string 1:integer)"},
		{"a tuple as draft-07 has it", `{a: {type: array, items: [{type: string}, {type: integer}]}}`, "a:(0:string 1:integer)"},
		{"a reference", `{a: {$ref: "#/definitions/x~1y"}}`, "a:{b:string}"},
		{"allOf", `{a: {type: object, properties: {c: {type: string}}, allOf: [{$ref: "#/definitions/x~1y"}]}}`, "a:{c:string b:string}"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			columns, err := Columns(parse(t, test.properties))
			if got := describe(columns); err != nil || got != test.want {
				t.Errorf("%s (%v), want %s", got, err, test.want)
			}
		})
	}
}

// parse is a draft-07 schema with these properties.
func parse(t *testing.T, properties string) *Schema {
	t.Helper()
	s, err := ParseSchema("s.yaml", []byte(`
$schema: http://json-schema.org/draft-07/schema#
$id: /s/1.0.0
title: s
type: object
definitions: {"x/y": {type: object, properties: {b: {type: string}}}}
properties: `+properties))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestColumnsErrors(t *testing.T) {
	tests := []struct{ name, properties, want string }{
		{"no type", `{a: {description: x}}`, "s.yaml: a: no type: say type: string"},
		{"an empty object", `{a: {type: object}}`, "s.yaml: a: an object of which nothing is said"},
		{"an empty array", `{a: {type: object, properties: {b: {type: array}}}}`, "s.yaml: a.b: an array of which nothing is said"},
		{"types that do not go together", `{a: {type: [object, string]}}`, "s.yaml: a: the types object, string cannot be stored in one column"},
		{"a map and an object", `{a: {properties: {b: {type: integer}}, additionalProperties: {type: string}}}`, "s.yaml: a: properties and additionalProperties"},
		{"names that differ by case", `{a: {type: object, properties: {url: {type: string}, URL: {type: string}}}}`, "s.yaml: a: url and URL differ only by case"},
		{"fields beside a reference", `{a: {$ref: "#/definitions/x~1y", properties: {c: {type: string}}}}`, "s.yaml: a: properties beside a $ref would not be stored"},
		{"fields beside one in allOf", `{a: {type: object, allOf: [{$ref: "#/definitions/x~1y", properties: {c: {type: string}}}]}}`, "s.yaml: a: properties beside a $ref"},
		{"an empty name", `{a: {type: object, properties: {"": {type: string}}}}`, `s.yaml: a: a field called "" cannot be stored`},
		{"a name with a zero byte", `{"a\0b": {type: string}}`, `s.yaml: a field called "a\x00b" cannot be stored`},
		{"a title with a zero byte", `{a: {type: array, prefixItems: [{title: "a\0b", type: string}]}}`, `s.yaml: a: a field called "a\x00b" cannot be stored`},
		{"titles that differ by case", `{a: {type: array, prefixItems: [{title: Name, type: string}, {title: name, type: string}]}}`, "s.yaml: a: two items are called name"},
		{"a title that is another's place", `{a: {type: array, prefixItems: [{title: "1", type: string}, {type: string}]}}`, "s.yaml: a: two items are called 1"},
		{"a circle", `{a: {$ref: "#/properties/a"}}`, "s.yaml: a: a $ref that leads to itself"},
		{"a wider circle", `{a: {type: array, items: {$ref: "#/properties/a"}}}`, "a $ref that leads to itself"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Columns(parse(t, test.properties))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestColumnsOfVersions(t *testing.T) {
	first := parse(t, `{a: {type: integer}, b: {type: object, properties: {c: {type: string}}}, l: {type: array, items: {type: integer}},
		t: {type: array, items: {type: array, prefixItems: [{title: name, type: string}, {type: integer}]}}}`)
	second := parse(t, `{n: {type: string}, b: {type: object, properties: {d: {type: string}, c: {type: string}}}, a: {type: number}, l: {type: array, items: {type: number}}}`)
	columns, err := Columns(first, second)
	if want := "a:number b:{c:string d:string} l:[number] t:[(name:string 1:integer)] n:string"; err != nil || describe(columns) != want {
		t.Errorf("%s (%v), want %s", describe(columns), err, want)
	}
	for _, test := range []struct{ properties, want string }{
		{`{a: {type: string}}`, "a: it is string here and integer in another version"},
		{`{A: {type: integer}}`, "a and A differ only by case"},
		{`{t: {type: array, items: {type: array, prefixItems: [{title: name, type: string}, {title: ms, type: integer}]}}}`, "t[]: item 1 is called ms here and 1 in another version"},
	} {
		if _, err := Columns(first, parse(t, test.properties)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}
