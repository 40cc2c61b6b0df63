package event

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"
)

func mustSchema(tb testing.TB, file, text string) *Schema {
	tb.Helper()
	s, err := ParseSchema(file, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestFields(t *testing.T) {
	newer := mustSchema(t, "newer.yaml", `
$schema: https://json-schema.org/draft/2020-12/schema
type: object
allOf: [{$ref: '#/$defs/common'}]
properties:
  kind: {enum: [long, short, null], x-purpose: to compare}
  counts: {type: object, additionalProperties: {type: integer, description: how many}}
  visits: {type: array, items: {type: object, properties: {page: {$ref: '#/$defs/page', x-purpose: of this one}}}}
  pair: {type: array, prefixItems: [{title: first, type: string}, {type: integer, description: second}]}
$defs:
  page: {type: string, description: a page, x-purpose: of any}
  common: {properties: {meta: {type: object, properties: {dt: {type: string}}}}}
`)
	older := mustSchema(t, "older.yaml", `
$schema: http://json-schema.org/draft-07/schema#
type: object
properties:
  kind: {type: string, description: which kind, x-purpose: of old}
  gone: {type: boolean, description: no longer sent}
`)
	want := []Field{
		{"kind", "string", []string{"long", "short"}, "which kind", "to compare"},
		{"counts", "map", nil, "", ""},
		{"counts.*", "integer", nil, "how many", ""},
		{"visits", "list", nil, "", ""},
		{"visits.page", "string", nil, "a page", "of this one"},
		{"pair", "tuple", nil, "", ""},
		{"pair.first", "string", nil, "", ""},
		{"pair.1", "integer", nil, "second", ""},
		{"meta", "object", nil, "", ""},
		{"meta.dt", "string", nil, "", ""},
		{"gone", "boolean", nil, "no longer sent", ""},
	}
	if got := Fields(newer, older); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// Every column has a field: nothing is stored of which the policy could not speak.
func TestFieldsOfColumns(t *testing.T) {
	schemas := map[string]*Schema{"interaction": InteractionSchema()}
	files, err := filepath.Glob("../../shared/realdata/schemas/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		r := &Registry{}
		if err := r.load(file); err != nil {
			t.Fatal(err)
		}
		schemas[file] = r.schemas[0]
	}
	for name, s := range schemas {
		columns, err := Columns(s)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, f := range Fields(s) {
			paths = append(paths, f.Path)
		}
		for _, path := range columnPaths("", columns) {
			if !slices.Contains(paths, path) {
				t.Errorf("%s: no field %s in %v", name, path, paths)
			}
		}
	}
}

func columnPaths(path string, columns []Column) (paths []string) {
	for _, c := range columns {
		at := fieldPath(path, c.Name)
		paths = append(paths, at)
		switch c.Kind {
		case List:
			paths = append(paths, columnPaths(at, c.Fields[0].Fields)...)
		case Map:
			paths = append(paths, at+".*")
		default:
			paths = append(paths, columnPaths(at, c.Fields)...)
		}
	}
	return paths
}
