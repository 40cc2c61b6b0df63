package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/sanitize"
)

// plansInForce are the plans of the allowlist, by stream; an error where there are none yet.
type plansInForce func() (map[string]*sanitize.Plan, error)

// kpis are the definitions in force of what is measured.
type kpis struct {
	plans  plansInForce
	logger *slog.Logger

	mu    sync.Mutex
	defs  *kpi.Definitions
	fault error // of the file that was read last
}

// newKPIs reads the definitions. Where they have mistakes nothing is measured until these are mended; events are still taken,
// and [kpis.Err] says why.
func newKPIs(cfg *config.Config, plans plansInForce, logger *slog.Logger) *kpis {
	k := &kpis{plans: plans, logger: logger}
	k.take(cfg)
	return k
}

// take puts the definitions in force that the config names. Those with mistakes leave the ones before.
func (k *kpis) take(cfg *config.Config) {
	defs, err := definitions(cfg, k.plans)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fault = err; err == nil {
		k.defs = defs
		return
	}
	if k.defs == nil {
		k.logger.Error("the KPIs are broken: nothing is measured until they are mended", "err", err)
		return
	}
	k.logger.Error("the KPIs are broken: those before stay in force", "err", err)
}

// Definitions are those in force; of nothing where there have been none yet.
func (k *kpis) Definitions() *kpi.Definitions {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.defs == nil {
		return kpi.None()
	}
	return k.defs
}

// Err is what is wrong with the file of KPIs, nil when it is in force as it stands.
func (k *kpis) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fault
}

// definitions are those of the config, checked against what the allowlist keeps; where it names no file, as much of the shipped ones
// as the allowlist keeps.
func definitions(cfg *config.Config, plans plansInForce) (*kpi.Definitions, error) {
	all, err := plans()
	if err != nil {
		return nil, fmt.Errorf("the allowlist says what can be measured, and is broken: %w", err)
	}
	kept := keptOf(all[event.Interaction])
	if cfg.KPI == "" {
		return kpi.Shipped().Without(kept), nil
	}
	defs, err := kpi.Load(cfg.KPI)
	if err != nil {
		return nil, err
	}
	if mistakes := append(defs.Check(kept), checkPublish(cfg, defs, all)...); len(mistakes) > 0 {
		return nil, mistakes
	}
	return defs, nil
}

// keptOf is what a plan leaves of interactions.
func keptOf(plan *sanitize.Plan) (kept kpi.Kept) {
	if plan == nil || !plan.Listed {
		return kept
	}
	for _, rule := range plan.Rules() {
		path := strings.Join(rule.Path, ".")
		if path == "event_stream" {
			if kept.Events = rule.Only; kept.Events == nil {
				kept.Events = []string{"*"}
			}
			continue
		}
		kept.Fields = append(kept.Fields, kpi.KeptField{Path: path, Edges: rule.Edges, All: rule.Rule == sanitize.KeepAll.String(),
			Hashed: rule.Hashes()})
	}
	return kept
}

// checkKPIs adds to a report what is wrong with the definitions. Where the allowlist has mistakes, these are told alone.
func (r *report) checkKPIs(cfg *config.Config, registry *event.Registry) error {
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	defs, err := definitions(cfg, plansOf(cfg, streams))
	var mistakes config.Mistakes
	switch {
	case errors.As(err, new(sanitize.Findings)):
		return nil
	case errors.As(err, &mistakes):
		r.Mistakes = append(r.Mistakes, mistakes...)
		return nil
	case err == nil:
		r.Warnings = append(append(r.Warnings, defs.Unusual()...), earlyTotals(cfg, defs, time.Now())...)
	}
	return err
}
