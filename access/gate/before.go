package gate

import (
	"net"
	"net/http"
	"strings"

	"brine/door"
)

// security are the headers of every answer beside those of [door.SetPageHeaders]: nothing is loaded but styles of this door, nothing
// runs, nothing frames it, forms go nowhere else, and nobody keeps a copy.
var security = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	"Referrer-Policy":         "same-origin", // with no-referrer old browsers send Origin: null with a form
	"Cache-Control":           "no-store",
}

// before is what every request meets first, whoever asks.
func (g *Gate) before(next *http.ServeMux) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		door.SetPageHeaders(w.Header(), r)
		for name, value := range security {
			w.Header().Set(name, value)
		}
		if !g.TLS && !door.IsLoopback(named(r.Host)) {
			g.turnAway(w, next, r, "asked for by another name than this machine's own", &Error{Status: http.StatusForbidden, Reason: "this door has no TLS, so it answers on 127.0.0.1, [::1] or localhost only: set private.tls"})
			return
		}
		if origins.Check(r) != nil {
			g.turnAway(w, next, r, "a change asked for by another site's page", &Error{Status: http.StatusForbidden, Reason: "a page of another site asked for this"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// turnAway records and answers a refusal of a request that reached no route. It always answers programs: there is no page for this.
func (g *Gate) turnAway(w http.ResponseWriter, mux *http.ServeMux, r *http.Request, why string, e *Error) {
	_, r.Pattern = mux.Handler(r)
	g.record(r, Person{}, why)
	writeRefusal(w, e)
}

// named is the host that a request asks for, without its port. Another name than this machine's own may be one that a web page made point here.
func named(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.Trim(host, "[]")
}
