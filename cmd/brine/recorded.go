package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"brine/access/audit"
	"brine/config"
	"brine/erasure"
	"brine/lake"
	"brine/salt"
)

// What Brine does by itself, and what commands do, as the audit has it.

// recorder takes records. nil records nothing.
type recorder func(audit.Record) error

// recorderOf is that of a command.
func recorderOf(cfg *config.Config) (recorder, error) {
	log, err := openAudit(cfg.Data, nil)
	if err != nil {
		return nil, err
	}
	return recorderTo(log), nil
}

// recorderTo records in a log. A collector has none: nothing is read from it.
func recorderTo(log *audit.Log) recorder {
	if log == nil {
		return func(audit.Record) error { return nil }
	}
	return func(r audit.Record) error {
		_, err := log.Append(r)
		return err
	}
}

// say records what was done, by Brine itself where who is "".
func (r recorder) say(action audit.Action, who, note string) error {
	if r == nil {
		return nil
	}
	if who == "" {
		who = "brine"
	}
	return r(audit.Record{Action: action, Who: who, Outcome: "ok", Note: note})
}

// recordCommand records what a command of this user is about to do, or did.
func recordCommand(cfg *config.Config, action audit.Action, route, note string) error {
	record, err := recorderOf(cfg)
	if err != nil {
		return err
	}
	return record(audit.Record{Action: action, Who: osUser(), Route: route, Outcome: "ok", Note: note})
}

// commanded does what this user asks a command to change, between two records: that it was asked for, without which nothing is
// done, and how it went, with what did says in words.
func commanded(cfg *config.Config, r audit.Record, do func() (did string, err error)) error {
	record, err := recorderOf(cfg)
	if err != nil {
		return err
	}
	r.Action, r.Who, r.Outcome = audit.Command, osUser(), "asked for"
	if err := record(r); err != nil {
		return err
	}
	did, err := do()
	r.Outcome, r.Note = "ok", did
	if err != nil {
		r.Outcome = "failed"
	}
	return errors.Join(err, record(r))
}

// osUser is who runs this process, as the audit has it.
func osUser() string {
	if u, err := user.LookupId(fmt.Sprint(os.Getuid())); err == nil {
		return "os:" + u.Username
	}
	return fmt.Sprintf("os:%d", os.Getuid())
}

// saltSteps are what a rotation did.
func (r recorder) saltSteps(who string, steps []salt.Step) error {
	for _, s := range steps {
		if err := r.say(audit.Salt, who, strings.TrimSpace(fmt.Sprintf("%s %s %s", s.Do, s.Salt, s.Fingerprint))); err != nil {
			return err
		}
	}
	return nil
}

// purged is what went of the lake.
func (r recorder) purged(who string, all []lake.Dropped) error {
	for _, d := range all {
		note := fmt.Sprintf("%d hours of %s %s went, from %s to %s, for %s", d.Hours, d.Dataset, d.Stream, d.From, d.To, d.Why)
		if err := r.say(audit.Purge, who, note); err != nil {
			return err
		}
	}
	return nil
}

// erased is an erasure that a person asked for, or that found something. It never holds the id.
func (r recorder) erased(who string, receipt erasure.Receipt) error {
	return r.say(audit.Erasure, who, "receipt "+receipt.Number+": "+string(receipt.State))
}

// tellAudit logs that what was done is not in the audit.
func (h *house) tellAudit(err error) {
	if err != nil {
		h.logger.Error("what was done is not in the audit", "err", err)
	}
}
