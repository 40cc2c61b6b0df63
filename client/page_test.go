package client_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"brine/client/browsertest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	browsertest.Close()
	os.Exit(code)
}

// page is a page in a real browser, clicked and typed into as a person would.
type page struct {
	t   *testing.T
	ctx context.Context
}

// openPage opens an address in a browser context of its own. Any error in the page's console fails the test.
func openPage(t *testing.T, url string) *page {
	t.Helper()
	p := newPage(t)
	p.open(url)
	return p
}

// newPage is a page that has not been anywhere yet.
func newPage(t *testing.T) *page {
	t.Helper()
	return listen(t, browsertest.Open(t))
}

// anotherTab opens an address in another tab of the page's browser context.
func (p *page) anotherTab(url string) *page {
	p.t.Helper()
	tab := listen(p.t, browsertest.Tab(p.t, p.ctx))
	tab.open(url)
	return tab
}

// listen is a page that listens for what must not be in a page's console. What the browser itself says there of a request that was
// answered with an error is no error of the page.
func listen(t *testing.T, ctx context.Context) *page {
	t.Helper()
	p := &page{t, ctx}
	p.check(chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("an error in the page: %v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
				t.Errorf("the page's console has a %s", e.Type)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
				t.Errorf("the page's console has: %s", e.Entry.Text)
			}
		}
	}))
	p.call("Log.enable", nil)
	return p
}

// openDemo opens the demo page, its dialog ready to be used.
func openDemo(t *testing.T, d *door) *page {
	t.Helper()
	p := openPage(t, d.URL+"/demo/")
	p.do(chromedp.WaitVisible(testID("email")))
	return p
}

func (p *page) open(url string) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
}

// do gives the steps as long as a busy machine may need.
func (p *page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Minute)
	defer cancel()
	p.check(chromedp.Do(ctx, steps...))
}

// call calls the browser's own protocol.
func (p *page) call(method string, params map[string]any) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		return target.Call(ctx, method, params, nil)
	}))
}

// before runs a script in each page that is opened from now on, before any script of its own.
func (p *page) before(script string) {
	p.t.Helper()
	p.call("Page.addScriptToEvaluateOnNewDocument", map[string]any{"source": script})
}

// offline cuts the page off the net, or connects it again; the browser tells the page so.
func (p *page) offline(off bool) {
	p.t.Helper()
	p.call("Network.enable", nil)
	p.call("Network.emulateNetworkConditions",
		map[string]any{"offline": off, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
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

// signIn goes through the demo's dialog from its first screen.
func (p *page) signIn(email, password string) {
	p.t.Helper()
	p.enter("email", email)
	p.click("continue")
	p.enter("password", password)
	p.click("sign-in")
}

// waitForState waits until the demo page says that its record is in this state.
func (p *page) waitForState(state string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS("[data-testid=state][data-state=" + state + "]")))
}

// waiting gives how many blobs and events wait in the browser's storage.
func (p *page) waiting() int {
	p.t.Helper()
	return evaluate[int](p, `Object.keys(localStorage).filter((key) => key.startsWith("brine.waiting.")).length`)
}

// stored gives all that the page's origin keeps in the browser, with the cookies that scripts do not see.
func (p *page) stored() []string {
	p.t.Helper()
	var all []string
	keys := evaluate[string](p, `JSON.stringify([...Object.keys(localStorage), ...Object.keys(sessionStorage)])`)
	p.check(json.Unmarshal([]byte(keys), &all))
	var found struct {
		Cookies []struct {
			Name string `json:"name"`
		} `json:"cookies"`
	}
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		url := evaluate[string](p, `location.origin + "/wsapi/"`)
		return target.Call(ctx, "Network.getCookies", map[string]any{"urls": []string{url}}, &found)
	}))
	for _, cookie := range found.Cookies {
		all = append(all, "cookie "+cookie.Name)
	}
	return all
}

// evaluate runs a script in the page and gives its value; a promise is awaited.
func evaluate[T any](p *page, script string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	p.check(err)
	return value
}

func testID(id string) chromedp.CSS { return chromedp.CSS("[data-testid=" + id + "]") }

// waitUntil waits until an expression is true in the page.
func (p *page) waitUntil(expression string) {
	p.t.Helper()
	poll(p.t, expression, func() bool { return evaluate[bool](p, expression) })
}

// begin begins a dialog as the page's global dialog, and waits until it is recorded.
func (p *page) begin() {
	p.t.Helper()
	evaluate[bool](p, `(dialog = brine.interaction()) !== null`)
	p.waitUntil(`dialog.state === "recording"`)
}
