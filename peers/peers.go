// Package peers is what the storage nodes of one log tell each other beside it: salts, which must never be in the log or the lake, requests
// to erase, and the small files that hold on all nodes. Each node has a door for the others, over TLS with the certificates of the
// log's routes on both sides: who shows none of their root gets no further than the handshake.
//
//	the node that leads → a round every few seconds → the doors of the others
//
// One node leads at a time, by the lease. Its epoch goes with each request, and a node does nothing for an epoch lower than one that it has
// heard of, its own rounds among it. It imports access/private, erasure, lease and salt of the house.
package peers

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Node is one of the nodes: its name, and host:port of its door.
type Node struct{ Name, Addr string }

// Options say which nodes there are. All but Logger are needed.
type Options struct {
	Self    string             // name of this node
	Nodes   []Node             // all of them, this one too
	Cluster string             // name of the nodes together
	TLS     func() *tls.Config // of both sides, as it is now; client certificates are required
	Logger  *slog.Logger
}

// Peers are the other nodes, and this one's door.
type Peers struct {
	o      Options
	client *http.Client
	mux    *http.ServeMux

	mu       sync.Mutex
	epoch    uint64            // the highest that was heard of
	leftover map[string]string // what is waited for, by what it is about
}

// roundEvery is how often the node that leads looks at the others.
const roundEvery = 2 * time.Second

// askTimeout is how long a node is waited for.
const askTimeout = 5 * time.Second

// maxBody bounds what a node sends and takes. No salt, request or file is larger.
const maxBody = 32 << 20

// The headers of requests and answers.
const (
	headerNode    = "Brine-Node"
	headerCluster = "Brine-Cluster"
	headerEpoch   = "Brine-Epoch"
)

// ErrOld is a request, or a round, of a node that leads no more.
var ErrOld = errors.New("another node has come to lead")

// New makes the connections' client. Nothing is asked yet.
func New(o Options) *Peers {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Peers{o: o, mux: http.NewServeMux(), leftover: map[string]string{},
		client: &http.Client{
			Transport:     &http.Transport{DialTLSContext: o.dial, IdleConnTimeout: time.Minute, MaxConnsPerHost: 16, MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
	return p
}

// dial begins a connection to another node, by what is in force now.
func (o Options) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	return (&tls.Dialer{Config: o.TLS()}).DialContext(ctx, network, addr)
}

// Reconnect has the next requests go over new connections, as those that are open were judged by what was in force when they began.
func (p *Peers) Reconnect() { p.client.CloseIdleConnections() }

// Close ends the connections to the others.
func (p *Peers) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// TLS is that of the door: each connection is judged by what is in force when it begins.
func (p *Peers) TLS() *tls.Config {
	c := p.o.TLS()
	c.SessionTicketsDisabled = true // one would bring along what was in force then
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		now := p.o.TLS()
		now.SessionTicketsDisabled = true
		return now, nil
	}
	return c
}

// Others are the other nodes.
func (p *Peers) Others() []Node {
	return slices.DeleteFunc(slices.Clone(p.o.Nodes), func(n Node) bool { return n.Name == p.o.Self })
}

func (p *Peers) addr(name string) string {
	for _, n := range p.o.Nodes {
		if n.Name == name {
			return n.Addr
		}
	}
	return ""
}

// raise takes an epoch on, unless a higher one was heard of.
func (p *Peers) raise(epoch uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch < p.epoch {
		return fmt.Errorf("%w: epoch %d, and this node has heard of %d", ErrOld, epoch, p.epoch)
	}
	p.epoch = epoch
	return nil
}

// Handler is the door. It is to be served with the TLS of [Options].
func (p *Peers) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerNode, p.o.Self)
		w.Header().Set("Cache-Control", "no-store")
		if err := p.knows(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		p.mux.ServeHTTP(w, r)
	})
}

// knows is nil when a request comes from another of the nodes: it says which, and its certificate is for that one's host.
func (p *Peers) knows(r *http.Request) error {
	if r.TLS == nil || !p.o.vouched(r.TLS.PeerCertificates) {
		return errors.New("only nodes of the log speak here")
	}
	name := r.Header.Get(headerNode)
	host, _, err := net.SplitHostPort(p.addr(name))
	switch {
	case err != nil || name == p.o.Self:
		return errors.New("that is none of the nodes in log.nodes here")
	case r.TLS.PeerCertificates[0].VerifyHostname(host) != nil:
		return errors.New("the certificate is not that node's")
	case r.Header.Get(headerCluster) != p.o.Cluster:
		return errors.New("this is a node of another cluster (log.cluster)")
	}
	return nil
}

// vouched is whether a certificate, with those that link it to a root, is a node's as far as is known now: what a connection was let in by may
// hold no more.
func (o Options) vouched(chain []*x509.Certificate) bool {
	if len(chain) == 0 {
		return false
	}
	links := x509.NewCertPool()
	for _, c := range chain[1:] {
		links.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: o.TLS().ClientCAs, Intermediates: links, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// handle answers a route. A request that bears an epoch is refused where it is an old one.
func (p *Peers) handle(pattern string, answer func(r *http.Request, body []byte) (any, error)) {
	p.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if text := r.Header.Get(headerEpoch); err == nil && text != "" {
			var epoch uint64
			if epoch, err = strconv.ParseUint(text, 10, 64); err == nil {
				err = p.raise(epoch)
			}
		}
		var out any
		if err == nil {
			out, err = answer(r, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		if raw, ok := out.([]byte); ok {
			w.Write(raw)
			return
		}
		json.NewEncoder(w).Encode(out)
	})
}

// lead is one round's right to lead.
type lead struct {
	epoch uint64
	term  func() error // nil while it lasts
}

// ask puts a question to a node. A lead of nil asks as one among equals.
func (p *Peers) ask(ctx context.Context, l *lead, node Node, method, path string, body []byte, answer any) error {
	if l != nil {
		if err := l.term(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "https://"+node.Addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(headerNode, p.o.Self)
	req.Header.Set(headerCluster, p.o.Cluster)
	if l != nil {
		req.Header.Set(headerEpoch, strconv.FormatUint(l.epoch, 10))
	}
	res, err := p.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // its address has the number of a receipt
		}
		return fmt.Errorf("node %s: %w", node.Name, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	switch got := res.Header.Get(headerNode); {
	case err != nil:
		return fmt.Errorf("node %s: %w", node.Name, err)
	case got != node.Name:
		return fmt.Errorf("node %s: %q answers at %s (look at log.doors)", node.Name, got, node.Addr)
	case res.StatusCode != http.StatusOK:
		return &refusal{node.Name, res.StatusCode, string(bytes.TrimSpace(text))}
	}
	if raw, ok := answer.(*[]byte); ok {
		*raw = text
		return nil
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("node %s: %w", node.Name, err)
	}
	return nil
}

// refusal is what a node answers that is there.
type refusal struct {
	node   string
	status int
	why    string
}

func (r *refusal) Error() string { return "node " + r.node + ": " + r.why }

// each asks all other nodes at once and gives what they answered, by name, and what went wrong with the others.
func each[T any](p *Peers, do func(Node) (T, error)) (answers map[string]T, faults map[string]error) {
	answers, faults = map[string]T{}, map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, n := range p.Others() {
		all.Go(func() {
			answer, err := do(n)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				faults[n.Name] = err
				return
			}
			answers[n.Name] = answer
		})
	}
	all.Wait()
	return answers, faults
}

// note keeps what is waited for of one kind, "" for nothing, and logs it when it changes.
func (p *Peers) note(about, what string) {
	p.mu.Lock()
	before := p.leftover[about]
	p.leftover[about] = what
	p.mu.Unlock()
	switch {
	case what == before:
	case what == "":
		p.o.Logger.Info("nodes", about, "in order")
	default:
		p.o.Logger.Warn("nodes", about, what)
	}
}

// Err says what is waited for, and which nodes; nil when nothing is.
func (p *Peers) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []error
	for _, about := range slices.Sorted(maps.Keys(p.leftover)) {
		if what := p.leftover[about]; what != "" {
			all = append(all, errors.New(what))
		}
	}
	return errors.Join(all...)
}
