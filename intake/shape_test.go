package intake

import (
	"encoding/json"
	"strings"
	"testing"

	"brine/event"
)

func TestShape(t *testing.T) {
	for value, want := range map[string]string{
		`{"timestamp":"now","language":null,"new_account":true}`: `{"timestamp":"string","language":"null","new_account":"boolean"}`,
		`{"email":"a@b.c","phone":1,"sample_rate":1}`:            `{"sample_rate":"number","?":2}`,
		`{"email":"a@b.c"}`:                                `{"?":1}`,
		`{"event_stream":[["a",1],["b",2],["c",2,3]]}`:     `{"event_stream":[3,[2,"string","number"],[3,"string","number"]]}`,
		`{"screen_size":{"width":1,"depth":1}}`:            `{"screen_size":{"width":"number","?":1}}`,
		`{"experiments":{"mine":"x","yours":"y"}}`:         `{"experiments":{"?":2}}`,
		`{"language":{"timestamp":1}}`:                     `{"language":{"?":1}}`,
		`{"dialo\u0067":1}`:                                `{"dialog":"number"}`,
		`[]`:                                               `[0]`,
		`5`:                                                `"number"`,
		`{"event_stream":[[[[[[[[[[[1]]]]]]]]]]]}`:         `{"event_stream":[1,[1,[1,[1,[1,[1,[1,"array"]]]]]]]}`,
		`{"event_stream":[1,"a",true,null,{},[]]}`:         `{"event_stream":[6,"number","string","boolean","null"]}`,
		`{"timestamp":1,"timestamp":1} and something more`: `{"timestamp":"number","timestamp":"number"}`,
	} {
		if got := shapeOf([]byte(value), event.InteractionColumns()); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", value, got, want)
		}
	}
}

func TestShapeIsSmall(t *testing.T) {
	member := `"event_stream":[[1,[2]],["a",[[3]]],[true,[[[4]]]],[null,{}]],`
	for name, value := range map[string]string{
		"Members": "{" + strings.Repeat(member, 100) + `"x":1}`,
		"Deep":    strings.Repeat(`{"event_stream":[`, 10) + strings.Repeat("]}", 10),
		"Long":    "[" + strings.Repeat(`{"timestamp":1},[1],`, 10_000) + "1]",
	} {
		shape := shapeOf([]byte(value), event.InteractionColumns())
		if len(shape) > maxShapeBytes || len(shape) == 0 || !json.Valid([]byte(shape)) {
			t.Errorf("%s: %d bytes: %s", name, len(shape), shape)
		}
	}
}

func TestSchemaPath(t *testing.T) {
	for path, want := range map[string]string{
		"":                     "",
		"/timestamp":           "/timestamp",
		"/event_stream/17/0":   "/event_stream/*/*",
		"/someone@example.org": "/?",
		"/screen_size/depth":   "/screen_size/?",
		"/experiments/mine":    "/experiments/?",
		"/user_agent/os":       "/user_agent/os",
		"/a~1b/c":              "/?",
	} {
		if got := schemaPath(path, event.InteractionColumns()); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

func FuzzShape(f *testing.F) {
	f.Add([]byte(`{"event_stream":[["a",1]],"x":{"y":[1,2,{}]}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		shape := shapeOf(value, event.InteractionColumns())
		if len(shape) > maxShapeBytes {
			t.Errorf("%d bytes", len(shape))
		}
		if shape != "" && !json.Valid([]byte(shape)) {
			t.Errorf("no JSON: %s", shape)
		}
	})
}
