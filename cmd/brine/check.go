package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize/english"

	"brine/config"
	"brine/event"
	"brine/sanitize"
)

// checkCmd says of the config, and of all that it names, what is wrong, before any door opens.
type checkCmd struct {
	configFlag
	JSON        bool   `help:"Print JSON."`
	Joins       bool   `help:"List what lies together where streams hash the same unit the same way."`
	Permissions bool   `help:"Also check that one user can reach data and secrets, and no other; run it as root or as that user."`
	Diff        string `placeholder:"OLD" help:"Show the change in what is kept since the allowlist in this file."`
	LDAP        bool   `name:"ldap" help:"Ask the directory's servers too, as a login would."`
}

// Help is shown below the flags.
func (*checkCmd) Help() string {
	return `Exit code 0 when all is well, 1 with each mistake in a line: file:line: key: what is wrong (the likely fix).
Warnings are told too, and leave the exit code as it is.

Examples:
  brine check --config /etc/brine/brine.yaml
  brine check --config /etc/brine/brine.yaml --permissions
  brine check --ldap
  git show HEAD:allowlist.yaml > old.yaml; brine check --diff old.yaml`
}

// report is what check found.
type report struct {
	OK       bool            `json:"ok"`
	Streams  int             `json:"streams"` // interaction is one of them
	Schemas  int             `json:"schemas"`
	Mistakes config.Mistakes `json:"mistakes"`
	Warnings config.Mistakes `json:"warnings,omitempty"` // what works, and is most likely not meant so
	Salts    *saltsFound     `json:"salts,omitempty"`

	Permissions *permissions `json:"permissions,omitempty"` // where they were asked for

	Joins   []sanitize.Join   `json:"joins,omitempty"`   // where they were asked for
	Changes []sanitize.Change `json:"changes,omitempty"` // the same
	Servers []serverTried     `json:"ldap,omitempty"`    // the same
}

// Run checks, prints, and fails where there is a mistake.
func (c *checkCmd) Run(g *globals) error {
	r, err := c.check(g.ctx)
	if err != nil {
		return err
	}
	if err := c.print(g, r); err != nil {
		return err
	}
	if !r.OK {
		return errTold
	}
	return nil
}

// check is the report on a config file, or an error where there is no reading it.
func (c *checkCmd) check(ctx context.Context) (report, error) {
	cfg, registry, err := load(c.path())
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		return report{Mistakes: mistakes}, nil
	}
	if err != nil {
		return report{}, err
	}
	r := report{Streams: len(cfg.StreamNames()), Schemas: len(registry.Schemas()), Mistakes: config.Mistakes{}}
	if err := errors.Join(r.checkSalts(cfg), c.checkLDAP(ctx, &r, cfg), c.checkAllowlist(&r, cfg, registry), r.checkKPIs(cfg, registry), r.checkPolicy(cfg, registry)); err != nil {
		return report{}, err
	}
	r.checkTLS(cfg)
	r.checkMetrics(cfg)
	r.checkLog(cfg)
	r.checkLake(ctx, cfg)
	r.checkForward(cfg)
	if c.Permissions {
		r.checkPermissions(cfg)
	}
	r.checkUsers(cfg)
	r.unseen(cfg.Handed())
	r.Warnings.Sort()
	r.OK = len(r.Mistakes) == 0
	return r, nil
}

// unseen turns what is said of files that systemd hands to the service alone into a warning.
func (r *report) unseen(handed config.Mistakes) {
	for _, h := range handed {
		r.Mistakes = slices.DeleteFunc(r.Mistakes, func(m config.Mistake) bool { return m.Path == h.Path })
		h.What, h.Fix = h.What+": systemd hands it to the service alone, so it was not looked into", "run this as root while the service runs"
		r.Warnings = append(r.Warnings, h)
	}
}

// checkPolicy finds what the policy page could not say.
func (r *report) checkPolicy(cfg *config.Config, registry *event.Registry) error {
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	r.Warnings = append(r.Warnings, operatorWarnings(cfg)...)
	plans, _ := compilePlans(cfg, streams) // what is wrong with the allowlist is told already
	mistakes, warnings := undescribed(cfg, inForce(policyOf(cfg, streams), cfg, cfg.Rate, plans, time.Now()))
	r.Mistakes, r.Warnings = append(r.Mistakes, mistakes...), append(r.Warnings, warnings...)
	r.Warnings.Sort()
	return nil
}

func (c *checkCmd) print(g *globals, r report) error {
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(r)
	}
	if r.OK {
		fmt.Fprintf(g.stdout, "config ok: %s, %s\n", english.Plural(r.Streams, "stream", ""), english.Plural(r.Schemas, "schema", ""))
	} else {
		fmt.Fprintln(g.stdout, r.Mistakes)
	}
	for _, w := range r.Warnings {
		fmt.Fprintln(g.stdout, "warning:", w)
	}
	for _, tried := range r.Servers {
		fmt.Fprintln(g.stdout, tried)
	}
	if r.Streams == 0 {
		return nil // there was no reading the config
	}
	if r.OK {
		fmt.Fprintln(g.stdout, r.Salts)
	}
	if r.OK && r.Permissions != nil {
		fmt.Fprintln(g.stdout, r.Permissions)
	}
	if c.Joins {
		if err := printJoins(g.stdout, r.Joins); err != nil {
			return err
		}
	}
	if c.Diff == "" {
		return nil
	}
	return printChanges(g.stdout, c.Diff, r.Changes)
}
