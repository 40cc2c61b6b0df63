package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"brine/config"
	"brine/event"
	"brine/sanitize"
)

// loadAllowlist reads the allowlist that the config names; without one, only what ships with Brine is kept.
func loadAllowlist(cfg *config.Config) (*sanitize.Allowlist, error) {
	if cfg.Allowlist == "" {
		return &sanitize.Allowlist{File: "no allowlist"}, nil
	}
	return sanitize.Load(cfg.Allowlist)
}

func allowlistOptions(cfg *config.Config) sanitize.Options {
	return sanitize.Options{AllowKeepAll: cfg.AllowKeepAll}
}

// checkAllowlist adds to a report what it finds in the allowlist. The streams have no mistakes.
func (c *checkCmd) checkAllowlist(r *report, cfg *config.Config, registry *event.Registry) error {
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	list, err := loadAllowlist(cfg)
	if err != nil {
		return err
	}
	o := allowlistOptions(cfg)
	mistakes, warnings := sanitize.Check(list, streams, o)
	r.Mistakes, r.Warnings = append(r.Mistakes, findings(mistakes)...), append(r.Warnings, findings(warnings)...)
	if c.Joins {
		r.Joins = sanitize.Joins(list, streams, o)
	}
	if c.Diff == "" {
		return nil
	}
	old, err := sanitize.Load(c.Diff)
	if err != nil {
		return err
	}
	r.Changes = sanitize.Diff(old, list, streams, o)
	return nil
}

// findings are those of an allowlist as the report has them.
func findings(all sanitize.Findings) config.Mistakes {
	mistakes := config.Mistakes{}
	for _, f := range all {
		mistakes = append(mistakes, config.Mistake(f))
	}
	return mistakes
}

func printJoins(w io.Writer, joins []sanitize.Join) error {
	if len(joins) == 0 {
		_, err := fmt.Fprintln(w, "joins: no unit is hashed the same way in two streams")
		return err
	}
	for _, j := range joins {
		fmt.Fprintf(w, "joins: %s: hashed the same way in %d streams. Within a salt period, this lies together:\n", strings.Join(j.Units, ", "), len(j.Streams))
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, f := range j.Together {
			fmt.Fprintf(table, "  %s\t%s", f.Path, f.Rule)
			if f.Propose != "" {
				fmt.Fprintf(table, "\t%s would tell less", f.Propose)
			}
			fmt.Fprintln(table)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func printChanges(w io.Writer, old string, changes []sanitize.Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintf(w, "diff: what is kept is the same as by %s\n", old)
		return err
	}
	fmt.Fprintf(w, "diff: against %s\n", old)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		sign, note := "-", ""
		if c.Wider {
			sign, note = "+", "\tmore is kept"
		}
		fmt.Fprintf(table, "  %s %s\t%s → %s%s\n", sign, c.Path, orNothing(c.Was), orNothing(c.Now), note)
	}
	return table.Flush()
}

func orNothing(rule string) string {
	if rule == "" {
		return "not kept"
	}
	return rule
}
