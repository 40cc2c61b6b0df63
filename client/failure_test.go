package client_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

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

// Without another dialog it is tried again after a pause.
func TestWaitingBlobIsTriedAgain(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	door.answer(http.StatusServiceUnavailable)
	if got := evaluate[string](page, `brine.interaction().finish()`); got != "waiting" {
		t.Fatalf("the dialog is %s", got)
	}
	door.answer(http.StatusOK)
	poll(t, "the blob to arrive", func() bool { return len(door.stored()) == 1 })
}

// Off the net at the end, or from the beginning: what was recorded arrives when the browser is back, once.
func TestOfflineAndBack(t *testing.T) {
	for _, from := range []string{"the beginning", "the end"} {
		t.Run("from "+from, func(t *testing.T) {
			door := openDoor(t)
			page := openPage(t, door.URL+"/blank")
			if from == "the beginning" {
				page.offline(true)
			}
			evaluate[bool](page, `(dialog = brine.interaction()) !== null`)
			if from == "the end" {
				page.waitUntil(`dialog.state === "recording"`)
				page.offline(true)
			}
			if got := evaluate[string](page, `dialog.event("a"), dialog.finish()`); got != "waiting" {
				t.Errorf("the dialog is %s", got)
			}
			page.offline(false)
			poll(t, "the blob to arrive", func() bool { return len(door.stored()) == 1 })
			if got := names(door.onlyBlob(t)); !slices.Equal(got, []string{"a"}) || len(door.posts()) != 1 {
				t.Errorf("%d posts, with %q", len(door.posts()), got)
			}
		})
	}
}

// What the server does not want is not sent again, but counted.
func TestRefusedBlobIsForgotten(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusNotFound} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			door := openDoor(t)
			page := openPage(t, door.URL+"/blank")
			door.answer(status)
			if got := evaluate[string](page, `brine.interaction().finish()`); got != "refused" {
				t.Errorf("the dialog is %s", got)
			}
			if n := page.waiting(); n != 0 || evaluate[int](page, `brine.dropped()`) != 1 {
				t.Errorf("%d blobs wait in the browser, want none, and 1 counted", n)
			}
		})
	}
}

func TestExpiredTokenIsRenewedOnce(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	page.begin()

	door.expireToken()
	if got := evaluate[string](page, `dialog.finish()`); got != "stored" {
		t.Errorf("the dialog is %s", got)
	}
	door.onlyBlob(t)
	if n := len(door.posts()); n != 2 {
		t.Errorf("%d posts, want one with the old token and one with the new", n)
	}
}

// A browser whose storage is full or forbidden records all the same, as long as the page lives.
func TestStorageThatFails(t *testing.T) {
	t.Parallel() // it waits more than it works
	for name, breakage := range map[string]string{
		"full":      `for (let part = "x".repeat(1 << 22); part; part = part.slice(part.length / 2 + 1)) try { for (let i = 0; ; i++) localStorage["fill" + part.length + i] = part } catch {}`,
		"forbidden": `Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } })`,
	} {
		t.Run(name, func(t *testing.T) {
			door := openDoor(t)
			page := openPage(t, door.URL+"/blank")
			evaluate[any](page, breakage+"; 1")

			door.answer(http.StatusServiceUnavailable)
			if got := evaluate[string](page, `brine.interaction().finish()`); got != "waiting" {
				t.Errorf("the first dialog is %s", got)
			}
			door.answer(http.StatusOK)
			if got := evaluate[string](page, `brine.interaction().finish()`); got != "stored" {
				t.Errorf("the second dialog is %s", got)
			}
			poll(t, "both blobs to arrive", func() bool { return len(door.stored()) == 2 })
		})
	}
}

// Two tabs that find the same blob waiting send it once.
func TestTwoTabsSendOnce(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	first := openPage(t, door.URL+"/blank")
	door.answer(http.StatusServiceUnavailable)
	evaluate[string](first, `brine.interaction().finish()`)
	first.open(door.URL + "/blank")
	failed := len(door.posts())

	door.answer(http.StatusOK)
	release := door.hold(t)
	first.begin()
	door.waitForPosts(t, failed+1)
	second := first.anotherTab(door.URL + "/blank")
	second.begin()
	if got := evaluate[string](second, `dialog.event("b"), new Promise((done) => setTimeout(() => done("waited"), 500))`); got != "waited" {
		t.Fatal(got)
	}
	release()
	poll(t, "nothing to wait", func() bool { return second.waiting() == 0 })
	if n := len(door.posts()); n != failed+1 {
		t.Errorf("the blob was sent %d times", n-failed)
	}
	poll(t, "no lease to be left", func() bool {
		return !slices.ContainsFunc(second.stored(), func(key string) bool { return strings.HasPrefix(key, "brine.lease.") })
	})
}

// Whoever closes the page in the middle of a dialog is counted with what there was.
func TestPageClosedHalfwayIsSent(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	other := openPage(t, door.URL+"/blank") // keeps the browser context
	page := other.anotherTab(door.URL + "/blank")
	page.begin()
	evaluate[bool](page, `(dialog.event("a"), true)`)
	page.call("Page.close", nil)
	poll(t, "the blob to arrive", func() bool { return len(door.stored()) == 1 })
	if got := names(door.onlyBlob(t)); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the events are %q", got)
	}
	poll(t, "nothing to wait", func() bool {
		evaluate[any](other, `brine.interaction() && null`)
		return other.waiting() == 0
	})
}

// Closed while the server is down, the blob waits for the next page.
func TestPageClosedWhileServerIsDown(t *testing.T) {
	t.Parallel() // it waits more than it works
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	page.begin()
	door.answer(noAnswer)
	evaluate[bool](page, `(dialog.event("a"), true)`)
	page.open("about:blank")
	door.waitForPosts(t, 1)
	door.answer(http.StatusOK)
	page.open(door.URL + "/blank")
	poll(t, "nothing to wait", func() bool {
		evaluate[any](page, `brine.interaction() && null`)
		return page.waiting() == 0
	})
	// Browsers repeat a request by themselves whose connection was closed: one id makes it one blob.
	stored := door.stored()
	for _, b := range stored {
		if b.ID != stored[0].ID || !slices.Equal(names(b), []string{"a"}) {
			t.Errorf("stored %v", stored)
		}
	}
	if len(stored) == 0 {
		t.Error("the blob is lost")
	}
}

// A page that is hidden sends what there is; what happens when it is shown again is a blob of its own, which says that
// it goes on, and nothing else joins the two.
func TestHiddenPageIsSent(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	page.begin()
	evaluate[bool](page, `(dialog.event("a"), hide(true), true)`)
	poll(t, "the first part to arrive", func() bool { return len(door.stored()) == 1 })
	evaluate[string](page, `(hide(false), hide(true), hide(false), dialog.event("b"), dialog.finish())`)

	stored := door.stored()
	if len(stored) != 2 || !slices.Equal(names(stored[0]), []string{"a"}) ||
		!slices.Equal(names(stored[1]), []string{"staging_continuation", "b"}) {
		t.Fatalf("%d blobs: %v", len(stored), stored)
	}
	if stored[0].ID == stored[1].ID {
		t.Error("both parts have one id")
	}
}

// The local clock plays no part, whether it is wrong or jumps.
func TestClockIsAYearOff(t *testing.T) {
	for name, clock := range map[string]string{
		"behind": `const now = Date.now; Date.now = () => now() - 365 * 864e5`,
		"jumps":  `let jump = 0; const now = Date.now; Date.now = () => now() + (jump += 864e7)`,
		"back":   `let jump = 0; const now = performance.now; performance.now = () => 1e6 - (jump += 1e3)`,
		"none":   `performance.now = () => NaN`,
	} {
		t.Run(name, func(t *testing.T) {
			door := openDoor(t)
			page := newPage(t)
			page.before(clock)
			page.open(door.URL + "/blank")
			got := evaluate[string](page, `(() => { const dialog = brine.interaction(); dialog.event("a"); dialog.time("b")(); return dialog.finish() })()`)
			if got != "stored" {
				t.Fatalf("the dialog is %s", got)
			}
			b := door.onlyBlob(t)
			if b.Timestamp != serverTime || b.EventStream[0][1].(float64) < 0 {
				t.Errorf("the blob is %+v", b)
			}
		})
	}
}

// One browser sends at most 20 blobs within the hour; what is more is counted.
func TestAtMost20AnHour(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	got := evaluate[string](page, `Promise.all(Array.from({ length: 23 }, () => brine.interaction().finish())).then((all) => all.join())`)
	if strings.Count(got, "stored") != 20 || strings.Count(got, "dropped") != 3 || evaluate[int](page, `brine.dropped()`) != 3 {
		t.Errorf("the dialogs are %s", got)
	}
	if n := len(door.stored()); n != 20 {
		t.Errorf("%d blobs were stored", n)
	}
}

// Of what waits the oldest is dropped: beyond 20, and beyond 6 days by the server's time.
func TestWaitingIsBounded(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	evaluate[any](page, `(() => {
		for (let i = 0; i < 25; i++) {
			const at = 1795268400000 - i * 600000 - (i % 8 ? 0 : 7 * 864e5);
			localStorage["brine.waiting." + i] = JSON.stringify(["" + i, at, "", "/wsapi/interaction_data", { data: { id: "" + i, event_stream: [] } }]);
		}
		return null;
	})()`)
	evaluate[string](page, `brine.interaction().finish()`)
	poll(t, "all to be sent or dropped", func() bool { return page.waiting() == 0 })
	sent := map[string]bool{}
	for _, b := range door.stored() {
		sent[b.ID] = true
	}
	if sent["0"] || sent["8"] || sent["24"] || !sent["1"] || len(sent) < 20 {
		t.Errorf("sent %d: %v", len(sent), sent)
	}
}

// An answer that is no answer of Brine's ends nothing and throws nothing.
func TestServerAnswersHTML(t *testing.T) {
	door := openDoor(t)
	door.tell(`<!doctype html><title>Maintenance</title>`)
	page := openPage(t, door.URL+"/blank")
	if got := evaluate[string](page, `brine.interaction().finish()`); got != "waiting" {
		t.Errorf("the dialog is %s", got)
	}
	if stored := page.stored(); len(door.posts()) != 0 || len(stored) > 1 { // the cookie
		t.Errorf("%d posts, and in the browser %q", len(door.posts()), stored)
	}
	door.tell(`{"csrf_token":"first","server_time":1795268400000,"data_sample_rate":1,"opted_out":false}`)
	poll(t, "the blob to arrive", func() bool { return len(door.stored()) == 1 })
}

// A dialog that goes to another site and comes back is one blob.
func TestResume(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	page.begin()
	evaluate[bool](page, `(dialog.event("a"), dialog.set({ number_emails: 2 }), dialog.pause(), true)`)
	page.open("about:blank")
	page.open(door.URL + "/blank")
	if n := page.waiting(); n != 1 || len(door.posts()) != 0 {
		t.Fatalf("%d blobs wait, %d posts", n, len(door.posts()))
	}
	got := evaluate[string](page, `(() => { const dialog = brine.resume(); dialog.event("b"); return dialog.finish() })()`)
	b := door.onlyBlob(t)
	if got != "stored" || !slices.Equal(names(b), []string{"a", "b"}) || *b.Emails != 2 {
		t.Errorf("%s: %+v", got, b)
	}
	if first, second := b.EventStream[0][1].(float64), b.EventStream[1][1].(float64); second < first || second > float64(time.Minute.Milliseconds()) {
		t.Errorf("the offsets are %v and %v", first, second)
	}
	if n := page.waiting(); n != 0 {
		t.Errorf("%d blobs wait", n)
	}
}

// A dialog that was paused is gone on with in its own tab alone, and within an hour: else it is another use.
func TestResumeIsOfThisTab(t *testing.T) {
	door := openDoor(t)
	first := openPage(t, door.URL+"/blank")
	first.begin()
	evaluate[bool](first, `(dialog.event("a"), dialog.pause(), true)`)
	resume := func(p *page, event string) {
		t.Helper()
		got := evaluate[string](p, `(() => { const dialog = brine.resume(); dialog.event("`+event+`"); return dialog.finish() })()`)
		stored := door.stored()
		if last := stored[len(stored)-1]; got != "stored" || !slices.Equal(names(last), []string{event}) {
			t.Errorf("%s: %s", got, names(last))
		}
	}
	resume(first.anotherTab(door.URL+"/blank"), "b")
	evaluate[bool](first, `(() => {
		const key = "brine.waiting." + sessionStorage.brine; // that of the other tab may not be gone here yet
		const entry = JSON.parse(localStorage[key]);
		entry[5] -= 3_700_000;
		localStorage[key] = JSON.stringify(entry);
		return true;
	})()`)
	first.open(door.URL + "/blank")
	resume(first, "c")
	poll(t, "the one that was paused to wait alone", func() bool { return first.waiting() == 1 })
}

// A call in the wrong order says nothing to the next dialog.
func TestPauseAfterTheEnd(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	page.begin()
	got := evaluate[string](page, `(async () => {
		await dialog.finish();
		dialog.pause();
		return brine.resume().finish();
	})()`)
	if got != "stored" || len(door.stored()) != 2 {
		t.Errorf("the next dialog is %s", got)
	}
}

// A sign-in that completes after the dialog was closed is told from one that had none.
func TestContinuation(t *testing.T) {
	door := openDoor(t)
	page := openPage(t, door.URL+"/blank")
	evaluate[string](page, `brine.interaction().finish(true)`)
	page.open(door.URL + "/blank")
	evaluate[string](page, `(() => { const dialog = brine.interaction(); dialog.event("user.user_confirmed"); return dialog.finish() })()`)
	evaluate[string](page, `brine.interaction().finish()`)
	stored := door.stored()
	if len(stored) != 3 || !slices.Equal(names(stored[1]), []string{"staging_continuation", "user.user_confirmed"}) || len(stored[2].EventStream) != 0 {
		t.Errorf("%v", stored)
	}
}
