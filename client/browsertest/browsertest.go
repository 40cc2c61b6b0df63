// Package browsertest runs a real browser for tests of pages.
package browsertest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Open gives a browser context of its own, in the one browser that all tests of a package share: with cookies and a storage that no other test
// sees. It ends with the test.
func Open(tb testing.TB) context.Context {
	tb.Helper()
	ctx, err := browser()
	if err != nil {
		tb.Fatal(err)
	}
	return Tab(tb, ctx, chromedp.WithNewBrowserContext())
}

// Tab gives another tab of a browser context. It ends with the test.
func Tab(tb testing.TB, ctx context.Context, options ...chromedp.ContextOption) context.Context {
	tb.Helper()
	ctx, cancel := chromedp.NewContext(ctx, options...)
	tb.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		tb.Fatalf("the browser: %v", err)
	}
	return ctx
}

// Close ends the browser: TestMain calls it when all tests have run.
func Close() { closeBrowser() }

var closeBrowser = func() {}

var browser = sync.OnceValues(func() (context.Context, error) {
	path, err := chromium()
	if err != nil {
		return nil, err
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(time.Minute), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), flags...)
	closeBrowser = cancel
	ctx, _ = chromedp.NewContext(ctx)
	return ctx, chromedp.Do(ctx)
})

// chromium finds the browser under the names that it has on one system or another.
func chromium() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("this test needs a browser, one of %s: apt-get install chromium", strings.Join(names, ", "))
}
