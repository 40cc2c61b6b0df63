package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// appConfig has one stream of an app, by the schema that brine simulate prints.
const appConfig = `
schemas: schemas
streams: {app_session: {schema: /simulate/app_session, unit: app_install_id}}`

// newAppBrine is a brine with the stream app_session that is not started.
func newAppBrine(tb testing.TB) *brine {
	tb.Helper()
	schema, _, code := runBrine(tb, nil, "simulate", "--print-schema")
	if code != 0 {
		tb.Fatal("no schema")
	}
	b := newBrine(tb, appConfig)
	b.writeSchema("app_session.yaml", schema)
	return b
}

func (b *brine) writeSchema(name, text string) {
	b.tb.Helper()
	folder := filepath.Join(b.dir, "schemas")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		b.tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// sendEvents posts a body to /v1/events. The error is of the connection.
func (b *brine) sendEvents(body string) (reply, error) {
	res, err := plain.Post(b.public+"/v1/events", "application/json", strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, answer}, err
}

func (b *brine) mustStoreEvents(body string) {
	b.tb.Helper()
	if r, err := b.sendEvents(body); err != nil || r.status != http.StatusCreated {
		b.tb.Fatalf("%d %s %v", r.status, r.body, err)
	}
}

// appEvent is an event of the stream app_session, of now.
func appEvent(id string) string {
	return fmt.Sprintf(`{"$schema":"/simulate/app_session/1.0.0","app_install_id":"816d2cef-93d1-4706-b15e-20155e9fca77","app_session_id":"aa6bdyezgytnfiqr0fnb",`+
		`"dt":%[2]q,"is_anon":true,"languages":["sv"],"length_ms":5561,"meta":{"dt":%[2]q,"id":%[1]q,"stream":"app_session"},`+
		`"session_data":{"from_search":1,"total_pages":4}}`, id, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
}

// An app's events, killed at random moments under load: every acknowledged one is there once.
func TestAppStreamKilledUnderLoad(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := newAppBrine(t)
	b.start()
	said := newLedger("app_session")
	for range jobRounds(t) {
		stop := b.sendApps(4, said)
		<-time.After(50*time.Millisecond + rand.N(500*time.Millisecond))
		b.kill()
		stop()
		checkWholeFiles(t, b)
		b.start()
	}
	if len(said.acked) < jobRounds(t) {
		t.Fatalf("only %d events were acknowledged: this was no load", len(said.acked))
	}
	said.check(t, b)
}

// sendApps lets so many apps send one to three events at a time until stopped.
func (b *brine) sendApps(apps int, l *ledger) (stop func()) {
	ctx, cancel := context.WithCancel(b.tb.Context())
	var all sync.WaitGroup
	for range apps {
		all.Go(func() {
			for ctx.Err() == nil {
				var ids, events []string
				for range 1 + rand.N(3) {
					ids = append(ids, newID())
					events = append(events, appEvent(ids[len(ids)-1]))
				}
				r, err := b.sendEvents("[" + strings.Join(events, ",") + "]")
				l.note(ids, r, err)
				if err != nil {
					return // the door is gone
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// What the door tells apps, what it leaves out, and that the rate is live.
func TestAppStreamSampling(t *testing.T) {
	b := newAppBrine(t)
	b.start()
	streams := func() string {
		res, err := plain.Get(b.public + "/v1/streams")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		return string(body)
	}
	if got := streams(); !strings.Contains(got, `"app_session":{"sample_rate":1,"unit":"app_install_id","schema":"/simulate/app_session/1.0.0","collect_until":"never"}`) {
		t.Error(got)
	}
	b.mustStoreEvents(appEvent(newID()))
	b.configure(`streams: {app_session: {sample_rate: 0}}`)
	b.eventually(30*time.Second, "nothing is kept at the rate 0", func() bool {
		r, err := b.sendEvents(appEvent(newID()))
		return err == nil && r.status == http.StatusNoContent
	})
	b.configure(`streams: {app_session: {sample_rate: 1, collect_until: 2020-01-01}}`)
	b.restart()
	if r, err := b.sendEvents(appEvent(newID())); err != nil || r.status != http.StatusNoContent {
		t.Errorf("after collection has ended: %d %v", r.status, err)
	}
	if got := streams(); !strings.Contains(got, `"sample_rate":0`) || !strings.Contains(got, `"collect_until":"2020-01-01"`) {
		t.Error(got)
	}
}

// A simulated history is imported once, and installs stay what they are.
func TestImportAppHistory(t *testing.T) {
	b := newAppBrine(t)
	history, _, code := runBrine(t, nil, "simulate", "--stream", "app_session", "--days", "3", "--per-day", "200", "--installs", "40")
	if code != 0 {
		t.Fatal(history)
	}
	sent := strings.Count(history, "\n")
	for _, want := range []string{fmt.Sprintf("%d stored, 0 known already", sent), fmt.Sprintf("0 stored, %d known already", sent)} {
		if out, errs, code := b.command(strings.NewReader(history), "import", "app_session"); code != 0 || !strings.HasPrefix(out, want) {
			t.Fatalf("%d %s%s, want %s", code, out, errs, want)
		}
	}
	b.start()
	got := b.readAll("app_session")
	if len(got) != sent {
		t.Fatalf("%d events, want %d", len(got), sent)
	}
	lines := strings.Split(history, "\n")
	for i, e := range got {
		checkReadsBack(t, lines[i], e)
	}
}

// checkReadsBack compares an event with what was sent, but for what the server adds.
func checkReadsBack(t *testing.T, sent string, got event) {
	t.Helper()
	var want, have map[string]any
	if err := json.Unmarshal([]byte(sent), &want); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(got)
	if err == nil {
		err = json.Unmarshal(text, &have)
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(have, "received")
	wantMeta, _ := want["meta"].(map[string]any)
	haveMeta, _ := have["meta"].(map[string]any)
	for _, name := range []string{"id", "dt"} {
		if wantMeta[name] == nil {
			delete(haveMeta, name)
		}
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("reads back as\n%v, want\n%v", have, want)
	}
}

// Every example of the real schemas is accepted and reads back as it was sent, those of two versions in one stream.
func TestRealExamplesReadBack(t *testing.T) {
	const folder = "../../shared/realdata/schemas"
	files, err := filepath.Glob(folder + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Skipf("skipped: ../shared has no schemas: %v", err)
	}
	absolute, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	b := startBrine(t, fmt.Sprintf(`
schemas: %q
streams:
  app_session: {schema: /analytics/mobile_apps/app_session, unit: app_install_id}
  app_interaction: {schema: /analytics/mobile_apps/app_interaction, unit: app_install_id}`, absolute))
	sent := map[string][]string{}
	for _, file := range files {
		for _, example := range examples(t, file) {
			var e struct{ Meta struct{ Stream string } }
			if err := json.Unmarshal([]byte(example), &e); err != nil {
				t.Fatal(err)
			}
			b.mustStoreEvents(example)
			sent[e.Meta.Stream] = append(sent[e.Meta.Stream], example)
		}
	}
	if len(sent["app_session"]) < 2 || len(sent["app_interaction"]) < 1 {
		t.Fatalf("%d streams have examples: %v", len(sent), sent)
	}
	for stream, events := range sent {
		got := b.readAll(stream)
		if len(got) != len(events) {
			t.Fatalf("%s has %d events, want %d", stream, len(got), len(events))
		}
		for _, e := range got {
			checkReadsBack(t, matching(t, events, e), e)
		}
	}
}

// matching is the sent event with the same $schema.
func matching(t *testing.T, sent []string, got event) string {
	t.Helper()
	for _, text := range sent {
		var e event
		if json.Unmarshal([]byte(text), &e) == nil && bytes.Equal(e["$schema"], got["$schema"]) {
			return text
		}
	}
	t.Fatalf("nobody sent %s", got["$schema"])
	return ""
}

// examples are those of a schema file, as JSON.
func examples(t *testing.T, file string) (texts []string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Examples []map[string]any }
	if err := yaml.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	for _, example := range schema.Examples {
		text, err := json.Marshal(example)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

// The three versions of a schema, each of which adds something.
const (
	versionOne = `
$schema: http://json-schema.org/draft-07/schema#
$id: /shop/order/%s
title: shop/order
type: object
additionalProperties: false
required: [$schema, dt, meta]
properties:
  $schema: {type: string}
  dt: {type: string, format: date-time}
  unit: {type: integer}
  kind: {enum: [phone, tablet, null]}
  of: {const: shop}
  paid: {type: [boolean, "null"]}
  labels: {type: object, additionalProperties: {type: string}}
  amounts: {type: object, additionalProperties: {type: array, items: {type: number}}}
  lines: {type: array, items: {type: object, properties: {name: {type: string}, count: {type: integer}}}}
  place: {type: array, items: [{type: string}, {type: number}]}
  meta: {type: object, required: [stream], properties: {stream: {type: string}, id: {type: string}, dt: {type: string}}}
`
	versionTwo = versionOne + `
  price: {$ref: '#/definitions/money'}
  customer: {type: object, properties: {age: {type: integer}, tags: {type: array, items: {type: string}}}}
definitions: {money: {type: object, properties: {amount: {type: number}, currency: {type: string}}}}
`
	versionThree = versionOne + `
  price: {$ref: '#/definitions/money'}
  customer: {type: object, properties: {age: {type: integer}, tags: {type: array, items: {type: string}}, address: {type: object, properties: {city: {type: string}}}}}
definitions: {money: {type: object, properties: {amount: {type: number}, currency: {type: string}, rate: {type: number}}}}
`
)

// A stream's schema grows while files of the versions before lie in the lake: all are read together, as they
// were sent, by Brine and by DuckDB alone.
func TestSchemaGrows(t *testing.T) {
	b := newBrine(t, "schemas: schemas\nstreams: {orders: {schema: /shop/order, time: dt, unit: unit}}")
	const common = `"kind":"phone","of":"shop","paid":false,"labels":{"b":"2","a":"é\n"},"amounts":{"x":[1,2.5],"y":[]},` +
		`"lines":[{"name":"n","count":3},{"name":"m"},{}],"place":["p",0.5]`
	more := []string{
		common,
		common + `,"price":{"amount":1e-7,"currency":"EUR"},"customer":{"age":7,"tags":["t","u"]}`,
		`"kind":"tablet","price":{"amount":3,"rate":0.1},"customer":{"address":{"city":"Ω"}},"labels":{},"lines":[],"amounts":{}`,
	}
	var sent []string
	for i, text := range []string{versionOne, versionTwo, versionThree} {
		version := fmt.Sprintf("1.%d.0", i)
		b.writeSchema(version+".yaml", fmt.Sprintf(text, version))
		b.start()
		for j := range i + 1 { // older versions go on coming
			e := fmt.Sprintf(`{"$schema":"/shop/order/1.%d.0","dt":"2026-11-2%dT13:45:0%dZ","unit":%d,%s,"meta":{"stream":"orders","id":%q,"dt":"2026-11-21T13:45:01Z"}}`,
				j, i+1, j, 9007199254740993+i, more[j], newID())
			b.mustStoreEvents(e)
			sent = append(sent, e)
		}
		b.waitFlushed()
		b.stop()
	}
	b.start()
	got := b.readAll("orders")
	if len(got) != len(sent) {
		t.Fatalf("%d events, want %d", len(got), len(sent))
	}
	for i, e := range got {
		checkReadsBack(t, sent[i], e)
		if unit := string(e["unit"]); !strings.Contains(sent[i], `"unit":`+unit+`,`) { // beyond what a float holds
			t.Errorf("unit %s of %s", unit, sent[i])
		}
	}
	b.stop()
	if n := b.countRows("raw/orders/**/*.parquet"); n != len(sent) {
		t.Errorf("DuckDB alone reads %d rows", n)
	}
}

// An app's requests, good and bad, leave no install, address or header where none may be.
func TestNothingTellsWhoAnInstallWas(t *testing.T) {
	b := newAppBrine(t)
	b.start()
	s := &secrets{}
	good := map[string]any{}
	if err := json.Unmarshal([]byte(appEvent(s.id())), &good); err != nil {
		t.Fatal(err)
	}
	install := "9f3504e0-4f89-41d3-9a0c-0305e82c3301"
	post := func(status int, change map[string]any) {
		e := maps.Clone(good)
		e["app_install_id"] = install
		maps.Copy(e, change)
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("POST", b.public+"/v1/events?"+s.secret("who=tell-tale-query"), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("User-Agent", s.secret("TellTaleApp/2.7 (Android 14)"))
		req.Header.Set("X-Forwarded-For", s.secret("198.51.100.77"))
		req.Header.Set("Cookie", s.secret("tell-tale-cookie=1"))
		res, err := plain.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("%d, want %d, for %s", res.StatusCode, status, body)
		}
	}
	post(201, nil)
	post(201, map[string]any{"client_ip": s.secret("203.0.113.78"), "request_headers": map[string]any{"x": s.secret("tell-tale-header")}})
	post(400, map[string]any{"length_ms": s.secret("tell-tale-length")})
	post(400, map[string]any{"$schema": s.secret("/tell/tale/1.0.0")})
	post(400, map[string]any{"meta": map[string]any{"stream": s.secret("tell_tale_stream")}})
	post(400, map[string]any{s.secret("tell-tale-field"): 1})
	b.waitFlushed()
	for _, e := range b.readAll("app_session") {
		if !strings.Contains(string(e["app_install_id"]), install) {
			t.Errorf("the install reads back as %s", e["app_install_id"])
		}
	}
	b.checkPrivacy(s)
	if strings.Contains(b.output(), install) {
		t.Error("the install is printed")
	}
}
