package door

import "net/http"

// Header values are shared by all answers, so that setting one allocates nothing.
var (
	nosniff     = []string{"nosniff"}
	noReferrer  = []string{"no-referrer"}
	denyFrames  = []string{"DENY"}
	sameOrigin  = []string{"same-origin"}
	nothing     = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"}
	permissions = []string{"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()"}
	onlyTLS     = []string{"max-age=31536000"} // a year; other hosts of the domain are not Brine's to speak for
)

// NoSniff keeps a browser from taking an answer for another type than it says. It is for answers that are no pages.
func NoSniff(h http.Header) { h["X-Content-Type-Options"] = nosniff }

// SetPageHeaders sets the headers of an answer that a browser may show: it loads, runs, sends and frames nothing. A page that
// needs some of that sets a Content-Security-Policy of its own afterwards, which never says unsafe-inline.
// Strict-Transport-Security is set where this door itself speaks TLS.
func SetPageHeaders(h http.Header, r *http.Request) {
	NoSniff(h)
	h["Content-Security-Policy"] = nothing
	h["X-Frame-Options"] = denyFrames // for browsers that do not know frame-ancestors
	h["Referrer-Policy"] = noReferrer
	h["Permissions-Policy"] = permissions
	h["Cross-Origin-Opener-Policy"] = sameOrigin
	if r.TLS != nil {
		h["Strict-Transport-Security"] = onlyTLS
	}
}

// Pages gives every answer of a handler the headers of a page, with this Content-Security-Policy, "" for
// one that allows nothing.
func Pages(next http.Handler, csp string) http.Handler {
	policy := nothing
	if csp != "" {
		policy = []string{csp}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		SetPageHeaders(h, r)
		h["Content-Security-Policy"] = policy
		next.ServeHTTP(w, r)
	})
}
