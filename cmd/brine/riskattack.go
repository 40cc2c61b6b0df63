package main

import (
	"encoding/json"
	"fmt"
	"os"

	"brine/risk/attack"
)

// attackFlags are those of the attack on simulated data.
type attackFlags struct {
	Attack    bool   `help:"Measure how many installs are found again after their salt was destroyed; with --simulated."`
	Simulated bool   `help:"On simulated installs, whose truth is known."`
	Seed      uint64 `default:"1" help:"Of --attack: the same seed gives the same result."`
	Installs  int    `default:"400" help:"Of --attack: how many installs each of its six populations has."`
	SVG       string `name:"svg" placeholder:"FILE" help:"Of --attack: also write its plot to this file."`
}

// attack prints what an attack on simulated data comes to. It touches no data folder.
func (f attackFlags) attack(g *globals, asJSON bool) error {
	bar := showCount(g, "attacking")
	result, err := attack.Simulate(g.ctx, attack.Options{Seed: f.Seed, Installs: f.Installs, Progress: bar.show})
	bar.done()
	if err != nil {
		return err
	}
	if f.SVG != "" {
		if err := os.WriteFile(f.SVG, result.SVG(), 0o644); err != nil {
			return fmt.Errorf("write the plot: %w", err)
		}
	}
	if asJSON {
		return json.NewEncoder(g.stdout).Encode(result)
	}
	_, err = fmt.Fprint(g.stdout, result.Table())
	return err
}
