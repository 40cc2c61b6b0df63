package risk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"brine/event"
	"brine/risk"
	"brine/simulate"
)

const anySchema = `
title: any
$id: /any/1.0.0
$schema: https://json-schema.org/draft/2020-12/schema
type: object
additionalProperties: false
properties:
  $schema: {type: string}
  dt: {type: string, format: date-time}
  app_install_id: {type: string}
  other_id: {type: string}
  color: {type: string}
  is_new: {type: boolean}
  length_ms: {type: integer}
  ratio: {type: number}
  languages: {type: array, items: {type: string}}
  steps: {type: array, items: {type: object, properties: {name: {type: string}, ms: {type: integer}}}}
  way: {type: array, items: {type: array, prefixItems: [{type: string}, {type: integer}]}}
  settings: {type: object, additionalProperties: {type: string}}
  meta: {type: object, properties: {dt: {type: string, format: date-time}, id: {type: string}, stream: {type: string}, domain: {type: string}}}
`

const anyList = `
one:
  dt: {floor: 1h}
  app_install_id: hash
  other_id: hash
  color: keep
  length_ms: {bucket: [1, 2, 3, 5, 8]}
  languages: keep
  meta: {dt: {floor: 1d}, domain: keep}
two:
  app_install_id: hash
  is_new: keep
  steps: {name: keep, ms: {bucket: [2, 4]}}
  way: {only: [a, b, "c*"]}
  settings: {theme: keep, size: {only: [s]}}
three:
  dt: {floor: 1h}
  ratio: keep
  color: keep
  languages: {only: [en, de]}
  way: keep
four:
  app_install_id: hash_per_stream
  color: keep
  length_ms: keep
`

// anyEvents are random events of some installs, of which few values are common and some are rare.
func anyEvents(r *rand.Rand, stream string, n, installs int) []byte {
	var out bytes.Buffer
	word := func(prefix string, most int) string { return fmt.Sprint(prefix, int(r.ExpFloat64()*float64(most)/4)) }
	for i := range n {
		install := r.IntN(installs)
		own := rand.New(rand.NewPCG(uint64(install), 7)) // its habits
		e := map[string]any{"$schema": "/any/1.0.0", "dt": houseNow.Add(-time.Duration(r.IntN(7*3600)) * time.Second).Format(time.RFC3339),
			"meta": map[string]any{"id": fmt.Sprintf("%08x-0000-4000-8000-%012x", r.Uint32(), i), "stream": stream, "dt": houseNow.Add(-time.Duration(r.IntN(72)) * time.Hour).Format(time.RFC3339)}}
		maybe := func(name string, value any) {
			if r.IntN(6) > 0 {
				e[name] = value
			}
		}
		maybe("app_install_id", fmt.Sprint("install ", install))
		maybe("other_id", fmt.Sprint(r.IntN(9)))
		maybe("color", []string{"red", "green", fmt.Sprint("c", own.IntN(6))}[own.IntN(3)])
		maybe("is_new", own.IntN(2) == 0)
		maybe("length_ms", r.IntN(10))
		maybe("ratio", float64(r.IntN(8))/4)
		maybe("languages", []any{word("l", 6), word("l", 3), "en"}[:r.IntN(4)])
		steps, way := []any{}, []any{}
		for range r.IntN(4) {
			steps = append(steps, map[string]any{"name": word("s", 4), "ms": r.IntN(6)})
			way = append(way, []any{[]string{"a", "b", "c1", "c2", "d"}[r.IntN(5)], r.IntN(1000)})
		}
		maybe("steps", steps)
		maybe("way", way)
		maybe("settings", map[string]any{"theme": word("t", 3), "size": []string{"s", "m"}[r.IntN(2)], "else": "x"})
		text, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		out.Write(append(text, '\n'))
	}
	return out.Bytes()
}

func anyHouse(t *testing.T, seed uint64, list string) *house {
	const unit = "app_install_id"
	h := openHouse(t, list, mustStreams(t, []byte(anySchema), event.StreamConfig{Name: "one", Schema: "/any/1.0.0", Unit: unit},
		event.StreamConfig{Name: "two", Schema: "/any/1.0.0", Unit: unit}, event.StreamConfig{Name: "three", Schema: "/any/1.0.0"},
		event.StreamConfig{Name: "four", Schema: "/any/1.0.0", Unit: unit})...)
	r := rand.New(rand.NewPCG(seed, 1))
	for _, name := range []string{"one", "two", "three", "four"} {
		h.bring(name, anyEvents(r, name, 200+r.IntN(600), 20+r.IntN(200)))
	}
	return h
}

// What DuckDB counts is what plain loops over the rows count, of a part of the time too; and after the proposed rules were put in force, what
// was foretold.
func TestAgainstPlainLoops(t *testing.T) {
	from, to := houseNow.Add(-5*time.Hour), houseNow.Add(-2*time.Hour)
	for seed := range uint64(3) {
		h := anyHouse(t, seed, anyList)
		report := h.measure(from, to)
		if len(report.Parts) != 5 || strings.Join(report.Parts[4].Streams, " ") != "one two" {
			t.Fatalf("%+v", report.Parts)
		}
		for _, part := range report.Parts {
			h.wantPart(part, from, to)
		}
		if seed >= 2 {
			continue
		}
		part := report.Parts[int(seed+2)%5]
		h.tighten(part.Rules)
		now := h.measure(from, to)
		for _, again := range now.Parts {
			if strings.Join(again.Streams, " ") != strings.Join(part.Streams, " ") {
				continue
			}
			if after := part.Rules[len(part.Rules)-1].After; again.Figure() != after {
				t.Errorf("seed %d: %v was to be %+v after %+v, and is %+v", seed, part.Streams, after, part.Rules, again.Figure())
			}
			h.wantPart(again, from, to)
		}
	}
}

// tighten puts rules in force. They have to be narrower than those before.
func (h *house) tighten(steps []risk.Step) {
	h.tb.Helper()
	before, err := h.plans()
	if err != nil {
		h.tb.Fatal(err)
	}
	var list map[string]any
	if err := yaml.Unmarshal([]byte(h.list), &list); err != nil {
		h.tb.Fatal(err)
	}
	for _, s := range steps {
		var rule any
		if err := yaml.Unmarshal([]byte(s.Rule), &rule); err != nil {
			h.tb.Fatal(s.Rule, err)
		}
		at, path := list, strings.Split(s.Field, ".")
		for _, name := range path[:len(path)-1] {
			at = at[name].(map[string]any)
		}
		at[path[len(path)-1]] = rule
	}
	text, err := yaml.Marshal(list)
	if err != nil {
		h.tb.Fatal(err)
	}
	h.list = string(text)
	after, err := h.plans()
	if err != nil {
		h.tb.Fatal(err, h.list)
	}
	for name := range after {
		if !after[name].Narrows(before[name]) {
			h.tb.Errorf("%s keeps more than before:\n%s", name, h.list)
		}
	}
	if done, err := h.job.Tighten(h.tb.Context(), false, nil); err != nil || len(done.Refused) > 0 {
		h.tb.Fatal(err, done)
	}
}

const sessionsList = `
app_session:
  app_install_id: hash
  primary_language: keep
  languages: keep
  is_anon: keep
app_read:
  app_install_id: hash
  is_anon: keep
`

// sessions are a history of simulated apps with two streams, whose installs are those of the same seed.
func sessions(t *testing.T, schema []byte, id string, rare int) *house {
	t.Helper()
	h := openHouse(t, sessionsList, mustStreams(t, schema, event.StreamConfig{Name: "app_session", Schema: id, Unit: "app_install_id"},
		event.StreamConfig{Name: "app_read", Schema: id, Unit: "app_install_id"})...)
	for _, name := range []string{"app_session", "app_read"} {
		var lines bytes.Buffer
		a := simulate.Apps{Seed: 5, Days: 1, PerDay: 1500, Installs: 600, End: houseNow.Truncate(time.Hour), Stream: name, Schema: id, Rare: rare}
		if err := a.Write(&lines); err != nil {
			t.Fatal(err)
		}
		h.bring(name, lines.Bytes())
	}
	return h
}

// The install that alone reads in a rare language is found, in its stream and where streams are joined, and the proposed rules hide it. Nothing
// of it is in the report.
func TestPlantedInstall(t *testing.T) {
	schemas := map[string][]byte{simulate.AppSchemaID: simulate.AppSchema}
	if text, err := os.ReadFile("../../shared/realdata/schemas/app_session-1.1.0.yaml"); err == nil {
		schemas["/analytics/mobile_apps/app_session/1.1.0"] = text
	}
	from, to := houseNow.Add(-48*time.Hour), houseNow
	for id, schema := range schemas {
		without, with := sessions(t, schema, id, 0).measure(from, to), sessions(t, schema, id, 1)
		report := with.measure(from, to)
		text, err := json.Marshal(report)
		if err != nil || strings.Contains(string(text), simulate.RareLanguage) {
			t.Errorf("%v %s", err, text)
		}
		for i, part := range report.Parts {
			before := without.Parts[i].Installs
			if part.Streams[0] == "app_read" && len(part.Streams) == 1 {
				if part.Installs.Unique != before.Unique {
					t.Errorf("%v: %+v are unique, were %+v without the planted one", part.Streams, part.Installs, before)
				}
				continue
			}
			if part.Installs.All != before.All+1 || part.Installs.Unique != before.Unique+1 {
				t.Errorf("%v: %+v, were %+v without the planted one", part.Streams, part.Installs, before)
			}
			if n := len(part.Rules); n == 0 || part.Rules[n-1].After.Unique != 0 {
				t.Errorf("%v: it stays unique after %+v", part.Streams, part.Rules)
			}
		}
		with.tighten(report.Parts[1].Rules)
		if now := with.measure(from, to).Parts[1]; now.Installs.Unique != 0 {
			t.Errorf("%+v are unique under the proposed rules", now.Installs)
		}
	}
}

// What another allowlist made is measured as far as this one goes, and told. A period without rows is an error, as is a stream without.
func TestOtherRulesAndNothing(t *testing.T) {
	h := anyHouse(t, 9, anyList)
	h.list = strings.Replace(anyList, "  color: keep\n  length_ms: {bucket", "  length_ms: {bucket", 1)
	from, to := houseNow.Add(-5*time.Hour), houseNow
	for _, part := range h.measure(from, to).Parts {
		if (part.OtherRules > 0) != (part.Streams[0] == "one") {
			t.Errorf("%v: %d files", part.Streams, part.OtherRules)
		}
	}
	plans, err := h.plans()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := risk.Measure(t.Context(), risk.Options{Lake: h.lake, Streams: h.streams, Plans: plans, From: to, To: to.Add(time.Hour)}); !errors.Is(err, risk.ErrNothing) {
		t.Error(err)
	}
	steps := 0
	only, err := risk.Measure(t.Context(), risk.Options{Lake: h.lake, Streams: h.streams, Plans: plans, Stream: "two", From: from, To: to, Progress: func(done, of int) {
		if steps++; done > of {
			t.Errorf("%d of %d", done, of)
		}
	}})
	if err != nil || len(only.Parts) != 1 || only.Parts[0].Streams[0] != "two" || steps < 10 {
		t.Error(err, only, steps)
	}
}

// Edges come of values that enough installs have: one digit of a small number is all of it.
func TestFewGiveNoEdges(t *testing.T) {
	for installs, edges := range map[int]bool{common - 1: false, common: true} {
		h := openHouse(t, "four: {app_install_id: hash_per_stream, length_ms: keep}", mustStreams(t, []byte(anySchema), event.StreamConfig{Name: "four", Schema: "/any/1.0.0", Unit: "app_install_id"})...)
		var lines bytes.Buffer
		for i := range installs {
			for range 2 {
				fmt.Fprintf(&lines, `{"$schema": "/any/1.0.0", "dt": %q, "app_install_id": "install %d", "length_ms": %[2]d, "meta": {"stream": "four", "dt": %[1]q}}`+"\n", houseNow.Add(-2*time.Hour).Format(time.RFC3339), i)
			}
		}
		fmt.Fprintf(&lines, `{"$schema": "/any/1.0.0", "dt": %q, "length_ms": 1, "meta": {"stream": "four", "dt": %[1]q}}`+"\n", houseNow.Add(-2*time.Hour).Format(time.RFC3339)) // nobody's
		h.bring("four", lines.Bytes())
		part := h.measure(houseNow.Add(-5*time.Hour), houseNow).Parts[0]
		if len(part.Rules) != 1 || part.Installs.Unique != int64(installs) || strings.Contains(part.Rules[0].Rule, "bucket") != edges {
			t.Errorf("%d installs: %+v", installs, part)
		}
	}
}

const common = 50 // installs
