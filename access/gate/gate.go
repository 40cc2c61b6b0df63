// Package gate is the one place that every request of the private door passes: who asks, whether they may, and on what it is
// written down.
//
// It imports access, access/audit, access/tokens and door. Requests come in with a session's cookie or a token; what goes on to a
// route's handler is a [Person] who has the role that the route declares, asked of the directory anew. A route
// that declares none makes no handler. Everything else is refused here, with a reason.
package gate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/tokens"
)

// Gate stands before the private door. Its fields are set before [Gate.Open] and not changed after.
type Gate struct {
	Directory access.Directory               // nil: none is set up, and the door tells how to set one up
	Empty     func() bool                    // nobody is in the directory yet, which is the same; nil: somebody is
	Tokens    *tokens.File                   // nil: there are none
	Audit     Audit                          // required
	Attempts  *access.Attempts               // of logins; default one that has seen nobody
	Client    func(*http.Request) netip.Addr // whom attempts and refusals are counted by; default the peer. It is neither kept nor logged
	TLS       bool                           // the door has TLS: cookies are Secure. Without it the door is for loopback only, and says so to others
	Now       func() time.Time               // default time.Now
	Logger    *slog.Logger                   // default: nothing is logged

	key      [32]byte // of the tokens in forms
	sessions *sessions
	guests   *guests
	refusals *refusals
	told     throttle // of lines of the log
}

// Audit is where logins, logouts and refusals are recorded. Append returns when the record is durable.
type Audit interface {
	Append(audit.Record) (uint64, error)
}

// Person is who asks, as far as a handler needs to know.
type Person struct {
	Name    string       // as the directory spells it
	Roles   access.Roles // now
	Via     string       // how they got in: session, or token and its number
	Purpose string       // what a read of raw is for; "" for other routes

	cookie string // of the session; "" where it is a token
	need   access.Role
	ask    func(context.Context) (Person, error) // who this is now; nil: of no gate
}

// Has says whether the person has the role.
func (p Person) Has(r access.Role) bool { return p.Roles.Has(r) }

// What a route may need beside a role.
const (
	Anyone  access.Role = 254 // no login: pages that one logs in by
	AnyRole access.Role = 255 // a login, whatever the role
)

// Handler answers one route. An error becomes an answer in one place.
type Handler func(w http.ResponseWriter, r *http.Request, p Person) error

// Route is one route of the door.
type Route struct {
	Pattern string                          // of [http.ServeMux], with its method
	Need    access.Role                     // or Anyone, or AnyRole; never zero. Raw also needs a purpose
	NeedOf  func(*http.Request) access.Role // what this very request needs instead, like Raw for ?dataset=raw; nil: what all do
	Handle  Handler
}

func (route Route) need(r *http.Request) access.Role {
	if route.NeedOf != nil {
		return route.NeedOf(r)
	}
	return route.Need
}

// Open makes the gate ready. The error says which field is missing.
func (g *Gate) Open() error {
	if g.Audit == nil {
		return errors.New("the gate has no audit log, and lets nobody in without one")
	}
	if g.Now == nil {
		g.Now = time.Now
	}
	if g.Logger == nil {
		g.Logger = slog.New(slog.DiscardHandler)
	}
	if g.Client == nil {
		g.Client = peer
	}
	if g.Attempts == nil {
		g.Attempts = access.NewAttempts(g.Now)
	}
	rand.Read(g.key[:])
	g.sessions, g.guests, g.refusals = newSessions(g.Now), newGuests(g.Now), &refusals{tell: g.recordLeft}
	return nil
}

// Close records what was not recorded yet of the refusals. The door is closed before.
func (g *Gate) Close() { g.refusals.end() }

func peer(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	return from.Addr().Unmap().WithZone("")
}

// Handler puts the gate before the routes, and adds its own: login, logout, and the style of their pages. fail answers the errors of handlers
// that are no [Error].
func (g *Gate) Handler(routes []Route, fail func(http.ResponseWriter, *http.Request, error)) (http.Handler, error) {
	mux := http.NewServeMux()
	for _, route := range slices.Concat(g.Routes(), routes) {
		if err := route.check(); err != nil {
			return nil, err
		}
		mux.HandleFunc(route.Pattern, g.guard(route, fail))
	}
	mux.HandleFunc("/", g.guard(Route{Pattern: "/", Need: AnyRole, Handle: unknown(mux)}, fail))
	return g.before(mux), nil
}

// check refuses a route that does not say who may.
func (route Route) check() error {
	known := slices.Contains(access.AllRoles, route.Need) || route.Need == Anyone || route.Need == AnyRole
	if !known {
		return fmt.Errorf("the route %q declares no role that it needs", route.Pattern)
	}
	if route.Handle == nil {
		return fmt.Errorf("the route %q has no handler", route.Pattern)
	}
	return nil
}

// guard lets through to a route who may.
func (g *Gate) guard(route Route, fail func(http.ResponseWriter, *http.Request, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var e *Error
		p, err := g.admit(w, r, route)
		if errors.As(err, &e) {
			if !asksForLogin(r, g.cookie(r), e) {
				g.record(r, p, e.Reason)
			}
			g.refuse(w, r, p, e)
			return
		}
		if err == nil {
			err = route.Handle(w, r, p)
		}
		switch {
		case errors.As(err, &e) && e.Early:
			g.refuse(w, r, p, e)
		case errors.As(err, &e):
			g.record(r, p, strconv.Itoa(e.Status)+" "+http.StatusText(e.Status)) // the handler's reason may repeat what was sent
			g.refuse(w, r, p, e)
		case err != nil:
			fail(w, r, err)
		}
	}
}

// asksForLogin says of an error that it is no refusal: a browser that shows nothing is led to the login.
func asksForLogin(r *http.Request, cookie string, e *Error) bool {
	return e.Status == http.StatusUnauthorized && cookie == "" && WantsHTML(r)
}

// admit says who asks, if they may.
func (g *Gate) admit(w http.ResponseWriter, r *http.Request, route Route) (p Person, err error) {
	need := route.need(r)
	if need == Anyone {
		return p, nil
	}
	if p, err = g.identify(w, r); err != nil {
		return p, err
	}
	p.need = need
	if need != AnyRole && !p.Has(need) {
		return p, forbidden("this needs the role " + need.String() + ", which " + p.Name + " has not" + p.byToken())
	}
	if changes(r) && p.cookie != "" {
		if err := g.checkForm(w, r, p.cookie); err != nil {
			return p, forbidden(err.Error())
		}
	}
	if need == access.Raw {
		p.Purpose, err = purpose(r)
	}
	return p, err
}

func (p Person) byToken() string {
	if p.cookie == "" {
		return " by this token"
	}
	return ""
}

func forbidden(why string) error { return &Error{Status: http.StatusForbidden, Reason: why} }

// changes says whether a request may change something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// methods are those that routes may have.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// unknown answers what no route is for.
func unknown(mux *http.ServeMux) Handler {
	return func(w http.ResponseWriter, r *http.Request, _ Person) error {
		allowed := ""
		for _, method := range methods {
			other := r.Clone(context.WithoutCancel(r.Context()))
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/" && pattern != "" {
				allowed += ", " + method
			}
		}
		if allowed == "" {
			return &Error{Status: http.StatusNotFound, Reason: "no such route; GET / lists them"}
		}
		w.Header().Set("Allow", allowed[2:])
		return &Error{Status: http.StatusMethodNotAllowed, Reason: "this route takes " + allowed[2:]}
	}
}
