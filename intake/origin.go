package intake

import (
	"fmt"
	"net/http"
)

// trustOrigins reads the configured origins, for CORS and for the check of foreign requests.
func (s *Server) trustOrigins() error {
	s.origins = map[string]bool{}
	for _, origin := range s.Origins {
		if err := s.crossing.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("public.origins: %w: write scheme://host[:port] with nothing after it, like https://login.example.org", err)
		}
		s.origins[origin] = true
	}
	return nil
}

// allowOrigin lets a page of a configured origin read the answer, errors included.
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) {
	if len(s.origins) == 0 {
		return
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if origin := r.Header["Origin"]; len(origin) == 1 && s.origins[origin[0]] {
		h["Access-Control-Allow-Origin"] = origin
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Access-Control-Expose-Headers", "Retry-After")
	}
}

// preflight answers OPTIONS: what the route allows and, to a page of a configured origin, that
// it may ask.
func (s *Server) preflight(route route, w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if origin := r.Header.Get("Origin"); route.shared && s.origins[origin] {
		h.Set("Access-Control-Allow-Methods", route.method)
		h.Set("Access-Control-Allow-Headers", "Content-Type, X-CSRF-Token")
		h.Set("Access-Control-Max-Age", "600")
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	} else if r.Header.Get("Access-Control-Request-Method") != "" {
		s.refuse(w, http.StatusForbidden, "pages of this origin may not call: list it under public.origins")
		return
	}
	h.Set("Allow", route.allow)
	s.stats.answered(http.StatusNoContent)
	w.WriteHeader(http.StatusNoContent)
}
