package gate

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"brine/access/audit"
)

// Error is an answer that is no success. Its reason says what to do.
type Error struct {
	Status int
	Reason string

	retry int // seconds, for Retry-After; 0: none is sent
}

func (e *Error) Error() string { return e.Reason }

// refuse answers programs in JSON. A browser that asks for a page and is not logged in goes to the login; else it gets a page.
func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, p Person, e *Error) {
	if e.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retry))
	}
	if e.Status == http.StatusUnauthorized && g.settingUp() {
		e = &Error{Status: e.Status, Reason: howToSetUp}
	}
	switch {
	case !WantsHTML(r):
		writeRefusal(w, e)
	case e.Status == http.StatusUnauthorized:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(localPath(r.URL.RequestURI())), http.StatusSeeOther)
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

// How many refusals a minute are recorded: a flood of them must not fill the audit log. The rest is counted.
const (
	maxOfClient = 5
	maxOfAll    = 60
)

// refusals counts those of the present minute. Clients are held for that minute, in memory.
type refusals struct {
	now func() time.Time

	throttle throttle
	clients  map[string]int
	all      int
	left     int // not recorded since the last that was
}

// admit says whether a refusal is to be recorded, and how many before it were not.
func (f *refusals) admit(client string) (ok bool, left int) {
	f.throttle.mu.Lock()
	defer f.throttle.mu.Unlock()
	if f.throttle.due(f.now(), time.Minute) {
		f.clients, f.all = map[string]int{}, 0
	}
	if f.all >= maxOfAll || f.clients[client] >= maxOfClient {
		f.left++
		return false, 0
	}
	f.all++
	f.clients[client]++
	left, f.left = f.left, 0
	return true, left
}

// record writes down that something was refused to somebody. What was shown, like a name or a token, is not in it: people
// type passwords where names belong.
func (g *Gate) record(r *http.Request, p Person, why string) {
	ok, left := g.refusals.admit(g.Client(r).String())
	if !ok {
		return
	}
	who := p.Name
	if who == "" {
		who = nobody
	}
	rec := audit.Record{Action: audit.Refused, Who: who, Via: p.Via, Route: r.Pattern, Outcome: why}
	if left > 0 {
		rec.Note = strconv.Itoa(left) + " refusals before this one were too many to record"
	}
	if _, err := g.Audit.Append(rec); err != nil {
		g.say("a refusal could not be recorded", err)
	}
}

// nobody is who is not known.
const nobody = "unknown"
