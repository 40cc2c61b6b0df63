package intake

import (
	"net/http"
	"runtime/debug"

	"brine/door"
)

// Where the policy is: its page, and the folder of those that were in force before.
const (
	policyPath  = "/privacy"
	historyPath = "/privacy/history/"
)

// A route is a path with one method.
type route struct {
	method string // GET, which HEAD goes with, or POST
	allow  string // the Allow header
	serve  http.HandlerFunc
	shared bool // pages of the configured origins may call it
}

func (s *Server) makeRoutes() map[string]route {
	get := func(serve http.HandlerFunc, shared bool) route {
		return route{method: http.MethodGet, allow: "GET, HEAD, OPTIONS", serve: serve, shared: shared}
	}
	routes := map[string]route{
		"/wsapi/session_context": get(s.sessionContext, true),
		"/wsapi/interaction_data": {
			method: http.MethodPost, allow: "POST, OPTIONS", serve: s.interactionData, shared: true,
		},
		"/v1/streams":      get(s.streamList, true),
		"/v1/events":       {method: http.MethodPost, allow: "POST, OPTIONS", serve: s.events, shared: true},
		"/v1/forget":       {method: http.MethodPost, allow: "POST, OPTIONS", serve: s.forget, shared: true},
		"/brine.js":        get(s.library, false),
		"/brine.js.map":    get(s.libraryMap, false),
		"/__heartbeat__":   get(s.heartbeat, false),
		"/__lbheartbeat__": get(s.alive, false),
		"/__version__":     get(s.versionInfo, false),
	}
	if s.Privacy != nil {
		routes[policyPath] = get(s.privacy, false)
		routes["/privacy.json"] = get(s.privacy, false)
		routes["/privacy/history"] = get(s.privacy, false)
		routes["/privacy/opt-out"] = route{method: http.MethodPost, allow: "POST, OPTIONS", serve: s.optOut, shared: true}
	}
	if s.Totals != nil {
		for _, path := range []string{"/kpi", "/kpi.json", "/kpi.csv"} {
			routes[path] = get(s.totals, false)
		}
	}
	return routes
}

// Routes are the methods of the door's paths, by path. What lies below /privacy/history/ and /demo/ is not among them.
func (s *Server) Routes() map[string]string {
	all := map[string]string{}
	for path, route := range s.routes {
		all[path] = route.method
	}
	return all
}

func (s *Server) serveRoute(route route, w http.ResponseWriter, r *http.Request) {
	if route.shared {
		s.allowOrigin(w, r)
	}
	switch {
	case r.Method == route.method, r.Method == http.MethodHead && route.method == http.MethodGet:
		route.serve(w, r)
	case r.Method == http.MethodOptions:
		s.preflight(route, w, r)
	default:
		w.Header().Set("Allow", route.allow)
		s.refuse(w, http.StatusMethodNotAllowed, "this method is not served here: use "+route.method)
	}
}

// recoverPanic answers 503, for what panicked was not stored. net/http would log the
// client's address instead and cut the connection.
func (s *Server) recoverPanic(w http.ResponseWriter) {
	p := recover()
	switch p {
	case nil:
		return
	case http.ErrAbortHandler: // meant for net/http, which does not log it
		panic(p)
	}
	s.stats.panics.Add(1)
	s.Logger.Error("a request panicked", "err", door.PanicError(p), "stack", string(debug.Stack()))
	s.unavailable(w)
}
