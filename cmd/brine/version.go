package main

import (
	"encoding/json"
	"fmt"
	"runtime"
)

// version is set by the linker: make build takes it from git.
var version = "dev"

type versionCmd struct {
	JSON bool `help:"Print JSON."`
}

// Help is shown below the flags.
func (*versionCmd) Help() string {
	return `Example:
  brine version --json`
}

// Run prints the version.
func (c *versionCmd) Run(g *globals) error {
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(map[string]string{"version": version, "go": runtime.Version()})
	}
	_, err := fmt.Fprintf(g.stdout, "brine %s (%s)\n", version, runtime.Version())
	return err
}
