package gate

import (
	"net"
	"net/http"
	"net/netip"
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
func (g *Gate) before(next http.Handler) http.Handler {
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		door.SetPageHeaders(w.Header(), r)
		for name, value := range security {
			w.Header().Set(name, value)
		}
		if !g.TLS && !isLoopback(r.Host) {
			writeRefusal(w, &Error{Status: http.StatusForbidden, Reason: "this door has no TLS, so it answers on 127.0.0.1, [::1] or localhost only: set private.tls"})
			return
		}
		if origins.Check(r) != nil {
			g.record(r, Person{}, "a change asked for by another site's page")
			writeRefusal(w, &Error{Status: http.StatusForbidden, Reason: "a page of another site asked for this"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isLoopback says whether a host is this machine's own name for itself. Another name may be one that a web page made point here.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
