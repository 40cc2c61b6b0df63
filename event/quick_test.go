package event

import (
	"encoding/json"
	"strings"
	"testing"
)

// quickSchemas have between them every keyword that quick knows.
var quickSchemas = []string{
	`{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": -3, "maximum": 9007199254740991}, "b": {"type": ["string", "null"], "minLength": 2, "maxLength": 4}}, "additionalProperties": false}`,
	`{"type": "object", "properties": {"a": {"type": "number", "minimum": 0.0001, "maximum": 1e3}}, "additionalProperties": {"type": "string", "pattern": "^[a-f]+$"}}`,
	`{"properties": {"a": {"enum": ["x", null, true, 5]}, "b": {"const": "y"}, "c": {"format": "date-time"}, "d": {"type": "string", "format": "uri-reference"}}}`,
	`{"properties": {"a": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "integer"}}, "b": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}}}`,
	`{"properties": {"a": {"$ref": "#/$defs/n", "maximum": 5}, "b": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/n"}]}, "c": {"allOf": [{"type": "integer"}, {"minimum": 2}]}}, "$defs": {"n": {"type": "integer", "minimum": 1}}}`,
	`{"propertyNames": {"pattern": "^[a-z]+$"}, "additionalProperties": {"type": "object", "additionalProperties": {"type": "boolean"}}}`,
	`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{"type": "string"}, {"type": "number"}], "additionalItems": {"type": "boolean"}}, "b": {"$ref": "#/definitions/n", "minimum": 7}}, "definitions": {"n": {"type": "integer"}}}`,
	`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"items": [{}], "additionalItems": false}, "b": true, "c": {"items": {"type": "null"}}}}`,
}

var quickSeeds = []string{
	`{"a":1}`, `{"a":-3,"b":"xyz"}`, `{"a":1.0,"b":null}`, `{"a":1e0}`, `{"a":0.5}`, `{"a":1,"z":"abc"}`, `{"a":9007199254740992}`, `{"a":-4}`, `{"b":"y"}`,
	`{"a":"x","b":"y","c":"2026-11-21T13:45:01Z","d":"/a?b#c"}`, `{"a":5}`, `{"c":"yesterday"}`, `{"a":[1,2],"b":["s",1]}`, `{"a":[]}`, `{"b":["s",1,2]}`, `{"a":[1,2,3,4]}`,
	`{"b":3,"c":2}`, `{"b":0}`, `{"x":{"y":true}}`, `{"X":{"y":true}}`, `{"a":["s",1,true]}`, `{"a":["s",1,1],"b":7}`, `{"a":[1]}`, `{"c":[null]}`,
	`{"a":"é","b":"ééé"}`, `{"a":1e300,"b":"a"}`, `{"a":-0}`, `{"a":1000.0}`, `{"a":1000.0000001}`, `[]`, `{}`, `{"a":"x"}`, `{"b":6}`,
}

func quickPairs(t testing.TB) (pairs []*Schema) {
	t.Helper()
	texts := append([]string{}, quickSchemas...)
	for _, text := range texts {
		if !strings.Contains(text, `"$schema"`) {
			text = `{"$schema": "https://json-schema.org/draft/2020-12/schema", ` + text[1:]
		}
		s, err := ParseSchema("quick.json", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, s)
	}
	return pairs
}

// Quick knows all of these schemas, and on each seed says what the library says.
func TestQuickAgrees(t *testing.T) {
	accepted := 0
	for i, s := range quickPairs(t) {
		if s.quick == nil {
			t.Errorf("schema %d is beyond quick", i)
			continue
		}
		for _, seed := range quickSeeds {
			var e tree
			if _, p := e.read([]byte(seed)); p != nil {
				continue
			}
			want := s.compiled.Validate(e.decoded(root)) == nil
			got := s.quick.accepts(&e, root)
			if got && !want {
				t.Errorf("schema %d: quick accepts %s", i, seed)
			}
			if want && !got && !strings.Contains(seed, `"a":5`) { // a number in an enum is left to the library
				t.Errorf("schema %d: quick is not sure of %s", i, seed)
			}
			if got {
				accepted++
			}
		}
	}
	if accepted < 50 {
		t.Errorf("%d values were accepted: this compares nothing", accepted)
	}
}

// What quick does not know is left to the library, whole.
func TestBeyondQuick(t *testing.T) {
	for _, text := range []string{
		`{"properties": {"a": {"oneOf": [{"type": "string"}, {"type": "null"}]}}}`, `{"properties": {"a": {"not": {"type": "string"}}}}`,
		`{"properties": {"a": {"uniqueItems": true}}}`, `{"patternProperties": {"^a": {"type": "string"}}}`, `{"properties": {"a": {"exclusiveMinimum": 0}}}`,
		`{"properties": {"a": {"multipleOf": 2}}}`, `{"if": {"required": ["a"]}, "then": {"required": ["b"]}}`, `{"dependentRequired": {"a": ["b"]}}`,
		`{"minProperties": 1}`, `{"unevaluatedProperties": false}`, `{"properties": {"a": {"$ref": "#"}}}`, `{"properties": {"a": {"enum": [1], "const": 1}}}`,
		`{"properties": {"a": false}}`, `{"properties": {"a": {"contains": {"type": "string"}}}}`,
	} {
		s, err := ParseSchema("beyond.json", []byte(`{"$schema": "https://json-schema.org/draft/2020-12/schema", `+text[1:]))
		if err != nil {
			t.Fatal(err)
		}
		if s.quick != nil {
			t.Errorf("quick takes on %s", text)
		}
	}
}

// Real schemas are not beyond quick, and their examples are accepted by it alone.
func TestQuickKnowsRealSchemas(t *testing.T) {
	for _, s := range loadRegistry(t, realSchemas).Schemas() {
		if s.Name == "/interaction" {
			continue // it has a pass of its own
		}
		examples, _ := s.JSONDocument()["examples"].([]any)
		for _, example := range examples {
			text, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			var e tree
			if _, p := e.read(text); p != nil || s.quick == nil || !s.quick.accepts(&e, root) {
				t.Errorf("%s: quick is not sure of its example", s.ID)
			}
		}
	}
}

// FuzzQuick holds quick against the library: what quick accepts is valid.
func FuzzQuick(f *testing.F) {
	schemas := quickPairs(f)
	for i := range schemas {
		for _, seed := range quickSeeds {
			f.Add(i, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, i int, src []byte) {
		var e tree
		if _, p := e.read(src); p != nil || i < 0 || i >= len(schemas) {
			return
		}
		if s := schemas[i]; s.quick.accepts(&e, root) {
			if err := s.compiled.Validate(e.decoded(root)); err != nil {
				t.Errorf("quick accepts what the library refuses: %v", err)
			}
		}
	})
}

// FuzzStreamAppend holds that whatever a stream takes is one line of JSON, and reads the same again.
func FuzzStreamAppend(f *testing.F) {
	s := visits(f)
	f.Add([]byte(visit(`"amount":3,"install":"abcdefgh","steps":[["a",1],["b",2,3]],`)))
	f.Add([]byte(visit(`"price":1e-8,"size":42,"gift":null,`)))
	f.Add([]byte(`{"meta":{}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		row, key, n, p := s.Append(nil, src, arrival())
		if p != nil {
			if n == 0 || n > len(src) || len(row) != 0 {
				t.Errorf("%v with n %d, row %q", p, n, row)
			}
			return
		}
		if !json.Valid(row) || strings.Contains(string(row), "\n") || key.Time < 0 {
			t.Errorf("row %q", row)
		}
	})
}
