package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"brine/access"
	"brine/config"
	"brine/event"
	"brine/intake"
	"brine/lake"
	"brine/policy"
	"brine/sanitize"
)

// policyOf is the policy that the config makes, but for what [inForce] adds.
func policyOf(cfg *config.Config, streams map[string]*event.Stream) *policy.Policy {
	p := &policy.Policy{
		Operator: cfg.Policy.Operator, Contact: cfg.Policy.Contact,
		OptIn: cfg.Consent == config.ConsentOptIn, DNT: cfg.OptOut.DNT,
		Kept:    policyKept(retention(cfg)),
		Salts:   policySalts(cfg.Salts),
		Readers: policyReaders(cfg),
		Stores:  policyStores(cfg),
		Forget:  anyUnit(streams),
	}
	if guard := cfg.Retention.Guard; guard < 1 {
		p.Guard = guard
	}
	for _, name := range cfg.StreamNames() {
		s := policyStream(cfg.Streams[name], streams[name])
		if name == event.Interaction { // it is what most people meet
			p.Streams = slices.Insert(p.Streams, 0, s)
		} else {
			p.Streams = append(p.Streams, s)
		}
	}
	return p
}

// policyStores are the outlets.
func policyStores(cfg *config.Config) []policy.Store {
	if cfg.Outlets.CouchDB.URL == "" {
		return []policy.Store{}
	}
	return []policy.Store{{Name: "CouchDB", Dataset: cfg.Outlets.CouchDB.Dataset}}
}

// policyReaders are the groups of the directory that have each role. Without a directory there are none, and people have roles by themselves.
func policyReaders(cfg *config.Config) []policy.Reader {
	readers := []policy.Reader{}
	if len(cfg.LDAP.URLs) == 0 {
		return readers
	}
	groups := cfg.LDAP.Roles.ByName()
	for _, role := range access.AllRoles {
		r := policy.Reader{Role: role.String(), Groups: groupNames(groups[role.String()])}
		if role == access.Viewer {
			r.MinCell = cfg.Private.MinCell
		}
		readers = append(readers, r)
	}
	return readers
}

// groupNames are what people call groups: the last part of their DNs, and not where in the directory they are.
func groupNames(dns []string) (names []string) {
	for _, text := range dns {
		name := text
		if dn, err := ldap.ParseDN(text); err == nil && len(dn.RDNs) > 0 {
			name = dn.RDNs[0].Attributes[0].Value
		}
		names = append(names, name)
	}
	return names
}

// policyKept is the retention, in the order of the flow.
func policyKept(r lake.Retention) []policy.Kept {
	kept := []policy.Kept{policy.KeptInLog()}
	for _, dataset := range []string{lake.Raw, lake.Sanitized, lake.Rejected, lake.Quarantine} {
		limit := r.Limits[dataset]
		kept = append(kept, policy.Kept{Dataset: dataset, Hours: int(limit.MaxAge / time.Hour), Bytes: limit.MaxBytes,
			Waits: dataset == lake.Raw && limit.MaxBytes > 0 && !limit.DropUnsanitized})
	}
	return kept
}

// policySalts says how long salts last.
func policySalts(s config.Salts) *policy.Salts {
	periods, err := s.Periods()
	if err != nil {
		panic(err) // a config with another mistake is not taken
	}
	return &policy.Salts{
		Quarter: periods.Quarters(), LongestHours: int(periods.Longest() / time.Hour), GraceHours: int(periods.Grace() / time.Hour),
		External: s.External(),
	}
}

// inForce is the policy with what changes while Brine runs: the sample rates, what has ended, and the allowlist. Without
// plans nothing is sanitized.
func inForce(p *policy.Policy, cfg *config.Config, rate func(stream string) float64, plans map[string]*sanitize.Plan, now time.Time) *policy.Policy {
	live := *p
	live.Streams = slices.Clone(p.Streams)
	for i := range live.Streams {
		s := &live.Streams[i]
		s.SampleRate, s.Ended = rate(s.Name), cfg.Streams[s.Name].CollectUntil.Passed(now)
	}
	if plans != nil {
		live.Apply(policyRules(plans))
	}
	return &live
}

// policyRules are the rules of the allowlist.
func policyRules(plans map[string]*sanitize.Plan) (rules []policy.Rule) {
	for stream, plan := range plans {
		for _, r := range plan.Rules() {
			rules = append(rules, policy.Rule{Stream: stream, Field: strings.Join(r.Path, "."), Name: r.Rule, Floor: r.Floor, Bucket: r.Edges, Only: r.Only})
		}
	}
	return rules
}

func policyStream(c config.Stream, stream *event.Stream) policy.Stream {
	s := policy.Stream{Name: stream.Name, Purpose: c.Purpose, Unit: stream.Unit}
	if until := c.CollectUntil.String(); until != "never" {
		s.Until = until
	}
	words := map[string]policy.Words{}
	for path, d := range c.Descriptions {
		words[path] = policy.Words(d)
	}
	for _, schema := range stream.Schemas {
		s.Versions = append(s.Versions, schema.ID)
	}
	s.Fields = policy.Fields(stream.Fields(), words)
	return s
}

// publishedPolicy is the policy of a running brine: on its pages, and kept whenever it changes.
type publishedPolicy struct {
	current func() *policy.Policy
	history *policy.History
	logger  *slog.Logger
	change  chan struct{} // holds one
	told    string        // the last reason why it could not be kept, "" for none
}

// openPolicy opens the history, and gives what the public door serves.
func (h *house) openPolicy() (func(http.ResponseWriter, *http.Request, intake.Visitor), error) {
	history, err := policy.OpenHistory(h.data.policy())
	if err != nil {
		return nil, err
	}
	made := policyOf(h.cfg, h.streams)
	if h.salts != nil { // a collector has none
		for _, s := range h.salts.Status().Salts { // one that an earlier config made may last longer
			made.Salts.LongestHours = max(made.Salts.LongestHours, int(s.End.Sub(s.Start)/time.Hour))
			made.Salts.GraceHours = max(made.Salts.GraceHours, int(s.Deletion.Sub(s.End)/time.Hour))
		}
	}
	h.policy = &publishedPolicy{history: history, logger: h.logger, change: make(chan struct{}, 1), current: func() *policy.Policy {
		plans, _ := h.sanitizer.inForce() // nil where the allowlist was never right
		live := inForce(made, h.cfg, h.intake.Sampling.Rate, plans, time.Now())
		live.Published = policyPublished(h.edition())
		return live
	}}
	pages := &policy.Pages{Current: h.policy.current, NextTurn: func() time.Time { return h.periods.At(time.Now()).End }, History: history, Logger: h.logger}
	return func(w http.ResponseWriter, r *http.Request, v intake.Visitor) { pages.Serve(w, r, policy.Visitor(v)) }, nil
}

// run keeps the policy at the start, when it is told of a change, and now and again: a day may have ended a stream.
func (p *publishedPolicy) run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		p.keep(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.change:
		}
	}
}

// changed tells run of a change. It does not wait.
func (p *publishedPolicy) changed() {
	select {
	case p.change <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// keep adds the policy to the history where it is new. On a full disk it is tried again.
func (p *publishedPolicy) keep(now time.Time) {
	added, err := p.history.Keep(policy.NewEdition(p.current(), now))
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	switch {
	case added:
		p.logger.Info("a new policy is in force and kept")
	case reason != "" && reason != p.told:
		p.logger.Error("the policy in force could not be kept; it is tried again", "err", reason)
	}
	p.told = reason
}
