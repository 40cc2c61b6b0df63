package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// policyConfig is a server with a person who answers for it and an app, in the middle of a salt's period.
var policyConfig = `
policy: {operator: Example Foundation, contact: privacy@brine.example}
salts: {period: 365d, start: "` + time.Now().UTC().AddDate(0, 0, -200).Format(time.DateOnly) + `"}
streams:
  app_session: {schema: /app/session, unit: app_install_id, purpose: to see how often the app is used, collect_until: 2099-12-31}
kpi: ./kpi.yaml
`

// policyKPI publishes no day yet: the first is tomorrow.
var policyKPI = `
kpis: {visits: {title: Visits a day, count: all, better: more, smallest: 100}}
publish: {from: ` + time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly) + `, epsilon: {day: 1.5, all: 365}, totals: {visits: {kpi: visits, epsilon: 1.5}}}
`

const policyAllowlist = `
app_session:
  dt: {floor: 1h}
  app_install_id: hash
  screens: {bucket: [1, 5, 20]}
`

const policySchema = `
$schema: https://json-schema.org/draft/2020-12/schema
$id: /app/session/1.0.0
title: app/session
type: object
properties:
  dt: {type: string, format: date-time, description: When the session began.}
  app_install_id: {type: string, description: A random number of this installation of the app., x-purpose: to count installations}
  screens: {type: integer, description: How many screens were opened.}
  theme: {enum: [light, dark], x-purpose: to know which theme is used}
  client_ip: {type: string, description: From where., x-purpose: to be removed}
`

// startWithPolicy starts a brine with [policyConfig] and more.
func startWithPolicy(tb testing.TB, configYAML ...string) *brine {
	tb.Helper()
	b := newBrine(tb, append([]string{policyConfig}, configYAML...)...)
	b.writeSchema("session.yaml", policySchema)
	b.writeAllowlist(policyAllowlist)
	if err := os.WriteFile(filepath.Join(b.dir, "kpi.yaml"), []byte(policyKPI), 0o600); err != nil {
		tb.Fatal(err)
	}
	b.start()
	return b
}

func (b *brine) writeAllowlist(text string) {
	b.tb.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "allowlist.yaml"), []byte(text), 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// The page is whole on phones and desktops, in light and in dark, and on paper. It runs no script, and
// loads nothing: the browser would tell of what the page's own policy forbids. With -artifacts the pictures stay.
func TestPolicyPageLooks(t *testing.T) {
	b := startWithPolicy(t)
	p := openPage(t, b.public+"/privacy")
	p.mustNotComplain()
	today := "/privacy/history/" + time.Now().UTC().Format(time.DateOnly)
	b.eventually(30*time.Second, "the policy is kept", func() bool { return b.privacy(t, today).status == 200 })
	for _, c := range []struct {
		name, path, scheme string
		width              int64
	}{
		{"en", "/privacy?lang=en", "light", 390}, {"en", "/privacy?lang=en", "dark", 390},
		{"en", "/privacy?lang=en", "light", 1440}, {"en", "/privacy?lang=en", "dark", 1440},
		{"de", "/privacy?lang=de", "dark", 390}, {"de", "/privacy?lang=de", "light", 1440},
		{"list", "/privacy/history", "dark", 390}, {"former", today, "light", 390},
	} {
		p.look(c.scheme, "screen", c.width)
		p.do(chromedp.Navigate(b.public + c.path))
		name := fmt.Sprintf("privacy-%s-%d-%s", c.name, c.width, c.scheme)
		if got := evaluate[int64](p, `document.documentElement.scrollWidth`); got > c.width {
			t.Errorf("%s: %d pixels wide", name, got)
		}
		ground := evaluate[string](p, `getComputedStyle(document.body).backgroundColor`)
		if dark := ground == "rgb(13, 22, 21)"; dark != (c.scheme == "dark") {
			t.Errorf("%s: the ground is %s", name, ground)
		}
		p.picture(name)
	}
	p.look("dark", "print", 800)
	p.do(chromedp.Navigate(b.public + "/privacy?lang=de"))
	for what, script := range map[string]string{
		"the ground is white":       `getComputedStyle(document.body).backgroundColor === "rgb(255, 255, 255)"`,
		"the ink is black":          `getComputedStyle(document.body).color === "rgb(0, 0, 0)"`,
		"there is nothing to press": `document.querySelector("form").offsetHeight === 0`,
		"tables are tables":         `getComputedStyle(document.querySelector("td")).display === "table-cell"`,
	} {
		if !evaluate[bool](p, script) {
			t.Errorf("on paper it does not hold that %s", what)
		}
	}
	p.picture("privacy-print")
}

// Someone without a mouse and without scripts reads, says no, and takes it back.
func TestPolicyPageByKeyboard(t *testing.T) {
	b := startWithPolicy(t)
	p := openPage(t, b.public+"/wsapi/session_context") // leaves the session cookie
	p.mustNotComplain()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	p.do(chromedp.Navigate(b.public + "/privacy"))
	p.mustFocus("A.skip", kb.Tab)
	p.do(chromedp.KeyEvent(kb.Enter))
	p.mustFocus("BUTTON", kb.Tab) // from the content on: the languages are skipped
	for _, state := range []string{"out", "in"} {
		p.do(chromedp.KeyEvent(kb.Enter))
		p.do(chromedp.WaitVisible(chromedp.CSS("[data-state=" + state + "]")))
		if out := evaluate[string](p, `document.cookie`) == "brine_optout=1"; out != (state == "out") {
			t.Errorf("%s: the cookies are %s", state, evaluate[string](p, `document.cookie`))
		}
		p.do(chromedp.Focus(chromedp.CSS("button")))
	}
	links := evaluate[int](p, `document.querySelectorAll("a, button").length`)
	reached := map[string]bool{}
	p.do(chromedp.Navigate(b.public + "/privacy"))
	for range links {
		p.do(chromedp.KeyEvent(kb.Tab))
		reached[evaluate[string](p, `document.activeElement.outerHTML`)] = true
	}
	if len(reached) != links {
		t.Errorf("the keyboard reaches %d of %d links and buttons", len(reached), links)
	}
}

// A browser that says no for its user is told so, and there is no button to press in vain.
func TestPolicyPageAndGPC(t *testing.T) {
	b := startWithPolicy(t)
	res := b.privacy(t, "/privacy", "Sec-GPC", "1")
	if !contains(res.body, `data-state="signal"`, "(Sec-GPC)") || contains(res.body, "<button") {
		t.Errorf("%s", res.body)
	}
}

// mustNotComplain fails the test when the browser writes an error into its log, as it does of what is blocked. It looks for an
// icon by itself now and again, which is not the page's doing.
func (p *page) mustNotComplain() {
	p.check(chromedp.Listen(p.ctx, func(event any) {
		if added, ok := event.(*log.EventEntryAdded); ok && added.Entry.Level == log.EntryLevelError && !strings.HasSuffix(added.Entry.URL, "/favicon.ico") {
			p.t.Errorf("the browser complains: %s %s", added.Entry.Text, added.Entry.URL)
		}
	}))
}

// look makes the browser one of this colour scheme, medium and width.
func (p *page) look(scheme, medium string, width int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, 900), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium,
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	}))
}

// picture keeps what the page looks like.
func (p *page) picture(name string) {
	p.t.Helper()
	if flag.Lookup("test.artifacts").Value.String() != "true" {
		return // nobody keeps it: go test -artifacts does
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	p.check(err)
	if err := os.WriteFile(filepath.Join(p.t.ArtifactDir(), name+".png"), png, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// mustFocus presses a key, and wants this element to have the focus then.
func (p *page) mustFocus(want, key string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(key))
	got := evaluate[string](p, `document.activeElement.tagName + (document.activeElement.className && "." + document.activeElement.className)`)
	if got != want {
		p.t.Fatalf("the focus is on %s, want %s", got, want)
	}
}
