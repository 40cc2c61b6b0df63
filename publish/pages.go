package publish

import (
	"bytes"
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

	"brine/door"
	"brine/policy"
)

// Pages show what is published.
type Pages struct {
	Edition func() *Edition // nil where nothing is; set before it serves and not changed after
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
	from, to, err := rangeOf(r.URL.Query(), e.Releases, e.From)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	l := policy.Chosen(r)
	data := e.data(from, to, l)
	h := w.Header()
	h.Set("Vary", "Accept-Language")
	h.Set("Content-Language", l.Tag)
	switch r.URL.Path {
	case "/kpi.json":
		answer(w, r, "application/json", mustJSON(data))
	case "/kpi.csv":
		h.Set("Content-Disposition", `attachment; filename="kpi.csv"`)
		answer(w, r, "text/csv; charset=utf-8", data.csv())
	default:
		h.Set("Content-Security-Policy", security)
		var b bytes.Buffer
		if err := page.Execute(&b, newPage(data, l)); err != nil {
			panic(err) // the template is part of the program, and the view's fields are those it names
		}
		answer(w, r, "text/html; charset=utf-8", b.Bytes())
	}
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
