package intake

import (
	"net/http"
	"strings"
)

const (
	sessionCookie = "brine_session"
	optOutCookie  = "brine_optout"
)

// optedOut tells whether the client wants nothing kept: by the cookie, by Global Privacy
// Control, or by Do Not Track where that counts.
func (s *Server) optedOut(r *http.Request) bool {
	return s.signalsNo(r.Header) || cookie(r.Header, optOutCookie) == "1"
}

// signalsNo tells whether a header alone says so, for the routes that read no cookie.
func (s *Server) signalsNo(h http.Header) bool {
	return headerIs(h["Sec-Gpc"], "1") || s.DNT && headerIs(h["Dnt"], "1")
}

func headerIs(values []string, want string) bool {
	return len(values) > 0 && values[0] == want
}

// cookie returns the value of the first cookie of that name, "" where there is none.
// Unlike http.Request.Cookie it makes nothing.
func cookie(h http.Header, name string) string {
	for _, line := range h["Cookie"] {
		for rest := line; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
				return strings.Trim(value, `"`)
			}
		}
	}
	return ""
}
