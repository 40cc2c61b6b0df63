package event

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const realSchemas = "../../shared/realdata/schemas"

func loadRegistry(t testing.TB, folder string) *Registry {
	t.Helper()
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("skipped: ../shared has no schemas: %v", err)
	}
	r, err := LoadRegistry(folder)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegistry(t *testing.T) {
	r := loadRegistry(t, "testdata/schemas")
	var ids []string
	for _, s := range r.Schemas() {
		ids = append(ids, s.ID)
	}
	if got, want := strings.Join(ids, " "), "/interaction/1 /shop/visit/1.1.0 /shop/visit/1.0.0"; got != want {
		t.Errorf("schemas %s, want %s", got, want)
	}
	if s, ok := r.Schema("/shop/visit/1.0.0"); !ok || s.Title != "shop/visit" || s.Version != [3]int{1, 0, 0} {
		t.Errorf("/shop/visit/1.0.0 is %v", s)
	}
	if _, ok := r.Schema("/shop/visit/2.0.0"); ok {
		t.Error("/shop/visit/2.0.0 was found")
	}
}

func TestRegistryWithoutFolder(t *testing.T) {
	r, err := LoadRegistry(filepath.Join(t.TempDir(), "none"))
	if err != nil || len(r.Schemas()) != 1 {
		t.Errorf("%d schemas (%v), want the built-in one", len(r.Schemas()), err)
	}
}

func TestRegistryErrors(t *testing.T) {
	const head = "$schema: https://json-schema.org/draft/2020-12/schema\n$id: /a/1.0.0\ntitle: a\ntype: object\n"
	const field = "properties: {a: {type: string}}\n"
	tests := []struct{ name, file, text, want string }{
		{"malformed YAML", "a.yaml", head + "properties: {a: {type: string}\n", "a.yaml:5: "},
		{"a key twice in YAML", "a.yaml", head + field + field, "a.yaml:6: "},
		{"malformed JSON", "a.json", "{\n \"$id\": 1,\n}", "a.json:3: "},
		{"JSON that ends early", "a.json", "{\n \"a\": [1", "a.json:2: the JSON ends too early"},
		{"a key twice in JSON", "a.json", "{\n \"a\": 1,\n \"a\": 2}", `a.json:3: the key "a" comes twice`},
		{"no object", "a.yaml", "- a\n", "a.yaml: a schema is an object"},
		{"no $schema", "a.yaml", "$id: /a/1.0.0\ntitle: a\n" + field, "a.yaml: $schema is missing: say https"},
		{"another draft", "a.yaml", "$schema: http://json-schema.org/draft-04/schema#\n" + field, "a.yaml: $schema is \"http://json-schema.org/draft-04/schema\": say"},
		{"no schema", "a.yaml", head + "properties: {a: {type: text}}\n", "a.yaml: "},
		{"a pattern that is none", "a.yaml", head + "properties: {a: {type: string, pattern: '('}}\n", "a.yaml: "},
		{"another file's schema", "a.yaml", head + "properties: {a: {$ref: /b/1.0.0}}\n", "write the other schema out"},
		{"no $id", "a.yaml", "$schema: https://json-schema.org/draft/2020-12/schema\ntitle: a\n" + field, "a.yaml: no $id: give it one"},
		{"no title", "a.yaml", "$schema: https://json-schema.org/draft/2020-12/schema\n$id: /a/1.0.0\n" + field, "a.yaml: no title"},
		{"no event", "a.yaml", "$schema: https://json-schema.org/draft/2020-12/schema\n$id: /a/1\ntitle: a\ntype: string\n", "a.yaml: an event is an object"},
		{"a name of the lake", "a.yaml", head + "properties: {date: {type: string}}\n", "a.yaml: date: the name is taken by the lake"},
		{"another, in another case", "a.yaml", head + "properties: {Hour: {type: integer}}\n", "a.yaml: Hour: the name is taken by the lake"},
		{"and the last", "a.yaml", head + "properties: {received: {type: integer}}\n", "a.yaml: received: the name is taken by the lake"},
		{"a $id that is taken", "a.yaml", strings.Replace(head, "/a/1.0.0", "/interaction/1", 1) + field, "a.yaml: $id /interaction/1 is taken by"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, test.file), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadRegistry(folder)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// A repository may keep a schema as YAML and as JSON; but not two schemas under one $id.
func TestRegistryTakesTheSameSchemaTwice(t *testing.T) {
	folder := t.TempDir()
	write := func(file, text string) {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "title: a\n$id: /a/1.0.0\n$schema: https://json-schema.org/draft/2020-12/schema\nproperties: {n: {type: integer, maximum: 9007199254740991}}\n")
	write("b.json", `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"/a/1.0.0","title":"a","properties":{"n":{"type":"integer","maximum":9007199254740991}}}`)
	if r := loadRegistry(t, folder); len(r.Schemas()) != 2 {
		t.Errorf("%d schemas, want 2", len(r.Schemas()))
	}
	write("c.json", `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"/a/1.0.0","title":"a","properties":{"n":{"type":"string"}}}`)
	if _, err := LoadRegistry(folder); err == nil || !strings.Contains(err.Error(), "c.json: $id /a/1.0.0 is taken by "+filepath.Join(folder, "a.yaml")) {
		t.Errorf("error %v", err)
	}
}

func TestRegistryOfRealSchemas(t *testing.T) {
	r := loadRegistry(t, realSchemas)
	s, err := r.Stream(StreamConfig{Name: "app_session", Schema: "/analytics/mobile_apps/app_session", Time: "dt"})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Schemas) != 2 || s.Schemas[0].ID != "/analytics/mobile_apps/app_session/1.1.0" || s.ID != "meta.id" {
		t.Errorf("stream %v with id %q", s.Schemas, s.ID)
	}
	got := describe(s.Columns)
	for _, want := range []string{
		"dt:string received:integer $schema:string", "is_temp:boolean", "languages:[string]",
		"http:{client_ip:string has_cookies:boolean method:string protocol:string request_headers:<string>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("columns %s, want %s among them", got, want)
		}
	}
}
