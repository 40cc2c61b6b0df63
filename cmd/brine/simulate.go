package main

import (
	"time"

	"brine/simulate"
)

// simulateCmd makes the history of synthetic users.
type simulateCmd struct {
	Days   int       `default:"7" help:"Days of history, up to now."`
	PerDay int       `default:"1000" help:"Interactions on a mean day."`
	Seed   uint64    `default:"1" help:"The same seed and the same times give the same bytes."`
	End    time.Time `help:"When the history ends (RFC 3339); now without it."`
}

// Help is shown below the flags.
func (*simulateCmd) Help() string {
	return `Prints NDJSON of the stream interaction, as browsers would have sent it.

Example:
  brine simulate --days 30 --per-day 5000 | brine import interaction`
}

// Run writes the history to standard output.
func (c *simulateCmd) Run(g *globals) error {
	end := c.End
	if end.IsZero() {
		end = time.Now()
	}
	return simulate.Config{Seed: c.Seed, Days: c.Days, PerDay: c.PerDay, End: end}.Write(g.stdout)
}
