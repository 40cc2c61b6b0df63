// Package console is the private door: the read API over what the lake holds.
//
// It imports event and lake. Requests of analysts come in; rows go out as NDJSON, pages of JSON,
// CSV or Parquet. It changes nothing. Until access control lands it serves loopback only.
package console

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"brine/lake"
)

// Server is the private door. Lake and Temp must be set.
type Server struct {
	Lake    *lake.Lake
	Temp    string           // a folder that the lake's DuckDB may write, for Parquet on its way out
	Status  func() any       // what GET /api/v1/status answers; nil: no such route
	AnyHost bool             // requests may name another host than this machine: the door has TLS
	Now     func() time.Time // default time.Now
	Logger  *slog.Logger     // default: nothing is logged
}

// Handler is the door's routes.
func (s *Server) Handler() http.Handler {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	reads := make(gate, maxReads)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/events/{stream}", s.answer(reads.bound(s.events)))
	mux.HandleFunc("GET /wsapi/interaction_data", s.answer(reads.bound(s.couchRows)))
	mux.HandleFunc("GET /wsapi/interaction_data/count", s.answer(reads.bound(s.couchCount)))
	mux.HandleFunc("GET /wsapi/interaction_data/last", s.answer(reads.bound(s.couchLast)))
	if s.Status != nil {
		mux.HandleFunc("GET /api/v1/status", s.answer(func(w http.ResponseWriter, _ *http.Request) error {
			return writeJSON(w, http.StatusOK, s.Status())
		}))
	}
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("/", s.answer(s.unknown))
	if s.AnyHost {
		return patient(mux)
	}
	return patient(loopbackOnly(mux))
}

// Error is an answer that is no success. Its reason says what to do.
type Error struct {
	Status int
	Reason string
}

func (e *Error) Error() string { return e.Reason }

func badRequest(reason string) error { return &Error{http.StatusBadRequest, reason} }

// answer turns an error into its JSON answer. What is no [Error] is told in the log alone.
func (s *Server) answer(handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		err := handle(w, r)
		if err == nil {
			return
		}
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // the client is gone, or Brine stops: never a clean end
		}
		var e *Error
		if !errors.As(err, &e) {
			s.Logger.Error("a read failed", "route", r.Pattern, "err", err)
			e = &Error{http.StatusServiceUnavailable, "the read failed: try again, or look in Brine's log for why"}
			w.Header().Set("Retry-After", "5")
		}
		if errors.Is(err, errBroken) {
			panic(http.ErrAbortHandler) // rows were sent: only a cut connection tells that some are missing
		}
		writeJSON(w, e.Status, map[string]any{"success": false, "reason": e.Reason})
	}
}

// errBroken marks an error after the first row was sent.
var errBroken = errors.New("after rows were sent")

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(v)
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return &Error{http.StatusMethodNotAllowed, "this door only reads: use GET"}
	}
	return &Error{http.StatusNotFound, "no such route; GET / lists them"}
}

const indexText = `Brine, the private door. It reads.

  GET /api/v1/events/{stream}?dataset=raw&from=&to=   from inclusive, to exclusive: RFC 3339 or ms
      Accept: application/x-ndjson                    all of it, streamed; neither limit nor cursor
      Accept: application/json                        pages: &limit=1000&cursor=
      Accept: text/csv
      Accept: application/vnd.apache.parquet
  GET /wsapi/interaction_data?start=&end=             rows as {id, key, value}, ms, both inclusive
  GET /wsapi/interaction_data/count
  GET /wsapi/interaction_data/last
  GET /api/v1/status
`

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write([]byte(indexText))
}

// loopbackOnly refuses names that are not this machine's own, so that no web page reaches the
// door through a name that it made point here.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			writeJSON(w, http.StatusForbidden, map[string]any{"success": false,
				"reason": "without TLS this door answers on 127.0.0.1, [::1] or localhost only: set private.tls"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
