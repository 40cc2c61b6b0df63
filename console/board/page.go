package board

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/door"
	"brine/kpi"
)

//go:generate go run ./charts/build

var (
	//go:embed charts/dist/charts.js
	script []byte

	//go:embed board.css
	ownStyle string

	style = []byte(door.BaseStyle + ownStyle)

	//go:embed pages
	pageFiles embed.FS

	pages = template.Must(template.New("pages").Funcs(functions).ParseFS(pageFiles, "pages/*.html"))
)

// policy is what the pages may do: run the script of this door, which asks this door alone, and nothing that stands in a page. The hash is of the one style element that
// Observable Plot puts into each drawing (plot.js, as package.json pins it).
const policy = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'sha256-" + plotStyle + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const plotStyle = "jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww="

var functions = template.FuncMap{
	"value": valueText, "difference": differenceText, "interval": intervalText, "within": rangeText, "day": dayText, "span": spanText, "count": countText,
	"when": whenText, "minute": minuteText, "figures": func(c chart, q any) map[string]any { return map[string]any{"Chart": c, "View": q} },
	"direction": func(more bool) string { return map[bool]string{true: "more is better", false: "less is better"}[more] },
	"mark":      verdictMark, "sentence": sentence, "route": func(pattern string) string { return strings.TrimSuffix(pattern, "{$}") }, "amount": amountText, "count64": func(n int, one, many string) string { return countText(int64(n), one, many) },
	"addForm":  func(f frame) addForm { return newAddForm(f, nil) },
	"narrowed": func(n kpi.Narrowing) kpi.Figure { return kpi.Figure{Value: n.Diff, Low: n.Low, High: n.High} },
	"events": func(title string, all []kpi.EventFigure) map[string]any {
		return map[string]any{"Title": title, "Events": all}
	},
	"partTitle": partTitle, "partCounts": partCounts,
	"records": func(title string, all []audit.Entry) map[string]any {
		return map[string]any{"Title": title, "All": all}
	},
}

// verdictMark stands beside a verdict, so that it is told from others without its colour.
func verdictMark(verdict string) string {
	return cmp.Or(map[string]string{"better": "▲", "worse": "▼", "no difference that matters": "="}[verdict], "…")
}

// minuteText is a time as people read it; UTC, as brine status has it.
func minuteText(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2 Jan 2006 15:04") + " UTC"
}

// frame is what every page shows, with what is its own in Answer.
type frame struct {
	Title  string
	Person gate.Person
	Token  string // for forms
	Nav    []link
	Alert  string // what is wrong with the question
	Again  string // the address to ask again, where it is only too early; else ""
	View   *view  // nil: the page has none
	Answer any
	Zone   *time.Location
	May    bool // change what is known of changes
}

// Retry is after how many seconds the page asks again by itself, where it is only too early.
func (frame) Retry() string { return retryAfter }

// link is one of some places to go to.
type link struct {
	Text, Href string
	Here       bool
}

// view is what the form above a page shows, and how its links go on.
type view struct {
	Q       question
	Path    string // of this page
	Presets []link
	Days    bool     // the page is of the view's days
	Narrow  bool     // who asks may narrow it by a filter
	Filters []string // suggestions for only
	Defs    *kpi.Definitions

	api    string
	params []string
}

func (b *Board) frame(r *http.Request, p gate.Person, title string) frame {
	return frame{Title: title, Person: p, Token: b.Gate.FormToken(p), Nav: nav(p, r.URL.Path, url.Values{}), Zone: b.KPI.Source.Definitions().Zone, May: p.Has(access.Analyst)}
}

// page is the frame of a topic that was answered.
func (b *Board) page(r *http.Request, p gate.Person, t topic, q question, a answer) frame {
	f := b.frame(r, p, t.title)
	d := b.KPI.Source.Definitions()
	f.View = &view{Q: q, Path: r.URL.Path, Days: t.days, Narrow: slices.Contains(t.params, "only") && (f.May || !slices.Contains(t.params, "by")), Filters: filters(d), Defs: d, params: t.params,
		api: strings.Replace(t.api, "{name}", url.PathEscape(r.PathValue("name")), 1)}
	f.View.Presets = f.View.presets()
	f.Nav = nav(p, r.URL.Path, q.values(nil))
	f.Answer = a
	return f
}

// problem is the error with the page of a topic, which says what is wrong with a question instead of an answer, with the form as it was, as far as it was
// understood: to the audit it is the refusal that a program gets. Other errors are not for a page.
func (b *Board) problem(r *http.Request, p gate.Person, t topic, q question, err error) error {
	var e *gate.Error
	if !errors.As(err, &e) || !gate.WantsHTML(r) {
		return err
	}
	f := b.page(r, p, t, q, nil)
	if e.Early {
		f.Again = r.URL.RequestURI()
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !t.days {
		f.View = nil
	}
	return refusedOn(e, "problem", f)
}

// refusedOn is the error with a page that says it.
func refusedOn(e *gate.Error, name string, f frame) error {
	f.Title, f.Alert = problemTitle(e.Status), e.Reason
	page, err := render(name, f)
	if err != nil {
		return err
	}
	shown := *e
	shown.Page = func(w http.ResponseWriter) { writePage(w, e.Status, page) }
	return &shown
}

func problemTitle(status int) string {
	switch status {
	case http.StatusNotFound:
		return "There is no such thing"
	case http.StatusServiceUnavailable:
		return "Not yet"
	}
	return "This cannot be shown"
}

// send renders a page whole before the first byte leaves.
func (b *Board) send(w http.ResponseWriter, name string, f frame) error {
	page, err := render(name, f)
	if err != nil {
		return err
	}
	return lost(writePage(w, http.StatusOK, page))
}

func render(name string, f frame) ([]byte, error) {
	var page bytes.Buffer
	err := pages.ExecuteTemplate(&page, name, f)
	return page.Bytes(), err
}

func writePage(w http.ResponseWriter, status int, page []byte) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	w.WriteHeader(status)
	_, err := w.Write(page)
	return err
}

// nav are the pages that somebody may see, for the same view.
func nav(p gate.Person, here string, of url.Values) (links []link) {
	for _, to := range []link{{"Overview", "/", false}, {"Flow", "/flow", false}, {"Segments", "/segments", false}, {"Changes", "/changes", false}, {"Health", "/health", false}} {
		if !p.Has(access.Viewer) {
			break
		}
		values := maps.Clone(of)
		if to.Href == "/health" || to.Href == "/segments" && !p.Has(access.Analyst) {
			values.Del("only") // arrivals are of all; of one segment at a time
		}
		to.Here = to.Href == here || to.Href != "/" && strings.HasPrefix(here, to.Href+"/")
		to.Href += "?" + values.Encode()
		links = append(links, link{to.Text, strings.TrimSuffix(to.Href, "?"), to.Here})
	}
	if p.Has(access.Privacy) {
		links = append(links, link{"Privacy", "/privacy-board", here == "/privacy-board"})
	}
	return links
}

// presets are ranges that end with today.
func (v *view) presets() (links []link) {
	for _, n := range []int{7, 14, 28, 90, 365} {
		values := v.Q.values(v.params)
		values.Del("from")
		values.Del("to")
		values.Set("last", strconv.Itoa(n)+"d")
		links = append(links, link{strconv.Itoa(n) + " days", v.Path + "?" + values.Encode(), days(v.Q.From, v.Q.To) == n && (v.Q.last != "" || n == defaultLast)})
	}
	return links
}

// With is the address of this view with one thing changed; "" takes it off.
func (v *view) With(key, value string) string {
	values := v.Q.values(v.params)
	values.Del(key)
	if value != "" {
		values.Set(key, value)
	}
	return v.Path + "?" + values.Encode()
}

// To is the address of another page with this view, with one thing set.
func (v *view) To(path, key, value string) string {
	values := v.Q.values(nil)
	if key != "" {
		values.Set(key, value)
	}
	return path + "?" + values.Encode()
}

// As is the address of this view's figures in another form.
func (v *view) As(form string) string {
	values := v.Q.values(v.params)
	values.Set("format", form)
	return v.api + "?" + values.Encode()
}

// Only is the filter as it is typed.
func (v *view) Only() string { return v.Q.only() }

// SegmentTitle is what people call a segment.
func (v *view) SegmentTitle(name string) string {
	for _, s := range v.Defs.Segments {
		if s.Name == name {
			return s.Title
		}
	}
	return name
}

// Kept are the things beside the days and the filter that the form hands on.
func (v *view) Kept() (kept []link) {
	values := v.Q.values(v.params)
	for _, key := range v.params {
		if key == "only" && v.Narrow { // it is a field of its own
			continue
		}
		if value := values.Get(key); value != "" {
			kept = append(kept, link{Text: key, Href: value})
		}
	}
	return kept
}

// Sorted is the address of this view sorted by a column, and how it is sorted by it now, as aria-sort says it.
func (v *view) Sorted(column string) map[string]string {
	to, now := "-"+column, "none"
	switch v.Q.sort {
	case "-" + column:
		to, now = column, "descending"
	case column:
		now = "ascending"
	}
	return map[string]string{"Href": v.With("sort", to), "Now": now}
}

// filters are what only may be, as far as the definitions name values.
func filters(d *kpi.Definitions) (all []string) {
	for _, s := range d.Segments {
		values := slices.Clone(s.Order)
		for value := range s.Values {
			values = append(values, value)
		}
		for _, b := range s.Buckets {
			values = append(values, b.Value)
		}
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			all = append(all, s.Name+":"+value)
		}
	}
	return all
}

// asset answers a file of the dashboard. It holds no data; a browser may keep it, and asks whether it is still the same.
func asset(mediaType string, content []byte) gate.Handler {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	return func(w http.ResponseWriter, r *http.Request, _ gate.Person) error {
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		return nil
	}
}
