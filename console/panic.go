package console

import (
	"net/http"
	"runtime/debug"

	"brine/door"
)

// recovered tells in the log of a request that panicked, without the client's address, which net/http would add, and cuts the
// connection: rows may have been sent.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p != http.ErrAbortHandler { // that is meant for net/http, which does not log it
				s.Logger.Error("a request panicked", "route", r.Pattern, "err", door.PanicError(p), "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}
