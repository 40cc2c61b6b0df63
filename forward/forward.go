// Package forward is the way from a collector to the stores: a pool of receipt doors, of which the nearest that is well gets
// each group, and the others when it fails.
//
// It imports nothing of the house. Groups of records come in by [Pool.Append], which returns nil only when a store has said
// stored; a group that is sent again has the same id. No error says more than which store failed, and why.
package forward

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
)

// Options say which stores there are. To is required.
type Options struct {
	To        []string           // receipt doors, like https://store1.example.org:8082
	TokenFile string             // holds the collector's token, and is read for each request; default none
	TLS       func() *tls.Config // for each connection: who vouches for stores, and the collector's certificate; default: the system's
	Timeout   time.Duration      // that a group may take, with all its tries; default 10 s. One that every store refuses takes one round
	Attempt   time.Duration      // that one try may take; default 3 s
	Every     time.Duration      // between two probes of a store; default 1 s
	Logger    *slog.Logger       // default: slog.Default()
}

// Pool is the stores. Its methods may be called from several goroutines.
type Pool struct {
	opts   Options
	client *http.Client
	pack   *zstd.Encoder
	stores []*store
}

// store is one receipt door.
type store struct {
	url  string // without a slash at the end
	host string

	mu   sync.Mutex
	err  error         // of the last probe or group; nil when it is well
	trip time.Duration // round trip of the last probe

	ahead      time.Duration // of this machine's clock, at the last answer
	aheadKnown bool

	stored, refused, failed uint64 // puts that it answered with success, those that it would refuse again, and the others
}

// Status is how a store stands.
type Status struct {
	Host  string        `json:"host"`
	Trip  time.Duration `json:"round_trip_ns"` // of its probe
	Error string        `json:"error,omitempty"`
	Ahead time.Duration `json:"ahead_ns,omitempty"` // of this machine's clock, in full seconds: below 0 it is behind

	Stored  uint64 `json:"stored"`  // groups and requests to erase that it took since the start
	Refused uint64 `json:"refused"` // that it refused, and would again
	Failed  uint64 `json:"failed"`  // and tries that failed otherwise
}

// errNotAsked is a store's error before the first probe.
var errNotAsked = errors.New("not asked yet")

// Open makes the pool, and asks each store once.
func Open(ctx context.Context, o Options) (*Pool, error) {
	if len(o.To) == 0 {
		return nil, errors.New("a collector needs a store to send to: set forward.to in the config, like [https://store1.example.org:8082]")
	}
	o.Timeout, o.Attempt = cmp.Or(o.Timeout, 10*time.Second), cmp.Or(o.Attempt, 3*time.Second)
	o.Every, o.Logger = cmp.Or(o.Every, time.Second), cmp.Or(o.Logger, slog.Default())
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSHandshakeTimeout: o.Attempt, DialContext: (&net.Dialer{Timeout: o.Attempt}).DialContext,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	if o.TLS != nil {
		transport.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, o.Attempt) // a dial may go on after who asked for it has given up
			defer cancel()
			secure := o.TLS().Clone()
			secure.NextProtos = []string{"h2", "http/1.1"}
			return (&tls.Dialer{Config: secure}).DialContext(ctx, network, addr)
		}
	}
	p := &Pool{opts: o, pack: pack, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token goes nowhere else
	}}
	for _, to := range o.To {
		u, err := url.Parse(to)
		if err != nil {
			return nil, fmt.Errorf("forward.to: %q is no address of a store", to)
		}
		p.stores = append(p.stores, &store{url: strings.TrimSuffix(to, "/"), host: u.Host, err: errNotAsked})
	}
	p.probeAll(ctx)
	return p, nil
}

// Run probes the stores until the context ends.
func (p *Pool) Run(ctx context.Context) {
	tick := time.NewTicker(p.opts.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.probeAll(ctx)
		}
	}
}

// Close ends the connections that are idle.
func (p *Pool) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// Reconnect ends the connections that are idle, so that the next requests are on new ones.
func (p *Pool) Reconnect() { p.client.CloseIdleConnections() }

// Append makes a group durable at a store. It gives up after Timeout.
func (p *Pool) Append(ctx context.Context, group []byte) error {
	return p.put(ctx, "/v1/groups/"+uuid.NewString(), "application/x-brine-group", p.pack.EncodeAll(group, nil))
}

// Forget makes a request to erase an install durable at a store.
func (p *Pool) Forget(unit string) error {
	return p.put(context.Background(), "/v1/forgets/"+uuid.NewString(), "text/plain; charset=utf-8", p.pack.EncodeAll([]byte(unit), nil))
}

// Err is nil when some store is well, else it says of each what it lacks.
func (p *Pool) Err() error {
	var errs []error
	for _, s := range p.stores {
		err := s.Err()
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("store %s: %w", s.host, err))
	}
	return fmt.Errorf("no store can be reached: %w", oneLine(errs))
}

// Stores tells how each stands.
func (p *Pool) Stores() (all []Status) {
	for _, s := range p.stores {
		s.mu.Lock()
		st := Status{Host: s.host, Trip: s.trip, Ahead: s.ahead, Stored: s.stored, Refused: s.refused, Failed: s.failed}
		if s.err != nil {
			st.Error = s.err.Error()
		}
		s.mu.Unlock()
		all = append(all, st)
	}
	return all
}

// pause is between two rounds over all stores.
const pause = 200 * time.Millisecond

// put tries one store after the other, the nearest that is well first, until one has it, all have refused it, or the time is over.
func (p *Pool) put(ctx context.Context, path, kind string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	why := map[*store]error{}
	for {
		refused := 0
		for _, s := range p.inOrder() {
			err := p.ask(ctx, s, http.MethodPut, path, kind, body)
			s.count(err)
			if err == nil {
				p.note(s, nil)
				return nil
			}
			switch {
			case ofTheGroup(err): // the store is well for others
				p.opts.Logger.Error("a store refused a group", "store", s.host, "err", err)
				refused++
			case ctx.Err() == nil: // else the time is to blame, not the store
				p.note(s, err)
			}
			if ctx.Err() == nil || why[s] == nil { // what it said before tells more than that the time was over
				why[s] = err
			}
		}
		if refused == len(p.stores) {
			return fmt.Errorf("every store refuses it: %w", p.told(why))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no store has taken it: %w", p.told(why))
		case <-time.After(pause):
		}
	}
}

// told is what each store said, in one line.
func (p *Pool) told(why map[*store]error) error {
	errs := make([]error, len(p.stores))
	for i, s := range p.stores {
		errs[i] = fmt.Errorf("store %s: %w", s.host, why[s])
	}
	return oneLine(errs)
}

// count counts a try.
func (s *store) count(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.stored++
	case ofTheGroup(err):
		s.refused++
	default:
		s.failed++
	}
}

// mostPublic bounds what a store shows to everybody.
const mostPublic = 64 << 20

// Public asks the nearest store that is well, else the others, for what it shows to everybody under a path, and shows no credential. known is the tag of what the caller
// has: where that is the newest, it comes back without a body. found is false where a store has nothing there.
func (p *Pool) Public(ctx context.Context, path, known string) (body []byte, tag string, found bool, err error) {
	var errs []error
	for _, s := range p.inOrder() {
		if body, tag, found, err = p.public(ctx, s, path, known); err == nil {
			return body, tag, found, nil
		}
		errs = append(errs, fmt.Errorf("store %s: %w", s.host, err))
	}
	return nil, "", false, oneLine(errs)
}

func (p *Pool) public(ctx context.Context, s *store, path, known string) (body []byte, tag string, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, "", false, err
	}
	if known != "" {
		req.Header.Set("If-None-Match", known)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, "", false, plain(err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusNotModified:
		return nil, known, true, nil
	case http.StatusNotFound:
		return nil, "", false, nil
	}
	body, err = io.ReadAll(io.LimitReader(res.Body, mostPublic+1))
	switch {
	case err != nil:
		return nil, "", false, plain(err)
	case res.StatusCode != http.StatusOK:
		return nil, "", false, &refusal{res.StatusCode, strings.TrimSpace(string(body[:min(len(body), 4<<10)]))}
	case len(body) > mostPublic:
		return nil, "", false, fmt.Errorf("its answer has over %d bytes", mostPublic)
	}
	return body, res.Header.Get("ETag"), true, nil
}

// inOrder are the stores that are well, the nearest first, then the others.
func (p *Pool) inOrder() []*store {
	type ranked struct {
		*store
		well bool
		trip time.Duration
	}
	var all []ranked
	for _, s := range p.stores {
		s.mu.Lock()
		all = append(all, ranked{s, s.err == nil, s.trip})
		s.mu.Unlock()
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		switch {
		case a.well && !b.well:
			return -1
		case b.well && !a.well:
			return 1
		}
		return cmp.Compare(a.trip, b.trip)
	})
	stores := make([]*store, len(all))
	for i, r := range all {
		stores[i] = r.store
	}
	return stores
}

func (p *Pool) probeAll(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range p.stores {
		all.Go(func() { p.probe(ctx, s) })
	}
	all.Wait()
}

func (p *Pool) probe(ctx context.Context, s *store) {
	began := time.Now()
	err := p.ask(ctx, s, http.MethodGet, "/__heartbeat__", "", nil)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	s.trip = time.Since(began)
	s.mu.Unlock()
	p.note(s, err)
}

// refusal is a store's answer that is no success.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return fmt.Sprintf("it answered %d: %s", r.status, r.reason) }

// ofTheGroup says whether a store refused what was sent, and would again: a 4xx. Not one that another token or a later moment mends.
func ofTheGroup(err error) bool {
	var r *refusal
	if !errors.As(err, &r) || r.status < 400 || r.status >= 500 {
		return false
	}
	return !slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooManyRequests}, r.status)
}

// note writes a change into the log, once.
func (p *Pool) note(s *store, err error) {
	s.mu.Lock()
	before := s.err
	s.err = err
	s.mu.Unlock()
	switch {
	case err == nil && before != nil:
		p.opts.Logger.Info("a store is well", "store", s.host)
	case err != nil && (before == nil || before.Error() != err.Error()):
		p.opts.Logger.Warn("a store takes nothing now", "store", s.host, "err", err)
	}
}

// Err is why the store is not well.
func (s *store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ask sends one request. Only an answer of 200 is a success.
func (p *Pool) ask(ctx context.Context, s *store, method, path, kind string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.opts.Attempt)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := p.identify(req); err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Content-Encoding", "zstd")
	}
	began := time.Now()
	res, err := p.client.Do(req)
	if err != nil {
		return plain(err)
	}
	defer res.Body.Close()
	s.compare(began, time.Now(), res.Header.Get("Date"))
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	switch {
	case res.StatusCode != http.StatusOK:
		return &refusal{res.StatusCode, strings.TrimSpace(string(answer))}
	case err != nil:
		return plain(err)
	}
	return nil
}

// compare tells how this clock stands to the store's, by the time that it put on an answer: in full seconds, as that is.
func (s *store) compare(asked, answered time.Time, date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	middle := asked.Add(answered.Sub(asked) / 2)
	ahead := middle.Sub(at.Add(500 * time.Millisecond)).Round(time.Second)
	if ahead.Abs() <= time.Second+answered.Sub(asked)/2 { // no more than rounding and the way explain
		ahead = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead, s.aheadKnown = ahead, true
}

// Ahead is by how much this machine's clock is ahead of that of the store which groups go to; known is false before any has answered.
func (p *Pool) Ahead() (ahead time.Duration, known bool) {
	for _, s := range p.inOrder() {
		s.mu.Lock()
		ahead, known = s.ahead, s.aheadKnown
		s.mu.Unlock()
		if known {
			return ahead, true
		}
	}
	return 0, false
}

// identify adds the token, as the file holds it now.
func (p *Pool) identify(req *http.Request) error {
	if p.opts.TokenFile == "" {
		return nil
	}
	token, err := os.ReadFile(p.opts.TokenFile)
	if err != nil {
		return fmt.Errorf("read the token (forward.token_file): %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}

// plain takes the path, which holds a group's id, out of an error.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// oneLine joins errors for one line of a log.
func oneLine(errs []error) error {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}
