package intake_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"brine/event"
)

// check holds of every answer: a status of the door, success only where something was stored
// or nothing was sent, and a reason where not.
func check(t *testing.T, d *door, body string, headers ...string) {
	t.Helper()
	before := d.Stats()
	w := d.do(d.request(body, headers...))
	stored := int(d.Stats().Stored - before.Stored)
	if !slices.Contains([]int{200, 204, 207, 400, 403, 413, 415}, w.Code) || d.Stats().Panics > 0 {
		t.Fatalf("status %d, panics %d", w.Code, d.Stats().Panics)
	}
	if w.Code == 204 {
		return
	}
	a := decode(t, w.Body)
	if a.Stored != stored || a.Success != (w.Code == 200) || (a.Reason == "") != a.Success {
		t.Errorf("status %d, %d events stored, answer %+v", w.Code, stored, a)
	}
}

func FuzzBody(f *testing.F) {
	d := openDoor(f, at(noon))
	valid := blob(map[string]any{"timestamp": noon.UnixMilli()})
	f.Add(d.envelope(valid))
	f.Add(d.envelope("[" + valid + ",{}]"))
	f.Add(`{"data":` + valid + `,"csrf":"x"}`)
	f.Add(`{"data":[`)
	f.Add(`{"csrf":"\ud800"}`)
	f.Add(strings.Repeat("[", 1000))
	f.Fuzz(func(t *testing.T, body string) {
		check(t, d, body)
		check(t, d, d.envelope(body))
		for _, r := range d.log.records(t, event.DatasetRaw) {
			if !json.Valid(r.Row) {
				t.Errorf("a row is no JSON: %s", r.Row)
			}
		}
		d.log.forget()
	})
}

func FuzzCookie(f *testing.F) {
	d := openDoor(f)
	body := d.envelope("[]")
	for _, cookie := range []string{d.cookie, "a=b; " + d.cookie, "brine_session", "brine_session=;", "brine_optout=1", `brine_session="x`, ";;==;"} {
		f.Add(cookie)
	}
	f.Fuzz(func(t *testing.T, cookie string) { check(t, d, body, "Cookie", cookie) })
}

func FuzzToken(f *testing.F) {
	d := openDoor(f)
	for _, token := range []string{d.token, d.token[1:], d.token + "=", "", "\x00", strings.Repeat("A", 54)} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		w := d.do(d.request(`{"data":[]}`, "X-CSRF-Token", token))
		if (w.Code == 200) != (token == d.token) || w.Code != 200 && w.Code != 403 {
			t.Errorf("status %d", w.Code)
		}
	})
}
