package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/sanitize"
)

// changeCmd is about what was done to a dialog.
type changeCmd struct {
	Add    changeAddCmd    `cmd:"" help:"Say what was changed, and when."`
	List   changeListCmd   `cmd:"" help:"List changes."`
	Remove changeRemoveCmd `cmd:"" help:"Take a change away that was added."`
}

// Help is shown below the flags.
func (*changeCmd) Help() string {
	return `A change is judged by the one KPI that it is meant to move, on the dashboard's page of it. Changes stand in the file of KPIs, or are added here and
on the dashboard, and are then kept in changes.json in the data folder.

Example:
  brine change add short_form --at 2026-11-16T09:00:00Z --moves sign_in`
}

// changeAddCmd adds a change.
type changeAddCmd struct {
	dataFlag
	Name       string `arg:"" help:"Its name, of a-z, 0-9, _ and -."`
	Moves      string `required:"" placeholder:"KPI" help:"The KPI that it is meant to move."`
	At         string `placeholder:"TIME" help:"When it was: like 2026-11-16T09:00:00Z, or 2026-11-16 in the time zone of the KPIs. Worth giving with --release, too: else it is the day the release was first seen, by anybody, a tester too."`
	Release    string `help:"The release that has it: only interactions that carry it count as after."`
	Experiment string `help:"The experiment whose branches are compared."`
	Branches   string `help:"Of an experiment: the branch without the change, then the one with it, and what share each was meant to get, where that is not the same."`
	Title      string `help:"For people; else the name."`
	Link       string `help:"Where to read more: http or https."`
}

// Help is shown below the flags.
func (*changeAddCmd) Help() string {
	return `Examples:
  brine change add short_form --at 2026-11-16T09:00:00Z --moves sign_in --title "The short form" --link https://example.org/123
  brine change add v12 --release 2026.12.0 --moves errors
  brine change add button --experiment button --branches control,large --moves sign_in
  brine change add banner --experiment banner --branches control=0.9,banner=0.1 --moves sign_in`
}

// Run adds it.
func (c *changeAddCmd) Run(*globals) error {
	cfg, defs, err := c.definitions()
	if err != nil {
		return err
	}
	change := kpi.Change{Name: c.Name, Title: c.Title, Release: c.Release, Experiment: c.Experiment, Link: c.Link, Moves: c.Moves}
	if change.Branches, change.Shares, err = kpi.ParseBranches(c.Branches); err != nil {
		return asWrongUse(err)
	}
	if c.At != "" {
		var ok bool
		if change.At, ok = kpi.ParseMoment(c.At, defs.Zone); !ok {
			return wrongUse{fmt.Errorf("--at %q is no time, like 2026-11-16T09:00:00Z, or 2026-11-16", c.At)}
		}
	}
	return asWrongUse(commanded(cfg, audit.Record{Route: "brine change add"}, func() (string, error) {
		return "the change " + change.Name + " was added", openChanges(cfg.Data).add(defs, change)
	}))
}

// changeRemoveCmd removes a change.
type changeRemoveCmd struct {
	dataFlag
	Name string `arg:"" help:"The change's name."`
}

// Help is shown below the flags.
func (*changeRemoveCmd) Help() string {
	return `Example:
  brine change remove short_form`
}

// Run removes it.
func (c *changeRemoveCmd) Run(*globals) error {
	cfg, defs, err := c.definitions()
	if err != nil {
		return err
	}
	return asWrongUse(commanded(cfg, audit.Record{Route: "brine change remove"}, func() (string, error) {
		return "the change " + c.Name + " was removed", openChanges(cfg.Data).remove(defs, c.Name)
	}))
}

// changeListCmd lists changes.
type changeListCmd struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*changeListCmd) Help() string {
	return `Example:
  brine change list`
}

// Run lists them.
func (c *changeListCmd) Run(g *globals) error {
	cfg, defs, err := c.definitions()
	if err != nil {
		return err
	}
	added, err := openChanges(cfg.Data).list()
	if err != nil {
		return err
	}
	all := defs.AllChanges(added)
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(map[string]any{"changes": append([]kpi.Change{}, all...)})
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(g.stdout, "no changes: brine change add says how")
		return err
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tWHEN\tMOVES\tTITLE")
	for _, change := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", change.Name, whenOf(change, defs.Zone), change.Moves, change.Title)
	}
	return w.Flush()
}

// whenOf is what a change is known by.
func whenOf(c kpi.Change, zone *time.Location) string {
	switch {
	case c.Experiment != "":
		return "experiment " + c.Experiment
	case c.Release != "":
		return "release " + c.Release
	}
	return c.At.In(zone).Format("2006-01-02 15:04 MST")
}

// asWrongUse makes what was asked wrongly a wrong use of the command.
func asWrongUse(err error) error {
	if bad := (kpi.BadQuestion{}); errors.As(err, &bad) {
		return wrongUse{bad}
	}
	return err
}

// definitions are those of the config.
func (f dataFlag) definitions() (*config.Config, *kpi.Definitions, error) {
	cfg, streams, err := f.loadExisting()
	if err != nil {
		return nil, nil, err
	}
	defs, err := definitions(cfg, plansOf(cfg, streams))
	return cfg, defs, err
}

// plansOf are the plans as the files say them now.
func plansOf(cfg *config.Config, streams map[string]*event.Stream) plansInForce {
	return func() (map[string]*sanitize.Plan, error) { return compilePlans(cfg, streams) }
}
