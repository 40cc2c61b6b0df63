package sanitize

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"brine/event"
	"brine/lake/duck"
)

// narrow tightens a file to a plan and gives the rows that are left.
func (b *bench) narrow(p *Plan, made, file, out string) (*Narrowing, []string) {
	b.tb.Helper()
	columns, err := b.conn.Columns(b.tb.Context(), b.read(file))
	if err != nil {
		b.tb.Fatal(told(err))
	}
	n, err := p.Narrow(made, columns)
	if err != nil {
		b.tb.Fatal(err)
	}
	if err := b.sanitize(n.Plan, Input{Rows: b.read(file)}, out); err != nil {
		b.tb.Fatal(err)
	}
	return n, b.rows(n.Plan.Columns, b.read(out))
}

// withoutHash are rules as a file can follow them that is there without its salt.
func withoutHash(rules map[string]any) map[string]any {
	plain := map[string]any{}
	for name, rule := range rules {
		switch r := rule.(type) {
		case map[string]any:
			plain[name] = withoutHash(r)
		case string:
			plain[name] = strings.Replace(strings.Replace(r, "hash_per_stream", "drop", 1), "hash", "drop", 1)
		default:
			plain[name] = rule
		}
	}
	return plain
}

// A file of which all was kept comes down to what a list permits, but for pseudonyms; what goes is nowhere in its bytes.
// A second time there is nothing to take, and a list that permits more gives nothing back.
func TestNarrowFromAll(t *testing.T) {
	b := newBench(t, duck.Options{})
	for seed := range uint64(60) {
		tr := newTrial(t, seed)
		all, err := Compile(tr.stream, Parse("all.yaml", []byte("s: keep_all")), Options{AllowKeepAll: true})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := Compile(tr.stream, tr.allowlist(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.sanitize(all, Input{Rows: tr.raw(b, "raw")}, "all"); err != nil {
			t.Fatal(err)
		}
		n, rows := b.narrow(plan, all.Made(), "all", "narrow")
		tr.rules = withoutHash(tr.rules)
		tr.compare(t, seed, rows, mustRead(t, b.path("narrow")))

		if !plan.Narrows(all) || all.Narrows(plan) && len(n.Taken) > 0 {
			t.Errorf("seed %d: Narrows is wrong", seed)
		}
		for _, p := range []*Plan{plan, all} {
			again, same := b.narrow(p, n.Plan.Made(), "narrow", "again")
			if len(again.Taken) > 0 || !slices.Equal(same, rows) || again.Plan.Made() != n.Plan.Made() {
				t.Errorf("seed %d: after it was narrowed, %v was taken; made by\n%s\nthen\n%s", seed, again.Taken, n.Plan.Made(), again.Plan.Made())
			}
		}
	}
}

const narrowSchema = `
$schema: https://json-schema.org/draft/2020-12/schema
type: object
properties:
  dt: {type: string, format: date-time}
  at: {type: integer}
  n: {type: integer}
  id: {type: string}
  os: {type: string}
  tags: {type: array, items: {type: string}}
  steps: {type: array, items: {type: array, prefixItems: [{type: string, title: name}, {type: integer, title: ms}]}}
  o: {type: object, properties: {a: {type: string}, b: {type: string}}}
  m: {type: object, additionalProperties: {type: string}}
`

const narrowRow = `{"dt":"2026-11-21T13:47:59Z","at":1795268267942,"n":7,"id":"some-id","os":"iOS","tags":["a","b"],` +
	`"steps":[["screen.a",1],["user.b",2]],"o":{"a":"x","b":"y"},"m":{"k":"v","l":"w"}}`

func TestNarrow(t *testing.T) {
	stream := mustStream(t, "s", narrowSchema)
	hashed := string(plainHMAC{someSalt}.Pseudonym(nil, []byte("some-id")))
	perStream := string(plainHMAC{someSalt}.PseudonymPerStream(nil, "s", []byte("some-id")))
	for _, c := range []struct{ was, now, want string }{
		{"n: keep", "n: keep", `{"n":7}`},
		{"n: keep\n  os: keep", "n: keep\n  os: drop", `{"n":7}`},
		{"id: keep", "id: hash", `{}`},
		{"n: keep", "n: hash_per_stream", `{}`},
		{"id: hash", "id: keep", `{"id":"` + hashed + `"}`},
		{"id: hash", "id: hash_per_stream", `{}`},
		{"id: hash_per_stream", "id: hash", `{"id":"` + perStream + `"}`},
		{"id: hash", "id: {only: [some-id]}", `{}`},
		{"dt: keep", "dt: {floor: 1h}", `{"dt":"2026-11-21T13:00:00Z"}`},
		{"dt: {floor: 10m}", "dt: {floor: 1d}", `{"dt":"2026-11-21T00:00:00Z"}`},
		{"dt: {floor: 1d}", "dt: {floor: 10m}", `{"dt":"2026-11-21T00:00:00Z"}`},
		{"at: {floor: 10m}", "at: {floor: 1h}", `{"at":1795266000000}`},
		{"at: {floor: 10m}", "at: {bucket: [0]}", `{}`},
		{"n: keep", "n: {bucket: [5, 10]}", `{"n":"5-9"}`},
		{"n: {bucket: [1, 5, 10, 20]}", "n: {bucket: [1, 20]}", `{"n":"1-19"}`},
		{"n: {bucket: [1, 5, 10, 20]}", "n: {bucket: [10]}", `{"n":"<10"}`},
		{"n: {bucket: [1, 5, 6]}", "n: {bucket: [5]}", `{"n":"5+"}`},
		{"n: {bucket: [1, 5]}", "n: {bucket: [1, 5, 7]}", `{"n":"5+"}`},
		{"n: {bucket: [1, 5]}", "n: {bucket: [3]}", `{}`},
		{"n: {bucket: [1, 5]}", "n: keep", `{"n":"5+"}`},
		{"os: keep", "os: {only: [iOS]}", `{"os":"iOS"}`},
		{"os: keep", "os: {only: [Android]}", `{}`},
		{"os: {only: [iOS]}", "os: {only: ['i*', x]}", `{"os":"iOS"}`},
		{"os: {only: ['i*', x]}", "os: {only: [x]}", `{}`},
		{"tags: keep", "tags: {only: [b]}", `{"tags":["b"]}`},
		{"steps: keep", "steps: {only: ['screen.*']}", `{"steps":[["screen.a",1]]}`},
		{"steps: {only: ['screen.*', 'user.*']}", "steps: {only: ['user.*']}", `{"steps":[["user.b",2]]}`},
		{"o: {a: keep, b: keep}", "o: {b: keep}", `{"o":{"b":"y"}}`},
		{"o: {a: keep}", "o: {b: keep}", `{}`},
		{"o: {a: keep}", "n: keep", `{}`},
		{"o: {a: hash}", "o: keep_all", `{"o":{"a":"` + string(plainHMAC{someSalt}.Pseudonym(nil, []byte("x"))) + `"}}`},
		{"o: keep_all", "o: {a: keep}", `{"o":{"a":"x"}}`},
		{"m: keep_all", "m: {k: keep}", `{"m":{"k":"v"}}`},
		{"m: {k: keep, l: keep}", "m: {l: keep}", `{"m":{"l":"w"}}`},
		{"m: {k: keep}", "m: keep_all", `{"m":{"k":"v"}}`},
	} {
		t.Run(c.was+" to "+c.now, func(t *testing.T) {
			b := newBench(t, duck.Options{})
			in := Input{Rows: b.raw("raw", stream.Columns, []map[string]any{decode(t, []byte(narrowRow)).(map[string]any)}), Hasher: withSalt(someSalt)}
			var plans []*Plan
			for _, rules := range []string{c.was, c.now} {
				plan, err := Compile(stream, Parse("list.yaml", []byte("s:\n  "+rules)), Options{AllowKeepAll: true})
				if err != nil {
					t.Fatal(err)
				}
				plans = append(plans, plan)
			}
			if err := b.sanitize(plans[0], in, "was"); err != nil {
				t.Fatal(err)
			}
			before := b.rows(plans[0].Columns, b.read("was"))
			n, got := b.narrow(plans[1], plans[0].Made(), "was", "now")
			if want := canonical(t, []byte(c.want)); len(got) != 1 || got[0] != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if slices.Equal(got, before) != (len(n.Taken) == 0) && c.now != "os: {only: [iOS]}" {
				t.Errorf("%v was taken: from %s to %s", n.Taken, before, got)
			}
		})
	}
}

// A stream that is no longer listed loses its rows.
func TestNarrowToNothing(t *testing.T) {
	stream := mustStream(t, "s", narrowSchema)
	listed, err := Compile(stream, Parse("list.yaml", []byte("s: {n: keep}")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	unlisted, err := Compile(stream, Parse("list.yaml", []byte("other: {n: keep}")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, duck.Options{})
	if err := b.sanitize(listed, Input{Rows: b.raw("raw", stream.Columns, []map[string]any{{"n": json.Number("1")}})}, "was"); err != nil {
		t.Fatal(err)
	}
	n, rows := b.narrow(unlisted, listed.Made(), "was", "now")
	if len(rows) > 0 || len(n.Taken) == 0 || unlisted.Narrows(listed) == false || listed.Narrows(unlisted) {
		t.Errorf("left %s, taken %v", rows, n.Taken)
	}
}

// What a file does not say it was made by is not guessed.
func TestNarrowUnknown(t *testing.T) {
	for _, made := range []string{"", "{}", `{"version":2}`} {
		if _, err := (&Plan{}).Narrow(made, []event.Column{{Name: "n", Kind: event.Int64}}); err == nil {
			t.Errorf("%q was taken for a plan", made)
		}
	}
}
