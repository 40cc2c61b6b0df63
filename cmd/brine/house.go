package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"brine/access"
	"brine/access/audit"
	"brine/access/gate"
	"brine/canary"
	"brine/client"
	"brine/config"
	"brine/console"
	"brine/door"
	"brine/erasure"
	"brine/event"
	"brine/eventlog/cluster"
	"brine/forward"
	"brine/intake"
	"brine/kpi"
	"brine/kpi/facts"
	"brine/lake"
	"brine/metrics"
	"brine/peers"
	"brine/publish"
	"brine/salt"
)

// role says which rooms a process has.
type role struct {
	collects bool // the public door. Without stores its groups go to other processes, by the forwarder
	stores   bool // the log, the lake, all work on them, the private door and the receipt door
}

// The roles of a process.
var (
	allRoles  = role{collects: true, stores: true}
	collector = role{collects: true}
	storer    = role{stores: true}
)

// house is all rooms of one process, wired: browser → intake → log → lake → console. Its rooms
// start in this order and stop in the reverse one. A room that its role lacks is nil.
type house struct {
	role    role
	cfg     *config.Config
	streams map[string]*event.Stream
	logger  *slog.Logger

	data      *dataDir
	log       groupLog
	cluster   *cluster.Log // the same, where it lies on several nodes; else nil
	lake      *lake.Lake
	ready     *readiness
	sanitizer *sanitizer
	kpis      *kpis
	board     *kpi.Board
	facts     *facts.Job
	totals    *publish.Publisher
	published *publish.Copy // of a collector: what the stores publish
	purger    *purger
	periods   salt.Periods
	salts     *salt.Folder
	rotator   *salt.Rotator
	erasures  *erasure.Erasures
	peers     *nodes // what this node and the others of the log tell each other; nil where it is alone
	outlets   outlets
	intake    *intake.Server
	forward   *forward.Pool   // of a collector
	receipt   *intake.Receipt // where collectors are configured
	audit     *audit.Log
	gate      *gate.Gate
	console   *console.Server
	policy    *publishedPolicy
	canary    *canary.Sender // of who collects, unless canary.every is 0
	canaries  *canary.Watch  // of who stores
	metrics   *metrics.Registry
	observe   observers
	doors     []*entrance

	certificates certificates
	authorities  map[string]*door.Authority // who vouches for others, by the key that names the file
	stop         []func() error             // in the order of starting
	demo         bool
	broken       atomic.Pointer[error] // what is wrong with the config file since it changed
}

// houseOptions are what serve, demo, collect and store differ in.
type houseOptions struct {
	role        role
	acceptClock bool
	demo        bool
}

// openHouse takes the data folder and opens every room. Nothing is served yet.
func openHouse(ctx context.Context, cfg *config.Config, registry *event.Registry, logger *slog.Logger, o houseOptions) (*house, error) {
	h := &house{role: o.role, cfg: cfg, logger: logger, demo: o.demo}
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
	if h.certificates, err = openCertificates(h.cfg, o.role); err != nil {
		return err
	}
	h.openMetrics()
	if h.periods, err = h.cfg.Salts.Periods(); err != nil {
		return err
	}
	if !o.role.stores {
		return h.openCollector(ctx)
	}
	if err := h.openStore(ctx, o); err != nil {
		return err
	}
	if o.role.collects {
		if err := h.openIntake(); err != nil {
			return err
		}
		h.openCanary(h.append, nil)
	}
	if h.cfg.Store.On() || !o.role.collects {
		if err := h.openReceipt(); err != nil {
			return err
		}
	}
	return h.openConsole(func(cell access.Cell) any { return h.status(ctx).by(cell) })
}

// openStore opens what is behind the doors: the log, the lake, and all work on them.
func (h *house) openStore(ctx context.Context, o houseOptions) (err error) {
	if h.data, err = openDataDir(h.cfg.Data); err != nil {
		return err
	}
	h.onClose(h.data.Close)
	if h.audit, err = openAudit(h.cfg.Data, h.logger); err != nil {
		return err
	}
	if err := h.openLog(ctx, o.acceptClock); err != nil {
		return err
	}
	h.onClose(h.log.Close)
	h.lake, err = openLake(ctx, h.cfg, lake.Options{Temp: h.data.tmp(), Tables: tables(h.streams), Log: h.lakesLog(), Wait: true,
		FlushEvery: h.cfg.Flush.Every, FlushBytes: int(h.cfg.Flush.Bytes), Logger: h.logger, Flushed: h.observe.flush})
	if err != nil {
		return err
	}
	h.onClose(func() error { h.lake.Close(); return nil })
	h.canaries = &canary.Watch{Lake: h.lake, Patience: canaryPatience(h.cfg), Logger: h.logger}
	h.ready = newReadiness(h.log, h.lake, h.logger, int64(h.cfg.Retention.MinFree), h.data.log(), h.data.lake())
	if err := h.openPeers(); err != nil {
		return err
	}
	if err := h.openSalts(); err != nil {
		return err
	}
	h.sanitizer = newSanitizer(h.cfg, h.streams, h.lake, h.salts, h.logger)
	h.sanitizer.record = recorderTo(h.audit)
	h.kpis = newKPIs(h.cfg, h.sanitizer.inForce, h.logger)
	h.facts = &facts.Job{Lake: h.lake, Definitions: h.kpis.Definitions, Logger: h.logger}
	h.board = newBoard(h.cfg, h.lake, h.kpis.Definitions, h.sanitizer.inForce, h.logger)
	h.facts.Damaged = h.board.Source.(*facts.Source).Damaged
	if err := h.openTotals(ctx, o.acceptClock); err != nil {
		return err
	}
	h.purger = &purger{cfg: h.cfg, lake: h.lake, log: h.log, tmp: h.data.tmp(), unsanitized: h.sanitizer.unsanitized, logger: h.logger, audit: h.audit}
	if h.outlets, err = openOutlets(h.cfg, h.lake, h.logger); err != nil {
		return err
	}
	h.erasures, err = openErasures(h.cfg, h.log, h.sanitizer, recorderTo(h.audit), h.outlets.copies, h.logger)
	if err == nil && h.peers != nil {
		h.peers.erasures = &peers.Erasures{Peers: h.peers.Peers, Here: h.erasures}
		h.peers.erasures.Open()
	}
	return err
}

func (h *house) openIntake() error {
	pages, err := h.openPolicy()
	if err != nil {
		return err
	}
	key, err := intake.LoadCSRFKey(h.cfg.CSRFKeyPath())
	if err != nil {
		return err
	}
	sampling, err := intake.OpenSampling(filepath.Join(h.cfg.Data, "sampling.json"), rates(h.cfg), time.Now())
	if err != nil {
		return err
	}
	h.intake = &intake.Server{
		Append: h.append, Forget: h.forget, Checks: h.checks(), Sampling: sampling, Epoch: h.epoch, CSRFKey: key,
		Streams: appStreams(h.streams), CollectUntil: collectUntil(h.cfg),
		Origins: h.cfg.Public.Origins, TrustedProxies: h.cfg.Public.TrustedProxies, DNT: h.cfg.OptOut.DNT,
		Consent: string(h.cfg.Consent), Privacy: pages,
		RateLimit: h.cfg.Public.RateLimit.PerSecond, RateBurst: h.cfg.Public.RateLimit.Burst,
		Version: version, Library: client.Library(), LibraryMap: client.SourceMap(), Logger: h.logger,
	}
	if h.forward != nil {
		h.intake.Append, h.intake.AtOnce, h.intake.Forget = h.forward.Append, groupsOnTheWay, h.forward.Forget
	}
	h.intake.Totals = (&publish.Pages{Edition: h.edition}).ServeHTTP
	h.intake.Ready = h.storable
	if h.demo {
		h.intake.Demo = http.StripPrefix("/demo", demoPage())
	}
	if err := h.intake.Open(); err != nil {
		return err
	}
	h.onClose(h.intake.Close)
	return nil
}

// storable is nil when events can be stored, else why not.
func (h *house) storable() error {
	if h.forward != nil {
		return h.forward.Err()
	}
	return h.ready.Err()
}

// checks are what the heartbeat tells of beside the storage.
func (h *house) checks() map[string]func() error {
	all := map[string]func() error{"config": h.configErr, "allowlist": h.sanitizer.Err, "tls": h.tlsErr, "canary": h.canaryErr}
	if h.role.stores {
		all["log"], all["lake"], all["kpi"], all["salts"], all["audit"] = h.clusterErr, h.lake.Trouble, h.kpis.Err, h.rotator.Err, h.audit.Err
		maps.Copy(all, h.outlets.checks())
		all["publish"] = h.totalsErr
		if h.peers != nil {
			all["nodes"] = h.peers.Err
		}
	}
	return all
}

// configErr is what is wrong with the config file, nil when it could be read as it stands.
func (h *house) configErr() error {
	if err := h.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// append makes a group durable, and tells the lake that there is more to flush.
func (h *house) append(ctx context.Context, group []byte) error {
	return h.appendAs(ctx, uuid.New(), group)
}

// appendAs does so with a group that has an id: one that is sent twice is recognized by a log on several nodes, and its events
// by the lake in any case.
func (h *house) appendAs(ctx context.Context, id uuid.UUID, group []byte) (err error) {
	began := time.Now()
	if h.cluster != nil {
		err = h.cluster.AppendID(ctx, id.String(), group)
	} else {
		err = h.log.Append(ctx, group)
	}
	if err != nil {
		return err
	}
	h.observe.append(time.Since(began))
	h.canaries.Taken(group)
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

// serve works until the context ends; then it closes the doors, flushes what they took, and
// returns. The doors are open before it, and answer from the moment that opened is called.
func (h *house) serve(ctx context.Context, opened func()) (err error) {
	if h.audit != nil {
		if err := recordStart(ctx, h.audit, h.cfg.Digests()); err != nil { // before anything is done, let alone answered
			h.logger.Error("the start is not in the audit", "err", err)
		}
	}
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	failed := make(chan error, len(h.doors)+1)
	stopped := h.work(inner, failed)
	for _, d := range h.doors {
		go func() { failed <- d.serve() }()
	}
	opened()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	for _, d := range h.doors {
		err = errors.Join(err, d.close())
	}
	cancel(nil)
	return errors.Join(err, stopped())
}

// work starts what the role does in the background. What it gives waits until all of it has ended, after its context; what
// ended before, and should not have, goes to failed.
func (h *house) work(ctx context.Context, failed chan<- error) (stopped func() error) {
	var jobs sync.WaitGroup
	lakeDone := make(chan error, 1)
	if h.role.collects {
		jobs.Go(func() { h.policy.run(ctx) })
	}
	if h.canary != nil {
		jobs.Go(func() { h.canary.Run(ctx) })
	}
	if h.forward != nil {
		jobs.Go(func() { h.forward.Run(ctx) })
		jobs.Go(func() { h.published.Run(ctx, totalsEvery) })
	}
	if !h.role.stores {
		return func() error { jobs.Wait(); return nil }
	}
	go func() {
		err := h.whileOwner(ctx, h.backgroundWork)
		if err != nil && ctx.Err() == nil {
			failed <- err
			err = nil
		}
		lakeDone <- err
	}()
	go h.ready.run(ctx)
	jobs.Go(func() { h.rotator.Run(ctx) })
	jobs.Go(func() { h.canaries.Run(ctx) })
	jobs.Go(func() { h.totals.Follow(ctx, totalsEvery) })
	if h.cluster != nil {
		jobs.Go(func() { h.purger.runHere(ctx, h.cluster.Leading) })
	}
	return func() error { jobs.Wait(); return <-lakeDone }
}

// backgroundWork is what the owner of the lake does, until the context ends. holds says whether this node is it still, nil where there is one.
func (h *house) backgroundWork(ctx context.Context, holds func() error) error {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	jobs.Go(func() { h.sanitizer.run(ctx) })
	jobs.Go(func() { runFacts(ctx, h.facts, h.logger) })
	jobs.Go(func() { h.purger.run(ctx, h.ready.short) })
	jobs.Go(func() { h.erasures.Run(ctx) })
	jobs.Go(func() { h.totals.Run(ctx, publishEvery) })
	h.outlets.run(ctx, holds, &jobs)
	return h.lake.Run(ctx)
}

// rates are the sample rates in force, by stream.
func rates(cfg *config.Config) map[string]float64 {
	all := map[string]float64{}
	for _, name := range cfg.StreamNames() {
		all[name] = cfg.Rate(name)
	}
	return all
}

// appStreams are the streams that apps send to: all but interaction.
func appStreams(streams map[string]*event.Stream) map[string]*event.Stream {
	apps := maps.Clone(streams)
	delete(apps, event.Interaction)
	return apps
}

// collectUntil are the last days of the streams that have one.
func collectUntil(cfg *config.Config) map[string]intake.Until {
	days := map[string]intake.Until{}
	for name, s := range cfg.Streams {
		days[name] = s.CollectUntil
	}
	return days
}

// tables are all that the lake may hold.
func tables(streams map[string]*event.Stream) []lake.Table {
	all := append(facts.Tables(), lake.QuarantineTable(), canary.Table())
	for name, s := range streams {
		all = append(all,
			lake.NewTable(lake.Raw, name, s.Columns, s.Time, s.ID),
			lake.NewTable(lake.Rejected, name, event.RejectedColumns(), "", ""))
	}
	return all
}
