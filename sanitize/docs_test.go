package sanitize

import (
	"os"
	"regexp"
	"testing"

	"brine/event"
	"brine/lake/duck"
)

const docsSchema = `
$schema: https://json-schema.org/draft/2020-12/schema
type: object
properties:
  text: {type: string}
  number: {type: integer}
  share: {type: number}
  numbers: {type: array, items: {type: integer}}
  time: {type: string, format: date-time}
  ms: {type: integer}
  steps: {type: array, items: {type: array, prefixItems: [{type: string, title: name}, {type: integer, title: ms}]}}
  object: {type: object, properties: {a: {type: string}, b: {type: string}}}
  map: {type: object, additionalProperties: {type: string}}
`

var docsExample = regexp.MustCompile("(?m)^\\| `(.+)` \\| `(\\{.+\\})` \\| `(\\{.*\\})` \\|$")

// The examples of docs/allowlist.md are as they are told.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/allowlist.md")
	if err != nil {
		t.Fatal(err)
	}
	stream := mustStream(t, "s", docsSchema)
	b := newBench(t, duck.Options{})
	examples := docsExample.FindAllSubmatch(text, -1)
	if len(examples) < 14 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, e := range examples {
		plan, err := Compile(stream, Parse("docs", append([]byte("s:\n  "), e[1]...)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		raw := b.raw("raw", stream.Columns, []map[string]any{decode(t, e[2]).(map[string]any)})
		if err := b.sanitize(plan, Input{Rows: raw, Hasher: withSalt(someSalt)}, "out"); err != nil {
			t.Fatal(err)
		}
		if got := b.rows(plan.Columns, b.read("out")); len(got) != 1 || got[0] != canonical(t, e[3]) {
			t.Errorf("%s of %s gives %s", e[1], e[2], got)
		}
	}
}

// The list at the top of it has no mistake.
func TestDocsList(t *testing.T) {
	text, err := os.ReadFile("../docs/allowlist.md")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)[1]
	stream := mustStream(t, "app_session", `
$schema: https://json-schema.org/draft/2020-12/schema
type: object
properties:
  dt: {type: string, format: date-time}
  app_install_id: {type: string}
  length_ms: {type: integer}
  languages: {type: array, items: {type: string}}
  meta: {type: object, properties: {dt: {type: string, format: date-time}, domain: {type: string}, id: {type: string}}}
  steps: {type: array, items: {type: object, properties: {name: {type: string}}}}
  settings: {type: object, additionalProperties: {type: string}}
`)
	streams := map[string]*event.Stream{"app_session": stream, "old_stream": mustStream(t, "old_stream", docsSchema)}
	mistakes, warnings := Check(Parse("docs", list), streams, Options{})
	if len(mistakes)+len(warnings) > 0 {
		t.Errorf("%v\n%v", mistakes, warnings)
	}
}
