package client_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What was clicked is what is sent, in order; what was typed is not.
func TestBlobIsWhatWasClicked(t *testing.T) {
	door := openDoor(t)
	page := openDemo(t, door)

	page.signIn("someone@example.org", "wrong")
	page.do(chromedp.WaitVisible(chromedp.CSS(`#password-error:not(:empty)`)))
	page.enter("password", "tulip")
	page.click("sign-in")
	page.waitForState("sent")

	got := door.onlyBlob(t)
	want := []string{
		"screen.rp_info", "screen.authenticate", "user.can_interact",
		"xhr_complete.GET/wsapi/address_info", "authenticate.enter_password",
		"authenticate.password_submitted", "xhr_complete.POST/wsapi/authenticate_user", "authenticate.password_fail",
		"authenticate.password_submitted", "xhr_complete.POST/wsapi/authenticate_user", "authenticate.password_success",
		"generate_assertion", "screen.generate_assertion", "xhr_complete.POST/wsapi/cert_key", "assertion_generated",
	}
	if !slices.Equal(names(got), want) {
		t.Errorf("events are\n%q\nwant\n%q", names(got), want)
	}
	if got.Timestamp != serverTime {
		t.Errorf("timestamp is %d, want the server's time %d", got.Timestamp, serverTime)
	}
	if got.NewAccount == nil || *got.NewAccount || got.Dialog != "sign_in" || got.SampleRate != 1 {
		t.Errorf("the fields are %+v", got)
	}
	shown := evaluate[string](page, `JSON.stringify(JSON.parse(document.querySelector("#blob").textContent))`)
	if !strings.Contains(door.posts()[0], shown) {
		t.Errorf("the page shows %s, and %s was sent", shown, door.posts()[0])
	}
	for _, typed := range []string{"someone", "tulip"} {
		if strings.Contains(door.posts()[0], typed) {
			t.Errorf("what was typed (%q) is in the blob", typed)
		}
	}
}

// Entry by entry the blob is what was clicked, and when, as an independent listener saw it.
func TestOffsetsAreThoseOfTheClicks(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	evaluate[any](page, `(() => {
		window.seen = [];
		const began = performance.now();
		const dialog = brine.interaction();
		document.body.innerHTML = '<button data-testid="one">1</button> <button data-testid="two">2</button> <button data-testid="end">end</button>';
		addEventListener("click", ({ target }) => seen.push(["click." + target.dataset.testid, performance.now() - began]), true);
		addEventListener("click", ({ target }) => {
			dialog.event("click." + target.dataset.testid);
			if (target.dataset.testid === "end") window.outcome = dialog.finish();
		});
		return null;
	})()`)
	for _, button := range []string{"one", "two", "one", "end"} {
		page.click(button)
	}
	if got := evaluate[string](page, `outcome`); got != "stored" {
		t.Fatalf("the dialog is %s", got)
	}
	var seen [][]any
	if err := json.Unmarshal([]byte(evaluate[string](page, `JSON.stringify(seen)`)), &seen); err != nil {
		t.Fatal(err)
	}
	got := door.onlyBlob(t).EventStream
	if len(got) != 4 || len(seen) != 4 {
		t.Fatalf("%d entries, %d clicks", len(got), len(seen))
	}
	for i, entry := range got {
		if late := entry[1].(float64) - seen[i][1].(float64); entry[0] != seen[i][0] || late < -50 || late > 50 {
			t.Errorf("entry %d is %v, the click was %v", i, entry, seen[i])
		}
	}
}

// Someone new goes another way, and ends by cancelling.
func TestCancelledDialogIsSent(t *testing.T) {
	door := openDoor(t)
	page := openDemo(t, door)

	page.enter("email", "new@example.org")
	page.click("new-here")
	page.enter("new-password", "tulip")
	page.click("create")
	page.do(chromedp.Click(chromedp.CSS(`form[data-screen=inbox] [data-action=cancel]`), chromedp.NodeVisible))
	page.waitForState("sent")

	got := door.onlyBlob(t)
	want := "screen.rp_info screen.authenticate user.can_interact screen.set_password " +
		"xhr_complete.POST/wsapi/stage_user user.user_staged screen.cancel"
	if events := strings.Join(names(got), " "); events != want {
		t.Errorf("events are %s, want %s", events, want)
	}
	if got.NewAccount == nil || !*got.NewAccount {
		t.Error("new_account is not true")
	}
}

func TestPageLeftHalfwayIsSent(t *testing.T) {
	door := openDoor(t)
	page := openDemo(t, door)
	page.waitForState("recording")

	page.do(chromedp.Navigate(door.URL + "/blank"))
	door.waitForPosts(t, 1)

	want := "screen.rp_info screen.authenticate user.can_interact"
	if got := strings.Join(names(door.onlyBlob(t)), " "); got != want {
		t.Errorf("events are %s, want %s", got, want)
	}
}

// The switch in the dialog ends the record at once, and begins one; the session cookie never comes without a yes.
func TestSwitchInTheDialog(t *testing.T) {
	door := openDoor(t)
	page := openDemo(t, door)
	page.waitForState("recording")
	toggle := chromedp.Click(chromedp.CSS("[data-testid=notice] input"), chromedp.NodeVisible)

	page.do(toggle)
	page.waitForState("off")
	page.enter("email", "someone@example.org")
	page.click("continue")
	page.do(chromedp.WaitVisible(testID("password")))
	page.do(toggle)
	page.waitForState("recording")
	page.enter("password", "tulip")
	page.click("sign-in")
	page.waitForState("sent")

	want := "authenticate.password_submitted xhr_complete.POST/wsapi/authenticate_user authenticate.password_success " +
		"generate_assertion screen.generate_assertion xhr_complete.POST/wsapi/cert_key assertion_generated"
	if got := strings.Join(names(door.onlyBlob(t)), " "); got != want {
		t.Errorf("events are %s, want %s", got, want)
	}
}
