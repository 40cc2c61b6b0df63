package client_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Whatever a page calls the library with, what arrives is what the server's schema takes.
func TestBlobFitsTheSchema(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")

	outcome := evaluate[string](page, `(() => {
		const dialog = brine.interaction({ dialog: "Sign In!", release: "2026.11 beta" });
		dialog.event("xhr_complete.GET/wsapi/address_info?email=someone@example.org");
		dialog.event("open.3f2504e0-4f89-41d3-9a0c-0305e82c3301");
		dialog.event("account.12345678");
		dialog.event("Größe");
		dialog.event("");
		dialog.event({ toString() { throw new Error("absurd"); } });
		dialog.event("x".repeat(1000));
		dialog.set({ email_type: "tertiary", number_emails: 1e9, number_sites_logged_in: -1, new_account: "yes", email: "a@b.c" });
		dialog.set(null);
		dialog.experiment("Button Colour", "Green");
		dialog.experiment("", "green");
		return dialog.finish();
	})()`)

	got := door.onlyBlob(t)
	want := []string{"xhr_complete.GET/wsapi/address_info", "open._", "account._", "Gr__e", "_", strings.Repeat("x", 64)}
	if outcome != "stored" || !slices.Equal(names(got), want) {
		t.Errorf("%s with events %q, want %q", outcome, names(got), want)
	}
	if got.Dialog != "sign_in_" || got.Release != "2026.11_beta" || got.Language != "pt-BR" {
		t.Errorf("dialog %q, release %q, language %q", got.Dialog, got.Release, got.Language)
	}
	if got.EmailType != "" || got.NewAccount != nil || *got.Emails != 10_000 || got.Experiments["button_colour"] != "green" {
		t.Errorf("the fields are %+v", got)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got.ID) {
		t.Error("the id is no UUID version 4")
	}
}

func TestRepeatsAreFolded(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")

	evaluate[string](page, `(() => {
		const dialog = brine.interaction();
		const end = dialog.time("b");
		dialog.event("a"); dialog.event("a"); dialog.event("a");
		end(); end();
		dialog.event("b");
		dialog.event("a");
		return dialog.finish();
	})()`)

	entries := door.onlyBlob(t).EventStream
	if len(entries) != 3 || len(entries[0]) != 4 || len(entries[1]) != 4 || len(entries[2]) != 2 {
		t.Fatalf("the entries are %v", entries)
	}
	if entries[0][2] != 0.0 || entries[0][3] != 3.0 || entries[1][3] != 2.0 {
		t.Errorf("the entries are %v", entries)
	}
}

// Of a very long dialog the beginning and the end are kept, within what the server takes.
func TestLongDialogIsCut(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")

	evaluate[string](page, `(() => {
		const dialog = brine.interaction();
		for (let i = 0; i < 1000; i++) dialog.event("e" + i);
		return dialog.finish();
	})()`)
	evaluate[string](page, `(() => {
		const dialog = brine.interaction();
		for (let i = 0; i < 1000; i++) dialog.event("long_name_".repeat(5) + i);
		return dialog.finish();
	})()`)

	stored := door.stored()
	short, long := names(stored[0]), names(stored[1])
	if len(short) != 200 || short[149] != "e149" || short[150] != "e950" || short[199] != "e999" {
		t.Errorf("%d events, %q … %q", len(short), short[:1], short[len(short)-1:])
	}
	if n := len(door.posts()[1]); n > 10_000 {
		t.Errorf("a blob of %d bytes", n)
	}
	if long[0] != strings.Repeat("long_name_", 5)+"0" || long[len(long)-1] != strings.Repeat("long_name_", 5)+"999" {
		t.Error("the beginning or the end is lost")
	}
}

// The calls after the end, in any order, do nothing.
func TestFinishedDialogIsOver(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")

	evaluate[string](page, `(async () => {
		const dialog = brine.interaction();
		dialog.event("a");
		const both = await Promise.all([dialog.finish(), dialog.finish()]);
		dialog.event("b");
		dispatchEvent(new Event("pagehide"));
		return both.join();
	})()`)
	evaluate[string](page, `brine.interaction().finish()`)

	stored := door.stored()
	if len(stored) != 2 || !slices.Equal(names(stored[0]), []string{"a"}) || len(names(stored[1])) != 0 {
		t.Errorf("%d blobs were stored, the first with %q", len(stored), names(stored[0]))
	}
}

// What a page should not give is never thrown back at it: options that cannot be read record nothing, as one of them may be a no.
func TestOptionsThatCannotBeRead(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")

	got := evaluate[string](page, `(async () => {
		localStorage["brine.waiting.x"] = '"not of this library"';
		const dialogs = [
			brine.interaction({ get when() { throw new Error("a page's own") } }),
			brine.interaction(new Proxy({}, { ownKeys() { throw new Error("a page's own") } })),
			...["a", "b"].map(brine.interaction),
			brine.resume(),
		];
		delete localStorage["brine.waiting.x"];
		return (await Promise.all(dialogs.map((dialog) => dialog.finish()))).join();
	})()`)
	if got != "off,off,stored,stored,stored" || len(door.stored()) != 3 {
		t.Errorf("the dialogs are %s, and %d blobs were stored", got, len(door.stored()))
	}
}

// The module has the same surface as the script.
func TestModule(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	got := evaluate[string](page, `import("/brine.mjs").then(async (module) =>
		Object.keys(module).sort() + " " + Object.keys(brine).sort() + " " + await module.interaction().finish())`)
	const surface = "app,dropped,forget,installId,interaction,notice,optIn,optOut,resume"
	if got != surface+" "+surface+" stored" {
		t.Errorf("the module, the script and a dialog of the module: %s", got)
	}
}

// Who debugs sees the blob, and what was mended or refused.
func TestDebug(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	got := evaluate[string](page, `(async () => {
		const printed = [];
		console.log = (...parts) => printed.push(JSON.stringify(parts));
		const dialog = brine.interaction({ debug: true });
		dialog.event("a?b");
		dialog.set({ number_emails: -1 });
		await dialog.finish();
		return printed.join(" ");
	})()`)
	for _, want := range []string{`["brine","a?b","mended","a"]`, `["brine","number_emails","left out"]`, `["brine","stored",{"data":{"id":`} {
		if !strings.Contains(got, want) {
			t.Errorf("printed is %s, without %s", got, want)
		}
	}
}
