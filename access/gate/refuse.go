package gate

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"brine/access/audit"
)

// Error is an answer that is no success. Its reason says what to do.
type Error struct {
	Status int
	Reason string
	Page   func(http.ResponseWriter) // answers a browser that asks for a page; nil: the gate's page does
	Early  bool                      // it is only too early, and will be answered: no refusal, so none is recorded

	retry int // seconds, for Retry-After; 0: none is sent
}

func (e *Error) Error() string { return e.Reason }

// howToSetUp is the setup page in a sentence, for programs.
const howToSetUp = "access is not set up yet: give ldap.urls in brine.yaml, or run brine user add; brine token setup on this machine gives a token that lasts an hour"

// refuse answers programs in JSON. A browser that asks for a page and is not logged in goes to the login; else it gets a page.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, p Person, e *Error) {
	if e.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retry))
	}
	if e.Status == http.StatusUnauthorized && g.SettingUp() {
		e = &Error{Status: e.Status, Reason: howToSetUp}
	}
	switch {
	case !WantsHTML(r):
		writeRefusal(w, e)
	case e.Status == http.StatusUnauthorized:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(localPath(r.URL.RequestURI())), http.StatusSeeOther)
	case e.Page != nil:
		e.Page(w)
	default:
		g.page(w, e.Status, "refused", pageData{Title: http.StatusText(e.Status), Alert: e.Reason, Name: p.Name, Token: g.FormToken(p)})
	}
}

func writeRefusal(w http.ResponseWriter, e *Error) {
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="brine"`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Del("Content-Disposition")
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(map[string]any{"success": false, "reason": e.Reason})
}

// WantsHTML says whether a request is a browser's for a page, not a program's.
func WantsHTML(r *http.Request) bool {
	if _, token := r.Header["Authorization"]; token {
		return false
	}
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		mediaType, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(mediaType), "text/html") {
			return true
		}
	}
	return false
}

// record writes down that something was refused to somebody. What was shown, like a name or a token, is not in it: people
// type passwords where names belong.
func (g *Gate) record(r *http.Request, p Person, why string) {
	if !g.refusals.admit(p.Name, g.Client(r).String()) {
		return
	}
	g.append(audit.Record{Action: audit.Refused, Who: orUnknown(p.Name), Via: p.Via, Route: r.Pattern, Outcome: why})
}

// recordLeft writes down how many refusals of a minute were not recorded one by one.
func (g *Gate) recordLeft(name string, left int) {
	g.append(audit.Record{Action: audit.Refused, Who: orUnknown(name), Outcome: "too many to record",
		Note: strconv.Itoa(left) + " more refusals within a minute"})
}

func (g *Gate) append(rec audit.Record) {
	if _, err := g.Audit.Append(rec); err != nil {
		g.say("a refusal could not be recorded", err)
	}
}

// orUnknown is who is refused: "unknown" is who is not known.
func orUnknown(name string) string {
	if name == "" {
		return "unknown"
	}
	return name
}
