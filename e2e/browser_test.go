package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"brine/client/browsertest"
	"brine/door/doortest"
)

// What someone clicks in a real browser is what the private door gives back.
func TestDialogInABrowser(t *testing.T) {
	d := startDemo(t)
	page := openPage(t, d.public+"/demo/")
	page.enter("email", "someone@example.org")
	page.click("continue")
	page.enter("password", "wrong")
	page.click("sign-in")
	page.do(chromedp.WaitVisible(chromedp.CSS(`#password-error:not(:empty)`)))
	page.enter("password", "tulip")
	page.click("sign-in")
	page.waitForState("sent")

	shown := page.blob()
	got := d.waitForRow(shown.ID)
	want := []string{
		"screen.rp_info", "screen.authenticate", "user.can_interact",
		"xhr_complete.GET/wsapi/address_info", "authenticate.enter_password",
		"authenticate.password_submitted", "xhr_complete.POST/wsapi/authenticate_user", "authenticate.password_fail",
		"authenticate.password_submitted", "xhr_complete.POST/wsapi/authenticate_user", "authenticate.password_success",
		"generate_assertion", "screen.generate_assertion", "xhr_complete.POST/wsapi/cert_key", "assertion_generated",
	}
	if !slices.Equal(got.names(), want) {
		t.Errorf("the events are\n%q\nwant\n%q", got.names(), want)
	}
	if !reflect.DeepEqual(got.EventStream, shown.EventStream) {
		t.Errorf("the events are\n%v\nand the page showed\n%v", got.EventStream, shown.EventStream)
	}
	if got.Timestamp%600_000 != 0 || got.Dialog != "sign_in" || got.UserAgent.Browser == "" || got.Screen.Width == 0 {
		t.Errorf("the fields are %+v", got)
	}
	if last := d.last(); last.Timestamp < got.Timestamp {
		t.Errorf("the last row is of %d, before %d", last.Timestamp, got.Timestamp)
	}
	if all := d.read(); bytes.Contains(all, []byte("someone")) || bytes.Contains(all, []byte("tulip")) {
		t.Error("what was typed is stored")
	}
}

// With the server gone the record waits in the browser. It arrives, once, when the server is back
// and the dialog is used again.
func TestBlobWaitsInTheBrowser(t *testing.T) {
	t.Parallel() // it waits more than it works
	d := startDemo(t)
	page := openPage(t, d.public+"/demo/")
	page.waitForState("recording")
	d.stop()
	page.signIn()
	page.waitForState("waiting")
	waiting := page.waiting()
	if len(waiting) != 1 {
		t.Fatalf("%d blobs wait in the browser, want 1", len(waiting))
	}

	d.start()
	page.click("again")
	page.waitForState("recording")
	first := d.waitForRow(waiting[0].ID)
	if !reflect.DeepEqual(first.EventStream, waiting[0].EventStream) {
		t.Errorf("the events are\n%v\nand those that waited\n%v", first.EventStream, waiting[0].EventStream)
	}
	page.signIn()
	page.waitForState("sent")
	d.waitForRow(page.blob().ID)

	d.stop() // flushes all that there is
	d.start()
	for _, id := range []string{waiting[0].ID, page.blob().ID} {
		if n := bytes.Count(d.read(), []byte(id)); n != 1 {
			t.Errorf("a blob is stored %d times", n)
		}
	}
	if left := page.waiting(); len(left) != 0 {
		t.Errorf("%d blobs still wait in the browser", len(left))
	}
}

// A person who has opted out leaves no trace, in the browser or outside.
func TestOptedOutInABrowser(t *testing.T) {
	d := startDemo(t)
	page := openPage(t, d.public+"/wsapi/session_context")
	evaluate[string](page, `document.cookie = "brine_optout=1; path=/"`)
	page.do(chromedp.Navigate(d.public + "/demo/"))
	page.signIn()
	page.waitForState("off")
	if n := evaluate[int](page, `localStorage.length`); n != 0 {
		t.Errorf("%d things are stored in the browser", n)
	}
	if cookies := evaluate[string](page, `document.cookie`); cookies != "brine_optout=1" {
		t.Errorf("the cookies are %q", cookies)
	}
}

// demo is a running `brine demo`.
type demo struct {
	*brine
}

func startDemo(t *testing.T) demo {
	t.Helper()
	dir := t.TempDir()
	d := demo{&brine{tb: t, dir: dir, data: filepath.Join(dir, "demo-data"),
		public: "http://" + doortest.FreeAddr(t), private: "http://" + doortest.FreeAddr(t)}}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("output of brine demo:\n%s", d.output())
		}
	})
	d.start()
	return d
}

// start runs `brine demo` and returns when it is ready.
func (d demo) start() {
	d.tb.Helper()
	out, err := os.OpenFile(d.outputFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.tb.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(binary, "demo", "--data", d.data, "--days", "3",
		"--public", strings.TrimPrefix(d.public, "http://"), "--private", strings.TrimPrefix(d.private, "http://"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, out, out
	if err := cmd.Start(); err != nil {
		d.tb.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	d.cmd, d.exited = cmd, exited
	d.bearer.forget()
	d.eventually(time.Minute, "the demo is ready", func() bool {
		if d.hasExited() {
			d.tb.Fatal("brine demo ended before it was ready")
		}
		return d.ready()
	})
}

// interaction is what the tests look at of a row.
type interaction struct {
	ID          string
	Timestamp   int64
	EventStream [][]any `json:"event_stream"`
	Dialog      string
	UserAgent   struct{ OS, Browser, Version string } `json:"user_agent"`
	Screen      struct{ Width, Height int }           `json:"screen_size"`
}

func (i interaction) names() (names []string) {
	for _, entry := range i.EventStream {
		name, _ := entry[0].(string)
		names = append(names, name)
	}
	return names
}

// read gives all interactions of the last hour as NDJSON.
func (d demo) read() []byte {
	d.tb.Helper()
	from := time.Now().Add(-time.Hour).UnixMilli()
	return d.get(fmt.Sprintf("/api/v1/events/interaction?dataset=raw&from=%d", from), "application/x-ndjson")
}

// waitForRow waits until the row of an id can be read: simulated users send theirs all the time.
func (d demo) waitForRow(id string) (row interaction) {
	d.tb.Helper()
	d.eventually(30*time.Second, "the blob can be read", func() bool {
		for line := range bytes.Lines(d.read()) {
			if bytes.Contains(line, []byte(id)) {
				if err := json.Unmarshal(line, &row); err != nil {
					d.tb.Fatal(err)
				}
				return true
			}
		}
		return false
	})
	return row
}

// last is the newest row, of whomever.
func (d demo) last() interaction {
	d.tb.Helper()
	var row struct{ Value interaction }
	if err := json.Unmarshal(d.get("/wsapi/interaction_data/last", "application/json"), &row); err != nil {
		d.tb.Fatal(err)
	}
	return row.Value
}

// page is a page in a real browser, clicked and typed into as a person would.
type page struct {
	t   *testing.T
	ctx context.Context
}

// openPage opens an address in a browser context of its own. An error in the page fails the test.
func openPage(t *testing.T, url string) *page {
	t.Helper()
	ctx, cancel := context.WithTimeout(browsertest.Open(t), 5*time.Minute)
	t.Cleanup(cancel)
	p := &page{t, ctx}
	p.check(chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("an error in the page: %v", thrown.ExceptionDetails)
		}
	}))
	p.do(chromedp.Navigate(url))
	return p
}

func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	p.check(chromedp.Do(p.ctx, steps...))
}

func (p *page) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("the browser: %v", err)
	}
}

func (p *page) click(id string) {
	p.t.Helper()
	p.do(chromedp.Click(testID(id), chromedp.NodeVisible))
}

func (p *page) enter(id, text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(testID(id), text, chromedp.NodeVisible))
}

// signIn goes through the dialog from its first screen to its end.
func (p *page) signIn() {
	p.t.Helper()
	p.enter("email", "someone@example.org")
	p.click("continue")
	p.enter("password", "tulip")
	p.click("sign-in")
}

// waitForState waits until the page says that its record is in this state.
func (p *page) waitForState(state string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS("[data-testid=state][data-state=" + state + "]")))
}

// blob is the record that the page shows.
func (p *page) blob() (shown interaction) {
	p.t.Helper()
	text := evaluate[string](p, `document.querySelector("[data-testid=blob]").textContent`)
	if err := json.Unmarshal([]byte(text), &shown); err != nil || shown.ID == "" {
		p.t.Fatalf("the page shows no record: %v", err)
	}
	return shown
}

// waiting gives the blobs that wait in the browser's storage.
func (p *page) waiting() (blobs []interaction) {
	p.t.Helper()
	text := evaluate[string](p, `JSON.stringify(Object.keys(localStorage).filter((key) => key.startsWith("brine.waiting."))
		.map((key) => JSON.parse(localStorage[key])[4].data))`)
	if err := json.Unmarshal([]byte(text), &blobs); err != nil {
		p.t.Fatal(err)
	}
	return blobs
}

// evaluate runs a script in the page and gives its value.
func evaluate[T any](p *page, script string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script))
	p.check(err)
	return value
}

func testID(id string) chromedp.CSS { return chromedp.CSS("[data-testid=" + id + "]") }
