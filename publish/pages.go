package publish

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"brine/door"
	"brine/kpi"
	"brine/policy"
)

// Pages show what is published. Anybody may ask, and a page takes a processor to make: one is made at a time, and the last few are kept.
type Pages struct {
	Edition     func() *Edition // nil where nothing is; set before it serves and not changed after
	MostWritten int64           // bytes that may be on their way at once, to those who read slowly; default 64 MB

	making sync.Mutex // held by who makes one

	mu   sync.Mutex
	made []madePage // the newest last

	writing atomic.Int64 // bytes that are on their way
}

var (
	//go:embed page.html
	pageText string

	//go:embed page.css
	ownStyle string

	style = door.BaseStyle + ownStyle

	page = template.Must(template.New("page").Parse(pageText))

	// security lets the page have its one style, and nothing else.
	security = "default-src 'none'; style-src '" + styleHash() + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// ServeHTTP answers for /kpi, /kpi.json and /kpi.csv with ?from=, ?to= and ?lang=: 404 where nothing is published, 400 for a range that is none.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := p.Edition()
	if e == nil {
		refuse(w, http.StatusNotFound, nothingHere)
		return
	}
	from, to, err := e.rangeOf(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	l := policy.Chosen(r)
	body := p.page(r.Context(), e, pageKey{r.URL.Path, from, to, l.Tag, e.key()})
	h := w.Header()
	size := int64(len(body))
	defer p.writing.Add(-size)
	if p.writing.Add(size) > cmp.Or(p.MostWritten, mostWritten) {
		h.Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too many are reading this at once")
		return
	}
	h.Set("Vary", "Accept-Language")
	h.Set("Content-Language", l.Tag)
	switch r.URL.Path {
	case "/kpi.json":
		answer(w, r, "application/json", body)
	case "/kpi.csv":
		h.Set("Content-Disposition", `attachment; filename="kpi.csv"`)
		answer(w, r, "text/csv; charset=utf-8", body)
	default:
		h.Set("Content-Security-Policy", security)
		answer(w, r, "text/html; charset=utf-8", body)
	}
}

// How many pages are kept, and how many bytes may be on their way at once where nothing else is said.
const (
	mostKept    = 4
	mostWritten = 64 << 20
)

// pageKey is what a page is made of.
type pageKey struct {
	path     string
	from, to kpi.Date
	lang     string
	editionKey
}

type madePage struct {
	pageKey
	body []byte
}

// page makes a page where it is not one of those that are kept; nothing where nobody waits for it any more.
func (p *Pages) page(ctx context.Context, e *Edition, key pageKey) []byte {
	if body := p.kept(key); body != nil {
		return body
	}
	p.making.Lock()
	defer p.making.Unlock()
	if body := p.kept(key); body != nil || ctx.Err() != nil {
		return body
	}
	body := e.page(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made = append(p.made[max(0, len(p.made)+1-mostKept):], madePage{key, body})
	return body
}

func (p *Pages) kept(key pageKey) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(p.made, func(m madePage) bool { return m.pageKey == key }); i >= 0 {
		return p.made[i].body
	}
	return nil
}

func (e *Edition) page(key pageKey) []byte {
	l, _ := policy.InLanguage(key.lang)
	data := e.data(key.from, key.to, l)
	switch key.path {
	case "/kpi.json":
		return mustJSON(data)
	case "/kpi.csv":
		return data.csv()
	}
	var b bytes.Buffer
	if err := page.Execute(&b, newPage(data, l)); err != nil {
		panic(err) // the template is part of the program, and the view's fields are those it names
	}
	return b.Bytes()
}

func refuse(w http.ResponseWriter, status int, reason string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	door.NoSniff(h)
	w.WriteHeader(status)
	w.Write(mustJSON(map[string]any{"success": false, "reason": reason}))
}

// answer lets caches keep what everybody sees alike for some minutes: what is published stays as it is, and days are added.
func answer(w http.ResponseWriter, r *http.Request, mime string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", tag)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	door.NoSniff(h)
	if slices.ContainsFunc(strings.Split(r.Header.Get("If-None-Match"), ","), func(t string) bool { return strings.TrimPrefix(strings.TrimSpace(t), "W/") == tag }) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", mime)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// csv is a line for each day and cell. What starts like a formula is led by an apostrophe, as spreadsheets would compute it.
func (d Data) csv() []byte {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Write([]string{"date", "total", "unit", "segment", "value", "figure", "low", "high", "number", "of", "epsilon", "noise", "least"})
	for _, t := range d.Totals {
		for _, day := range t.Days {
			for _, c := range day.Cells {
				out.Write([]string{string(day.Date), t.Name, t.Unit, plain(t.By), plain(c.Value), number(c.Figure), number(c.Low), number(c.High),
					integer(c.Number), integer(c.Of), day.Epsilon.String(), strconv.FormatInt(day.Noise, 10), strconv.FormatInt(day.Least, 10)})
			}
		}
	}
	out.Flush()
	return b.Bytes()
}

func plain(text string) string {
	if strings.IndexAny(text, "=+-@\t\r") == 0 {
		return "'" + text
	}
	return text
}

func number(v *float64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatFloat(*v, 'f', -1, 64)
}

func integer(v *int64) string {
	if v == nil {
		return ""
	}
	return strconv.FormatInt(*v, 10)
}
