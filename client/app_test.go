package client_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

const schema = "/analytics/mobile_apps/app_session/1.1.0"

// tellStream makes the door tell of one stream with install ids.
func (d *door) tellStream(rate, epoch string) {
	d.look(func() {
		d.streams = fmt.Sprintf(`{"server_time":%d,"sampling_epoch":%q,"streams":{"app_session":{"sample_rate":%s,"unit":"app_install_id","schema":%q,"collect_until":"never"}}}`,
			serverTime, epoch, rate, schema)
	})
}

const sendEvent = `brine.app({ stream: "app_session", schema: "` + schema + `" }).event({ length_ms: 5, meta: { domain: "x" } })`

// An app event bears what makes it one, and the install's id, which stays.
func TestAppEvent(t *testing.T) {
	door := openDoor(t)
	door.tellStream("1", "2026100100")
	page := openPage(t, door.URL+"/blank")
	if id := evaluate[any](page, `brine.installId()`); id != nil {
		t.Errorf("before its first use there is an install id %v", id)
	}
	for range 2 {
		if got := evaluate[string](page, sendEvent); got != "stored" {
			t.Fatalf("the event is %s", got)
		}
	}
	install := evaluate[string](page, `brine.installId()`)
	door.look(func() {
		for _, e := range door.events {
			meta, _ := e["meta"].(map[string]any)
			if e["app_install_id"] != install || e["$schema"] != schema || meta["stream"] != "app_session" ||
				meta["dt"] != "2026-11-21T13:40:00.000Z" || meta["domain"] != "x" || e["length_ms"] != 5.0 {
				t.Errorf("the event is %v", e)
			}
		}
	})
}

// A no said on the policy page counts for the events of a page that is open.
func TestNoWhileAppIsOpen(t *testing.T) {
	door := openDoor(t)
	door.tellStream("1", "2026100100")
	page := openPage(t, door.URL+"/blank")
	evaluate[string](page, sendEvent)
	evaluate[string](page, `document.cookie = "brine_optout=1; path=/"`)
	if got := evaluate[string](page, sendEvent); got != "off" {
		t.Errorf("after the no the event is %s", got)
	}
}

// An event that no server takes is refused at once: it takes no place from what waits.
func TestHugeAppEvent(t *testing.T) {
	door := openDoor(t)
	door.tellStream("1", "2026100100")
	page := openPage(t, door.URL+"/blank")
	door.answer(503)
	evaluate[string](page, sendEvent)
	got := evaluate[string](page, `brine.app({ stream: "app_session", schema: "`+schema+`" }).event({ meta: { domain: "x".repeat(200_000) } })`)
	if n := page.waiting(); got != "refused" || n != 1 || evaluate[int](page, `brine.dropped()`) != 1 {
		t.Errorf("it is %s, and %d events wait", got, n)
	}
}

// The events of a stream without installs bear none, also where another stream has made one.
func TestAppEventWithoutInstall(t *testing.T) {
	door := openDoor(t)
	door.tellStream("1", "2026100100")
	page := openPage(t, door.URL+"/blank")
	evaluate[string](page, sendEvent)
	install := evaluate[string](page, `brine.installId()`)
	door.look(func() { door.streams = strings.Replace(door.streams, `"unit":"app_install_id",`, "", 1) })
	if got := evaluate[string](page, sendEvent); got != "stored" {
		t.Fatalf("the event is %s", got)
	}
	door.look(func() {
		if text, _ := json.Marshal(door.events[1]); strings.Contains(string(text), install) || strings.Contains(string(text), "undefined") {
			t.Errorf("the event is %s", text)
		}
	})
}

// An app event waits for a server that is down, under the id it has.
func TestAppEventWaits(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	door.tellStream("1", "2026100100")
	page := openPage(t, door.URL+"/blank")
	door.answer(503)
	if got := evaluate[string](page, sendEvent); got != "waiting" || page.waiting() != 1 {
		t.Fatalf("the event is %s", got)
	}
	door.answer(200)
	poll(t, "the event to arrive", func() bool {
		var n int
		door.look(func() { n = len(door.events) })
		return n == 1 && page.waiting() == 0
	})
}

// The request to be forgotten is repeated until it is answered, on later pages too; then the id is gone.
func TestForget(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	door.tellStream("1", "2026100100")
	page := openPage(t, door.URL+"/blank")
	evaluate[string](page, sendEvent)
	install := evaluate[string](page, `brine.installId()`)
	door.answer(503)
	if evaluate[bool](page, `brine.forget()`) || evaluate[string](page, `brine.installId()`) != install {
		t.Error("it is said to be done")
	}
	if got := evaluate[string](page, sendEvent); got != "off" {
		t.Errorf("meanwhile an event is %s", got)
	}
	evaluate[bool](page, `brine.optOut()`)
	page.open(door.URL + "/blank")
	door.answer(200)
	evaluate[any](page, `brine.app({ stream: "app_session", schema: "x" }) && null`)
	poll(t, "the server to answer", func() bool { return page.waiting() == 0 })
	if id := evaluate[any](page, `brine.installId()`); id != nil {
		t.Errorf("the install id is still %v", id)
	}
	door.look(func() {
		if last := door.forgets[len(door.forgets)-1]; last != `{"unit":"`+install+`"}` {
			t.Errorf("asked to forget %s", last)
		}
	})
}

// The client draws its sample as the server does.
func TestSamplingConformance(t *testing.T) {
	text, err := os.ReadFile("../../shared/conformance/sampling.json")
	if err != nil {
		t.Skip("skipped: ../shared is not here")
	}
	var file struct {
		Cases []struct {
			Epoch, Unit string
			InAt        map[string]bool `json:"in_at"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	for _, c := range file.Cases {
		for rate, want := range c.InAt {
			door.tellStream(rate, c.Epoch)
			unit, _ := json.Marshal(c.Unit)
			got := evaluate[string](page, `localStorage["brine.install"] = JSON.stringify(`+string(unit)+`), `+sendEvent)
			if (got == "stored") != want || !want && got != "off" {
				t.Errorf("epoch %s, unit %s, rate %s: %s", c.Epoch, c.Unit, rate, got)
			}
		}
	}
	if stored := page.stored(); !strings.Contains(strings.Join(stored, " "), "brine.install") {
		t.Errorf("in the browser there is %q", stored)
	}
}
