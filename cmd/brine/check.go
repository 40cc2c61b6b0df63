package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"brine/config"
	"brine/event"
)

// checkCmd says of the config, and of all that it names, what is wrong, before any door opens.
type checkCmd struct {
	configFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*checkCmd) Help() string {
	return `Exit code 0 when all is well, 1 with each mistake in a line: file:line: key: what is wrong (the likely fix).
Warnings are told too, and leave the exit code as it is.

Example:
  brine check --config /etc/brine/brine.yaml`
}

// report is what check found.
type report struct {
	OK       bool            `json:"ok"`
	Streams  int             `json:"streams"` // interaction is one of them
	Schemas  int             `json:"schemas"`
	Mistakes config.Mistakes `json:"mistakes"`
	Warnings config.Mistakes `json:"warnings,omitempty"` // what works, and is most likely not meant so
}

// Run checks, prints, and fails where there is a mistake.
func (c *checkCmd) Run(g *globals) error {
	r, err := check(c.path())
	if err != nil {
		return err
	}
	if err := r.print(g, c.JSON); err != nil {
		return err
	}
	if !r.OK {
		return errTold
	}
	return nil
}

// check is the report on a config file, or an error where there is no reading it.
func check(path string) (report, error) {
	cfg, registry, err := load(path)
	var mistakes config.Mistakes
	if errors.As(err, &mistakes) {
		return report{Mistakes: mistakes}, nil
	}
	if err != nil {
		return report{}, err
	}
	r := report{Streams: len(cfg.StreamNames()), Schemas: len(registry.Schemas()), Mistakes: config.Mistakes{}}
	if err := r.checkPolicy(cfg, registry); err != nil {
		return report{}, err
	}
	r.OK = len(r.Mistakes) == 0
	return r, nil
}

// checkPolicy finds what the policy page could not say.
func (r *report) checkPolicy(cfg *config.Config, registry *event.Registry) error {
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	r.Warnings = append(r.Warnings, operatorWarnings(cfg)...)
	mistakes, warnings := undescribed(cfg, policyOf(cfg, streams), nil)
	r.Mistakes, r.Warnings = append(r.Mistakes, mistakes...), append(r.Warnings, warnings...)
	r.Warnings.Sort()
	return nil
}

func (r report) print(g *globals, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(g.stdout).Encode(r)
	}
	if r.OK {
		fmt.Fprintf(g.stdout, "config ok: %d streams, %d schemas\n", r.Streams, r.Schemas)
	} else {
		fmt.Fprintln(g.stdout, r.Mistakes)
	}
	for _, w := range r.Warnings {
		if _, err := fmt.Fprintln(g.stdout, "warning:", w); err != nil {
			return err
		}
	}
	return nil
}
