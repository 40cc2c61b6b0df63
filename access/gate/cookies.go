package gate

import "net/http"

// The cookies. Those of a door with TLS have a prefix with which browsers take them from this very host alone.
func (g *Gate) sessionCookie() string { return g.prefix() + "brine_reader" }
func (g *Gate) formCookie() string    { return g.prefix() + "brine_form" }

func (g *Gate) prefix() string {
	if g.TLS {
		return "__Host-"
	}
	return ""
}

// cookie gives the session's cookie, "" where there is none.
func (g *Gate) cookie(r *http.Request) string { return valueOf(r, g.sessionCookie()) }

func valueOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie that ends with the browser's session. Secure is left out for a door without TLS, which is
// reached by loopback alone: browsers do not agree on whether loopback is secure.
func (g *Gate) setCookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: g.TLS, SameSite: http.SameSiteStrictMode})
}

func (g *Gate) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: g.TLS, SameSite: http.SameSiteStrictMode})
}
