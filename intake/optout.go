package intake

import (
	"net/http"
	"strings"
)

const (
	sessionCookie = "brine_session"
	sessionPath   = "/wsapi"
	optOutCookie  = "brine_optout"
)

// optedOut tells whether the client wants nothing kept: by the cookie, by Global Privacy
// Control, or by Do Not Track where that counts.
func (s *Server) optedOut(r *http.Request) bool {
	return s.signal(r) != "" || cookie(r.Header, optOutCookie) == "1"
}

// signal is the header by which the browser says no for its user, "" where it says none that counts.
func (s *Server) signal(r *http.Request) string {
	switch {
	case headerIs(r.Header["Sec-Gpc"], "1"):
		return "Sec-GPC"
	case s.DNT && headerIs(r.Header["Dnt"], "1"):
		return "DNT"
	}
	return ""
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
