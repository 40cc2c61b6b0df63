package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"brine/door"
)

// entrance is a door: one listener and what answers on it.
type entrance struct {
	name     string
	addr     string
	tls      *door.Certificate // nil: it speaks none
	clients  *door.Authority   // who vouches for clients; nil: none is asked for a certificate
	nodes    *tls.Config       // of the door of the nodes of the log, in place of tls; nil: it is another door
	most     int               // connections at once
	proxies  door.Proxies      // which may have all of them
	listener net.Listener
	server   *http.Server
	requests inFlight
	cancel   context.CancelFunc // ends the contexts of its requests
}

// newEntrance makes a door that is not open yet.
func newEntrance(name, addr string, server *http.Server) *entrance {
	ctx, cancel := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	return &entrance{name: name, addr: addr, server: server, cancel: cancel}
}

// counted lets the door's close wait until its handlers have returned, for those that use the lake.
func (d *entrance) counted() *entrance {
	d.server.Handler = d.requests.count(d.server.Handler)
	return d
}

// openDoors listens everywhere before anything is served or made. The doors are closed with the house.
func (h *house) openDoors() (err error) {
	h.onClose(h.closeListeners)
	doors, err := h.roleDoors()
	if err != nil {
		return err
	}
	for _, d := range doors {
		if err := d.listen(); err != nil {
			return fmt.Errorf("open the %s door: %w (is another program on this address? change %s)", d.name, err, h.addrSetting(d.name))
		}
		h.doors = append(h.doors, d)
	}
	d := newEntrance("socket", "", &http.Server{Handler: h.socketHandler()}).counted()
	if d.listener, err = h.data.listen(); err != nil {
		return err
	}
	h.doors = append(h.doors, d)
	return nil
}

// roleDoors are the doors of the role but for the socket.
func (h *house) roleDoors() (doors []*entrance, err error) {
	if h.intake != nil {
		doors = append(doors, h.publicDoor())
	}
	if h.receipt != nil {
		doors = append(doors, h.receiptDoor())
	}
	if h.peers != nil {
		doors = append(doors, h.nodeDoor())
	}
	if h.console != nil {
		doors = append(doors, h.privateDoor())
	}
	if h.cfg.Metrics.Addr != "" {
		d, err := metricsDoor(h.cfg, h.metrics.Handler())
		if err != nil {
			return nil, err
		}
		doors = append(doors, d)
	}
	return doors, nil
}

// doorAddrs are the doors' names and addresses, for the log.
func (h *house) doorAddrs() (all []any) {
	for _, d := range h.doors {
		if d.addr != "" {
			all = append(all, d.name, d.addr)
		}
	}
	return all
}

// publicPatience is how long a client of the public door may take to receive an answer.
const publicPatience = time.Minute

// publicDoor is the door of browsers and apps. Its answers are short, so they have a deadline.
func (h *house) publicDoor() *entrance {
	server := newServer(h.intake.Handler())
	server.WriteTimeout = publicPatience
	d := newEntrance("public", h.cfg.Public.Addr, server)
	d.tls, d.most, d.proxies = h.certificates["public"], h.cfg.Public.MaxConnections, h.cfg.Public.TrustedProxies
	return d
}

// privateDoor is the door of readers. A read lasts as long as its client goes on taking rows (see package console).
func (h *house) privateDoor() *entrance {
	d := newEntrance("private", h.cfg.Private.Addr, newServer(h.console.Handler())).counted()
	d.tls, d.most, d.proxies = h.certificates["private"], h.cfg.Private.MaxConnections, h.cfg.Private.TrustedProxies
	return d
}

// listen takes the door's address.
func (d *entrance) listen() error {
	l, err := net.Listen("tcp", d.addr)
	if err != nil {
		return err
	}
	d.listener = door.Lazily(d.bound(l))
	d.server.TLSConfig = d.nodes
	if d.tls != nil {
		d.server.TLSConfig = d.tls.TLS()
		if d.clients != nil {
			d.askClients(d.server.TLSConfig)
		}
	}
	return nil
}

// askClients has each connection judged by who vouches for clients at its beginning. No session is resumed: it would bring
// along who vouched when it began.
func (d *entrance) askClients(t *tls.Config) {
	t.ClientAuth, t.SessionTicketsDisabled, t.NextProtos = tls.VerifyClientCertIfGiven, true, []string{"h2", "http/1.1"}
	now := t.Clone()
	t.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := now.Clone()
		c.ClientCAs = d.clients.Pool()
		return c, nil
	}
}

// bound lets the door have so many connections: one more waits in the system's queue. One address has a quarter of them at most,
// so that nobody keeps all others out.
func (d *entrance) bound(l net.Listener) net.Listener {
	return netutil.LimitListener(door.Share(l, max(1, d.most/4), d.proxies), d.most)
}

// addrSetting is where a door's address is set.
func (h *house) addrSetting(name string) string {
	if h.demo {
		return "--" + name
	}
	if name == "node" {
		return "log.doors"
	}
	return name + ".addr"
}

// closeListeners frees what was listened on and never served; those of a server are closed already.
func (h *house) closeListeners() error {
	for _, d := range h.doors {
		d.cancel()
		_ = d.listener.Close()
	}
	return nil
}

// newServer bounds how long a request may take to arrive, and how much its headers may hold. Headers and body share one
// deadline, so that it is set once for each request; a TLS handshake has as long.
func newServer(handler http.Handler) *http.Server {
	const arrival = 20 * time.Second
	return &http.Server{Handler: handler, ReadHeaderTimeout: arrival, ReadTimeout: arrival, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)} // net/http's lines hold client addresses
}

func (d *entrance) serve() error {
	serve := d.server.Serve
	if d.server.TLSConfig != nil {
		serve = func(l net.Listener) error { return d.server.ServeTLS(l, "", "") }
	}
	if err := serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the %s door: %w", d.name, err)
	}
	return nil
}

// doorGrace is how long requests may take to end when a door closes.
const doorGrace = 5 * time.Second

// close returns when nothing works for this door any more: what has not ended within the grace is cut off.
func (d *entrance) close() (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), doorGrace)
	defer cancel()
	if d.server.Shutdown(ctx) != nil {
		err = d.server.Close()
	}
	d.cancel()
	d.requests.finish()
	return err
}

// inFlight knows the requests that are being answered, which http.Server does not wait for after
// its Close.
type inFlight struct {
	mu     sync.Mutex
	closed bool
	all    sync.WaitGroup
}

func (f *inFlight) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f.begin() {
			panic(http.ErrAbortHandler) // its connection is closed
		}
		defer f.all.Done()
		next.ServeHTTP(w, r)
	})
}

func (f *inFlight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.all.Add(1)
	}
	return !f.closed
}

// finish lets no request begin, and returns when none is left.
func (f *inFlight) finish() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.all.Wait()
}
