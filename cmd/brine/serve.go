package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"brine/config"
	"brine/event"
)

// serveCmd is all roles in one process.
type serveCmd struct {
	dataFlag
	AcceptClock bool `help:"The clock has been looked at and is right, although it went back or jumped."`
}

// Help is shown below the flags.
func (*serveCmd) Help() string {
	return `Opens the public door (events come in) and the private door (events are read), until SIGINT or SIGTERM.
SIGHUP, or a change of one of their files, reads sample rates, the allowlist, KPIs and certificates anew.

Example:
  brine serve --config /etc/brine/brine.yaml`
}

// Run serves.
func (c *serveCmd) Run(g *globals) error {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	return serveAs(g, cfg, registry, houseOptions{role: allRoles, acceptClock: c.AcceptClock})
}

// serveAs runs a process of this role until the context ends.
func serveAs(g *globals, cfg *config.Config, registry *event.Registry, o houseOptions) error {
	began := time.Now()
	if missing := cfg.Handed(); len(missing) > 0 {
		return missing
	}
	spareThread()
	logger := newLogger(g.stderr)
	h, err := openHouse(g.ctx, cfg, registry, logger, o)
	if err != nil {
		return err
	}
	if err := h.openDoors(); err != nil {
		return closeWith(h, err)
	}
	stopWatch, err := h.watchConfig()
	if err != nil {
		return closeWith(h, err)
	}
	err = h.serve(g.ctx, func() {
		logger.Info("ready", append(h.doorAddrs(), "after", time.Since(began).Round(time.Millisecond))...)
		if h.role.stores {
			h.tellSetup(g)
		}
	})
	stopWatch()
	logger.Info("stopped")
	return closeWith(h, err)
}

// spareThread lets one more thread run Go than there are cores: the one that waits for the disk would else
// keep a core from the requests. bench -only door, 2 cores: 5 to 8 % more requests than with 2, no more
// with 4. GOMAXPROCS in the environment wins.
func spareThread() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.NumCPU() + 1)
	}
}

// newLogger writes lines for people. Their times are whole seconds of the log's own clock: what
// happened to one event is not in them.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			a.Value = slog.StringValue(a.Value.Time().UTC().Format(time.RFC3339))
		}
		return a
	}}))
}

func closeWith(h *house, err error) error {
	if closeErr := h.Close(); err == nil {
		return closeErr
	}
	return err
}

// watchConfig takes on sample rates, the allowlist and the KPIs when their files change.
func (h *house) watchConfig() (stop func(), err error) {
	inAudit := &configRecorder{record: recorderTo(h.audit), seen: h.cfg.Digests()}
	return h.cfg.Watch(func(next *config.Config) { h.takeOn(next, inAudit) }, func(err error) {
		h.broken.Store(&err)
		h.renewCertificates()
		h.tellAudit(inAudit.cannotRead())
		h.logger.Error("the config file is broken: the one before stays in force", "err", err)
	})
}

// takeOn takes on what of a new config needs no restart.
func (h *house) takeOn(next *config.Config, inAudit *configRecorder) {
	h.broken.Store(nil)
	h.renewCertificates()
	waits, digests := h.cfg.NeedsRestart(next), next.Digests()
	if len(waits) > 0 {
		h.logger.Warn("the config changed; these keys wait for a restart", "keys", strings.Join(waits, ", "))
	}
	next.Allowlist = h.cfg.Allowlist // where it lies waits: that one is watched, and where it is away it is missed
	var rateErr, kpiErr error
	if h.role.collects {
		rateErr = h.intake.Sampling.Set(rates(next), time.Now())
	}
	h.sanitizer.take(next)
	if h.role.stores {
		h.kpis.take(next)
		kpiErr = h.kpis.Err()
	}
	if h.role.collects {
		h.policy.changed()
	}
	h.tellAudit(inAudit.changed(digests, waits, errors.Join(rateErr, h.sanitizer.Err(), kpiErr)))
	switch {
	case rateErr != nil:
		h.logger.Error("the new sample rates are not in force", "err", rateErr)
	case h.role.collects:
		h.logger.Info("sample rates are in force", "rates", fmt.Sprint(rates(next)))
	}
}
