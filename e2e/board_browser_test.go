package e2e

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/console"
	"brine/console/board"
	"brine/kpi"
	"brine/kpi/kpitest"
	"brine/risk"
)

// boardNow is when the dashboard of these tests is looked at.
var boardNow = time.Date(2026, 11, 28, 14, 20, 0, 0, time.UTC)

// dashboard is a private door over simulated interactions in memory.
type dashboard struct {
	url   string
	gate  *gate.Gate
	reads *atomic.Int64 // that were recorded
}

type noted struct{}

func (noted) Append(audit.Record) (uint64, error) { return 1, nil }

var boardSource = sync.OnceValues(func() (*kpitest.Memory, error) {
	defs := *kpi.Shipped()
	defs.Changes = []kpi.Change{{Name: "short_form", Title: "The short form", At: time.Date(2026, 11, 9, 9, 0, 0, 0, time.UTC), Link: "https://example.org/tickets/123", Moves: "sign_in"}}
	return kpitest.Simulated(&defs, boardNow, 60, 100, "2026-11-17")
})

func openDashboard(t *testing.T) *dashboard {
	t.Helper()
	source, err := boardSource()
	if err != nil {
		t.Fatal(err)
	}
	return dashboardOf(t, source)
}

func dashboardOf(t *testing.T, source kpi.Source) *dashboard {
	t.Helper()
	now := func() time.Time { return boardNow }
	g := &gate.Gate{Audit: noted{}}
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	var added []kpi.Change
	var reads atomic.Int64
	s := &console.Server{Gate: g, MinCell: 10,
		Begin: func(audit.Record) (func(int64, string) error, error) {
			reads.Add(1)
			return func(int64, string) error { return nil }, nil
		},
		Board: &board.Board{KPI: &kpi.Board{Source: source, Now: now, Added: func() []kpi.Change { return added }}, MinCell: 10, Now: now, Gate: g,
			Add:    func(_ gate.Person, c kpi.Change) error { added = append(added, c); return nil },
			Remove: func(gate.Person, string) error { added = nil; return nil },
			Doors: func(context.Context) board.Doors {
				return board.Doors{Ready: true, CompleteTo: boardNow, Hours: 1, Refused: []board.Refused{{Reason: "too_large", Count: 37}, {Reason: "schema", Count: 12}}}
			},
			Held: func(context.Context) (board.Held, error) {
				return board.Held{RawWindow: "90 days", OldestRaw: boardNow.AddDate(0, 0, -59), NextPurge: boardNow.AddDate(0, 0, 31), NextRotation: boardNow.AddDate(0, 0, 33),
					Datasets: []board.Dataset{{Dataset: "raw", Stream: "interaction", Rows: 17_700, Oldest: boardNow.AddDate(0, 0, -59), Newest: boardNow}},
					Salts:    []board.Salt{{State: "in force", Start: boardNow.AddDate(0, -2, 0), End: boardNow.AddDate(0, 1, 0), Deletion: boardNow.AddDate(0, 1, 2)}}}, nil
			},
			Risk: func(context.Context, time.Time, time.Time) (risk.Report, error) {
				return risk.Report{Parts: []risk.Part{{Streams: []string{"app_read", "app_session"}, Installs: &risk.Count{All: 2001, Unique: 1, Under5: 9, Under10: 40, Under50: 310}, Rows: risk.Count{All: 10_904, Unique: 5},
					Fields: []risk.Field{{Name: "app_session.session_data.page_load_latency_ms", Rule: "{bucket: [100, 300, 1000]}", Alone: 1}},
					Rules:  []risk.Step{{Field: "app_session.session_data.page_load_latency_ms", Rule: "{bucket: [300]}", After: risk.Count{All: 2001}}}, OtherRules: 3}}}, nil
			},
			Audit: func(_ context.Context, f audit.Filter, _ string, _ int) (audit.Page, error) {
				rows := int64(1230)
				return audit.Page{Entries: []audit.Entry{{Record: audit.Record{Number: 7, Time: boardNow, Action: f.Action, Who: "ada", Route: "GET /api/v1/events/{stream}", Dataset: "raw", Stream: "interaction", Purpose: "ticket 123"},
					State: audit.Ended, End: &audit.Record{Outcome: "ok", Rows: &rows}}}}, nil
			},
		}}
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &dashboard{server.URL, g, &reads}
}

// enter gives the path that signs somebody in.
func (d *dashboard) enter(name string, roles ...access.Role) string {
	_, path := d.gate.Invite(name, access.RolesOf(roles...), time.Hour)
	return d.url + path
}

var boardPages = map[string]string{
	"overview": "/", "flow": "/flow?flow=sign_in", "segments": "/segments?by=browser&kpi=sign_in", "changes": "/changes", "change": "/changes/short_form",
	"health": "/health", "privacy": "/privacy-board", "risk": "/privacy-board?days=7",
}

// drawn waits until every chart of the page is there.
func (p *page) drawn() {
	p.t.Helper()
	p.do(chromedp.WaitReady(chromedp.CSS("footer")))
	undrawn := p.await(`(async () => {
		const left = () => [...document.querySelectorAll("figure[data-chart]")].filter((f) => f.offsetParent && !f.querySelector("svg"))
		for (let frames = 0; left().length && frames < 600; frames++) await new Promise(requestAnimationFrame)
		return String(left().map((f) => f.dataset.chart))
	})()`)
	if undrawn != "" {
		p.t.Errorf("not drawn: %s", undrawn)
	}
}

// Every page of the dashboard is whole on phones and desktops, in light and in dark, with its charts drawn, nothing that its own policy
// forbids, and no fault of accessibility. With -artifacts the pictures stay.
func TestDashboardLooks(t *testing.T) {
	d := openDashboard(t)
	p := openPage(t, d.enter("mira", access.Analyst, access.Privacy))
	p.mustNotComplain()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1440} {
			p.look(scheme, "screen", width)
			for name, path := range boardPages {
				picture := fmt.Sprintf("board-%s-%d-%s", name, width, scheme)
				p.wholePage(d.url+path, picture, scheme, width)
				p.accessible(picture)
			}
		}
	}
}

// waiting is a source whose facts are still being made, until they are.
type waiting struct {
	*kpitest.Memory
	done *atomic.Int64 // of 1440
}

func (w waiting) Days(ctx context.Context, s kpi.Slice) ([]kpi.Day, error) {
	if done := int(w.done.Load()); done < 1440 {
		return nil, &kpi.Building{Done: done, Of: 1440}
	}
	return w.Memory.Days(ctx, s)
}

// A page that waits for facts tells how far they are, and shows the figures once they are there, in its own place: they are read once, whatever it waited.
func TestDashboardWaits(t *testing.T) {
	simulated, err := boardSource()
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64
	d := dashboardOf(t, waiting{simulated, &done})
	p := openPage(t, d.enter("mira", access.Analyst))
	until := func(what string) {
		t.Helper()
		if got := p.await(`(async () => {
			for (let n = 0; n < 600 && !(` + what + `); n++) await new Promise((go) => setTimeout(go, 100))
			return String(` + what + `)
		})()`); got != "true" {
			t.Fatalf("never: %s", what)
		}
	}
	p.do(chromedp.Navigate(d.url+"/flow?last=14d"), chromedp.WaitReady(chromedp.CSS("footer")))
	evaluate[bool](p, `window.same = true`)
	for _, n := range []int64{0, 700} {
		done.Store(n)
		until(fmt.Sprintf(`document.querySelector("[data-again]").textContent.includes("%d of 1440")`, n))
	}
	done.Store(1440)
	until(`document.querySelector("figure[data-chart] svg") !== null`)
	if got := evaluate[string](p, `document.title + document.querySelector("h1").textContent + window.same`); got != "Flow · BrineFlow: Sign-intrue" || d.reads.Load() != 1 {
		t.Errorf("%q, after %d reads", got, d.reads.Load())
	}
}

// A page that has no figures to show looks as whole: where facts are still being made, where nothing has come yet, and where what was asked for is not there.
func TestDashboardStatesLook(t *testing.T) {
	simulated, err := boardSource()
	if err != nil {
		t.Fatal(err)
	}
	nothing := &kpitest.Memory{Defs: simulated.Defs, Now: simulated.Now}
	p := openPage(t, "about:blank")
	for name, state := range map[string]struct {
		source kpi.Source
		path   string
		says   string
	}{
		"waiting":  {waiting{simulated, new(atomic.Int64)}, "/?only=browser:Firefox", "0 of 1440"},
		"empty":    {nothing, "/", "No figures of these days"},
		"unjudged": {nothing, "/changes/short_form", "not enough data yet"},
		"silent":   {nothing, "/health", "none that can be told of"},
		"problem":  {simulated, "/flow?flow=" + strings.Repeat("no_such_flow", 20), "flow is none that there is"},
		"missing":  {simulated, "/changes/" + strings.Repeat("no_such_change", 20), "no change has this name"},
		"nobody":   {simulated, "/segments?by=browser&only=browser:" + strings.Repeat("W", 150), "No figures of these days"},
	} {
		d := dashboardOf(t, state.source)
		p.do(chromedp.Navigate(d.enter("mira", access.Analyst, access.Privacy)))
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{390, 1440} {
				p.look(scheme, "screen", width)
				p.wholePage(d.url+state.path, fmt.Sprintf("board-%s-%d-%s", name, width, scheme), scheme, width)
				p.accessible(name)
				if text := evaluate[string](p, `document.querySelector("main").textContent`); !strings.Contains(strings.ToLower(text), strings.ToLower(state.says)) {
					t.Errorf("%s does not say %q:\n%s", name, state.says, text)
				}
			}
		}
	}
}

// wholePage opens a page, and wants it drawn, no wider than the screen, and in its scheme.
func (p *page) wholePage(url, picture, scheme string, width int64) {
	p.t.Helper()
	p.do(chromedp.Navigate(url))
	p.drawn()
	if got := evaluate[int64](p, `document.documentElement.scrollWidth`); got > width {
		p.t.Errorf("%s: %d pixels wide", picture, got)
	}
	if dark := evaluate[string](p, `getComputedStyle(document.body).backgroundColor`) == "rgb(13, 22, 21)"; dark != (scheme == "dark") {
		p.t.Errorf("%s: the ground is not of this scheme", picture)
	}
	p.picture(picture)
}

// accessible has axe-core look for faults that are serious or critical.
func (p *page) accessible(name string) {
	p.t.Helper()
	axe, err := os.ReadFile("../console/board/charts/node_modules/axe-core/axe.min.js")
	if err != nil {
		p.t.Fatalf("%v: make test-needs installs it", err)
	}
	evaluate[bool](p, string(axe)+"; true")
	found := p.await(`axe.run().then((r) => JSON.stringify(r.violations.filter((v) => v.impact === "serious" || v.impact === "critical")
		.map((v) => [v.id, v.help, v.nodes.slice(0, 2).map((n) => n.html.slice(0, 200))])))`)
	if found != "[]" {
		p.t.Errorf("%s: %s", name, found)
	}
}

// A link is a view: who follows it sees the same, with the same days, filter and choice in the form.
func TestDashboardLink(t *testing.T) {
	d := openDashboard(t)
	p := openPage(t, d.enter("mira", access.Analyst))
	p.do(chromedp.Navigate(d.url+"/segments?last=14d"), chromedp.WaitReady(chromedp.CSS("footer")))
	p.do(chromedp.Click(chromedp.CSS(`.choices a[href*="by=screen"]`), chromedp.NodeVisible))
	p.do(chromedp.WaitReady(chromedp.CSS(`.choices a[href*="by=screen"][aria-current]`)))
	p.do(chromedp.Click(chromedp.CSS(`th a[href*="sort=-sign_in"]`), chromedp.NodeVisible))
	p.do(chromedp.WaitReady(chromedp.CSS(`th[aria-sort=descending]`)))
	const seen = `[...document.querySelectorAll("h1, .lead, main table, .fields input[type=date]")].map((e) => e.value || e.textContent).join("\n")`
	link, first := evaluate[string](p, `location.href`), evaluate[string](p, seen)
	other := openPage(t, d.enter("noor", access.Analyst))
	other.do(chromedp.Navigate(link), chromedp.WaitReady(chromedp.CSS("footer")))
	if again := evaluate[string](other, seen); again != first || !strings.Contains(first, "2026-11-15") {
		t.Errorf("%s shows\n%s\nand to somebody else\n%s", link, first, again)
	}
}

// What a chart draws, what its CSV sums to and what the page says are one.
func TestDashboardChartsAndCSV(t *testing.T) {
	d := openDashboard(t)
	p := openPage(t, d.enter("mira", access.Analyst))
	p.do(chromedp.Navigate(d.url+"/?from=2026-11-02&to=2026-11-16"), chromedp.WaitReady(chromedp.CSS("footer")))
	p.drawn()
	var charted float64
	for _, v := range evaluate[[]float64](p, `JSON.parse(document.querySelector("figure[data-chart=interactions] script").textContent).points.map((p) => p.value)`) {
		charted += v
	}
	rows := d.csv(t, evaluate[string](p, `document.querySelector("figure[data-chart=interactions] .downloads a").href`))
	var summed float64
	for _, row := range rows[1:] {
		if row[0] == "interactions" && row[2] == "day" {
			v, err := strconv.ParseFloat(row[5], 64)
			if err != nil {
				t.Fatal(err)
			}
			summed += v
		}
	}
	if charted == 0 || math.Abs(charted-summed) > 1e-9*charted {
		t.Errorf("the chart has %v, its CSV %v", charted, summed)
	}
}

// A chart is saved as an SVG that needs no style sheet: colours and type are in it.
func TestDashboardSVG(t *testing.T) {
	d := openDashboard(t)
	p := openPage(t, d.enter("mira", access.Analyst))
	p.do(chromedp.Navigate(d.url+"/flow"), chromedp.WaitReady(chromedp.CSS("footer")))
	p.drawn()
	svg := p.await(`new Promise((done) => {
		URL.createObjectURL = (blob) => (blob.text().then(done), "#")
		document.querySelector(".downloads button").click()
	})`)
	if !strings.HasPrefix(svg, "<svg") || strings.Contains(svg, "var(--accent") || !strings.Contains(svg, "rgb(11, 93, 87)") || !strings.Contains(svg, "Signed in") {
		t.Errorf("it is %.500s", svg)
	}
}

// csv asks as a script does.
func (d *dashboard) csv(t *testing.T, url string) [][]string {
	t.Helper()
	token, _ := d.gate.Invite("a script", access.RolesOf(access.Analyst), time.Hour)
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	rows, err := csv.NewReader(res.Body).ReadAll()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	return rows
}

// Without scripts every page has its tables.
func TestDashboardWithoutScripts(t *testing.T) {
	d := openDashboard(t)
	p := openPage(t, d.enter("mira", access.Analyst, access.Privacy))
	p.mustNotComplain()
	p.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
	for name, path := range boardPages {
		p.do(chromedp.Navigate(d.url+path), chromedp.WaitReady(chromedp.CSS("footer")))
		if evaluate[int](p, `document.querySelectorAll("svg").length`) != 0 {
			t.Errorf("%s: scripts ran", name)
		}
		if evaluate[int](p, `document.querySelectorAll("main tbody tr").length`) == 0 {
			t.Errorf("%s has no table", name)
		}
	}
}

// Somebody without a mouse changes the days, and adds a change and takes it off again.
func TestDashboardByKeyboard(t *testing.T) {
	d := openDashboard(t)
	p := openPage(t, d.enter("mira", access.Analyst))
	p.do(chromedp.Navigate(d.url+"/changes"), chromedp.WaitReady(chromedp.CSS("footer")))
	p.mustFocus("A.skip", kb.Tab)
	p.do(chromedp.Focus(chromedp.CSS(`[name=name]`)), chromedp.KeyEvent("new_words"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("New words"))
	p.do(chromedp.Focus(chromedp.CSS(`[name=release]`)), chromedp.KeyEvent("2026.11.3"), chromedp.KeyEvent(kb.Enter))
	p.do(chromedp.WaitReady(chromedp.CSS(".judged")))
	if got := evaluate[string](p, `document.querySelector("h1").textContent`); got != "New words" {
		t.Errorf("the change is called %q", got)
	}
	p.do(chromedp.Focus(chromedp.CSS(".remove button")), chromedp.KeyEvent(kb.Enter), chromedp.WaitReady(chromedp.CSS("form.add")))
	if text := evaluate[string](p, `document.querySelector("main").textContent`); strings.Contains(text, "New words") {
		t.Error("the change is still there")
	}
}
