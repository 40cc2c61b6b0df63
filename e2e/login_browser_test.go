package e2e

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The pages of the gate are whole on phones and desktops, in light and in dark; the browser would tell of what their own policy
// forbids. With -artifacts the pictures stay.
func TestAccessPagesLook(t *testing.T) {
	b := startBrine(t)
	p := openPage(t, b.private+"/login")
	p.mustNotComplain()
	p.looksGood(b, "setup", "/login", "Set up access")
	b.addUser("mira", "analyst", "privacy")
	p.looksGood(b, "login", "/", "Log in")
	p.keyIn("mira", passwordOf("mira"))
	p.do(chromedp.WaitReady(chromedp.CSS(".who")))
	p.looksGood(b, "first", "/", "Overview")
	b.addUser("pia", "privacy")
	other := openPage(t, b.private+"/login")
	other.mustNotComplain()
	other.keyIn("pia", passwordOf("pia"))
	other.do(chromedp.WaitReady(chromedp.CSS(".routes")))
	other.looksGood(b, "start", "/", "Welcome")
}

func (p *page) looksGood(b *brine, name, path, heading string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1440} {
			p.look(scheme, "screen", width)
			p.do(chromedp.Navigate(b.private + path))
			picture := fmt.Sprintf("%s-%d-%s", name, width, scheme)
			if got := evaluate[string](p, `document.querySelector("h1").textContent`); got != heading {
				p.t.Errorf("%s: the heading is %q", picture, got)
			}
			if got := evaluate[int64](p, `document.documentElement.scrollWidth`); got > width {
				p.t.Errorf("%s: %d pixels wide", picture, got)
			}
			if dark := evaluate[string](p, `getComputedStyle(document.body).backgroundColor`) == "rgb(13, 22, 21)"; dark != (scheme == "dark") {
				p.t.Errorf("%s: the ground is not of this scheme", picture)
			}
			p.picture(picture)
		}
	}
}

// hasFocus waits until a field has the focus: that of its own accord comes soon after the page is there, and a key before it is lost.
func (p *page) hasFocus(id string) {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Poll[bool](`document.activeElement?.id === "`+id+`"`, chromedp.WithPollingTimeout(time.Minute)))
	p.check(err)
}

// keyIn logs in as somebody without a mouse does.
func (p *page) keyIn(name, password string) {
	p.t.Helper()
	p.hasFocus("name")
	p.do(chromedp.KeyEvent(name), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(password), chromedp.KeyEvent(kb.Enter))
}

// Someone without a mouse logs in, after a mistake that is announced, lands where they wanted to go, and logs out. Each field has a label.
func TestLoginByKeyboard(t *testing.T) {
	b := startBrine(t)
	b.addUser("mira", "analyst")
	p := openPage(t, b.private+"/api/v1/status")
	for _, id := range []string{"name", "password"} {
		if !evaluate[bool](p, `document.getElementById("`+id+`").labels[0].textContent.length > 0`) {
			t.Errorf("the field %s has no label", id)
		}
	}
	p.keyIn("mira", "a wrong password")
	p.do(chromedp.WaitVisible(chromedp.CSS("[role=alert]")))
	p.hasFocus("password")
	if told := evaluate[string](p, `document.activeElement.getAttribute("aria-describedby")`); told != "alert" {
		t.Errorf("after a mistake the field with the focus is described by %q", told)
	}
	p.do(chromedp.KeyEvent(passwordOf("mira")), chromedp.KeyEvent(kb.Enter))
	p.do(chromedp.WaitReady(chromedp.CSS("pre")))
	if text := evaluate[string](p, `document.body.textContent`); !strings.Contains(text, `"serving":true`) {
		t.Errorf("after the login there is %.200s", text)
	}
	if cookies := evaluate[string](p, `document.cookie`); cookies != "" {
		t.Errorf("scripts see the cookies %s", cookies)
	}
	p.do(chromedp.Navigate(b.private + "/"))
	reached := false
	for range 9 {
		p.do(chromedp.KeyEvent(kb.Tab))
		if reached = evaluate[string](p, `document.activeElement.textContent`) == "Log out"; reached {
			break
		}
	}
	if !reached {
		t.Fatal("the keyboard does not reach the button to log out")
	}
	p.do(chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("#name")))
	p.do(chromedp.Navigate(b.private + "/api/v1/status"))
	if got := evaluate[string](p, `document.querySelector("h1").textContent`); got != "Log in" {
		t.Errorf("after the logout there is %q", got)
	}
}

// The demo prints a link that signs in, once, and leads to figures, or while they are being made to a page that looks for them by itself.
func TestDemoLink(t *testing.T) {
	d := startDemo(t)
	var link string
	d.eventually(30*time.Second, "the link is printed", func() bool {
		link = regexp.MustCompile(`http://\S+/login\?once=\S+\n`).FindString(d.output())
		return link != ""
	})
	link = strings.TrimSpace(link)
	p := openPage(t, link)
	if text := evaluate[string](p, `document.querySelector(".bar").textContent`); !strings.Contains(text, "demo") || !strings.Contains(text, "Overview") || !strings.Contains(text, "Privacy") {
		t.Errorf("the link leads to %q", text)
	}
	if text := evaluate[string](p, `document.body.innerText`); !strings.Contains(text, "looks again every") && !evaluate[bool](p, `document.querySelector(".card .now:not(.none)") !== null`) {
		t.Errorf("the link leads neither to figures nor to a page that looks for them:\n%s", text)
	}
	res, err := plain.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusForbidden {
		t.Errorf("a second time it is answered %s", res.Status)
	}

	// Where somebody has added people to the folder there are no guests, and nothing is printed that would not work.
	d.stop()
	printed := len(d.output())
	if _, stderr, code := runBrine(t, strings.NewReader(passwordOf("mira")+"\n"), "user", "add", "mira", "--role", "raw", "--data", d.data); code != 0 {
		t.Fatal(stderr)
	}
	d.start()
	d.eventually(30*time.Second, "it says how to get in", func() bool { return strings.Contains(d.output()[printed:], d.private+"/login\n") })
	if text := d.output()[printed:]; strings.Contains(text, "once=") || strings.Contains(text, "brine_") || !strings.Contains(text, "brine token create") {
		t.Errorf("beside people it prints\n%s", text)
	}
}
