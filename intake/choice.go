package intake

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"brine/door"
)

// optOutLife is how long a no is remembered: 400 days, the longest that browsers keep a cookie.
const optOutLife = 34_560_000 * time.Second

// formSession stands for a session in the tokens of the form on the policy page, as who has opted out has none. No
// session cookie can hold it, so no such token is good for sending events.
const formSession = "privacy form"

// maxChoice is how many bytes a choice may take, of a form or of JSON.
const maxChoice = 4 << 10

// A Visitor is what the door knows of who asks for a page of the policy.
type Visitor struct {
	OptedOut bool   // by the cookie, which the button sets and clears
	Signal   string // the header by which the browser says no by itself, Sec-GPC or DNT; "" where it sends none that counts
	Token    string // for the page's form, which sends it back as csrf
	Problem  string // why a choice was not taken: ProblemForm or ProblemOrigin; "" where none was refused
}

// Why a choice was refused.
const (
	ProblemForm   = "form"   // the form is too old, or none of this server
	ProblemOrigin = "origin" // a page of another site sent it
)

func (s *Server) visitor(r *http.Request) Visitor {
	return Visitor{OptedOut: cookie(r.Header, optOutCookie) == "1", Signal: s.signal(r), Token: s.signer.Load().token(formSession, s.Now())}
}

// privacy serves the pages of the policy.
func (s *Server) privacy(w http.ResponseWriter, r *http.Request) { s.page(w, r, s.visitor(r)) }

// page is limited as events are, since writing one takes as long as many of those. A choice is not: a no is never too much.
func (s *Server) page(w http.ResponseWriter, r *http.Request, v Visitor) {
	if !s.limited(w, r, s.Now()) {
		door.SetPageHeaders(w.Header(), r)
		s.Privacy(w, r, v)
	}
}

// totals serves what is published, limited in the same way.
func (s *Server) totals(w http.ResponseWriter, r *http.Request) {
	if !s.limited(w, r, s.Now()) {
		door.SetPageHeaders(w.Header(), r)
		s.Totals(w, r)
	}
}

// optOut takes a person's choice, and sets or clears the cookie that tells of it.
//
// There is no session to bind a token to, since who has opted out has none. What keeps other sites from choosing for a
// person is that browsers say where a request comes from (Sec-Fetch-Site or Origin), that JSON may
// not be sent across origins unasked, and that the form holds a token of this server.
func (s *Server) optOut(w http.ResponseWriter, r *http.Request) {
	w.Header()["Cache-Control"] = noStore
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	foreign := s.crossing.Check(r) != nil
	switch {
	case media == "application/x-www-form-urlencoded":
		s.chooseByForm(w, r, foreign)
	case foreign:
		s.refuse(w, http.StatusForbidden, "a page of another origin may not choose for a person: list its origin under public.origins")
	case isJSON(r.Header.Get("Content-Type")):
		s.chooseByJSON(w, r)
	default:
		s.refuse(w, http.StatusUnsupportedMediaType, "send the form of /privacy, or JSON with Content-Type: application/json")
	}
}

func (s *Server) chooseByForm(w http.ResponseWriter, r *http.Request, foreign bool) {
	v := s.visitor(r)
	if foreign {
		v.Problem = ProblemOrigin
		s.page(w, r, v)
		return
	}
	form, err := readForm(r)
	if err != nil {
		s.refuseChoice(w, err)
		return
	}
	if s.signer.Load().check(formSession, []byte(form.Get("csrf")), s.Now()) != nil {
		v.Problem = ProblemForm
		s.page(w, r, v)
		return
	}
	choice := form.Get("opted_out")
	if choice != "true" && choice != "false" {
		s.refuseChoice(w, errNoChoice)
		return
	}
	s.choose(w, r, choice == "true")
	h := w.Header()
	h.Set("Location", "/privacy"+languageQuery(r))
	s.stats.answered(http.StatusSeeOther)
	w.WriteHeader(http.StatusSeeOther)
}

var errNoChoice = errors.New(`say opted_out: true or false`)

func (s *Server) refuseChoice(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	if errors.Is(err, errChoiceTooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	s.refuse(w, status, err.Error())
}

var language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$`)

// languageQuery keeps the language of the page through a redirect.
func languageQuery(r *http.Request) string {
	if lang := r.URL.Query().Get("lang"); language.MatchString(lang) {
		return "?lang=" + lang
	}
	return ""
}

var errChoiceTooLarge = errors.New("the body is larger than 4 kB: send the choice alone")

func readForm(r *http.Request) (url.Values, error) {
	body, err := readChoice(r)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errors.New("the form is malformed: open /privacy and use its button")
	}
	return form, nil
}

func readChoice(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxChoice+1))
	if err != nil {
		return nil, errors.New("the body did not arrive whole: send it again")
	}
	if len(body) > maxChoice {
		return nil, errChoiceTooLarge
	}
	return body, nil
}

func (s *Server) chooseByJSON(w http.ResponseWriter, r *http.Request) {
	body, err := readChoice(r)
	if err != nil {
		s.refuseChoice(w, err)
		return
	}
	var choice struct {
		OptedOut *bool `json:"opted_out"`
	}
	if json.Unmarshal(body, &choice) != nil || choice.OptedOut == nil {
		s.refuseChoice(w, errNoChoice)
		return
	}
	s.choose(w, r, *choice.OptedOut)
	out := *choice.OptedOut || s.signal(r) != ""
	s.answer(w, http.StatusOK, mustJSON(map[string]bool{"success": true, "opted_out": out}))
}

// choose sets the cookie of a no, and takes the session's away; or it clears the cookie of a no.
func (s *Server) choose(w http.ResponseWriter, r *http.Request, optedOut bool) {
	no := &http.Cookie{Name: optOutCookie, Path: "/", MaxAge: -1, SameSite: http.SameSiteLaxMode, Secure: s.TrustedProxies.OverTLS(r)}
	if optedOut {
		no.Value, no.MaxAge = "1", int(optOutLife.Seconds())
		http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: sessionPath, MaxAge: -1,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.TrustedProxies.OverTLS(r)})
	}
	http.SetCookie(w, no)
}
