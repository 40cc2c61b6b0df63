package sanitize

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"brine/event"
	"brine/lake/duck"
)

// trial is a random schema with rows of it and a list of rules.
type trial struct {
	*rand.Rand
	stream *event.Stream
	rules  map[string]any
	rows   []map[string]any
	secret int // numbers the values, so that each text and large number is there once
}

// oddNames are what properties of schemas may be called.
var oddNames = []string{"on", "yes", "a b", "Ünï", "sel'ect", `quo"te`, "$schema", "x.y", "floor", "only", "id", "from", "null", "404", "e1", "a-b"}

func newTrial(t *testing.T, seed uint64) *trial {
	tr := &trial{Rand: rand.New(rand.NewPCG(seed, 1))}
	schema := tr.object(0)
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "s"
	schema["properties"].(map[string]any)["dt"] = map[string]any{"type": "string", "format": "date-time"}
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	tr.stream = mustStream(t, "s", string(text))
	tr.rules = tr.rulesFor(tr.stream.Columns)
	for range 1 + tr.IntN(60) {
		tr.rows = append(tr.rows, tr.row(tr.stream.Columns))
	}
	return tr
}

func (tr *trial) names(n int) []string {
	picked := slices.Clone(oddNames)
	tr.Shuffle(len(picked), func(i, j int) { picked[i], picked[j] = picked[j], picked[i] })
	return picked[:n]
}

func (tr *trial) object(depth int) map[string]any {
	properties := map[string]any{}
	for _, name := range tr.names(2 + tr.IntN(4)) {
		properties[name] = tr.schema(depth + 1)
	}
	return map[string]any{"type": "object", "properties": properties}
}

func (tr *trial) schema(depth int) map[string]any {
	scalars := []map[string]any{
		{"type": "string"}, {"type": "integer"}, {"type": "integer", "minimum": 0, "maximum": 1000},
		{"type": "number"}, {"type": "boolean"}, {"type": "string", "format": "date-time"},
	}
	scalar := scalars[tr.IntN(len(scalars))]
	kind := tr.IntN(10)
	switch {
	case kind == 0 && depth < 3:
		return map[string]any{"type": "array", "items": tr.object(depth)}
	case kind == 1 && depth < 3:
		return map[string]any{"type": "object", "additionalProperties": tr.object(depth)}
	case kind == 2 && depth < 3:
		return tr.object(depth)
	case kind == 3:
		return map[string]any{"type": "object", "additionalProperties": scalar}
	case kind == 4:
		return map[string]any{"type": "array", "items": scalar}
	case kind == 5:
		items := []any{map[string]any{"type": "string", "title": "name"}, map[string]any{"type": "integer", "title": "ms"}}
		return map[string]any{"type": "array", "items": map[string]any{"type": "array", "prefixItems": items}}
	case kind == 6:
		return map[string]any{"type": "array", "items": map[string]any{"type": "array", "items": scalar}}
	}
	return scalar
}

// rulesFor has a rule that fits for most of the columns, and none for the others.
func (tr *trial) rulesFor(columns []event.Column) map[string]any {
	rules := map[string]any{}
	for _, c := range columns {
		if rule := tr.rule(c); rule != nil && tr.IntN(6) > 0 {
			rules[c.Name] = rule
		}
	}
	if len(rules) == 0 {
		rules[columns[0].Name] = "drop"
	}
	return rules
}

func (tr *trial) rule(c event.Column) any {
	if holdsObjects(c) {
		fields, free := below(c)
		if free {
			for _, key := range tr.names(3) {
				field := c.Fields[0]
				field.Name = key
				fields = append(fields, field)
			}
		}
		return tr.rulesFor(fields)
	}
	options := []any{"keep", "keep", "drop"}
	if hashable(c) {
		options = append(options, "hash", "hash", "hash_per_stream")
	}
	switch {
	case namesIn(c):
		options = append(options, map[string]any{"only": []string{"a*", "é", "it's", "2*"}})
	case c.Kind == event.Double || c.Kind == event.Int32 || c.Kind == event.Int64:
		edges := [][]float64{{0}, {1, 5, 100}, {-10, -1, 0, 1, 2}, {0.5, 1, 2.5}}
		options = append(options, map[string]any{"bucket": edges[tr.IntN(len(edges))]})
	}
	if c.Kind == event.Int64 {
		options = append(options, map[string]any{"floor": []string{"10m", "1h", "1d"}[tr.IntN(3)]})
	}
	return options[tr.IntN(len(options))]
}

func (tr *trial) row(columns []event.Column) map[string]any {
	row := map[string]any{}
	for _, c := range columns {
		if c.Name == "dt" && c.Kind == event.String && tr.IntN(3) > 0 {
			row["dt"] = tr.time()
		} else if value := tr.value(c); value != nil {
			row[c.Name] = value
		}
	}
	return row
}

func (tr *trial) time() string {
	zones := []string{"Z", "z", "+02:00", "-11:30"}
	return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:%02d.%03d%s", 1+tr.IntN(12), 1+tr.IntN(28), tr.IntN(24), tr.IntN(60), tr.IntN(60), tr.IntN(1000), zones[tr.IntN(4)])
}

func (tr *trial) value(c event.Column) any {
	if tr.IntN(8) == 0 {
		return nil
	}
	switch c.Kind {
	case event.Bool:
		return tr.IntN(2) == 0
	case event.Int32:
		return json.Number(strconv.Itoa(tr.IntN(1001)))
	case event.Int64:
		return json.Number([]string{"0", "1", "4", "5", "100", "-1", "9223372036854775807", "-9223372036854775808", "1795266467942", "-1",
			strconv.FormatInt(tr.marker(), 10)}[tr.IntN(11)])
	case event.Double:
		return json.Number([]string{"-0", "0.5", "0.75", "1", "2.5", "99.5", "-10.25", "100"}[tr.IntN(8)]) // no 0 as well: Parquet dictionaries take it for -0
	case event.String:
		return []string{"", "a", "é", "e\u0301", "it's", "a\x00b", "👍🏽", "2026-11-21T13:47:59Z", tr.text(), tr.text(), tr.text()}[tr.IntN(11)]
	case event.Struct:
		return tr.row(c.Fields)
	case event.Map:
		object := map[string]any{}
		for _, key := range append(tr.names(3), tr.text()) {
			if value := tr.value(c.Fields[0]); value != nil {
				object[key] = value
			}
		}
		return object
	case event.Tuple:
		tuple := []any{tr.text(), json.Number(strconv.FormatInt(tr.marker(), 10))}
		if tr.IntN(2) == 0 {
			tuple[0] = "a"
		}
		return tuple[:1+tr.IntN(2)]
	default: // event.List
		list := []any{}
		for range tr.IntN(4) {
			list = append(list, tr.value(c.Fields[0]))
		}
		return list
	}
}

// text is one that is nowhere else.
func (tr *trial) text() string {
	tr.secret++
	return fmt.Sprintf("%s-secret-%d-%x", []string{"a", "z"}[tr.IntN(2)], tr.secret, tr.Uint32())
}

// marker is a number that is nowhere else, and whose bytes are not by chance.
func (tr *trial) marker() int64 { return 1<<60 | int64(tr.Uint64()>>5) | 1 }

func (tr *trial) allowlist(t *testing.T) *Allowlist {
	text, err := json.Marshal(map[string]any{"s": tr.rules})
	if err != nil {
		t.Fatal(err)
	}
	return Parse("allowlist.yaml", text)
}

// raw writes the rows as two files, of which the first is of a schema that lacked the last column.
func (tr *trial) raw(b *bench, name string) string {
	columns := tr.stream.Columns
	old := columns[:len(columns)-1]
	half := len(tr.rows) / 2
	for i := range half {
		delete(tr.rows[i], columns[len(columns)-1].Name)
	}
	b.raw(name+".old", old, tr.rows[:half])
	b.raw(name+".new", columns, tr.rows[half:])
	return b.read(name+".old", name+".new")
}

// The plan agrees with [reference] on every row, whatever the schema, the rows and the rules are, twice; what
// the reference does not give is nowhere in the file.
func TestAgainstReference(t *testing.T) {
	b := newBench(t, duck.Options{})
	for seed := range uint64(80) {
		tr := newTrial(t, seed)
		plan, err := Compile(tr.stream, tr.allowlist(t), Options{})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		in := Input{Rows: tr.raw(b, "raw"), Source: 1, Hasher: withSalt(someSalt)}
		for range 2 {
			if err := b.sanitize(plan, in, "out"); err != nil {
				t.Fatal(err)
			}
			tr.compare(t, seed, b.rows(plan.Columns, b.read("out")), mustRead(t, b.path("out")))
		}
	}
}

func (tr *trial) compare(t *testing.T, seed uint64, got []string, file []byte) {
	t.Helper()
	var want []string
	for _, row := range tr.rows {
		kept, err := json.Marshal(reference{someSalt, "s"}.value(tr.rules, row))
		if err != nil {
			t.Fatal(err)
		}
		if string(kept) == "null" {
			kept = []byte("{}") // a row of which nothing is kept still says that there was one
		}
		want = append(want, canonical(t, kept))
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("seed %d: rules %v", seed, tr.rules)
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("\n got %s\nwant %s", got[i], want[i])
			}
		}
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	kept := strings.Join(want, "\n")
	for _, row := range tr.rows {
		leaked(t, seed, row, kept, file)
	}
}

// leaked looks for every text and large number of a row that is not kept.
func leaked(t *testing.T, seed uint64, value any, kept string, file []byte) {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if strings.Contains(name, "secret") {
				leaked(t, seed, name, kept, file)
			}
			leaked(t, seed, member, kept, file)
		}
	case []any:
		for _, item := range v {
			leaked(t, seed, item, kept, file)
		}
	case string:
		if strings.Contains(v, "secret") && !strings.Contains(kept, v) && bytes.Contains(file, []byte(v)) {
			t.Errorf("seed %d: the file holds %q, which is not kept", seed, v)
		}
	case json.Number:
		n, err := v.Int64()
		if err == nil && n > 1<<60 && !strings.Contains(kept, v.String()) && bytes.Contains(file, binary.LittleEndian.AppendUint64(nil, uint64(n))) {
			t.Errorf("seed %d: the file holds %d, which is not kept", seed, n)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Rows that keep the same time and no pseudonym come in an order of chance, not in that of the raw rows.
func TestOrderTellsNothing(t *testing.T) {
	stream := mustStream(t, "s", "{$schema: 'https://json-schema.org/draft/2020-12/schema', type: object, properties: {n: {type: integer}}}")
	plan, err := Compile(stream, Parse("allowlist.yaml", []byte("s: {n: keep}")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	const many = 5000
	var rows []map[string]any
	for i := range many {
		rows = append(rows, map[string]any{"n": json.Number(strconv.Itoa(i))})
	}
	b := newBench(t, duck.Options{})
	if err := b.sanitize(plan, Input{Rows: b.raw("raw", stream.Columns, rows)}, "out"); err != nil {
		t.Fatal(err)
	}
	moved := b.rows([]event.Column{{Name: "moved", Kind: event.Int64}},
		"(SELECT count(*) AS moved FROM (SELECT n, row_number() OVER () AS place FROM "+b.read("out")+") WHERE abs(n - place) > 500)")
	// Of a random order 1 in 5 stays within 500 places.
	if moved[0] < `{"moved":3700}` || moved[0] > `{"moved":4300}` {
		t.Errorf("%s of %d rows moved by over 500 places", moved[0], many)
	}
}

// A field may have any name that SQL, or the query itself, uses.
func TestNamesOfFields(t *testing.T) {
	for _, name := range []string{"nothing", "Nothing", "e1", "rowid", "filename", "file_row_number", "select", "placeholder", "chance"} {
		stream := mustStream(t, "s", "{$schema: 'https://json-schema.org/draft/2020-12/schema', type: object, properties: {"+name+": {type: string}, n: {type: integer}}}")
		plan, err := Compile(stream, Parse("list.yaml", []byte("s: {"+name+": keep, n: keep}")), Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, duck.Options{Threads: 1})
		if err := b.sanitize(plan, Input{Rows: b.raw("raw", stream.Columns, []map[string]any{{name: "a value", "n": json.Number("1")}})}, "out"); err != nil {
			t.Fatal(err)
		}
		if got := b.rows(plan.Columns, b.read("out")); len(got) != 1 || !strings.Contains(got[0], `"`+name+`":"a value"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A row's id is not of DuckDB's own chance, of which some numbers tell all others and their order, which is that of the raw rows.
func TestIDsTellNothing(t *testing.T) {
	stream := mustStream(t, "s", narrowSchema)
	for _, list := range []string{"s: {dt: {floor: 1h}}", "s: {dt: {floor: 1h}, id: hash}"} {
		plan, err := Compile(stream, Parse("list.yaml", []byte(list)), Options{})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, duck.Options{Threads: 1})
		raw := b.raw("raw", stream.Columns, []map[string]any{{"id": "a"}, {"id": "b"}})
		ids := map[string]bool{}
		for _, out := range []string{"one", "two"} {
			if err := b.conn.Exec(t.Context(), "SELECT setseed(0.5)"); err != nil {
				t.Fatal(err)
			}
			if err := b.sanitize(plan, Input{Rows: raw, Hasher: withSalt(someSalt)}, out); err != nil {
				t.Fatal(err)
			}
			for _, row := range b.rows([]event.Column{{Name: "id", Kind: event.String}}, "(SELECT brine_id::VARCHAR AS id FROM "+b.read(out)+")") {
				ids[row] = true
			}
		}
		if len(ids) != 4 {
			t.Errorf("%s: of two rows, sanitized twice with one seed, %d ids are different", list, len(ids))
		}
	}
}

// The keys are in order and each is there once.
func TestKeys(t *testing.T) {
	stream := mustStream(t, "s", narrowSchema)
	plan, err := Compile(stream, Parse("list.yaml", []byte("s: {dt: {floor: 1h}, id: hash}")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{Rand: rand.New(rand.NewPCG(1, 1))}
	var rows []map[string]any
	for range 5000 {
		rows = append(rows, map[string]any{"dt": tr.time(), "id": strconv.Itoa(tr.IntN(50))})
	}
	rows = append(rows, map[string]any{"id": "without a time"})
	b := newBench(t, duck.Options{})
	if err := b.sanitize(plan, Input{Rows: b.raw("raw", stream.Columns, rows), Source: 7, Hasher: withSalt(someSalt)}, "out"); err != nil {
		t.Fatal(err)
	}
	got := b.rows([]event.Column{{Name: "rows", Kind: event.Int64}, {Name: "ids", Kind: event.Int64}, {Name: "ordered", Kind: event.Bool}, {Name: "bare", Kind: event.Int64}},
		`(SELECT count(*) AS rows, count(DISTINCT brine_id) AS ids, bool_and(before IS NULL OR before < (brine_time, brine_id)) AS ordered,
			count(*) FILTER (dt IS NULL AND brine_time = `+strconv.FormatInt(someHour.UnixMilli(), 10)+`) AS bare
			FROM (SELECT *, lag((brine_time, brine_id)) OVER () AS before FROM `+b.read("out")+`))`)
	if got[0] != `{"bare":1,"ids":5001,"ordered":true,"rows":5001}` {
		t.Error(got)
	}
}
