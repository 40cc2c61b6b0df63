package intake

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"brine/door"
)

// retryAfter is when a client may come again after a 503, in seconds.
const retryAfter = "5"

// Header values are shared by all answers, so that setting one allocates nothing.
var (
	typeJSON    = []string{"application/json"}
	noStore     = []string{"no-store"}
	storedOne   = []byte(`{"success":true,"stored":1}`)
	tryLater    = []string{retryAfter}
	unavailable = []byte(`{"success":false,"reason":"the events could not be stored: send them again later"}`)
)

// A failure is the body of an answer that is no success.
type failure struct {
	Success    bool        `json:"success"`
	Stored     int         `json:"stored,omitempty"`
	SampledOut int         `json:"sampled_out,omitempty"` // valid events of apps that are not to be kept
	Reason     string      `json:"reason"`
	Errors     []blobError `json:"errors,omitempty"`
	LeftOut    int         `json:"errors_left_out,omitempty"` // refused blobs that Errors does not list
}

// The reasons of failures that tell of single events.
const (
	loneTooLarge = "the event has more than 10 kB: record less in one, or throw it away"
	noneValid    = "no event is valid: errors tells why; do not send them again as they are"
	someRefused  = "%d of %d events are refused: errors tells why; do not send those again as they are"
)

// A blobError tells why one blob was refused.
type blobError struct {
	Index   int    `json:"index"`   // of the blob in the request, from 0; -1: the request around the blobs
	Path    string `json:"path"`    // JSON pointer into the blob, or the request
	Message string `json:"message"` // what was expected
}

func (s *Server) answer(w http.ResponseWriter, status int, body []byte) {
	s.stats.answered(status)
	h := w.Header()
	h["Content-Type"] = typeJSON
	door.NoSniff(h)
	w.WriteHeader(status)
	w.Write(body)
}

func (s *Server) answerStored(w http.ResponseWriter, stored int) {
	body := storedOne
	if stored != 1 {
		body = strconv.AppendInt([]byte(`{"success":true,"stored":`), int64(stored), 10)
		body = append(body, '}')
	}
	s.answer(w, http.StatusOK, body)
}

// nothingKept answers a client that has opted out, or when nothing is to be collected.
func (s *Server) nothingKept(w http.ResponseWriter) {
	s.stats.answered(http.StatusNoContent)
	w.WriteHeader(http.StatusNoContent)
}

// refuse answers with a reason, which says what to do and holds nothing that the client sent.
func (s *Server) refuse(w http.ResponseWriter, status int, reason string) {
	s.fail(w, status, failure{Reason: reason})
}

// failWhole answers when a request as a whole cannot be read.
func (s *Server) failWhole(w http.ResponseWriter, bad *fault) {
	s.fail(w, http.StatusBadRequest, failure{
		Reason: bad.reason,
		Errors: []blobError{{Index: bad.index, Path: bad.path, Message: bad.reason}},
	})
}

func (s *Server) fail(w http.ResponseWriter, status int, f failure) {
	body, err := json.Marshal(f)
	if err != nil {
		panic(err) // a failure holds strings and integers only
	}
	w.Header()["Cache-Control"] = noStore
	s.answer(w, status, body)
}

func (s *Server) unavailable(w http.ResponseWriter) {
	w.Header()["Retry-After"] = tryLater
	w.Header()["Cache-Control"] = noStore
	s.answer(w, http.StatusServiceUnavailable, unavailable)
}

func (s *Server) tooMany(w http.ResponseWriter, wait time.Duration) {
	seconds := int((wait + time.Second - 1) / time.Second)
	w.Header().Set("Retry-After", strconv.Itoa(max(seconds, 1)))
	s.refuse(w, http.StatusTooManyRequests, "too many requests from this network: wait as Retry-After says, and send several blobs in one request")
}
