package client_test

import (
	"slices"
	"strings"
	"testing"
)

const signal = `Object.defineProperty(navigator, "globalPrivacyControl", { value: true })`

// Who has said no, however, leaves no trace: no request with data, nothing in the browser, and no session cookie.
func TestNothingLeavesTheBrowser(t *testing.T) {
	const told = `{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"opted_out":false}`
	for name, test := range map[string]struct{ context, before, dialog string }{
		"GPC":             {told, signal, `brine.interaction()`},
		"account":         {told, ``, `brine.interaction({ optedOut: true })`},
		"when":            {told, ``, `brine.interaction({ when: () => false })`},
		"when throws":     {told, ``, `brine.interaction({ when() { throw 1 } })`},
		"server says":     {strings.Replace(told, "false", "true", 1), ``, `brine.interaction()`},
		"rate 0":          {strings.Replace(told, `rate":1`, `rate":0`, 1), ``, `brine.interaction()`},
		"opt-in, no yes":  {strings.Replace(told, `}`, `,"consent":"opt-in"}`, 1), ``, `brine.interaction()`},
		"stored choice":   {told, `localStorage["brine.opted_out"] = "true"`, `brine.interaction()`},
		"waiting deleted": {told, signal + `; localStorage["brine.install"] = '"i"'; localStorage["brine.waiting.1"] = '["1",1,"","/v1/events",{}]'; sessionStorage.brine = "1"`, `brine.interaction()`},
	} {
		t.Run(name, func(t *testing.T) {
			door := openDoor(t)
			door.tell(test.context)
			page := newPage(t)
			page.before(`if (location.protocol === "http:") {` + test.before + `}`)
			page.open(door.URL + "/blank")
			evaluate[bool](page, `(dialog = `+test.dialog+`) !== null`)
			got := evaluate[string](page, `dialog.event("a"), dispatchEvent(new Event("pagehide")), dialog.finish(true)`)
			if got != "off" || evaluate[bool](page, `dialog.preview() !== null`) {
				t.Errorf("the dialog is %s", got)
			}
			stored := page.stored()
			page.open("about:blank")
			if n := len(door.posts()); n != 0 {
				t.Errorf("%d posts were sent", n)
			}
			stored = slices.DeleteFunc(stored, func(key string) bool { return key == "brine.opted_out" })
			if name == "rate 0" { // the dialog is not recorded, but the person has not said no
				stored = slices.DeleteFunc(stored, func(key string) bool { return key == "cookie brine_session" })
			}
			if len(stored) != 0 {
				t.Errorf("in the browser there is %q", stored)
			}
		})
	}
}

// A no takes effect at once, in a dialog that is under way and on what waits, and it reaches the server.
func TestOptOutAndIn(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	door.answer(503)
	evaluate[string](page, `brine.interaction().finish()`)
	door.answer(200)
	page.begin()
	evaluate[bool](page, `(dialog.event("a"), true)`)
	sent := len(door.posts())
	if !evaluate[bool](page, `brine.optOut()`) {
		t.Error("the server did not take the no")
	}
	if state := evaluate[string](page, `dialog.state`); state != "off" || page.waiting() != 0 {
		t.Errorf("the dialog is %s, and %d blobs wait", state, page.waiting())
	}
	if got := evaluate[string](page, `brine.interaction().finish()`); got != "off" || len(door.posts()) != sent {
		t.Errorf("the next dialog is %s", got)
	}
	if !evaluate[bool](page, `brine.optIn()`) {
		t.Error("the server did not take the yes")
	}
	if got := evaluate[string](page, `brine.interaction().finish()`); got != "stored" {
		t.Errorf("after the yes a dialog is %s", got)
	}
	if stored := page.stored(); !slices.Contains(stored, "cookie brine_session") || !slices.Contains(stored, "brine.opted_out") {
		t.Errorf("in the browser there is %q", stored) // and so it is seen where it must not be
	}
	door.look(func() {
		if len(door.choices) != 2 || !strings.Contains(door.choices[0], `"opted_out":true`) || !strings.Contains(door.choices[1], `"opted_out":false`) {
			t.Errorf("the server was told %q", door.choices)
		}
	})
}

// A no of the cookie alone, said on the policy page, is taken back by the switch of a dialog.
func TestOptInAfterTheCookie(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	got := evaluate[string](page, `(async () => {
		document.cookie = "brine_optout=1; path=/";
		const before = await brine.interaction({ endpoint: undefined }).finish();
		await brine.optIn();
		return before + " " + await brine.interaction().finish();
	})()`)
	if got != "off stored" {
		t.Errorf("the dialogs are %s", got)
	}
}

// A no holds where the server cannot be told.
func TestOptOutHoldsWithoutTheServer(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	door.answer(503)
	if evaluate[bool](page, `brine.optOut()`) {
		t.Error("the server is said to have taken the no")
	}
	door.answer(200)
	page.open(door.URL + "/blank")
	if got := evaluate[string](page, `brine.interaction().finish()`); got != "off" {
		t.Errorf("the dialog is %s", got)
	}
	door.look(func() {
		if door.asked != 0 {
			t.Errorf("a session context was asked for %d times", door.asked)
		}
	})
}

// A no that the server could not take is told again, without the cookie of a session.
func TestOptOutIsToldLater(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	door.answer(503)
	evaluate[bool](page, `brine.optOut()`)
	door.answer(200)
	poll(t, "the no to be told", func() bool { return page.waiting() == 0 })
	door.look(func() {
		if last := door.choices[len(door.choices)-1]; len(door.choices) < 2 || !strings.Contains(last, `"opted_out":true`) {
			t.Errorf("the server was told %q", door.choices)
		}
	})
	if stored := page.stored(); slices.Contains(stored, "cookie brine_session") {
		t.Errorf("in the browser there is %q", stored)
	}
}

// Where the server asks first, the first dialog after the yes is recorded.
func TestOptInAfterAYes(t *testing.T) {
	door := openDoor(t)
	door.tell(`{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"opted_out":false,"consent":"opt-in"}`)
	page := openPage(t, door.URL+"/blank")
	got := evaluate[string](page, `(async () => {
		const before = await brine.interaction().finish();
		await brine.optIn();
		return before + " " + await brine.interaction().finish();
	})()`)
	if got != "off stored" {
		t.Errorf("the dialogs are %s", got)
	}
	door.onlyBlob(t)
}

// The page of a person who sends DNT is told by the server whether it counts.
func TestDoNotTrack(t *testing.T) {
	for dnt, want := range map[string]string{"true": "off", "false": "stored"} {
		door := openDoor(t)
		door.tell(`{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"opted_out":false,"dnt":` + dnt + `}`)
		page := newPage(t)
		page.call("Network.enable", nil)
		page.call("Network.setExtraHTTPHeaders", map[string]any{"headers": map[string]string{"DNT": "1"}})
		page.open(door.URL + "/blank")
		if got := evaluate[string](page, `brine.interaction().finish()`); got != want {
			t.Errorf("with dnt: %s the dialog is %s", dnt, got)
		}
	}
}

// The notice is one line with a link and a switch, which says how things stand and changes them.
func TestNotice(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	evaluate[any](page, `brine.notice(document.body) ?? null`)
	const box = `document.querySelector(".brine-notice input")`
	page.waitUntil(box + `.checked`)
	if href := evaluate[string](page, `document.querySelector(".brine-notice a").href`); href != door.URL+"/privacy" {
		t.Errorf("the link leads to %s", href)
	}
	page.begin()
	evaluate[any](page, box+`.click() ?? null`)
	page.waitUntil(`dialog.state === "off" && !` + box + `.checked`)
	evaluate[any](page, `brine.optIn() && null`)
	page.waitUntil(box + `.checked`)
	evaluate[any](page, `brine.notice(null) ?? null`)

	withSignal := newPage(t)
	withSignal.before(signal)
	withSignal.open(door.URL + "/blank")
	evaluate[any](withSignal, `brine.notice(document.body) ?? null`)
	withSignal.waitUntil(box + `.disabled && !` + box + `.checked`)
}
