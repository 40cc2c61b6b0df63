package client_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const chromium = "/usr/bin/chromium"

// page is a page in a real browser, clicked and typed into as a person would.
type page struct {
	t   *testing.T
	ctx context.Context
}

// openPage opens an address in a browser of its own. Any error in the page's console fails the test.
func openPage(t *testing.T, url string) *page {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("the browser tests need Chromium at %s: apt-get install chromium", chromium)
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	ctx, cancelAllocator := chromedp.NewExecAllocator(ctx, flags...)
	ctx, cancelPage := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // closes the browser before its profile is removed
		cancelPage()
		cancelAllocator()
		cancel()
	})
	return openTab(t, ctx, url)
}

// anotherTab opens an address in another tab of the page's browser.
func (p *page) anotherTab(url string) *page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.ctx)
	p.t.Cleanup(cancel)
	return openTab(p.t, ctx, url)
}

func openTab(t *testing.T, ctx context.Context, url string) *page {
	t.Helper()
	p := &page{t, ctx}
	p.check(chromedp.Listen(ctx, func(event any) {
		if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
			t.Errorf("an error in the page: %v", thrown.ExceptionDetails)
		}
	}))
	p.do(chromedp.Navigate(url))
	return p
}

// openDemo opens the demo page, its dialog ready to be used.
func openDemo(t *testing.T, d *door) *page {
	t.Helper()
	p := openPage(t, d.URL+"/demo/")
	p.do(chromedp.WaitVisible(testID("email")))
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

// waiting gives how many blobs wait in the browser's storage.
func (p *page) waiting() int {
	p.t.Helper()
	return evaluate[int](p, `JSON.parse(localStorage.getItem("brine.waiting") ?? "[]").length`)
}

// evaluate runs a script in the page and gives its value; a promise is awaited.
func evaluate[T any](p *page, script string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	p.check(err)
	return value
}

func testID(id string) chromedp.CSS { return chromedp.CSS("[data-testid=" + id + "]") }
