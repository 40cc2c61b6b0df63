package console

import (
	"context"
	"net/http"
	"time"

	"brine/access/gate"
)

// askEvery is how often a read asks whether its reader still may. What the directory says is remembered for a minute, so that most
// of these asks cost nothing.
const askEvery = 10 * time.Second

// whileAllowed has a read stop where its reader loses the role.
func (s *Server) whileAllowed(next gate.Handler) gate.Handler {
	return func(w http.ResponseWriter, r *http.Request, p gate.Person) error {
		return next(&allowedWriter{w, r.Context(), p, s.Now, s.Now()}, r, p)
	}
}

// allowedWriter asks before it writes.
type allowedWriter struct {
	http.ResponseWriter
	ctx    context.Context
	person gate.Person
	now    func() time.Time
	asked  time.Time
}

func (a *allowedWriter) Write(b []byte) (int, error) {
	now := a.now()
	if age := now.Sub(a.asked); age < 0 || age >= askEvery {
		if err := a.person.Still(a.ctx); err != nil {
			return 0, err
		}
		a.asked = now
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *allowedWriter) Unwrap() http.ResponseWriter { return a.ResponseWriter }
