package console

import (
	"net/http"
	"time"

	"brine/access/gate"
)

// What a read may hold of the machine.
const (
	maxReads      = 6                // at once
	maxViews      = 6                // of the dashboard, beside the reads
	waitForRead   = 5 * time.Second  // for one of those to end
	writePatience = 60 * time.Second // for a client to take a buffer
)

// places lets only so many reads run at once.
type places chan struct{}

// bound makes a route that waits for a place, and is refused where it waits too long.
func (g places) bound(next gate.Handler) gate.Handler {
	return func(w http.ResponseWriter, r *http.Request, p gate.Person) error {
		timeout := time.NewTimer(waitForRead)
		defer timeout.Stop()
		select {
		case g <- struct{}{}:
		case <-r.Context().Done():
			return r.Context().Err()
		case <-timeout.C:
			w.Header().Set("Retry-After", "2")
			return refusal(http.StatusServiceUnavailable, "too many reads at once: try again when one has ended")
		}
		defer func() { <-g }()
		return next(w, r, p)
	}
}

// patient cuts off a client that does not take a buffer in time: a read holds its place, its
// snapshot and its memory until its last row is taken.
func patient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &patientWriter{w, http.NewResponseController(w)}
		defer p.extend() // for what net/http has yet to send
		next.ServeHTTP(p, r)
	})
}

// patientWriter writes buffer by buffer, each with a deadline of its own.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// extend sets the deadline anew. A writer that is no connection has none.
func (p *patientWriter) extend() { _ = p.control.SetWriteDeadline(time.Now().Add(writePatience)) }

// rest lets the next rows take their time: over HTTP/2 a deadline that passes ends the answer, though nothing is being written.
func (p *patientWriter) rest() { _ = p.control.SetWriteDeadline(time.Time{}) }

func (p *patientWriter) Write(b []byte) (n int, err error) {
	defer p.rest()
	for {
		p.extend()
		m, err := p.ResponseWriter.Write(b[n:min(n+writeBuffer, len(b))])
		n += m
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// FlushError sends what net/http still holds, with a deadline as for a buffer.
func (p *patientWriter) FlushError() error {
	defer p.rest()
	p.extend()
	return p.control.Flush()
}

// Unwrap is for http.ResponseController.
func (p *patientWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }
