package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// door is one listener and what answers on it.
type door struct {
	name     string
	addr     string
	listener net.Listener
	server   *http.Server
	requests inFlight
	cancel   context.CancelFunc // ends the contexts of its requests
}

// newDoor makes a door that is not open yet.
func newDoor(name, addr string, server *http.Server) *door {
	ctx, cancel := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return ctx }
	return &door{name: name, addr: addr, server: server, cancel: cancel}
}

// counted lets the door's close wait until its handlers have returned, for those that use the lake.
func (d *door) counted() *door {
	d.server.Handler = d.requests.count(d.server.Handler)
	return d
}

// openDoors listens everywhere before anything is served or made. The doors are closed with the house.
func (h *house) openDoors() (err error) {
	h.onClose(h.closeListeners)
	for _, d := range []*door{
		newDoor("public", h.cfg.Public.Addr, newServer(h.intake.Handler())),
		newDoor("private", h.cfg.Private.Addr, newServer(h.console.Handler())).counted(),
	} {
		if d.listener, err = net.Listen("tcp", d.addr); err != nil {
			return fmt.Errorf("open the %s door: %w (is another program on this address? change %s)", d.name, err, h.addrSetting(d.name))
		}
		h.doors = append(h.doors, d)
	}
	d := newDoor("socket", "", &http.Server{Handler: h.socketHandler()}).counted()
	if d.listener, err = h.data.listen(); err != nil {
		return err
	}
	h.doors = append(h.doors, d)
	return nil
}

// addrSetting is where a door's address is set.
func (h *house) addrSetting(door string) string {
	if h.demo {
		return "--" + door
	}
	return door + ".addr"
}

// closeListeners frees what was listened on and never served; those of a server are closed already.
func (h *house) closeListeners() error {
	for _, d := range h.doors {
		d.cancel()
		_ = d.listener.Close()
	}
	return nil
}

// newServer bounds how long a request may take to arrive. An answer is not bounded: those of the
// public door fit into a socket's buffer, and a read may last. Headers and body share one
// deadline, so that it is set once for each request.
func newServer(handler http.Handler) *http.Server {
	const arrival = 20 * time.Second
	return &http.Server{Handler: handler, ReadHeaderTimeout: arrival, ReadTimeout: arrival, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)} // net/http's lines hold client addresses
}

func (d *door) serve() error {
	if err := d.server.Serve(d.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the %s door: %w", d.name, err)
	}
	return nil
}

// doorGrace is how long requests may take to end when a door closes.
const doorGrace = 5 * time.Second

// close returns when nothing works for this door any more: what has not ended within the grace is cut off.
func (d *door) close() (err error) {
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
