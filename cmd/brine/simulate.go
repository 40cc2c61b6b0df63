package main

import (
	"time"

	"brine/event"
	"brine/simulate"
)

// simulateCmd makes the history of synthetic users.
type simulateCmd struct {
	Stream   string    `default:"interaction" help:"Stream of the events: interaction, or any other name for sessions of an app."`
	Days     int       `default:"7" help:"Days of history, up to now."`
	PerDay   int       `default:"1000" help:"Events on a mean day."`
	Installs int       `help:"How many installs an app has; half of --per-day without it."`
	Rare     int       `help:"How many more installs an app has that read in a language of their own, for brine risk to find."`
	Schema   string    `placeholder:"ID" help:"What the $schema of an app's events says; without it that of --print-schema."`
	Seed     uint64    `default:"1" help:"The same seed and the same times give the same bytes, and the same installs at all times."`
	Story    bool      `help:"Let things befall the dialog, as in the demo: a redesign, an experiment, a day without data."`
	End      time.Time `help:"When the history ends (RFC 3339); now without it."`

	PrintSchema bool `help:"Print the JSON Schema of an app's events instead, for the folder of schemas."`
}

// Help is shown below the flags.
func (*simulateCmd) Help() string {
	return `Prints NDJSON of the stream interaction, as browsers would have sent it, or of another stream, as an app would have: one
event for each session of its installs, which have habits of their own and stay the same from run to run.

Example:
  brine simulate --days 30 --per-day 5000 | brine import interaction
  brine simulate --print-schema > schemas/app_session.yaml
  brine simulate --stream app_session --installs 2000 | brine import app_session`
}

// Run writes the history to standard output.
func (c *simulateCmd) Run(g *globals) error {
	if c.PrintSchema {
		_, err := g.stdout.Write(simulate.AppSchema)
		return err
	}
	end := c.End
	if end.IsZero() {
		end = time.Now()
	}
	if c.Stream != event.Interaction {
		return simulate.Apps{Seed: c.Seed, Days: c.Days, PerDay: c.PerDay, Installs: c.Installs, Rare: c.Rare, End: end, Stream: c.Stream, Schema: c.Schema}.Write(g.stdout)
	}
	history := simulate.Config{Seed: c.Seed, Days: c.Days, PerDay: c.PerDay, End: end}
	if c.Story {
		history.Story = simulate.DemoStory(end)
	}
	return history.Write(g.stdout)
}
