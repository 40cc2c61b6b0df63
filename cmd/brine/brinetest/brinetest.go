// Package brinetest builds brine for tests of the whole binary.
package brinetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
)

// Build builds brine in a folder, and gives its path. It has the race detector where the tests have it, so that what they are
// linked of is not compiled once more without, or with BRINE_RACE=1.
func Build(dir string) (path string, err error) {
	path = filepath.Join(dir, "brine")
	args := []string{"build", "-ldflags=-w", "-o", path}
	if withRace() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "brine/cmd/brine")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
}

func withRace() bool {
	info, ok := debug.ReadBuildInfo()
	return os.Getenv("BRINE_RACE") == "1" || ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
