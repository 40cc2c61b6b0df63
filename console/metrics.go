package console

import (
	"net/http"
	"net/netip"

	"brine/access"
	"brine/access/gate"
)

// needOfScrape lets this machine ask for metrics without a token: they are counters of everything, and of nobody. What a proxy passes on
// comes from elsewhere.
func needOfScrape(r *http.Request) access.Role {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil && from.Addr().Unmap().IsLoopback() && !passedOn(r.Header) {
		return gate.Anyone
	}
	return access.Analyst
}

// passedOn is whether a proxy says that it asks for somebody else.
func passedOn(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if _, ok := h[name]; ok {
			return true
		}
	}
	return false
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request, _ gate.Person) error {
	s.Metrics.ServeHTTP(w, r)
	return nil
}
