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
	return headerIs(r.Header["Sec-Gpc"], "1") ||
		s.DNT && headerIs(r.Header["Dnt"], "1") ||
		cookie(r.Header, optOutCookie) == "1"
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
