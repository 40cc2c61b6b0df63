package client_test

import (
	"fmt"
	"net/http"
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

// A server that fails costs nothing: the blob waits, and arrives once when the dialog is used again.
func TestBlobWaitsWhileServerFails(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusTooManyRequests, noAnswer} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			door := openDoor(t)
			page := openDemo(t, door)

			door.answer(status)
			page.signIn("someone@example.org", "tulip")
			page.waitForState("waiting")
			if n := page.waiting(); n != 1 {
				t.Fatalf("%d blobs wait in the browser, want 1", n)
			}

			door.answer(http.StatusOK)
			page.click("again")
			poll(t, "the blob to arrive", func() bool { return len(door.stored()) == 1 })

			page.signIn("someone@example.org", "tulip")
			page.waitForState("sent")
			if n := len(door.stored()); n != 2 {
				t.Errorf("%d blobs were stored, want the one that waited and the new one", n)
			}
			if n := page.waiting(); n != 0 {
				t.Errorf("%d blobs still wait", n)
			}
		})
	}
}

// The browser's own word that it is back on the net is reason enough to try.
func TestWaitingBlobIsSentWhenOnline(t *testing.T) {
	door := openDoor(t)
	page := openDemo(t, door)

	door.answer(http.StatusServiceUnavailable)
	page.signIn("someone@example.org", "tulip")
	page.waitForState("waiting")
	door.answer(http.StatusOK)
	evaluate[bool](page, `dispatchEvent(new Event("online"))`)

	poll(t, "the blob to arrive", func() bool { return len(door.stored()) == 1 })
	poll(t, "the blob to be forgotten", func() bool { return page.waiting() == 0 })
}

// What the server does not want is not sent again.
func TestRefusedBlobIsForgotten(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusNotFound} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			door := openDoor(t)
			page := openDemo(t, door)

			door.answer(status)
			page.signIn("someone@example.org", "tulip")
			page.waitForState("refused")
			if n := page.waiting(); n != 0 {
				t.Errorf("%d blobs wait in the browser, want none", n)
			}
		})
	}
}

func TestExpiredTokenIsRenewedOnce(t *testing.T) {
	door := openDoor(t)
	page := openDemo(t, door)
	page.waitForState("recording")

	door.expireToken()
	page.signIn("someone@example.org", "tulip")
	page.waitForState("sent")

	door.onlyBlob(t)
	if n := len(door.posts()); n != 2 {
		t.Errorf("%d posts, want one with the old token and one with the new", n)
	}
}

// Switched off, opted out, or not known whether: nothing leaves the browser and nothing stays in it.
func TestNothingIsRecorded(t *testing.T) {
	for name, context := range map[string]string{
		"rate 0":     `{"csrf_token":"t","server_time":1795268400000,"data_sample_rate":0,"opted_out":false}`,
		"opted out":  `{"csrf_token":"t","server_time":1795268400000,"data_sample_rate":1,"opted_out":true}`,
		"HTML":       `<!doctype html><title>Maintenance</title>`,
		"no context": ``,
	} {
		t.Run(name, func(t *testing.T) {
			door := openDoor(t)
			door.tell(context)
			page := openDemo(t, door)

			page.signIn("someone@example.org", "tulip")
			page.waitForState("off")
			if n := len(door.posts()); n != 0 {
				t.Errorf("%d posts were sent", n)
			}
			if n := evaluate[int](page, `localStorage.length`); n != 0 {
				t.Errorf("%d things were stored in the browser", n)
			}
		})
	}
}
