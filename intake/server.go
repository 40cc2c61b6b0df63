// Package intake is the public door: an [http.Handler] that browsers send their events to.
//
// It imports event, door and access/private, and nothing else of the house. Requests come in; groups of
// records in Brine's own encoding go out, through [Server.Append], which cmd/brine sets to the
// event log. An answer of success is given only when Append has returned, so it means stored.
// Nothing that tells who a client is goes further than the request: no address, user agent
// string, cookie, token or event id is kept, logged or counted.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"brine/door"
	"brine/event"
)

// knownAgents is how many User-Agent headers are parsed only once.
const knownAgents = 1024

// Server is the public door. Its fields are set before Open and not changed after.
type Server struct {
	// Append makes a group of records durable before it returns nil, or gives up within seconds; it must not keep the slice. It is called
	// by AtOnce goroutines at a time, with at most MaxGroup bytes. Required.
	Append func(ctx context.Context, group []byte) error

	// AtOnce is how many groups are being appended at a time, where more than a little has gathered: more than one where they travel.
	// Default: 1.
	AtOnce int

	// Forget makes a request to erase an install durable before it returns nil. The install id goes nowhere else. Default:
	// none can be taken.
	Forget func(unit string) error

	// Ready tells why the server cannot store now, nil when it can; only that it cannot is told to
	// clients. It is asked for each request, so it must be quick. Default: always ready.
	Ready func() error

	// Checks tell what else is out of order, by the name that the heartbeat has for it: never more than whether. They must be
	// quick. Default: none.
	Checks map[string]func() error

	// Sampling knows the sample rates; that of the stream "interaction" at 0 is the kill switch. Required.
	Sampling *Sampling

	// Streams are those of apps, which POST /v1/events takes, by name; interaction is none of them. Default: none.
	Streams map[string]*event.Stream

	// CollectUntil are the last days of streams, interaction among them. Default: all are collected for ever.
	CollectUntil map[string]Until

	// Epoch names the sampling epoch of a time, YYYYMMDDHH. Default: CalendarQuarter.
	Epoch func(now time.Time) string

	// CSRFKey signs the CSRF tokens: at least 32 bytes, see LoadCSRFKey. Required.
	CSRFKey []byte

	// Origins are those of other pages that may use the door, like "https://login.example.org".
	Origins []string

	// TrustedProxies are those whose X-Forwarded-For and X-Forwarded-Proto count.
	TrustedProxies door.Proxies

	// DNT tells whether "DNT: 1" opts out, as "Sec-GPC: 1" and the cookie always do.
	DNT bool

	// Consent is what a person's silence means, opt-out or opt-in, for clients to go by: with opt-in they ask for nothing and
	// keep nothing before a yes. The door cannot know of a yes, which is kept with the client. Default: opt-out.
	Consent string

	// Privacy serves /privacy and what is below it, and tells a Visitor of a Problem with status 403. None: 404.
	Privacy func(http.ResponseWriter, *http.Request, Visitor)

	// Totals serves /kpi, /kpi.json and /kpi.csv. None: 404.
	Totals http.HandlerFunc

	// RateLimit is how many requests a second one client may send, RateBurst how many at once
	// (at least 1). A RateLimit of 0 is no limit.
	RateLimit float64
	RateBurst int

	Version    string           // of Brine, for /__version__
	Library    []byte           // what GET /brine.js gives; none: 404
	LibraryMap []byte           // what GET /brine.js.map gives; none: 404
	Demo       http.Handler     // serves what is below /demo/; none: 404
	Now        func() time.Time // default: time.Now
	Logger     *slog.Logger     // default: slog.Default()

	stats     Stats
	routes    map[string]route
	signer    atomic.Pointer[signer]
	committer *committer
	limiter   *limiter // nil: no limit
	rejects   rejectBudget
	agents    *event.UserAgents
	crossing  http.CrossOriginProtection
	origins   map[string]bool
	version   []byte
	libraryID string // the ETag of Library
}

// Open checks the fields, sets their defaults and makes the server ready for requests.
func (s *Server) Open() error {
	switch {
	case s.Append == nil:
		return errors.New("intake: Append is not set")
	case s.Sampling == nil:
		return errors.New("intake: Sampling is not set")
	case len(s.CSRFKey) < minKeyBytes:
		return fmt.Errorf("intake: the CSRF key has %d bytes, want at least %d", len(s.CSRFKey), minKeyBytes)
	}
	if err := s.trustOrigins(); err != nil {
		return err
	}
	s.setDefaults()
	s.signer.Store(newSigner(s.CSRFKey))
	s.agents = event.NewUserAgents(knownAgents)
	if s.RateLimit > 0 {
		s.limiter = newLimiter(s.RateLimit, s.RateBurst, s.Now())
	}
	s.version = versionJSON(s.Version)
	s.libraryID = etag(s.Library)
	s.routes = s.makeRoutes()
	s.stats.open(slices.Concat([]string{event.Interaction}, slices.Collect(maps.Keys(s.Streams)))...)
	s.committer = newCommitter(s.Append, max(1, s.AtOnce), s.Logger, &s.stats)
	return nil
}

// SetCSRFKey signs tokens with another key from now on, and takes none of the one before.
func (s *Server) SetCSRFKey(key []byte) { s.signer.Store(newSigner(key)) }

func (s *Server) setDefaults() {
	if s.Ready == nil {
		s.Ready = func() error { return nil }
	}
	if s.Forget == nil {
		s.Forget = func(string) error { return errors.New("intake: Forget is not set") }
	}
	if s.Epoch == nil {
		s.Epoch = CalendarQuarter
	}
	if s.Consent == "" {
		s.Consent = "opt-out"
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
}

// Close returns when the group being gathered is written. Requests after it are answered 503.
func (s *Server) Close() error {
	s.committer.close()
	return nil
}

// Stats gives the counters of what the door did.
func (s *Server) Stats() Snapshot { return s.stats.Snapshot() }

// Handler serves the door's routes. The server must be open.
//
// The http.Server around it needs a ReadTimeout, for slow clients, and an ErrorLog that
// goes nowhere, for net/http writes the client's address into its lines.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serve) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	defer s.recoverPanic(w)
	route, ok := s.routes[r.URL.Path]
	switch {
	case ok:
		s.serveRoute(route, w, r)
	case s.Privacy != nil && strings.HasPrefix(r.URL.Path, historyPath):
		s.serveRoute(s.routes[policyPath], w, r)
	case s.Demo != nil && r.URL.Path == "/demo":
		http.Redirect(w, r, "/demo/", http.StatusTemporaryRedirect)
	case s.Demo != nil && strings.HasPrefix(r.URL.Path, "/demo/"):
		s.Demo.ServeHTTP(w, r)
	default:
		s.refuse(w, http.StatusNotFound, "nothing is here: check the path")
	}
}
