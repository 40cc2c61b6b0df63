package intake

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"brine/event"
)

// interactionData takes events and answers with success only when they are durable. What
// costs least is checked first; who has opted out is let go before anything is read.
func (s *Server) interactionData(w http.ResponseWriter, r *http.Request) {
	if s.optedOut(r) {
		s.nothingKept(w)
		return
	}
	now := s.Now()
	if s.turnAway(w, r, now) {
		return
	}
	if s.rate(event.Interaction, now) == 0 {
		s.nothingKept(w)
		return
	}
	if reason := checkHeader(r.Header); reason != "" {
		s.refuse(w, http.StatusUnsupportedMediaType, reason)
		return
	}
	session := cookie(r.Header, sessionCookie)
	if !validSession(session) {
		s.refuse(w, http.StatusForbidden, "no session cookie: GET /wsapi/session_context sets it; send cookies with this request")
		return
	}
	if s.Ready() != nil {
		s.unavailable(w)
		return
	}
	d := newDelivery()
	defer d.release()
	d.arrival.Now = now
	s.receive(w, r, d, session)
}

// turnAway answers a client that sends too much, and a page of another origin.
func (s *Server) turnAway(w http.ResponseWriter, r *http.Request, now time.Time) bool {
	if s.limited(w, r, now) {
		return true
	}
	if err := s.crossing.Check(r); err != nil {
		s.refuse(w, http.StatusForbidden, "a page of another origin may not send events here: list its origin under public.origins")
		return true
	}
	return false
}

// limited takes one request of the client's bucket, or answers that there is none.
func (s *Server) limited(w http.ResponseWriter, r *http.Request, now time.Time) bool {
	if s.limiter == nil {
		return false
	}
	wait := s.limiter.allow(s.TrustedProxies.ClientAddr(r), now)
	if wait > 0 {
		s.tooMany(w, wait)
	}
	return wait > 0
}

// receive reads the body and checks the token, then delivers.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, d *delivery, session string) {
	var err error
	if d.body, err = appendBody(d.body, r); err != nil {
		s.refuseBody(w, err)
		return
	}
	d.arrival.Rates = s.Sampling.Accepted(event.Interaction, d.arrival.Now)
	d.arrival.UserAgent = s.agents.Coarse(r.Header.Get("User-Agent"))
	bad := d.parse()
	if len(d.token) == 0 {
		if h := r.Header["X-Csrf-Token"]; len(h) > 0 {
			d.token = []byte(h[0])
		}
	}
	err = s.signer.Load().check(session, d.token, d.arrival.Now)
	switch {
	case bad != nil:
		if err == nil {
			s.noteRejected(d)
		}
		s.failWhole(w, bad)
	case err != nil:
		s.refuse(w, http.StatusForbidden, err.Error()+": GET /wsapi/session_context for a new one and send again")
	case !d.seen[keyData]:
		s.refuse(w, http.StatusBadRequest, `the body has no data: send {"csrf":…,"data":…}`)
	default:
		s.deliver(w, d)
	}
}

// noteRejected puts refused events into the next group. Nobody waits for them, and where there is
// no room they are lost.
func (s *Server) noteRejected(d *delivery) {
	if rows := s.appendRejected(nil, d); len(rows) > 0 {
		s.committer.gather(rows)
	}
}

func (s *Server) refuseBody(w http.ResponseWriter, err error) {
	if errors.Is(err, errBodyTooLarge) {
		s.refuse(w, http.StatusRequestEntityTooLarge, err.Error())
		return
	}
	s.refuse(w, http.StatusBadRequest, "the body did not arrive whole: send it again")
}

// store makes the accepted events durable, together with a note of those that are refused. Where it cannot, it answers.
func (s *Server) store(w http.ResponseWriter, d *delivery) bool {
	if d.stored == 0 {
		s.noteRejected(d)
		s.stats.took(d)
		return true
	}
	d.records = s.appendRejected(d.records, d)
	if err := s.committer.commit(d.records); err != nil {
		s.unavailable(w)
		return false
	}
	s.stats.took(d)
	return true
}

// deliver makes the accepted events durable and answers.
func (s *Server) deliver(w http.ResponseWriter, d *delivery) {
	if !s.store(w, d) {
		return
	}
	refused := d.refusedCount()
	if refused == 0 {
		s.answerStored(w, d.stored)
		return
	}
	f := failure{Stored: d.stored, Errors: d.errors(), LeftOut: d.leftOut}
	switch {
	case d.loneTooLarge():
		f.Reason = loneTooLarge
		s.fail(w, http.StatusRequestEntityTooLarge, f)
	case d.stored == 0:
		f.Reason = noneValid
		s.fail(w, http.StatusBadRequest, f)
	default:
		f.Reason = fmt.Sprintf(someRefused, refused, d.blobs)
		s.fail(w, http.StatusMultiStatus, f)
	}
}

func (d *delivery) errors() []blobError {
	errs := make([]blobError, len(d.refused))
	for i, r := range d.refused {
		errs[i] = blobError{Index: r.index, Path: r.problem.Path, Message: r.problem.Message}
	}
	return errs
}
