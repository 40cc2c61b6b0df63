package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// openLibrary opens a bare page of the server, with the library that the server gives out.
func openLibrary(t *testing.T, b *brine) *page {
	t.Helper()
	p := openPage(t, b.public+"/__lbheartbeat__")
	p.withLibrary()
	return p
}

// withLibrary loads the library into the page, as its script tag would.
func (p *page) withLibrary() {
	p.t.Helper()
	p.await(`new Promise((done, failed) => document.head.append(Object.assign(document.createElement("script"),
		{ src: "/brine.js", onload: () => done(""), onerror: () => failed("no library") })))`)
}

// await runs a script in the page and gives the text that its promise resolves to.
func (p *page) await(script string) string {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	p.check(err)
	return value
}

// cookies are the names of the browser's cookies, also of those that no script sees.
func (p *page) cookies() (names []string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		got, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{URLs: []string{
			evaluate[string](p, `origin + "/wsapi/session_context"`)}})
		for _, c := range got.Cookies {
			names = append(names, c.Name)
		}
		return err
	}))
	slices.Sort(names)
	return names
}

// asked are the paths that scripts of the page have requested.
func (p *page) asked() []string {
	p.t.Helper()
	text := evaluate[string](p, `JSON.stringify(performance.getEntriesByType("resource")
		.filter(({ initiatorType }) => /fetch|beacon|xmlhttprequest/.test(initiatorType)).map(({ name }) => new URL(name).pathname))`)
	var paths []string
	if err := json.Unmarshal([]byte(text), &paths); err != nil {
		p.t.Fatal(err)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// A no by the library is the no of the policy page, which says so, and it is taken back there as here.
func TestLibraryAndPolicyPageAgree(t *testing.T) {
	b := startWithPolicy(t)
	p := openLibrary(t, b)
	if got := p.await(`brine.interaction().finish()`); got != "stored" {
		t.Fatalf("a dialog is %s", got)
	}
	if got := p.await(`brine.optOut().then(String)`); got != "true" {
		t.Error("the server did not take the no")
	}
	if got := p.cookies(); !slices.Contains(got, "brine_optout") {
		t.Errorf("the cookies are %q", got)
	}
	if got := p.await(`brine.interaction().finish()`); got != "off" {
		t.Errorf("after the no a dialog is %s", got)
	}
	p.do(chromedp.Navigate(b.public + "/privacy"))
	p.do(chromedp.WaitVisible(chromedp.CSS(`[data-state="out"]`)))

	p.do(chromedp.Navigate(b.public + "/__lbheartbeat__"))
	p.withLibrary()
	if got := p.await(`brine.optIn().then(String)`); got != "true" || slices.Contains(p.cookies(), "brine_optout") {
		t.Errorf("after the yes the cookies are %q", p.cookies())
	}
	if got := p.await(`brine.interaction().finish()`); got != "stored" {
		t.Errorf("after the yes a dialog is %s", got)
	}
	p.do(chromedp.Navigate(b.public + "/privacy"))
	p.do(chromedp.WaitVisible(chromedp.CSS(`[data-state="in"]`)))
	if n := len(b.readAll("interaction")); n != 2 {
		t.Errorf("%d dialogs are stored, want one before the no and one after the yes", n)
	}
}

// Where the server asks first, nothing leaves the browser and nothing stays in it before a yes.
func TestLibraryAsksFirst(t *testing.T) {
	b := startWithPolicy(t, "consent: opt-in")
	p := openLibrary(t, b)
	if got := p.await(`(() => { const dialog = brine.interaction(); dialog.event("a"); return dialog.finish(true) })()`); got != "off" {
		t.Errorf("before the yes a dialog is %s", got)
	}
	if cookies, stored := p.cookies(), evaluate[int](p, `localStorage.length`); len(cookies) != 0 || stored != 0 {
		t.Errorf("before the yes there are the cookies %q and %d things in storage", cookies, stored)
	}
	if got := p.asked(); !slices.Equal(got, []string{"/wsapi/session_context"}) {
		t.Errorf("before the yes the page has asked for %q", got)
	}
	p.await(`brine.optIn().then(String)`)
	if got := p.await(`(() => { const dialog = brine.interaction(); dialog.event("b"); return dialog.finish() })()`); got != "stored" {
		t.Errorf("after the yes a dialog is %s", got)
	}
	rows := b.readAll("interaction")
	if len(rows) != 1 || !strings.Contains(string(rows[0]["event_stream"]), `["b",`) {
		t.Errorf("stored is %s", rows)
	}
}

// An app's events, sampled by the epoch that the server tells, are read back as they were given; who asks to be
// forgotten is.
func TestLibraryAppEvents(t *testing.T) {
	b := newAppBrine(t)
	b.configure(`streams: {app_session: {sample_rate: 0.5}}`)
	b.start()
	res, err := plain.Get(b.public + "/v1/streams")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	var told struct {
		Epoch string `json:"sampling_epoch"`
	}
	if err := json.Unmarshal(body, &told); err != nil || told.Epoch == "" {
		t.Fatalf("%s %v", body, err)
	}

	p := openLibrary(t, b)
	send := func(install string) string {
		return p.await(fmt.Sprintf(`(localStorage["brine.install"] = JSON.stringify(%q), brine.app({ stream: "app_session", schema: "/simulate/app_session/1.0.0" }).event({
			app_session_id: "aa6bdyezgytnfiqr0fnb", dt: new Date().toISOString(), is_anon: true, languages: ["sv"], length_ms: 5561,
			session_data: { from_search: 1, total_pages: 4 } }))`, install))
	}
	in, out := installOf(told.Epoch, true), installOf(told.Epoch, false)
	if got := send(out); got != "off" {
		t.Errorf("out of the sample an event is %s", got)
	}
	if got := send(in); got != "stored" {
		t.Errorf("in the sample an event is %s", got)
	}
	rows := b.readAll("app_session")
	if len(rows) != 1 || string(rows[0]["app_install_id"]) != `"`+in+`"` || string(rows[0]["length_ms"]) != "5561" || rows[0].id() == "" {
		t.Fatalf("stored is %s", rows)
	}

	if got := p.await(`brine.forget().then(String)`); got != "true" || evaluate[bool](p, `brine.installId() !== null`) {
		t.Errorf("forget gives %s, and there is an install id: %v", got, evaluate[bool](p, `brine.installId() !== null`))
	}
	b.eventually(90*time.Second, "the install's events are gone", func() bool { return len(b.readAll("app_session")) == 0 })
}

// installOf is a random install id that is in the sample of an epoch at the rate 0.5, or out of it.
func installOf(epoch string, in bool) string {
	for {
		id := newID()
		hash := sha256.Sum256([]byte(epoch + ":" + id))
		if (hash[0] < 0x80) == in {
			return id
		}
	}
}
