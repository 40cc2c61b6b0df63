package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var (
	keyInSource = regexp.MustCompile(`"(brine\.[a-z_]+)\.?"`)
	keyInText   = regexp.MustCompile(`brine\.[a-z_]+`)
)

// Every key of the storage that the library's source names is told of, and no other one is.
func TestPromisesNameAllThatIsStored(t *testing.T) {
	files, err := filepath.Glob("../client/src/*.ts")
	if err != nil {
		t.Fatal(err)
	}
	used, told := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range keyInSource.FindAllSubmatch(source, -1) {
			used[string(found[1])] = true
		}
	}
	for _, text := range startWithPolicy(t).published(t).statements() {
		for _, key := range keyInText.FindAllString(text, -1) {
			told[key] = true
		}
	}
	delete(told, "brine.example") // the contact's
	if len(used) == 0 || !maps.Equal(used, told) {
		t.Errorf("the source has the keys %q, and the page tells of %q", slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(told)))
	}
}

// inStorage runs scripts with the library, in a browser of its own, each of which is to give what comes after it.
func (v *visit) inStorage(t *testing.T, pairs ...string) {
	t.Helper()
	p := openLibrary(t, v.brine)
	p.await(storageHelpers)
	for pair := range slices.Chunk(pairs, 2) {
		if got := p.await("(async () => String(await (" + pair[0] + ")))()"); got != pair[1] {
			t.Errorf("%s gives %s, want %s", pair[0], got, pair[1])
		}
	}
}

// storageHelpers are what the scripts have: dialog uses one, slot is the time some ms ago as the server tells times.
const storageHelpers = `(async () => {
	const DAY = 86_400_000;
	const kept = (start = "brine.") => Object.keys(localStorage).filter((key) => key.startsWith(start)).sort().join();
	const put = (key, value) => { localStorage["brine." + key] = JSON.stringify(value); };
	const got = (key) => JSON.parse(localStorage["brine." + key] ?? null);
	const slot = (ago = 0) => Math.floor((Date.now() - ago) / 600_000) * 600_000;
	const isSlot = (at) => at % 600_000 === 0 && Math.abs(slot() - at) <= 600_000;
	const dialog = (goes) => brine.interaction().finish(goes);
	const event = () => brine.app({ stream: "app_session", schema: "/app/session/1.0.0" }).event({ dt: new Date().toISOString(), screens: 1 });
	Object.assign(window, { DAY, kept, put, got, slot, isSlot, dialog, event });
	return "";
})()`

func choiceIsStored(t *testing.T, v *visit, _ string) {
	v.inStorage(t,
		`brine.optOut()`, "true", `localStorage["brine.opted_out"]`, "true",
		`brine.optIn()`, "true", `localStorage["brine.opted_out"]`, "false")
}

// waitsNoLonger lets records wait for a server that is not the page's: they are not sent, and one is too old.
func waitsNoLonger(t *testing.T, v *visit, text string) {
	days := number.FindString(text)
	v.inStorage(t,
		fmt.Sprintf(`put("waiting.old", ["old", slot(%s * DAY + 1_200_000), "https://kpi.example", "/x", {}])`, days), "undefined",
		fmt.Sprintf(`put("waiting.young", ["young", slot(%s * DAY - 1_200_000), "https://kpi.example", "/x", {}])`, days), "undefined",
		`put("waiting.asked", ["asked", 0, "https://kpi.example", "/x", {}])`, "undefined",
		`dialog()`, "stored", `kept("brine.waiting.")`, "brine.waiting.asked,brine.waiting.young",
		// A dialog that pauses, and one whose server does not answer, wait under the id of the record.
		`(async () => { const d = brine.interaction(); while (d.state === "deciding") await new Promise((next) => setTimeout(next, 10)); d.pause(); })()`, "undefined",
		`kept("brine.waiting.").includes("brine.waiting." + sessionStorage.brine)`, "true",
		`kept("brine.waiting.").split(",").length`, "3",
		`(window.fetch = () => Promise.reject(new Error("no network")), dialog())`, "waiting",
		`kept("brine.waiting.").split(",").length`, "4")
}

func leaseWhileSending(t *testing.T, v *visit, _ string) {
	v.inStorage(t,
		`(() => { const send = fetch; window.fetch = async (path, init) => {
			await null; // the lease is taken in the same breath
			if (init?.method === "POST") window.during = kept("brine.lease.").replace(/[\da-f-]{36}/, "id") + got(kept("brine.lease.").slice(6)).toFixed().length;
			return send(path, init);
		}; })()`, "undefined",
		`dialog()`, "stored", `during`, "brine.lease.id13", `kept("brine.lease.")`, "",
		`(put("lease.gone", 1), put("waiting.gone", ["gone", slot(8 * DAY), "", "/x", {}]), dialog())`, "stored", `kept("brine.lease.gone")`, "")
}

func lastHoursSends(t *testing.T, v *visit, _ string) {
	v.inStorage(t,
		`(put("sent", [slot(7_200_000)]), dialog())`, "stored",
		`got("sent").length === 1 && isSlot(got("sent")[0])`, "true",
		`dialog()`, "stored", `got("sent").length`, "2")
}

func lossesAreCounted(t *testing.T, v *visit, _ string) {
	v.inStorage(t,
		`(put("sent", Array(20).fill(slot())), dialog())`, "dropped", `got("dropped")`, "1",
		`dialog()`, "dropped", `got("dropped")`, "2")
}

// wordForTheNext finds that a word counts, by its saying that the dialog before was not recorded, until it is too old.
func wordForTheNext(t *testing.T, v *visit, text string) {
	days := numbersOf(text)[1]
	v.inStorage(t,
		`dialog(true)`, "stored", `isSlot(got("next")[0]) && got("next")[1] === true && got("next").length === 2`, "true",
		`dialog()`, "stored", `got("next")`, "null",
		fmt.Sprintf(`(put("next", [slot(%d * DAY - 1_200_000), false]), dialog())`, days), "off",
		fmt.Sprintf(`(put("next", [slot(%d * DAY + 1_200_000), false]), dialog())`, days), "stored")
}

func installUntilForgotten(t *testing.T, v *visit, _ string) {
	v.inStorage(t,
		`dialog()`, "stored", `got("install")`, "null",
		`event()`, "stored", `(window.id = got("install")) === brine.installId() && id.length === 36`, "true",
		`event()`, "stored", `got("install") === id`, "true",
		`brine.forget()`, "true", `got("install")`, "null",
		`event()`, "stored", `brine.optOut()`, "true", `got("install")`, "null")
}

func noEmptiesStorage(t *testing.T, v *visit, _ string) {
	v.inStorage(t,
		`["waiting.x", "lease.x", "sent", "dropped", "next", "install"].forEach((key) => put(key, 1))`, "undefined",
		`put("waiting.forget", ["forget", 0, "https://kpi.example", "/v1/forget", {}])`, "undefined",
		`brine.optOut()`, "true", `kept()`, "brine.opted_out,brine.waiting.forget")
}
