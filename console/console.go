// Package console is the private door: the read API over what the lake holds.
//
// It imports event, lake, door, of access the gate and the audit, and its own room board, the dashboard. Requests of people who may read come in through the gate; rows go
// out as NDJSON, pages of JSON, CSV or Parquet, between two records of the audit. It changes nothing itself: an erasure is handed on.
package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/console/board"
	"brine/lake"
)

// Server is the private door. Lake and Temp must be set, and for [Server.Open] also Gate and Begin.
type Server struct {
	Lake    *lake.Lake
	Temp    string                // a folder that the lake's DuckDB may write, for Parquet on its way out
	OpenAPI []byte                // what GET /openapi.yaml answers; none: no such route
	Status  func(access.Cell) any // what GET /api/v1/status answers, its figures by the cell; nil: no such route
	MinCell int                   // below analyst no figure rests on fewer interactions; unset: none is told
	Now     func() time.Time      // default time.Now
	Logger  *slog.Logger          // default: nothing is logged

	Gate *gate.Gate // open

	// Begin makes the beginning of a read durable, before its first row leaves. End is called once, with how many rows left.
	Begin func(audit.Record) (end func(rows int64, outcome string) error, err error)

	Audit   func(ctx context.Context, f audit.Filter, cursor string, limit int) (audit.Page, error) // nil: no such route
	Receipt func(number string) (receipt any, err error)                                            // of an erasure; set with Erase

	// Erase looks at a body {"unit": …} and gives what takes it. Errors of both that the reader is to see are [Error]. nil: no such route.
	Erase func(body []byte) (take func() (number string, receipt any, err error), err error)

	// Metrics answers GET /metrics, to this machine and to who has the role analyst; nil: no such route.
	Metrics http.Handler

	Board *board.Board // the dashboard; nil: none. Who has no viewer, and everybody where there is none, sees the start page

	handler http.Handler
}

// Open puts the gate before the routes. The error says what is missing.
func (s *Server) Open() error {
	if s.Begin == nil {
		return errors.New("the private door has nowhere to record reads")
	}
	h, err := s.Gate.Handler(s.Routes(), s.fail)
	s.handler = s.recovered(patient(h))
	return err
}

// Handler is the open door.
func (s *Server) Handler() http.Handler { return s.handler }

// Routes are the door's, and who may use each. The gate has some more of its own.
func (s *Server) Routes() []gate.Route {
	s.defaults()
	reads := make(places, maxReads)
	routes := []gate.Route{
		{Pattern: "GET /{$}", Need: gate.AnyRole, Handle: s.index},
		{Pattern: eventsRoute, Need: access.Analyst, NeedOf: needOfDataset, Handle: reads.bound(s.whileAllowed(s.events))},
		{Pattern: "GET /wsapi/interaction_data", Need: access.Raw, Handle: reads.bound(s.whileAllowed(s.couchRows))},
		{Pattern: "GET /wsapi/interaction_data/count", Need: access.Raw, Handle: reads.bound(s.couchCount)},
		{Pattern: "GET /wsapi/interaction_data/last", Need: access.Raw, Handle: reads.bound(s.couchLast)},
	}
	if len(s.OpenAPI) > 0 {
		routes = append(routes, gate.Route{Pattern: "GET /openapi.yaml", Need: gate.AnyRole, Handle: s.openAPI})
	}
	if s.Status != nil {
		routes = append(routes, gate.Route{Pattern: "GET /api/v1/status", Need: access.Viewer, Handle: s.status})
	}
	if s.Metrics != nil {
		routes = append(routes, gate.Route{Pattern: "GET /metrics", Need: access.Analyst, NeedOf: needOfScrape, Handle: s.metrics})
	}
	if s.Audit != nil {
		routes = append(routes, gate.Route{Pattern: "GET /api/v1/audit", Need: access.Privacy, Handle: reads.bound(s.audit)})
	}
	if s.Erase != nil {
		routes = append(routes,
			gate.Route{Pattern: "POST /api/v1/erasures", Need: access.Privacy, Handle: s.erase},
			gate.Route{Pattern: "GET /api/v1/erasures/{receipt}", Need: access.Privacy, Handle: s.receipt})
	}
	if s.Board != nil {
		s.Board.Recorded = s.recorded
		views := make(places, maxViews)
		for _, route := range s.Board.Routes() {
			if route.Need != gate.Anyone {
				route.Handle = views.bound(route.Handle)
			}
			routes = append(routes, route)
		}
	}
	return routes
}

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request, _ gate.Person) error {
	w.Header().Set("Content-Type", "application/yaml")
	return send(w, s.OpenAPI)
}

const eventsRoute = "GET /api/v1/events/{stream}"

// Local answers [Server.Routes]' read of events to who has the data folder, without the gate and without a record: for a command on
// the machine, which makes its own.
func (s *Server) Local() http.Handler {
	s.defaults()
	mux := http.NewServeMux()
	mux.HandleFunc(eventsRoute, func(w http.ResponseWriter, r *http.Request) {
		if err := s.events(w, r, gate.Person{}); err != nil {
			s.fail(w, r, err)
		}
	})
	return mux
}

func (s *Server) defaults() {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
}

// Error is an answer that is no success. Its reason says what to do.
type Error = gate.Error

func refusal(status int, reason string) error { return &Error{Status: status, Reason: reason} }

func badRequest(reason string) error { return refusal(http.StatusBadRequest, reason) }

// fail turns an error into its JSON answer. What is no [Error] is told in the log alone.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // the client is gone, or Brine stops: never a clean end
	}
	var e *Error
	if !errors.As(err, &e) && !isLost(err) {
		s.Logger.Error("a read failed", "route", r.Pattern, "err", err)
		e = &Error{Status: http.StatusServiceUnavailable, Reason: "the read failed: try again, or look in Brine's log for why"}
		if lake.Unavailable(err) {
			e.Reason = "the object store that holds the events cannot be used now: try again later"
		}
		w.Header().Set("Retry-After", "5")
	}
	if errors.Is(err, errBroken) || isLost(err) {
		panic(http.ErrAbortHandler) // rows were sent: only a cut connection tells that some are missing
	}
	writeJSON(w, e.Status, map[string]any{"success": false, "reason": e.Reason})
}

func isLost(err error) bool {
	var lost *gate.Lost
	return errors.As(err, &lost)
}

// errBroken marks an error after something may have been sent.
var errBroken = errors.New("after the answer began")

// send writes a part of an answer.
func send(w io.Writer, part []byte) error {
	if _, err := w.Write(part); err != nil {
		return errors.Join(errBroken, err)
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return errors.Join(errBroken, err)
	}
	return nil
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request, p gate.Person) error {
	return writeJSON(w, http.StatusOK, s.Status(access.CellOf(p.Roles, s.MinCell)))
}
