package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// totalsKPI publishes the last days, of interactions and of an app's installs.
const totalsKPI = `
segments:
  system: {title: System, field: user_agent.os, values: {Windows: "Windows*", macOS: [macOS, "Mac*", "OS X*"], iOS: ["iOS*", "iPhone*"], Android: "Android*", BeOS: BeOS}}
flows:
  sign_in: {steps: [opened: screen.rp_info, signed_in: assertion_generated]}
kpis:
  visits: {title: Visits, count: all, better: more, smallest: 100}
  rate: {title: Sign-in rate, conversion: sign_in, better: more, smallest: 2 %%}
publish:
  from: %s
  epsilon: {day: 2, all: 100}
  totals:
    visits: {kpi: visits, epsilon: 0.5}
    rate: {kpi: rate, by: system, epsilon: 1}
    installs: {installs: app_session, epsilon: 0.5, title: Installs in use}
`

// newTotals is a brine with a history, that publishes its days from the second on; it is not started. So many are over for sure: yesterday is published
// an hour after it is over, which may be while the test runs. They are those of the range.
func newTotals(t *testing.T, over int) (b *brine, shown string) {
	t.Helper()
	b = newAppBrine(t)
	b.configure("schemas: schemas\nkpi: ./kpi.yaml\npublic: {rate_limit: {per_second: 1000, burst: 1000}}\n" +
		"streams: {app_session: {schema: /simulate/app_session, unit: app_install_id, purpose: to see how often the app is used}}\n")
	b.writeAllowlist("app_session:\n  dt: {floor: 1h}\n  app_install_id: hash_per_stream\n")
	today, days := time.Now().UTC(), over+2
	from := today.AddDate(0, 0, -1-over).Format(time.DateOnly)
	shown = "?from=" + from + "&to=" + today.AddDate(0, 0, -1).Format(time.DateOnly)
	if err := os.WriteFile(filepath.Join(b.dir, "kpi.yaml"), fmt.Appendf(nil, totalsKPI, from), 0o600); err != nil {
		t.Fatal(err)
	}
	for stream, more := range map[string][]string{"interaction": {"--per-day=600"}, "app_session": {"--stream=app_session", "--per-day=300", "--installs=120"}} {
		history, _, code := runBrine(t, nil, append([]string{"simulate", fmt.Sprintf("--days=%d", days)}, more...)...)
		if code != 0 {
			t.Fatal(history)
		}
		if out, errs, code := b.command(strings.NewReader(history), "import", stream); code != 0 {
			t.Fatal(out, errs)
		}
	}
	return b, shown
}

type publishedTotals struct {
	Epsilon struct{ Spent float64 }
	Totals  []struct {
		Name string
		Days []struct {
			Date  string
			Cells []struct {
				Value  string
				Figure *float64
			}
		}
	}
}

func (b *brine) totals(t *testing.T, shown string) (p publishedTotals) {
	t.Helper()
	if err := json.Unmarshal(b.privacy(t, "/kpi.json"+shown).body, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// Days that are over are published as soon as they can be computed, and stay, to the byte, when Brine is killed and started again, facts are made anew and rules
// are others. The page is whole on phones and desktops, and loads and runs nothing.
func TestPublishedTotals(t *testing.T) {
	t.Parallel() // it waits
	const days = 3
	b, shown := newTotals(t, days)
	b.start()
	b.eventually(3*time.Minute, "all days are published", func() bool { return len(b.totals(t, shown).Totals[0].Days) == days })
	p := b.totals(t, shown)
	if p.Epsilon.Spent < 2*days || !strings.Contains(shown, p.Totals[0].Days[0].Date) {
		t.Errorf("%+v", p)
	}
	near := func(name string, got *float64, low, high float64) {
		if got == nil || *got < low || *got > high {
			t.Errorf("%s is %v, want %v to %v", name, got, low, high)
		}
	}
	near("visits", p.Totals[0].Days[1].Cells[0].Figure, 300, 900)
	near("sign-in rate", p.Totals[1].Days[1].Cells[0].Figure, 0.2, 1)
	near("installs", p.Totals[2].Days[1].Cells[0].Figure, 40, 160)
	if cells := p.Totals[1].Days[1].Cells; len(cells) != 7 || cells[4].Value != "BeOS" || cells[4].Figure != nil {
		t.Errorf("%+v", cells)
	}

	before := string(b.privacy(t, "/kpi.csv"+shown).body)
	same := func(after string) {
		t.Helper()
		if got := string(b.privacy(t, "/kpi.csv"+shown).body); got != before {
			t.Errorf("after %s it is\n%s\nand was\n%s", after, got, before)
		}
	}
	b.kill()
	b.start()
	same("a kill")
	if out, errs, code := b.command(nil, "kpi", "rebuild"); code != 0 {
		t.Fatal(out, errs)
	}
	same("a rebuild")
	if out, _, _ := b.command(nil, "status"); !strings.Contains(out, "published: ") || !strings.Contains(out, fmt.Sprintf("an epsilon of %g of 100 is spent", b.totals(t, shown).Epsilon.Spent)) {
		t.Error(out)
	}
	if out, _, _ := b.command(nil, "audit", "--action", "publish", "--json"); strings.Count(out, "are about to be published") < days {
		t.Error(out)
	}
	if text := b.published(t).statements()["published"]; !strings.Contains(text, "Visits; Sign-in rate by System; Installs in use") {
		t.Error(text)
	}

	page := openPage(t, b.public+"/kpi")
	page.mustNotComplain()
	for _, c := range []struct {
		scheme string
		width  int64
	}{{"light", 390}, {"dark", 390}, {"light", 1440}, {"dark", 1440}} {
		page.look(c.scheme, "screen", c.width)
		page.do(chromedp.Navigate(b.public + "/kpi" + shown))
		name := fmt.Sprintf("totals-%d-%s", c.width, c.scheme)
		if got := evaluate[int64](page, `document.documentElement.scrollWidth`); got > c.width {
			t.Errorf("%s: %d pixels wide", name, got)
		}
		if n := evaluate[int](page, `document.querySelectorAll("polyline").length`); n < 4 {
			t.Errorf("%s: %d lines are drawn", name, n)
		}
		page.accessible(name)
		page.picture(name)
	}
	if rows := evaluate[int](page, `document.querySelectorAll("tbody tr").length`); rows != 3*days {
		t.Errorf("%d rows", rows)
	}
}

// A restored data folder publishes no day that may have been published before; a damaged ledger publishes none, and the heartbeat warns.
func TestTotalsAfterARestore(t *testing.T) {
	t.Parallel() // it waits
	b, shown := newTotals(t, 2)
	b.start()
	b.eventually(3*time.Minute, "all days are published", func() bool { return len(b.totals(t, shown).Totals[0].Days) == 2 })
	before := string(b.privacy(t, "/kpi.csv"+shown).body)
	backup := filepath.Join(t.TempDir(), "backup")
	if out, errs, code := b.command(nil, "backup", "--to", backup); code != 0 {
		t.Fatal(out, errs)
	}
	b.stop()
	data := filepath.Join(b.dir, "data")
	releases, err := filepath.Glob(filepath.Join(data, "publish", "2*.json"))
	if err != nil || len(releases) < 2 {
		t.Fatal(releases, err)
	}
	// The backup was made before the last day was published.
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := b.command(nil, "restore", "--from", backup, "--without-removals"); code != 0 {
		t.Fatal(out, errs)
	}
	last := filepath.Join(data, "publish", filepath.Base(releases[len(releases)-1]))
	kept, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{last, filepath.Join(data, "publish.seen")} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	b.eventually(2*time.Minute, "the ledger is there", func() bool {
		out, _, _ := b.command(nil, "status")
		return strings.Contains(out, fmt.Sprintf("published: %d days", len(releases)-1))
	})
	if got := b.totals(t, ""); len(got.Totals[0].Days) != len(releases)-1 || got.Epsilon.Spent < 4 {
		t.Errorf("%+v", got)
	}
	b.stop()
	if err := os.WriteFile(last, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	if got := string(b.privacy(t, "/kpi.csv"+shown).body); got != before {
		t.Errorf("it is\n%s\nand was\n%s", got, before)
	}
	b.stop()
	if err := os.Truncate(last, 10); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.eventually(time.Minute, "the heartbeat warns", func() bool {
		return strings.Contains(string(b.privacy(t, "/__heartbeat__").body), `"publish":"error"`)
	})
	if out, errs, _ := b.command(nil, "status"); !strings.Contains(out, "NOTHING MORE IS PUBLISHED") || !strings.Contains(out, last) {
		t.Error(out, errs)
	}
}
