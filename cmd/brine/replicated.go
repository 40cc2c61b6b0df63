package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"brine/config"
	"brine/door"
	"brine/eventlog"
	"brine/eventlog/cluster"
	"brine/lake"
	"brine/lease"
)

// clusterFolder is this node's part of a log on several nodes, in a data folder.
const clusterFolder = "cluster"

// groupLog is the log, on one node or on several.
type groupLog interface {
	lake.Log
	Append(ctx context.Context, group []byte) error
	Err() error
	Close() error
}

// clusterOptions are what the config says of a log on several nodes.
func clusterOptions(cfg *config.Config, all certificates, ca *door.Authority) cluster.Options {
	o := cluster.Options{Dir: filepath.Join(cfg.Data, clusterFolder), Cluster: cfg.Log.Cluster, Name: cfg.Log.Self(), Listen: cfg.Log.Listen,
		Replicas: cfg.Log.Replicas, Certificate: all[logCertificate].InForce, CA: ca.Pool}
	o.Same = func() map[string]string { return sameOnNodes(cfg) }
	for _, n := range cfg.Log.Members() {
		o.Nodes = append(o.Nodes, cluster.Node{Name: n.Name, Addr: n.Addr})
	}
	return o
}

// sameOnNodes is what has to be the same on every node, by the config's key: whichever leads makes the salts, sanitizes, measures and
// publishes.
func sameOnNodes(cfg *config.Config) map[string]string {
	same := map[string]string{"salts.period": cfg.Salts.Period, "salts.start": cfg.Salts.Start, "salts.grace": cfg.Salts.Grace.String(), "salts.manage": cfg.Salts.Manage,
		"allowlist": config.FileDigest(cfg.Allowlist), "kpi": config.FileDigest(cfg.KPI)}
	same["lake"], _, _ = strings.Cut(cfg.Lake, "?") // how it is spoken to may differ
	var doors []string
	for _, n := range cfg.Log.NodeDoors() {
		doors = append(doors, n.Name+"="+n.Addr)
	}
	same["log.doors"] = strings.Join(doors, ", ")
	return same
}

// openLog opens the log where the config has it.
func (h *house) openLog(ctx context.Context, acceptClock bool) (err error) {
	if !h.cfg.Log.Replicated() {
		h.log, err = eventlog.Open(ctx, eventlog.Options{Dir: h.data.log(), AcceptClock: acceptClock, Logger: h.logger})
		return err
	}
	ca, err := h.openAuthority(logAuthority, h.cfg.Log.TLS.CA)
	if err != nil {
		return err
	}
	o := clusterOptions(h.cfg, h.certificates, ca)
	o.AcceptClock, o.Logger = acceptClock, h.logger
	if h.cluster, err = cluster.Open(ctx, o); err != nil {
		return err
	}
	h.log = h.cluster
	return nil
}

// lakesLog is what the lake is opened with: where nodes take turns it is owned later, by whoever leads.
func (h *house) lakesLog() lake.Log {
	if h.cluster != nil {
		return nil
	}
	return h.log
}

// whileOwner does the background work while this process owns it: always, or where nodes take turns, while it has the lease.
func (h *house) whileOwner(ctx context.Context, work func(ctx context.Context, holds func() error) error) error {
	if h.cluster == nil {
		if err := h.ownLate(ctx); err != nil || !h.lake.Owned() {
			return err
		}
		return work(ctx, nil)
	}
	go h.takeIn(ctx)
	lease.Keep(ctx, lease.Options{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) { return h.cluster.KeyValue(ctx, "lease") },
		Key:    "background-work", Holder: h.cfg.Log.Self(), Now: h.cluster.Mono, Logger: h.logger,
	}, func(ctx context.Context, term *lease.Term) {
		if err := h.ownTerm(ctx, term, work); err != nil && ctx.Err() == nil {
			h.logger.Error("this node cannot do the background work: another may", "reason", err)
		}
	})
	return nil
}

// ownLate owns a lake whose object store could not be reached at the start, once it can. Until then there is no background work: it
// would take the lake for empty.
func (h *house) ownLate(ctx context.Context) error {
	for !h.lake.Owned() {
		err := h.lake.Own(ctx, h.log, 0)
		if err != nil && !lake.Unavailable(err) {
			return fmt.Errorf("open the lake: %w", otherLake(h.cfg, err))
		}
		if err != nil && !lease.Pause(ctx, ownAgainAfter) {
			return nil
		}
	}
	return rememberLake(h.cfg, h.lake)
}

// ownAgainAfter is how long after it was not reached a lake is tried again.
const ownAgainAfter = 2 * time.Second

// ownTerm leads the log, owns the lake and does the work, until the term ends or the log finds another leader.
func (h *house) ownTerm(ctx context.Context, term *lease.Term, work func(ctx context.Context, holds func() error) error) error {
	if err := h.cluster.Lead(ctx, term.Epoch); err != nil {
		return err
	}
	defer h.cluster.Follow()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer stop()
		for term.Err() == nil && h.cluster.Leading() && !errors.Is(h.cluster.Err(), eventlog.ErrClock) && lease.Pause(ctx, time.Second) {
		}
	}()
	wait := h.peers.lead(ctx, term)
	defer wait()
	defer stop()
	if err := h.ownLake(ctx, term); err != nil {
		return otherLake(h.cfg, err)
	}
	defer h.lake.Disown()
	if err := rememberLake(h.cfg, h.lake); err != nil {
		return err
	}
	return work(ctx, term.Err)
}

// ownWithin is how long a leader waits for an object store that cannot be used, before another node may try. Where the store is
// gone for all of them, the log has the same leader that long.
const ownWithin = 30 * time.Second

// ownLake owns the lake as soon as the object store lets it.
func (h *house) ownLake(ctx context.Context, term *lease.Term) error {
	for began := h.cluster.Mono(); ; {
		err := h.lake.Own(ctx, termLog{h.cluster, term}, term.Epoch)
		if err == nil || !lake.Unavailable(err) || h.cluster.Mono()-began > ownWithin || !lease.Pause(ctx, time.Second) {
			return err
		}
	}
}

// termLog is the log as the owner of the lake flushes it. It tells the lake in its own words that another node leads: that is no
// reason to refuse events.
type termLog struct {
	*cluster.Log
	term *lease.Term
}

// LogsNow gives the logs if the term lasts still: nobody else could have made another one.
func (l termLog) LogsNow(ctx context.Context) ([]eventlog.Info, error) {
	infos, err := l.Log.LogsNow(ctx)
	if lost := l.term.Err(); lost != nil {
		return nil, fmt.Errorf("%w: %w", lake.ErrNotOwner, lost)
	}
	return infos, err
}

func (l termLog) Read(ctx context.Context, log string, from uint64, maxBytes int) ([]eventlog.Entry, error) {
	entries, err := l.Log.Read(ctx, log, from, maxBytes)
	return entries, asOwner(err)
}

func (l termLog) Trim(ctx context.Context, log string, last uint64) error {
	return asOwner(l.Log.Trim(ctx, log, last))
}

func (l termLog) Delete(ctx context.Context, log string) error {
	return asOwner(l.Log.Delete(ctx, log))
}

func asOwner(err error) error {
	if errors.Is(err, cluster.ErrNotLeader) {
		return fmt.Errorf("%w: %w", lake.ErrNotOwner, err)
	}
	return err
}

// takeIn brings what is left in the log of the single node that this one was into the log of all, and then removes it.
func (h *house) takeIn(ctx context.Context) {
	left := filepath.Join(h.data.log(), "jetstream")
	if _, err := os.Stat(left); errors.Is(err, fs.ErrNotExist) {
		return
	}
	for told := ""; ; {
		n, err := h.takeInOnce(ctx)
		if err == nil {
			err = os.RemoveAll(left)
		}
		if err == nil {
			h.logger.Info("what was left in the log of a single node is in the log of all nodes", "groups", n)
			return
		}
		if told != err.Error() && ctx.Err() == nil {
			told = err.Error()
			h.logger.Warn("the log of a single node is not taken in yet: trying again", "reason", err)
		}
		if !lease.Pause(ctx, time.Second) {
			return
		}
	}
}

func (h *house) takeInOnce(ctx context.Context) (int, error) {
	if err := h.cluster.Err(); err != nil {
		return 0, err
	}
	// It takes no events any more, so its clock does not matter.
	single, err := eventlog.Open(ctx, eventlog.Options{Dir: h.data.log(), AcceptClock: true, Logger: h.logger})
	if err != nil {
		return 0, err
	}
	defer single.Close()
	n, err := h.cluster.TakeIn(ctx, single)
	if err != nil {
		return n, fmt.Errorf("after %d groups: %w", n, err)
	}
	return n, nil
}

// checkLog says why this node could not prove itself to the others.
func (r *report) checkLog(cfg *config.Config) {
	if !cfg.Log.Replicated() {
		return
	}
	all, _ := openCertificates(cfg, allRoles)
	if all[logCertificate] == nil {
		return // which checkTLS tells
	}
	ca, err := readAuthority(cfg, logAuthority, cfg.Log.TLS.CA)
	var m config.Mistake
	if errors.As(err, &m) {
		r.Mistakes = append(r.Mistakes, m)
		return
	}
	if err := cluster.CheckTLS(clusterOptions(cfg, all, ca)); err != nil {
		r.Mistakes = append(r.Mistakes, cfg.Mistake("log.tls", err.Error(), "see docs/operations.md, A replicated log"))
	}
}

// clusterErr says where the configs of the nodes differ.
func (h *house) clusterErr() error {
	if h.cluster == nil {
		return nil
	}
	if all := h.cluster.Disagreements(); len(all) > 0 {
		return errors.New(strings.Join(all, "; "))
	}
	return nil
}

// clusterStatus is how the nodes stand, nil where there is one.
func (h *house) clusterStatus() *cluster.Status {
	if h.cluster == nil {
		return nil
	}
	st := h.cluster.Status()
	return &st
}
