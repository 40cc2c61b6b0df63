package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// A screen reader finds its way on each page of the gate: the main part, a heading, and every field, button and link by a name; a mistake is an alert.
func TestScreenReader(t *testing.T) {
	b := startBrine(t)
	p := openPage(t, b.private+"/login")
	p.reads("setup", "main ", "heading Set up access")
	b.addUser("mira", "analyst")
	p.do(chromedp.Navigate(b.private + "/"))
	p.reads("login", "main ", "heading Log in", "textbox Name", "textbox Password", "button Log in")
	p.keyIn("mira", "a wrong password")
	p.do(chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	p.reads("login after a mistake", "alert ", "textbox Name", "textbox Password", "button Log in")
	p.hasFocus("password")
	p.do(chromedp.KeyEvent(passwordOf("mira")), chromedp.KeyEvent("\r"), chromedp.WaitReady(chromedp.CSS("nav [aria-current=page]")))
	p.reads("overview", "main ", "heading Overview", "link Flow", "button Log out")
	p.do(chromedp.Navigate(b.private + "/api/v1/audit"))
	p.reads("refused", "main ", "alert ", "link To the start", "button Log out")
}

// reads wants what a screen reader says of this page, role and name, and that nothing one can use has no name.
func (p *page) reads(name string, wants ...string) {
	p.t.Helper()
	said := p.said()
	for _, want := range wants {
		if !slices.Contains(said, want) {
			p.t.Errorf("%s: a screen reader does not say %q, but %q", name, want, said)
		}
	}
	for _, mute := range []string{"textbox ", "button ", "link ", "heading "} {
		if slices.Contains(said, mute) {
			p.t.Errorf("%s: a %sis without a name", name, mute)
		}
	}
}

// said are roles and names of the page's accessibility tree.
func (p *page) said() (said []string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		tree, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, n := range tree.Nodes {
			if !n.Ignored {
				said = append(said, text(n.Role)+" "+text(n.Name))
			}
		}
		return nil
	}))
	return said
}

// text is a value of the tree, "" where it is none.
func text(v *accessibility.Value) (s string) {
	if v != nil {
		_ = json.Unmarshal([]byte(v.Value), &s) // what is no text has none
	}
	return s
}
