package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"brine/access/audit"
	"brine/config"
)

// Changes of the config, as the audit has them: which keys, not what they say.

// maxLookBack is how many entries of the audit a start looks through for the start before: a second's work.
const maxLookBack = 100_000

// recordStart records that this brine begins to serve, and what of its config is not as it was at the start before.
func recordStart(ctx context.Context, log *audit.Log, now map[string]string) error {
	before, all, err := lastDigests(ctx, log, maxLookBack)
	if err != nil {
		return err
	}
	note := "Brine " + version + " serves"
	if keys := config.Differing(before, now); before != nil && len(keys) > 0 {
		note += "; changed in the config since the start before: " + strings.Join(keys, ", ")
	}
	if !all {
		note += fmt.Sprintf("; the start before lies over %d entries back, so what changed in the config since then is not known", maxLookBack)
	}
	_, err = log.Append(audit.Record{Action: audit.Start, Who: "brine", Outcome: "ok", Note: note, Config: now})
	return err
}

// lastDigests are those of the config at the start before; nil where none is recorded. Where that is because it looked through as many entries as
// it may, all is false.
func lastDigests(ctx context.Context, log *audit.Log, most int) (digests map[string]string, all bool, err error) {
	for e, err := range log.Read(ctx, audit.Filter{}) {
		if err == nil && e.Config != nil {
			return e.Config, true, nil
		}
		if ctx.Err() != nil {
			return nil, false, err
		}
		if most--; most == 0 {
			return nil, false, nil
		}
	}
	return nil, true, nil // also where a line is none: verify tells of it, and the start is to be recorded all the same
}

// configRecorder records what becomes of the config file while a brine serves.
type configRecorder struct {
	record recorder
	seen   map[string]string // digests of what was taken on last
	broken bool
}

// changed records which keys changed, which of these wait for a restart, and why others are not in force, once each.
func (c *configRecorder) changed(next map[string]string, waits []string, fault error) error {
	keys := config.Differing(c.seen, next)
	if len(keys) == 0 && !c.broken {
		return nil // a certificate, or a hangup for nothing
	}
	r := audit.Record{Action: audit.Config, Who: "brine", Outcome: "ok", Note: "changed: " + cmp.Or(strings.Join(keys, ", "), "nothing, the file can be read again")}
	if len(waits) > 0 {
		r.Note += "; waiting for a restart: " + strings.Join(waits, ", ")
	}
	if fault != nil {
		r.Outcome = "failed"
		r.Note += "; the sample rates, the allowlist or the KPIs are not in force: see the log"
	}
	c.seen, c.broken = next, false
	return c.record(r)
}

// cannotRead records a file that is broken or gone, once until it can be read again. What is wrong with it stays in the log.
func (c *configRecorder) cannotRead() error {
	if c.broken {
		return nil
	}
	c.broken = true
	return c.record(audit.Record{Action: audit.Config, Who: "brine", Outcome: "failed", Note: "the config file is broken or gone: the one before stays in force"})
}
