package event

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func visits(t testing.TB) *Stream {
	t.Helper()
	s, err := loadRegistry(t, "testdata/schemas").Stream(StreamConfig{Name: "shop_visit", Schema: "/shop/visit", Time: "dt", Unit: "install", Keep: []string{"headers"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// visit is an event of the fixture stream with more fields, in version 1.1.0.
func visit(more string) string {
	return `{` + more + `"$schema":"/shop/visit/1.1.0","dt":"2026-11-21T13:45:01.5Z",` +
		`"meta":{"stream":"shop_visit","dt":"2026-11-21T13:45:02Z","id":"3F2504E0-4F89-41D3-9A0C-0305E82C3301"}}`
}

func TestStreamColumns(t *testing.T) {
	s := visits(t)
	want := "dt:string received:integer $schema:string install:string amount:integer price:number gift:boolean size:string " +
		"steps:[(name:string 1:integer 2:integer)] meta:{dt:string id:string stream:string} " +
		"http:{method:string headers:<string>} tags:[string]"
	if got := describe(s.Columns); got != want {
		t.Errorf("columns\n%s, want\n%s", got, want)
	}
}

func TestStreamAppend(t *testing.T) {
	const tail = `"meta":{"dt":"2026-11-21T13:45:02Z","id":"3F2504E0-4F89-41D3-9A0C-0305E82C3301","stream":"shop_visit"}}`
	const head = `{"dt":"2026-11-21T13:45:01.5Z","received":1795268400000,"$schema":"/shop/visit/1.1.0",`
	old := func(more string) string { return strings.Replace(visit(more), "1.1.0", "1.0.0", 1) }
	tests := []struct{ name, src, want string }{
		{"in the order of the columns", visit(`"amount":3,"install":"abcdefgh",`), head + `"install":"abcdefgh","amount":3,` + tail},
		{"null is absent", visit(`"install":null,"gift":null,`), head + tail},
		{"an integer, spelled otherwise", visit(`"amount":-1.50e1,`), head + `"amount":-15,` + tail},
		{"the largest integers", visit(`"amount":9223372036854775807,`), head + `"amount":9223372036854775807,` + tail},
		{"and the smallest", visit(`"amount":-9223372036854775808,`), head + `"amount":-9223372036854775808,` + tail},
		{"numbers", visit(`"price":1250e-2,`), head + `"price":12.5,` + tail},
		{"a very small one", visit(`"price":0.00000001,`), head + `"price":1e-08,` + tail},
		{"text", visit(`"install":"\u0061\n\"\\\u00e9\ud83d\ude00\u0000b",`), head + `"install":"a\u000a\"\\é😀\u0000b",` + tail},
		{"text or number", visit(`"size":42.0,`), head + `"size":"42",` + tail},
		{"tuples", visit(`"steps":[["a",1,null],["b",2,3]],`), head + `"steps":[["a",1],["b",2,3]],` + tail},
		{"an older version", strings.Replace(old(`"price":7,"tags":["x","y"],`), `"dt"`, `"http":{"headers":{"b":"2","a":"1"},"method":"GET","port":1},"dt"`, 1),
			`{"dt":"2026-11-21T13:45:01.5Z","received":1795268400000,"$schema":"/shop/visit/1.0.0","price":7,` +
				strings.TrimSuffix(tail, "}") + `,"http":{"method":"GET","headers":{"a":"1","b":"2"}},"tags":["x","y"]}`},
	}
	s := visits(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			row, key, n, p := s.Append([]byte("before "), []byte(test.src+",next"), arrival())
			if p != nil {
				t.Fatal(p)
			}
			if got := string(row); got != "before "+test.want || n != len(test.src) {
				t.Errorf("%d bytes gave\n%s, want\n%s", n, got, test.want)
			}
			wantID, _ := parseUUID([]byte("3f2504e0-4f89-41d3-9a0c-0305e82c3301"))
			if want := (Key{Time: time.Date(2026, 11, 21, 13, 45, 1, 5e8, time.UTC).UnixMilli(), ID: wantID}); key != want {
				t.Errorf("key %v, want %v", key, want)
			}
		})
	}
}

func TestStreamProblem(t *testing.T) {
	tests := []struct{ name, src, code, path string }{
		{"no JSON", `{"dt":}`, CodeSyntax, ""},
		{"no object", `"dt"`, CodeType, ""},
		{"a repeated key", visit(`"amount":1,"\u0061mount":1,`), CodeDuplicate, "/amount"},
		{"a repeated key below", strings.Replace(visit(``), `"stream"`, `"id":"","stream"`, 1), CodeDuplicate, "/meta/id"},
		{"a lone surrogate", visit(`"install":"abcdefgh\ud800",`), CodeSyntax, ""},
		{"an unknown field", visit(`"email":"a@b.c",`), CodeUnknown, "/email"},
		{"a field of the server", visit(`"received":1,`), CodeUnknown, "/received"},
		{"a missing field", `{"$schema":"/shop/visit/1.1.0","dt":"2026-11-21T13:45:01Z"}`, CodeRequired, "/meta"},
		{"a missing field below", `{"$schema":"/shop/visit/1.1.0","dt":"2026-11-21T13:45:01Z","meta":{}}`, CodeRequired, "/meta/stream"},
		{"another type", visit(`"amount":"1",`), CodeType, "/amount"},
		{"a type in a list", visit(`"steps":[["a",1],["b","c"]],`), CodeType, "/steps/1/1"},
		{"too many in a tuple", visit(`"steps":[["a",1,2,3]],`), CodeUnknown, "/steps/0/3"},
		{"too few in a tuple", visit(`"steps":[["a"]],`), CodeLength, "/steps/0"},
		{"a short text", visit(`"install":"abc",`), CodeLength, "/install"},
		{"a small number", visit(`"price":-0.5,`), CodeValue, "/price"},
		{"a value that is not listed", visit(`"size":"XL",`), CodeValue, "/size"},
		{"an integer of 65 bits", visit(`"amount":9223372036854775808,`), CodeValue, "/amount"},
		{"a number beyond floats", visit(`"price":1e400,`), CodeValue, "/price"},
		{"a number with a huge exponent", visit(`"amount":1e-999999999999,`), CodeValue, "/amount"},
		{"no time", strings.Replace(visit(``), "13:45:01.5Z", "13:45", 1), CodeValue, "/dt"},
		{"a time before 1970", strings.Replace(visit(``), `"dt":"2026`, `"dt":"1926`, 1), CodeValue, "/dt"},
		{"another stream's schema", strings.Replace(visit(``), "shop/visit/1.1.0", "shop/visit/9", 1), CodeValue, "/$schema"},
		{"nested too deeply", visit(`"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,`), CodeSyntax, ""},
	}
	s := visits(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			row, key, n, p := s.Append([]byte("before"), []byte(test.src+" ,"), arrival())
			if p == nil {
				t.Fatalf("taken as %s", row)
			}
			if p.Code != test.code || p.Path != test.path || p.Message == "" {
				t.Errorf("%s at %q (%s), want %s at %q", p.Code, p.Path, p.Message, test.code, test.path)
			}
			want := len(test.src)
			if test.code == CodeSyntax {
				want = -1
			}
			if n != want || key != (Key{}) || string(row) != "before" {
				t.Errorf("n %d, key %v, row %q; want %d, none and what was there", n, key, row, want)
			}
		})
	}
}

func TestStreamFillsMeta(t *testing.T) {
	src := `{"$schema":"/shop/visit/1.1.0","dt":"2026-11-21T13:45:01Z","meta":{"stream":"shop_visit"}}`
	row, key, _, p := visits(t).Append(nil, []byte(src), arrival())
	if p != nil {
		t.Fatal(p)
	}
	want := `{"dt":"2026-11-21T13:40:00Z","id":"ab000000-0000-4c00-8d00-0000000000ef","stream":"shop_visit"}`
	if got := fieldOfRow(row, "meta"); got != want || key.ID != arrival().NewID() {
		t.Errorf("meta %s with key %x, want %s", got, key.ID, want)
	}
}

func TestStreamMaxAge(t *testing.T) {
	s := visits(t)
	s.MaxAge = time.Hour
	src := []byte(strings.Replace(visit(``), "13:45:01", "12:45:01", 1))
	a := arrival()
	if _, _, _, p := s.Append(nil, src, a); p == nil || p.Code != CodeTime || p.Path != "/dt" {
		t.Errorf("problem %v", p)
	}
	a.AnyAge = true
	if _, _, _, p := s.Append(nil, src, a); p != nil {
		t.Errorf("an import: %v", p)
	}
}

func TestStreamErrors(t *testing.T) {
	r := loadRegistry(t, "testdata/schemas")
	tests := []struct {
		name   string
		config StreamConfig
		want   string
	}{
		{"the built-in name", StreamConfig{Name: "interaction"}, "interaction is built in"},
		{"a name with a dash", StreamConfig{Name: "shop-visit"}, "1 to 64 of a-z, 0-9, _"},
		{"no such schema", StreamConfig{Name: "a", Schema: "/none"}, "no schema /none in testdata/schemas"},
		{"nearly a schema", StreamConfig{Name: "a", Schema: "/store/visit"}, "(did you mean /shop/visit?)"},
		{"no such time", StreamConfig{Name: "a", Schema: "/shop/visit", Time: "time"}, "time: no field that holds a time"},
		{"a time that is none", StreamConfig{Name: "a", Schema: "/shop/visit", Time: "meta"}, "meta: no field that holds a time"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := r.Stream(test.config); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
	s, err := r.Stream(StreamConfig{Name: "a", Schema: "/shop/visit/1.0.0", Time: "meta.dt"})
	if err != nil || len(s.Schemas) != 2 || s.Time != "meta.dt" {
		t.Errorf("stream %v (%v)", s, err)
	}
}

func TestInteractionStream(t *testing.T) {
	row, _, n, p := InteractionStream().Append(nil, []byte(sample), arrival())
	if p != nil || n != len(sample) || string(row) != sampleRow {
		t.Errorf("row %s (%v)", row, p)
	}
}

func TestKeyID(t *testing.T) {
	if KeyID("3F2504E0-4F89-41D3-9A0C-0305E82C3301") != KeyID("3f2504e0-4f89-41d3-9a0c-0305e82c3301") {
		t.Error("the case of a UUID makes a difference")
	}
	if KeyID("a") == KeyID("b") {
		t.Error("two texts have one id")
	}
}

// TestRealExamples stores the examples that the real schemas have.
func TestRealExamples(t *testing.T) {
	r := loadRegistry(t, realSchemas)
	stored := 0
	for _, schema := range r.Schemas() {
		examples, _ := schema.JSONDocument()["examples"].([]any)
		for _, example := range examples {
			s, err := r.Stream(StreamConfig{Name: "s", Schema: schema.ID})
			if err != nil {
				t.Fatal(err)
			}
			src, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			row, key, _, p := s.Append(nil, src, arrival())
			if p != nil || key.Time == 0 || !json.Valid(row) {
				t.Errorf("%s: row %s, key %v (%v)", schema.ID, row, key, p)
			}
			if len(row) < len(src) {
				t.Errorf("%s: row %s lacks something of %s", schema.ID, row, src)
			}
			stored++
		}
	}
	if stored < 3 {
		t.Errorf("%d examples, want 3 or more", stored)
	}
}

func BenchmarkStreamAppend(b *testing.B) {
	s, a, dst := visits(b), arrival(), make([]byte, 0, 4096)
	src := []byte(visit(`"amount":3,"install":"abcdefgh","steps":[["a",1],["b",2,3]],`))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, p := s.Append(dst, src, a); p != nil {
			b.Fatal(p)
		}
	}
}

// BenchmarkAppSession is the cost of a real app event.
func BenchmarkAppSession(b *testing.B) {
	schema := loadRegistry(b, realSchemas)
	s, err := schema.Stream(StreamConfig{Name: "app_session", Schema: "/analytics/mobile_apps/app_session"})
	if err != nil {
		b.Fatal(err)
	}
	src, err := json.Marshal(s.Schemas[0].JSONDocument()["examples"].([]any)[0])
	if err != nil {
		b.Fatal(err)
	}
	a, dst := arrival(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, p := s.Append(dst, src, a); p != nil {
			b.Fatal(p)
		}
	}
}

func TestArraysOfLittle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shop", "list")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	schema := "$schema: https://json-schema.org/draft/2020-12/schema\n$id: /shop/list/1.0.0\ntitle: shop/list\ntype: object\nproperties:\n  dt: {type: string, format: date-time}\n  $schema: {type: string}\n" +
		"  items: {type: array, items: {type: [object, 'null'], properties: {"
	for i := range 30 {
		schema += fmt.Sprintf("f%d: {type: integer}, ", i)
	}
	if err := os.WriteFile(filepath.Join(dir, "1.0.0.yaml"), []byte(schema+"}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := loadRegistry(t, filepath.Dir(filepath.Dir(dir))).Stream(StreamConfig{Name: "shop_list", Schema: "/shop/list", Time: "dt"})
	if err != nil {
		t.Fatal(err)
	}
	full := `{"f0":1`
	for i := range 29 {
		full += fmt.Sprintf(`,"f%d":1`, i+1)
	}
	tests := []struct {
		name, item string
		n          int
		refused    bool
	}{
		{"as many as are free", "{}", freeGaps / 30, false},
		{"one more", "{}", freeGaps/30 + 1, true},
		{"nulls", "null", 100, true},
		{"with little in each", `{"f7":1}`, 1000, true},
		{"with a text that is as long", `{"f12345":"a text that no column has, and that does not count as one"}`, 100, true},
		{"full ones", full + "}", 200, false},
		{"with a third of all", full[:strings.Index(full, `,"f10"`)] + "}", 1000, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := `{"$schema":"/shop/list/1.0.0","dt":"2026-11-21T13:45:01.5Z","items":[` + strings.Repeat(test.item+",", test.n-1) + test.item + `]}`
			_, _, n, p := s.Append(nil, []byte(src), arrival())
			if n != len(src) || (p != nil) != test.refused || p != nil && p.Code != CodeLength {
				t.Errorf("%d of %d bytes: %v", n, len(src), p)
			}
		})
	}
}
