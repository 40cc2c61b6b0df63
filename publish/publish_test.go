package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/kpi"
	"brine/kpi/kpitest"
	"brine/policy"
)

const definitionsText = `
segments:
  os: {title: System, field: user_agent.os, values: {Windows: "Windows*", macOS: [macOS, "Mac*", "OS X*"], BeOS: BeOS}}
flows:
  sign_in: {steps: [opened: screen.rp_info, signed_in: assertion_generated]}
kpis:
  visits: {title: Visits, count: all, better: more, smallest: 100}
  rate: {title: Sign-in rate, conversion: sign_in, better: more, smallest: 2 %}
publish:
  from: 2026-11-20
  epsilon: {day: 2, all: 12}
  totals:
    visits: {kpi: visits, epsilon: 0.5}
    rate_by_os: {kpi: rate, by: os, epsilon: 1}
    installs: {installs: app_session, epsilon: 0.5}
`

func mustParse(t testing.TB, text string) *kpi.Definitions {
	t.Helper()
	d, mistakes := kpi.Parse("kpi.yaml", []byte(text))
	if len(mistakes) > 0 {
		t.Fatal(mistakes)
	}
	return d
}

// noon is in the middle of the day that goes on.
var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// house is a publisher over simulated interactions, and its pages.
type house struct {
	*Publisher
	Pages
	dir    string
	defs   *kpi.Definitions
	memory *kpitest.Memory
	now    time.Time
	hour   time.Time
}

func newHouse(t testing.TB, text string, perDay int) *house {
	t.Helper()
	h := &house{dir: filepath.Join(t.TempDir(), "publish"), defs: mustParse(t, text), now: noon, hour: noon}
	var err error
	if h.memory, err = kpitest.Simulated(h.defs, noon, 10, perDay, "2026-11-24"); err != nil {
		t.Fatal(err)
	}
	h.memory.Now = func() time.Time { return h.now }
	h.open(t)
	return h
}

func (h *house) open(t testing.TB) {
	definitions := func() *kpi.Definitions { return h.defs }
	h.Publisher = &Publisher{Ledger: mustOpenLedger(t, h.dir), Definitions: definitions, Days: h.memory.Days, Now: func() time.Time { return h.now },
		Whole:    func(context.Context) (kpi.Date, error) { return "", nil },
		Hour:     func() time.Time { return h.hour },
		Installs: func(context.Context, string, kpi.Date) (int64, int64, error) { return 500, 1, nil }}
	h.Pages = Pages{Edition: h.Publisher.Edition}
}

func (h *house) get(t testing.TB, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	if len(headers) == 2 {
		r.Header.Set(headers[0], headers[1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func (h *house) data(t testing.TB, path string) (d Data) {
	t.Helper()
	w := h.get(t, path)
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 {
		t.Fatal(w.Code, err, w.Body)
	}
	return d
}

// Days that are over are published, one without data as any other, and each has all cells of the key space; the one that goes on is not.
func TestPublishesWholeDays(t *testing.T) {
	h := newHouse(t, strings.Replace(definitionsText, "all: 12", "all: 100", 1), 3000)
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := mustOpenLedger(t, h.dir).now(); s.First != "2026-11-20" || s.Day != 20_000 {
		t.Errorf("the ledger does not know what was asked for: %+v", s.elsewhere)
	}
	d := h.data(t, "/kpi.json")
	if len(d.Totals) != 3 || d.From != "2026-11-20" || d.To != "2026-11-28" || d.Epsilon.Spent != 8*20_000 {
		t.Fatalf("%+v", d)
	}
	for _, total := range d.Totals {
		if len(total.Days) != 8 {
			t.Fatalf("%s has %d days", total.Name, len(total.Days))
		}
		for _, day := range total.Days {
			var values []string
			for _, c := range day.Cells {
				values = append(values, c.Value)
			}
			if fmt.Sprint(values) != fmt.Sprint(total.Values) {
				t.Errorf("%s has the cells %v, want %v", day.Date, values, total.Values)
			}
			if c := day.figure("BeOS"); c != nil && c.Figure != nil {
				t.Errorf("%s tells of a system that nobody has", day.Date)
			}
		}
	}
	visits, rate := d.Totals[0], d.Totals[1]
	if f := visits.Days[3].Cells[0]; f.Figure == nil || *f.Figure < 2900 || *f.Figure > 3100 {
		t.Errorf("%+v", f)
	}
	if f := visits.Days[4]; f.Date != "2026-11-24" || f.Cells[0].Figure != nil {
		t.Errorf("a day without data: %+v", f)
	}
	if f := rate.Days[3].figure("Windows"); f.Figure == nil || *f.Figure <= 0.2 || *f.Figure >= 1 || *f.Number >= *f.Of {
		t.Errorf("%+v", f)
	}
	if d.Totals[2].Privacy != oneInstallDay || *d.Totals[2].Days[0].Cells[0].Figure < 400 {
		t.Errorf("%+v", d.Totals[2])
	}
}

// What is published stays, when it is asked for again, after a restart, and when what it was made of is another.
func TestPublishedStays(t *testing.T) {
	h := newHouse(t, definitionsText, 500)
	h.now = noon.AddDate(0, 0, -3)
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := h.get(t, "/kpi.json?from=2026-11-20&to=2026-11-25").Body.String()
	h.memory.Facts = h.memory.Facts[:len(h.memory.Facts)/3]
	for range 2 {
		h.open(t)
		if err := h.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := h.get(t, "/kpi.json?from=2026-11-20&to=2026-11-25").Body.String(); after != before {
			t.Errorf("it was\n%s\nand is\n%s", before, after)
		}
	}
	h.now = noon // one more day fits into the budget of 12
	if err := h.Step(t.Context()); !errors.As(err, new(Overspent)) || len(h.Publisher.Ledger.Releases()) != 6 {
		t.Error(err, len(h.Publisher.Ledger.Releases()))
	}
	h.stopped = h.Step(t.Context())
	if d := h.data(t, "/kpi.json"); d.Stopped == "" || d.Epsilon.Spent != 120_000 || len(d.Totals[0].Days) != 6 {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(h.get(t, "/kpi").Body.String(), "nothing more is published") {
		t.Error("the page does not say why it ends")
	}
}

// Where figures cannot be had, or the record cannot be made, nothing is published, and nothing is spent.
func TestNothingIsPublishedByAccident(t *testing.T) {
	broken := errors.New("broken")
	for name, harm := range map[string]func(*house){
		"building": func(h *house) {
			h.Days = func(context.Context, kpi.Slice) ([]kpi.Day, error) { return nil, &kpi.Building{Done: 1, Of: 2} }
		},
		"installs": func(h *house) {
			h.Installs = func(context.Context, string, kpi.Date) (int64, int64, error) { return 0, 0, broken }
		},
		"purged": func(h *house) { h.Whole = func(context.Context) (kpi.Date, error) { return "2026-11-28", nil } },
		"record": func(h *house) { h.Record = func(kpi.Date) error { return broken } },
		"open":   func(h *house) { h.memory.Now = func() time.Time { return noon.AddDate(0, 0, -20) } },
		"changed": func(h *house) {
			defs := []*kpi.Definitions{h.defs, mustParse(t, definitionsText)}
			n := 0
			h.Publisher.Definitions = func() *kpi.Definitions { n++; return defs[min(1, n-1)] }
		},
		"off": func(h *house) {
			off, _, _ := strings.Cut(definitionsText, "publish:")
			h.defs = mustParse(t, off)
		},
	} {
		h := newHouse(t, definitionsText, 10)
		harm(h)
		err := h.Step(t.Context())
		if len(h.Publisher.Ledger.Releases()) > 0 || len(contents(t, h.dir)) > 0 {
			t.Errorf("%s: published (%v)", name, err)
		}
	}
}

// A day whose hours are not done is waited for; where that takes long, why nothing is published is told, with what to do.
func TestWaits(t *testing.T) {
	h := newHouse(t, definitionsText, 10)
	days, building := h.Days, new(*kpi.Building)
	h.Days = func(context.Context, kpi.Slice) ([]kpi.Day, error) { return nil, &kpi.Building{Done: 1, Of: 3} }
	step := func(from string, now time.Time, told bool) {
		t.Helper()
		h.defs = mustParse(t, strings.Replace(definitionsText, "2026-11-20", from, 1))
		h.now, h.hour = now, now
		err := h.Step(t.Context())
		if waits := errors.As(err, new(Waits)); waits != told || errors.As(err, building) == told {
			t.Errorf("from %s at %s: %v", from, now, err)
		}
	}
	step("2026-11-27", noon, false)
	step("2026-11-27", noon.Add(12*time.Hour), false) // it is over for less than a day
	step("2026-11-20", noon.Add(12*time.Hour), false) // it may have begun just now
	step("2026-11-20", noon.Add(13*time.Hour), true)
	if err := h.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "2026-11-20, and all days after it, wait for 2 hours") {
		t.Error(err)
	}
	h.Days = days
	if err := h.Step(t.Context()); !errors.As(err, new(Overspent)) {
		t.Error(err)
	}
}

// A clock that is far ahead, or a brine that was off for long, has no days published until somebody has looked at it: the log would say of them that they are over, and empty.
func TestLeap(t *testing.T) {
	h := newHouse(t, strings.Replace(definitionsText, "all: 12", "all: 100", 1), 10)
	for _, c := range []struct {
		ahead  time.Duration
		accept bool
		days   int
	}{{0, false, 8}, {47 * time.Hour, false, 10}, {10 * 24 * time.Hour, false, 10}, {10 * 24 * time.Hour, true, 18}, {11 * 24 * time.Hour, false, 19}} {
		h.open(t)
		h.AcceptClock, h.now = c.accept, noon.Add(c.ahead)
		h.hour = h.now
		err := h.Step(t.Context())
		if leapt := errors.As(err, new(Leap)); leapt != (c.days == 10 && c.ahead > maxLeap) || !leapt && err != nil {
			t.Errorf("%v: %v", c, err)
		}
		if n := len(h.Publisher.Ledger.Releases()); n != c.days {
			t.Errorf("%v: %d days are published", c, n)
		}
	}
	h.open(t)
	h.AcceptClock = true
	for _, c := range []struct {
		days  int
		leapt bool
	}{{30, false}, {31, false}, {40, true}} { // nobody has looked at a leap that comes while it runs
		h.now = noon.AddDate(0, 0, c.days)
		h.hour = h.now
		if err := h.Step(t.Context()); errors.As(err, new(Leap)) != c.leapt {
			t.Errorf("%d days on, accepted at the start: %v", c.days, err)
		}
	}
}

// A first day far back, be it by mistake or because the clock is ahead at the very first start, does not spend the budget on empty days: until somebody
// has looked at both, nothing is published; neither is it while the hour is not known. What was begun with, or accepted, goes on.
func TestTooEarly(t *testing.T) {
	from := func(day string) string {
		return strings.NewReplacer("from: 2026-11-20", "from: "+day, "all: 12", "all: 1000").Replace(definitionsText)
	}
	h := newHouse(t, from("2016-11-20"), 1)
	want := func(name string, hour time.Time, early bool, days int) {
		t.Helper()
		h.now, h.hour = hour, hour
		err := h.Step(t.Context())
		if errors.As(err, new(Early)) != early || !early && err != nil || len(h.Publisher.Ledger.Releases()) != days {
			t.Errorf("%s: %d days are published, %v", name, len(h.Publisher.Ledger.Releases()), err)
		}
	}
	want("a wrong year", noon, true, 0)
	h.defs = mustParse(t, from("2026-11-20"))
	want("a clock a year ahead", noon.AddDate(1, 0, 0), true, 0)
	want("the hour is not known", time.Time{}, false, 0)
	if s := h.Publisher.Ledger.now(); s.First != "" {
		t.Errorf("what was refused counts: %+v", s.elsewhere)
	}
	want("as it is meant", noon, false, 8)
	h.defs = mustParse(t, from("2026-10-01"))
	want("put back later", noon, true, 8)
	h.open(t)
	h.AcceptClock = true
	want("accepted", noon, false, 58)
	h.open(t)
	want("begun with", noon.AddDate(0, 0, 1), false, 59)
	if err := h.Publisher.Ledger.Enter(noon.AddDate(1, 0, 0), false); !errors.As(err, new(Leap)) {
		t.Errorf("the hour of a clock that was ahead is noted: %v", err)
	}
}

// One interaction on a day, and one install, is published as none would be: too few.
func TestOneInTheData(t *testing.T) {
	h := newHouse(t, definitionsText, 1)
	h.Installs = func(context.Context, string, kpi.Date) (int64, int64, error) { return 1, 1, nil }
	h.Step(t.Context())
	for _, total := range h.data(t, "/kpi.json").Totals {
		if len(total.Days) == 0 {
			t.Fatal("no days")
		}
		for _, day := range total.Days {
			for _, c := range day.Cells {
				if c.Figure != nil || c.Number != nil || c.Of != nil || c.Low != nil {
					t.Errorf("%s %s tells %+v", day.Date, total.Name, c)
				}
			}
		}
	}
	if page := h.get(t, "/kpi").Body.String(); !strings.Contains(page, "Too few on every day") || strings.Contains(page, "<polyline") {
		t.Error(page)
	}
}

// The sentences hold of every day that is shown, whatever kpi.yaml says today: by the largest epsilon and the widest noise of these; with no day, by kpi.yaml.
func TestWordsHoldOfAllDays(t *testing.T) {
	h := newHouse(t, definitionsText, 300)
	h.now = noon.AddDate(0, 0, -5)
	h.Installs = func(_ context.Context, _ string, date kpi.Date) (int64, int64, error) {
		return 500, map[kpi.Date]int64{"2026-11-20": 2}[date] + 1, nil
	}
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.defs = mustParse(t, strings.NewReplacer("visits, epsilon: 0.5", "visits, epsilon: 0.05", "app_session, epsilon: 0.5", "app_session, epsilon: 0.4", "by: os, epsilon: 1", "by: os, epsilon: 0.5", "day: 2", "day: 1").Replace(definitionsText))
	h.memory.Defs, h.now = h.defs, noon.AddDate(0, 0, -4)
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ days, visits, installs, all string }{
		{"from=2026-11-20&to=2026-11-24", "at most 60, up or down, in 95 of 100 cases: discrete Laplace noise of a scale of at most 20. With one use of a dialog more or less, every figure is at most 1.65 times", "scale of at most 6.", "at most 7.39 times it (e to the power of epsilon, which is at most 2 a day)"},
		{"from=2026-11-20&to=2026-11-23", "scale of at most 2. With one use of a dialog more or less, every figure is at most 1.65 times", "scale of at most 6.", "which is at most 2 a day"},
		{"from=2026-11-23&to=2026-11-24", "scale of at most 20. With one use of a dialog more or less, every figure is at most 1.05 times", "scale of at most 2.5.", "which is at most 0.95 a day"},
		{"from=2026-12-01&to=2026-12-02", "scale of at most 20. With one use of a dialog more or less, every figure is at most 1.05 times", "scale of at most 2.5.", "which is at most 1 a day"},
	} {
		d := h.data(t, "/kpi.json?"+c.days)
		if visits, installs, all := d.Totals[0].Words, d.Totals[2].Words, strings.Join(d.Words, " "); !strings.Contains(visits, c.visits) || !strings.Contains(installs, c.installs) || !strings.Contains(all, c.all) {
			t.Errorf("%s:\n%s\n%s\n%s", c.days, visits, installs, all)
		}
	}
}

// What a total measures may change under its name: days before stay, and the page says where it did.
func TestChangedMeaning(t *testing.T) {
	h := newHouse(t, definitionsText, 300)
	h.now = noon.AddDate(0, 0, -5)
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.defs = mustParse(t, strings.NewReplacer("opened: screen.rp_info", "opened: screen.authenticate", "BeOS: BeOS", "Plan 9: Plan9").Replace(definitionsText))
	h.memory.Defs, h.now = h.defs, noon.AddDate(0, 0, -3)
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := h.data(t, "/kpi.json")
	if len(d.Totals[0].Changed) > 0 || fmt.Sprint(d.Totals[1].Changed) != "[2026-11-23]" || !strings.Contains(fmt.Sprint(d.Totals[1].Values), "BeOS") {
		t.Errorf("%v %v %v", d.Totals[0].Changed, d.Totals[1].Changed, d.Totals[1].Values)
	}
	if !strings.Contains(h.get(t, "/kpi").Body.String(), "From 2026-11-23 on, something else is measured") {
		t.Error("the page does not say so")
	}
}

// Caches may keep an answer, and ask whether it still holds.
func TestAnswers(t *testing.T) {
	h := newHouse(t, definitionsText, 300)
	h.Step(t.Context())
	for path, mime := range map[string]string{"/kpi": "text/html; charset=utf-8", "/kpi.json": "application/json", "/kpi.csv": "text/csv; charset=utf-8"} {
		w := h.get(t, path)
		tag := w.Header().Get("ETag")
		if w.Code != 200 || w.Header().Get("Content-Type") != mime || tag == "" || w.Header().Get("Cache-Control") != "public, max-age=300" || w.Header().Get("Set-Cookie") != "" {
			t.Error(path, w.Code, w.Header())
		}
		if again := h.get(t, path, "If-None-Match", `"other", W/`+tag); again.Code != 304 || again.Body.Len() > 0 {
			t.Error(path, again.Code)
		}
		if other := h.get(t, path, "If-None-Match", `"other"`); other.Code != 200 {
			t.Error(path, other.Code)
		}
	}
	for query, reason := range map[string]string{"from=yesterday": "no day", "from=2026-11-28&to=2026-11-01": "before", "from=2020-01-01": "at most 366", "to=2026-02-31": "no day"} {
		if w := h.get(t, "/kpi.json?"+query); w.Code != 400 || !strings.Contains(w.Body.String(), reason) {
			t.Error(query, w.Code, w.Body)
		}
	}
	lines := strings.Split(strings.TrimSpace(h.get(t, "/kpi.csv?from=2026-11-20&to=2026-11-21").Body.String()), "\n")
	if len(lines) != 1+1+5+1 || !strings.HasPrefix(lines[1], "2026-11-20,visits,count,,,") {
		t.Error(strings.Join(lines, "\n"))
	}
	page := h.get(t, "/kpi")
	csp := page.Header().Get("Content-Security-Policy")
	for _, script := range []string{"<script", "style=", "onclick", "http://", "https://"} {
		if strings.Contains(page.Body.String(), script) {
			t.Errorf("the page has %s", script)
		}
	}
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(page.Body.String(), "<polyline") || strings.Count(page.Body.String(), "<table") != 3 {
		t.Error(csp)
	}
}

// Anybody may ask, so a page is made once, the last few are kept and no more, and none is larger than a processor makes in a moment. A new day makes them anew.
func TestPagesAreBounded(t *testing.T) {
	h := newHouse(t, strings.Replace(definitionsText, "all: 12", "all: 100", 1), 10)
	h.now = noon.AddDate(0, 0, -1)
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			path := []string{"/kpi", "/kpi.json", "/kpi.csv"}[i%3]
			if w := h.get(t, path); w.Code != 200 || w.Body.Len() == 0 {
				t.Error(path, w.Code)
			}
		})
	}
	all.Wait()
	if len(h.made) != 3 {
		t.Errorf("%d pages are kept of 3 that were asked for", len(h.made))
	}
	for day := range 6 {
		h.get(t, "/kpi?from=2026-11-20&to="+string(kpi.Date("2026-11-21").Plus(day)))
	}
	if last := h.made[len(h.made)-1]; len(h.made) != mostKept || last.to != "2026-11-26" {
		t.Errorf("%d pages are kept, the last to %s", len(h.made), last.to)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/kpi?from=2026-11-22", nil).WithContext(gone))
	if last := h.made[len(h.made)-1]; last.from != "2026-11-20" {
		t.Error("a page is made that nobody waits for")
	}
	before := h.get(t, "/kpi.csv").Body.String()
	h.now = noon
	if err := h.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := h.get(t, "/kpi.csv").Body.String(); !strings.HasPrefix(after, before[:100]) || strings.Count(after, "2026-11-27,") == 0 {
		t.Error(after)
	}

	h.writing.Add(mostWritten)
	if w := h.get(t, "/kpi"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Error("more is held for slow readers than is bounded", w.Code)
	}
	h.writing.Add(-mostWritten)
	if w := h.get(t, "/kpi"); w.Code != http.StatusOK || h.writing.Load() != 0 {
		t.Error(w.Code, h.writing.Load())
	}

	e := h.Publisher.Edition()
	for cells, days := range map[int]int{1: 366, 199: 250, 16 * 52: 60, 5000: 28} {
		e.Totals = []Total{{Values: make([]string, cells)}}
		for more, ok := range []bool{true, false} {
			_, _, err := e.rangeOf(url.Values{"from": {"2026-11-20"}, "to": {string(kpi.Date("2026-11-20").Plus(days + more))}})
			if (err == nil) != ok {
				t.Errorf("%d cells, %d days: %v", cells, days+more, err)
			}
		}
	}
}

// The page and its words are in the languages of /privacy, by ?lang= or as the browser asks, with the digits of the language; caches are told.
func TestLanguages(t *testing.T) {
	h := newHouse(t, definitionsText, 3000)
	h.Step(t.Context())
	german := h.get(t, "/kpi", "Accept-Language", "de-AT, en;q=0.5")
	for _, says := range []string{`<html lang="de">`, "Veröffentlichte Zahlen", "Der Anteil ist einer von zwei Zahlen", "mehr oder weniger ist jede Zahl höchstens 1,65-mal so wahrscheinlich.", "e hoch Epsilon, und das ist höchstens 2 am Tag", "Bisher verbraucht: ein Epsilon von 12 von 12.", "Es wird nichts mehr veröffentlicht.",
		`<a href="/kpi?from=2026-11-20&amp;lang=en&amp;to=2026-11-26" lang="en" hreflang="en">English</a>`} {
		if !strings.Contains(german.Body.String(), says) {
			t.Errorf("the page does not say %q", says)
		}
	}
	if !regexp.MustCompile(`<strong>[23]\.\d{3}</strong>`).MatchString(german.Body.String()) || german.Header().Get("Vary") != "Accept-Language" || german.Header().Get("Content-Language") != "de" {
		t.Error(german.Header(), german.Body)
	}
	if other := h.get(t, "/kpi?lang=en", "Accept-Language", "de"); !strings.Contains(other.Body.String(), "Published totals") {
		t.Error("lang= is not heard")
	}
	if words := h.data(t, "/kpi.json?lang=de").Words; len(words) != 4 || !strings.Contains(words[3], "Gezählt wird") {
		t.Error(words)
	}
}

// Off by default: nothing is there.
func TestOff(t *testing.T) {
	off, _, _ := strings.Cut(definitionsText, "publish:")
	h := newHouse(t, off, 1)
	for _, path := range []string{"/kpi", "/kpi.json", "/kpi.csv"} {
		if w := h.get(t, path); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "no totals are published here") {
			t.Error(path, w.Code)
		}
	}
	if kpi.Shipped().Publish != nil {
		t.Error("what ships publishes something")
	}
}

// A value that a spreadsheet would compute is text, and one with markup too; a number is told to its last digit.
func TestOddValues(t *testing.T) {
	v, low := 1234567.0, 0.000001
	d := Data{Totals: []TotalShown{{Name: "t", Title: "<b>", Unit: kpi.UnitCount, By: "=1", Values: []string{"=HYPERLINK(1)"}, Days: []DayShown{{Date: "2026-11-20", Cells: []Figure{{Value: "=HYPERLINK(1)", Figure: &v, Low: &low, High: &v}}}}}}, From: "2026-11-20", To: "2026-11-21"}
	if text := string(d.csv()); !strings.Contains(text, ",'=1,'=HYPERLINK(1),1234567,0.000001,1234567,") {
		t.Error(text)
	}
	var b strings.Builder
	english, _ := policy.InLanguage("en")
	if err := page.Execute(&b, newPage(d, english)); err != nil || strings.Contains(b.String(), "<b>") {
		t.Error(err, b.String())
	}
}

// One interaction more or less changes the counts of a total by one in all, whatever it is and whatever its weight: this is what noise is made for.
func TestSensitivity(t *testing.T) {
	h := newHouse(t, definitionsText, 60)
	for i := range h.memory.Facts {
		h.memory.Facts[i].Weight = 10_000
	}
	leftOut := -1
	h.Days = func(_ context.Context, s kpi.Slice) ([]kpi.Day, error) {
		day, add := kpi.Day{Date: s.From, Cells: map[string]*kpi.Cell{}}, h.defs.Adder()
		for i := range h.memory.Facts {
			f := &h.memory.Facts[i]
			if i == leftOut || kpi.DateOf(time.UnixMilli(f.Time), h.defs.Zone) != s.From {
				continue
			}
			value := ""
			if s.By != "" {
				value = f.Segments[0]
			}
			if day.Cells[value] == nil {
				day.Cells[value] = h.defs.NewCell(false)
			}
			add.Set(f)
			add.Add(day.Cells[value])
		}
		return []kpi.Day{day}, nil
	}
	counts := func(date kpi.Date) (all []counted) {
		for _, total := range h.defs.Publish.Totals[:2] {
			c, over, err := h.count(t.Context(), h.defs, total, date)
			if err != nil || !over {
				t.Fatal(over, err)
			}
			all = append(all, c)
		}
		return all
	}
	const date = "2026-11-23"
	whole := counts(date)
	changed := 0
	for i := range h.memory.Facts {
		leftOut = i
		for at, without := range counts(date) {
			distance := int64(0)
			for _, value := range h.defs.KeySpace(h.defs.Publish.Totals[at]) {
				a, b := whole[at].cells[value], without.cells[value]
				distance += abs(a.With-b.With) + abs(a.Without-b.Without)
			}
			if distance > without.sensitivity || without.sensitivity != 1 {
				t.Fatalf("%s without interaction %d is %d away", h.defs.Publish.Totals[at].Name, i, distance)
			}
			changed += int(distance)
		}
	}
	if changed < 60 {
		t.Errorf("%d counts changed: the interactions are not those that are counted", changed)
	}
}

func abs(n int64) int64 { return max(n, -n) }
