package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"brine/client"
	"brine/config"
	"brine/console"
	"brine/event"
	"brine/eventlog"
	"brine/intake"
	"brine/lake"
)

// house is all rooms of one process, wired: browser → intake → log → lake → console. Its rooms
// start in this order and stop in the reverse one.
type house struct {
	cfg     *config.Config
	streams map[string]*event.Stream
	logger  *slog.Logger

	data    *dataDir
	log     *eventlog.Log
	lake    *lake.Lake
	ready   *readiness
	intake  *intake.Server
	console *console.Server
	stop    []func() error // in the order of starting
}

// houseOptions are what serve and demo differ in.
type houseOptions struct {
	acceptClock bool
	demo        bool
}

// openHouse takes the data folder and opens every room. Nothing is served yet.
func openHouse(ctx context.Context, cfg *config.Config, registry *event.Registry, logger *slog.Logger, o houseOptions) (*house, error) {
	h := &house{cfg: cfg, logger: logger}
	err := h.open(ctx, registry, o)
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *house) open(ctx context.Context, registry *event.Registry, o houseOptions) (err error) {
	if h.streams, err = openStreams(h.cfg, registry); err != nil {
		return err
	}
	if h.data, err = openDataDir(h.cfg.Data); err != nil {
		return err
	}
	h.onClose(h.data.Close)
	if h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: h.data.log(), AcceptClock: o.acceptClock, Logger: h.logger}); err != nil {
		return err
	}
	h.onClose(h.log.Close)
	h.lake, err = lake.Open(ctx, lake.Options{Dir: h.data.lake(), Temp: h.data.tmp(), Tables: tables(h.streams), Log: h.log,
		FlushEvery: h.cfg.Flush.Every, FlushBytes: int(h.cfg.Flush.Bytes), Logger: h.logger})
	if err != nil {
		return err
	}
	h.onClose(func() error { h.lake.Close(); return nil })
	h.ready = newReadiness(h.log, h.lake, int64(h.cfg.Retention.MinFree), h.data.log(), h.data.lake())
	if err := h.openIntake(o.demo); err != nil {
		return err
	}
	h.console = &console.Server{Lake: h.lake, Temp: h.data.tmp(), Logger: h.logger, Status: func() any { return h.status(ctx) }}
	return nil
}

func (h *house) openIntake(demo bool) error {
	key, err := intake.LoadCSRFKey(h.cfg.CSRFKeyPath())
	if err != nil {
		return err
	}
	sampling, err := intake.OpenSampling(filepath.Join(h.cfg.Data, "sampling.json"), rates(h.cfg), time.Now())
	if err != nil {
		return err
	}
	h.intake = &intake.Server{
		Append: h.append, Ready: h.ready.Err, Sampling: sampling, CSRFKey: key,
		Origins: h.cfg.Public.Origins, TrustedProxies: h.cfg.Public.TrustedProxies, DNT: h.cfg.OptOut.DNT,
		RateLimit: h.cfg.Public.RateLimit.PerSecond, RateBurst: h.cfg.Public.RateLimit.Burst,
		Version: version, Library: client.Library(), LibraryMap: client.SourceMap(), Logger: h.logger,
	}
	if demo {
		h.intake.Demo = http.StripPrefix("/demo", http.FileServerFS(client.Demo()))
	}
	if err := h.intake.Open(); err != nil {
		return err
	}
	h.onClose(h.intake.Close)
	return nil
}

// append makes a group durable, and tells the lake that there is more to flush.
func (h *house) append(ctx context.Context, group []byte) error {
	if err := h.log.Append(ctx, group); err != nil {
		return err
	}
	h.lake.Appended(len(group))
	return nil
}

func (h *house) onClose(stop func() error) { h.stop = append(h.stop, stop) }

// Close stops the rooms in the reverse order of their start.
func (h *house) Close() error {
	var errs []error
	for i := len(h.stop) - 1; i >= 0; i-- {
		errs = append(errs, h.stop[i]())
	}
	h.stop = nil
	return errors.Join(errs...)
}

// serve opens the doors and works until the context ends; then it closes the doors, flushes what
// they took, and returns. opened is called once both doors are open.
func (h *house) serve(ctx context.Context, opened func()) error {
	doors, err := h.openDoors()
	if err != nil {
		return err
	}
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	lakeDone := make(chan error, 1)
	go func() { lakeDone <- h.lake.Run(inner) }()
	go h.ready.run(inner)
	failed := make(chan error, len(doors))
	for _, d := range doors {
		go func() { failed <- d.serve() }()
	}
	opened()
	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	for _, d := range doors {
		err = errors.Join(err, d.close())
	}
	cancel(nil)
	return errors.Join(err, <-lakeDone)
}

// door is one listener and what answers on it.
type door struct {
	name     string
	addr     string
	listener net.Listener
	server   *http.Server
}

// openDoors listens everywhere before anything is served.
func (h *house) openDoors() (doors []*door, err error) {
	defer func() {
		if err != nil {
			for _, d := range doors {
				d.listener.Close()
			}
		}
	}()
	for _, d := range []*door{
		{name: "public", addr: h.cfg.Public.Addr, server: newServer(h.intake.Handler())},
		{name: "private", addr: h.cfg.Private.Addr, server: newServer(h.console.Handler())},
	} {
		if d.listener, err = net.Listen("tcp", d.addr); err != nil {
			return doors, fmt.Errorf("open the %s door: %w (is another program on this address? change %[1]s.addr)", d.name, err)
		}
		doors = append(doors, d)
	}
	socket, err := h.data.listen()
	if err != nil {
		return doors, err
	}
	return append(doors, &door{name: "socket", listener: socket, server: &http.Server{Handler: h.socketHandler()}}), nil
}

// newServer bounds how long a request may take to arrive. An answer is not bounded: those of the
// public door fit into a socket's buffer, and a read may last. One deadline for headers and body
// is one system call less for each request than two.
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

func (d *door) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), doorGrace)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		return d.server.Close()
	}
	return nil
}

// rates are the sample rates in force, by stream.
func rates(cfg *config.Config) map[string]float64 {
	all := map[string]float64{}
	for _, name := range cfg.StreamNames() {
		all[name] = cfg.Rate(name)
	}
	return all
}

// tables are all that the lake may hold.
func tables(streams map[string]*event.Stream) []lake.Table {
	all := []lake.Table{lake.QuarantineTable()}
	for name, s := range streams {
		all = append(all,
			lake.NewTable(lake.Raw, name, s.Columns, s.Time, s.ID),
			lake.NewTable(lake.Rejected, name, event.RejectedColumns(), "", ""))
	}
	return all
}
