package client_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"brine/event"
)

// calls makes dialogs and calls their functions at random, from a seed: in any order, with absurd values. It gives the
// blobs that would be sent.
const calls = `(async (seed, dialogs) => {
	const random = () => (seed = (seed * 48271) %% 2147483647) / 2147483647;
	const pick = (list) => list[Math.floor(random() * list.length)];
	const values = [
		undefined, null, "", 0, -1, 1.5, 7, 1e9, NaN, Infinity, -Infinity, true, false, [], {}, () => 1, Symbol("s"), 10n, new Date(NaN),
		"a", "__proto__", "constructor", "Sign In", "screen.authenticate", "primary", "secondary", "pt-BR", "x".repeat(5000), "9".repeat(70),
		"Größe \ud800", "\u0000\n\"\\", "a?b=c", "#", "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "12345678", "1234567?8",
		"long_name_".repeat(7), { a: "b" }, { toString() { throw 1 } }, { get a() { throw 1 } }, Object.create(null),
		{ width: 1 }, { a: 1, b: "c" }, Object.fromEntries(Array.from({ length: 30 }, (_, i) => ["k" + i, "v".repeat(i)])),
	];
	const text = () => random() < 0.3 ? "e" + Math.floor(random() * 1e6).toString(36) : pick(values);
	const fields = ["email_type", "number_emails", "number_sites_logged_in", "new_account", "dialog", "release", "language",
		"screen_size", "experiments", "id", "timestamp", "event_stream", "sample_rate", "user_agent", "constructor", "__proto__", "x"];
	const given = () => random() < 0.2 ? pick(values) : Object.fromEntries(Array.from({ length: random() * 4 }, () => [pick(fields), pick(values)]));
	const clock = performance.now.bind(performance);
	let jump = 0;
	performance.now = () => clock() + jump;
	const ends = [];
	const acts = [
		(d) => d.event(text()), (d) => d.event(text()), (d) => { for (let i = random() * 400; i > 0; i--) d.event(text()) },
		(d) => ends.push(d.time(text())), () => ends.length && pick(ends)(), (d) => d.set(given()),
		(d) => d.experiment(pick(values), pick(values)), (d) => d.preview(), () => { jump += (random() - 0.5) * pick([1e3, 1e9, 1e13]) },
	];
	const all = Array.from({ length: dialogs }, () => brine.interaction({ dialog: pick(values), release: pick(values) }));
	for (const d of all) if (random() < 0.5) pick(acts.slice(0, -1))(d);
	while (all.some((d) => d.state === "deciding")) await new Promise((done) => setTimeout(done, 10));
	const blobs = all.map((d) => {
		jump = 0;
		for (let i = random() * 25; i > 0; i--) pick(acts)(d);
		return d.preview();
	});
	jump = 0;
	const texts = blobs.map((blob) => JSON.stringify(blob));
	for (const d of all) for (let i = 0; i < 3; i++) pick([() => d.pause(), () => brine.resume(), () => d.preview(), ...acts])(d);
	return texts.join("\n");
})(%d, %d)`

// Any sequence of calls gives a blob that the server's schema takes, of at most 10 kB, and throws nothing.
func TestAnyCallsGiveAValidBlob(t *testing.T) {
	const dialogs = 400
	door := openDoor(t)
	door.tell(`{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"schema_version":1,"opted_out":false}`)
	for seed := 1; seed <= 3; seed++ {
		page := openPage(t, door.URL+"/blank")
		checked := 0
		for line := range strings.Lines(evaluate[string](page, fmt.Sprintf(calls, seed, dialogs))) {
			checked++
			if len(line) > 10_000 {
				t.Errorf("seed %d: a blob of %d bytes", seed, len(line))
			}
			_, _, _, problem := event.AppendInteraction(nil, []byte(line), &event.Arrival{
				Now: time.UnixMilli(serverTime).Add(time.Minute), Rates: []float64{1}, NewID: event.NewID})
			if problem != nil {
				t.Fatalf("seed %d, blob %d: %v\n%s", seed, checked, problem, line)
			}
		}
		if checked != dialogs {
			t.Errorf("seed %d: %d blobs, want %d", seed, checked, dialogs)
		}
	}
}

// A server that names a version of the schema without the library's fields gets none of them.
func TestOnlyFieldsOfTheServersSchema(t *testing.T) {
	door := openDoor(t)
	door.tell(`{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"schema_version":0,"opted_out":false}`)
	page := openPage(t, door.URL+"/blank")
	evaluate[string](page, `brine.interaction({ dialog: "a", release: "b" }).finish()`)
	var post struct{ Data map[string]any }
	if err := json.Unmarshal([]byte(door.posts()[0]), &post); err != nil || len(post.Data) != 4 {
		t.Errorf("sent %v, want id, timestamp, sample_rate and event_stream", post.Data)
	}
}
