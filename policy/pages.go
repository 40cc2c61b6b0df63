package policy

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"brine/door"
)

// Visitor is what the public door knows of who asks.
type Visitor struct {
	OptedOut bool   // by the cookie, which the button sets and clears
	Signal   string // the header by which the browser says no, Sec-GPC or DNT; "" for none
	Token    string // for the form
	Problem  string // why a choice was not taken, form or origin; "" where none was refused
}

// Pages are the policy on the web. Its fields are set before it serves and not changed after.
type Pages struct {
	Current  func() *Policy   // in force now
	NextTurn func() time.Time // of the salts; nil, or the zero time: none is known
	History  *History         // of those in force before
	Logger   *slog.Logger     // default: slog.Default()
}

var (
	//go:embed page.html
	pageText string

	//go:embed page.css
	ownStyle string

	style = door.BaseStyle + ownStyle

	page = template.Must(template.New("page").Parse(pageText))
)

// security are the headers of every page beside those that the public door sets: nothing is loaded, run or framed, and the form goes nowhere else.
var security = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src '" + hash(style) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"X-Content-Type-Options":  "nosniff",
	"Referrer-Policy":         "same-origin", // with no-referrer old browsers send Origin: null with the form
	"Cache-Control":           "no-store",    // it holds the visitor's state
}

// hash is how a Content-Security-Policy names a style.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

const historyPath = "/privacy/history"

// Serve answers for /privacy, /privacy.json, /privacy/history and one former policy below it, in the language of ?lang= or else of
// Accept-Language.
func (p *Pages) Serve(w http.ResponseWriter, r *http.Request, v Visitor) {
	l := Chosen(r)
	w.Header().Set("Content-Language", l.Tag)
	switch {
	case v.Problem != "":
		p.present(w, l, v)
	case r.URL.Path == "/privacy.json":
		p.data(w, l)
	case r.URL.Path == historyPath:
		p.list(w, l)
	case strings.HasPrefix(r.URL.Path, historyPath+"/"):
		p.former(w, l, strings.TrimPrefix(r.URL.Path, historyPath+"/"))
	default:
		p.present(w, l, v)
	}
}

// Data is the policy as /privacy.json and brine policy --json give it.
type Data struct {
	Policy   *Policy  `json:"policy"`
	Language string   `json:"language"`
	Document Document `json:"document"`
}

// current is the policy in force, and in words.
func (p *Pages) current(l *Language) (*Policy, Document) {
	current := p.Current()
	d := current.Document(l)
	if p.NextTurn != nil {
		d.SayNextTurn(l, p.NextTurn())
	}
	return current, d
}

func (p *Pages) data(w http.ResponseWriter, l *Language) {
	current, d := p.current(l)
	body, err := json.Marshal(Data{current, l.Tag, d})
	if err != nil {
		panic(err) // strings and finite numbers
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Language")
	h.Set("Access-Control-Allow-Origin", "*")
	w.Write(body)
}

// view is what the template shows.
type view struct {
	*Document
	Lang      *Language
	Languages []*Language
	Style     template.CSS
	Path      string    // of this page, without the language
	Contact   string    // the operator's address
	Visitor   *Visitor  // nil on pages of the past
	OptIn     bool      // silence is no yes
	Note      string    // above all else
	Since     string    // the day from which this is in force; "" where it is not known
	Editions  []edition // nil but on the list
	List      bool
}

type edition struct{ Name, Day string }

// T is a text of the page's language.
func (v *view) T(key string, values ...string) string { return v.Lang.text(key, values...) }

// State says in a sentence whether the visitor takes part.
func (v *view) State() string {
	switch {
	case v.Visitor.Signal != "":
		return v.T("state_signal", "signal", v.Visitor.Signal)
	case v.Visitor.OptedOut:
		return v.T("state_out")
	case v.OptIn:
		return v.T("state_ask")
	}
	return v.T("state_in")
}

func newView(l *Language, path string, d *Document) *view {
	return &view{Document: d, Lang: l, Languages: languages, Style: template.CSS(style), Path: path}
}

func (p *Pages) present(w http.ResponseWriter, l *Language, visitor Visitor) {
	current, d := p.current(l)
	v := newView(l, "/privacy", &d)
	v.Visitor, v.OptIn, v.Contact = &visitor, current.OptIn, current.Contact
	status := http.StatusOK
	if visitor.Problem != "" {
		v.Note, status = l.text("problem_"+visitor.Problem), http.StatusForbidden
	}
	if names := p.History.Names(); len(names) > 0 {
		v.Since, _ = splitName(names[0])
	}
	p.render(w, status, v)
}

func (p *Pages) list(w http.ResponseWriter, l *Language) {
	v := newView(l, historyPath, &Document{Title: l.text("history"), Lead: l.text("history_lead")})
	v.List = true
	for _, name := range p.History.Names() {
		day, number := splitName(name)
		if number > 1 {
			day += " (" + l.number(float64(number)) + ")"
		}
		v.Editions = append(v.Editions, edition{name, day})
	}
	p.render(w, http.StatusOK, v)
}

// former shows a policy of the past, in the words of then; in English where there were none in this language.
func (p *Pages) former(w http.ResponseWriter, l *Language, name string) {
	e, err := p.History.Edition(name)
	if err != nil {
		if !errors.Is(err, ErrNoEdition) {
			p.logger().Error("a former policy cannot be read", "err", err)
		}
		http.Error(w, ErrNoEdition.Error()+": see "+historyPath, http.StatusNotFound)
		return
	}
	d, ok := e.Documents[l.Tag]
	if !ok {
		l = languages[0]
		d = e.Documents[l.Tag]
	}
	v := newView(l, historyPath+"/"+name, &d)
	v.Note, v.Contact = l.text("former", "day", e.Since), e.Policy.Contact
	p.render(w, http.StatusOK, v)
}

func (p *Pages) logger() *slog.Logger {
	if p.Logger != nil {
		return p.Logger
	}
	return slog.Default()
}

func (p *Pages) render(w http.ResponseWriter, status int, v *view) {
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		panic(err) // the template is part of the program, and the view's fields are those it names
	}
	h := w.Header()
	for name, value := range security {
		h.Set(name, value)
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

var mailAddress = regexp.MustCompile(`^[^\s@<>"]+@[^\s@<>"]+$`)

// Link is where the contact leads, "" where it is no address of mail or the web.
func (v *view) Link() template.URL {
	switch {
	case strings.HasPrefix(v.Contact, "https://"), strings.HasPrefix(v.Contact, "http://"):
		return template.URL(v.Contact)
	case mailAddress.MatchString(v.Contact):
		return template.URL("mailto:" + v.Contact)
	}
	return ""
}

// BeforeContact is a statement without the contact that it ends with.
func (v *view) BeforeContact(text string) string { return strings.TrimSuffix(text, v.Contact) }

// HTML is the policy, in the words of the document, as a page that stands by itself, as brine policy --html gives it: without a visitor and a form.
func HTML(p *Policy, d *Document, l *Language) ([]byte, error) {
	v := newView(l, "", d)
	v.Contact = p.Contact
	var b bytes.Buffer
	err := page.Execute(&b, v)
	return b.Bytes(), err
}
