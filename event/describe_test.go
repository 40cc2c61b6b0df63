package event

import "testing"

func TestDescribe(t *testing.T) {
	s, err := ParseSchema("s.yaml", []byte(`
$schema: https://json-schema.org/draft/2020-12/schema
type: object
$defs: {time: {type: string, format: date-time}, loop: {$ref: '#/$defs/loop'}}
allOf: [{properties: {part: {type: string, format: part}}}]
properties:
  dt: {$ref: '#/$defs/time'}
  maybe: {anyOf: [{type: 'null'}, {type: string, format: uuid}]}
  list: {type: array, items: {type: object, properties: {at: {$ref: '#/$defs/time'}}}}
  map: {type: object, additionalProperties: {type: string, format: value}}
  loop: {$ref: '#/$defs/loop'}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path []string
		want any
	}{
		{[]string{"dt"}, "date-time"},
		{[]string{"maybe"}, "uuid"},
		{[]string{"part"}, "part"},
		{[]string{"list", Elements, "at"}, "date-time"},
		{[]string{"map", "anything"}, "value"},
		{[]string{"loop"}, nil},
		{[]string{"dt", "x"}, nil},
		{[]string{"nowhere"}, nil},
	} {
		if got := s.Describe(c.path)["format"]; got != c.want {
			t.Errorf("%q: format %v, want %v", c.path, got, c.want)
		}
	}
}
