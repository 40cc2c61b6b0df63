// Command bench measures Brine and prints one table: every figure stands beside its limit or its
// peer, measured in the same run, as machines are shared and noisy and only ratios last.
//
// It runs the brine binary, which it builds, on loopback, and rooms of the house in its own process.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// figure is one line of the table.
type figure struct {
	name     string
	measured string
	limit    string // what it is held against, from the same run
	ratio    string
	target   string
	met      bool
}

// suite is what the figures share.
type suite struct {
	folder  string // for everything that is written
	brine   string // the binary
	seconds time.Duration
	events  int
}

var figures = []struct {
	name    string
	measure func(*suite) ([]figure, error)
}{
	{"validate", (*suite).validation},
	{"flush", (*suite).flush},
	{"sanitize", (*suite).sanitizing},
	{"kpi", (*suite).measuringKPIs},
	{"risk", (*suite).measuringRisk},
	{"read", (*suite).reading},
	{"access", (*suite).access},
	{"door", (*suite).door},
	{"events", (*suite).appEvents},
	{"hold", (*suite).hold},
	{"cluster", (*suite).cluster},
}

func main() {
	seconds := flag.Int("seconds", 60, "how long 15,000 requests/s are held")
	events := flag.Int("events", 1_000_000, "how many events are stored for the figures of reading")
	only := flag.String("only", "", "measure one group: validate, flush, sanitize, kpi, risk, read, access, door, events, hold, cluster")
	bare := flag.String("bare", "", "serve the bare handler on this address (the bench runs itself so)")
	flag.Parse()
	if *bare != "" {
		fail(serveBare(*bare))
	}
	s, err := newSuite(time.Duration(*seconds)*time.Second, *events)
	fail(err)
	all, err := s.run(*only)
	os.RemoveAll(s.folder)
	fail(err)
	printTable(all)
	if slices.ContainsFunc(all, func(f figure) bool { return !f.met }) {
		os.Exit(1)
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func newSuite(seconds time.Duration, events int) (*suite, error) {
	folder, err := os.MkdirTemp("", "brine-bench-")
	if err != nil {
		return nil, err
	}
	s := &suite{folder: folder, brine: filepath.Join(folder, "brine"), seconds: seconds, events: events}
	build := exec.Command("go", "build", "-o", s.brine, "./cmd/brine")
	build.Stderr = os.Stderr
	return s, build.Run()
}

func (s *suite) run(only string) (all []figure, err error) {
	for _, f := range figures {
		if only != "" && f.name != only {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s …\n", f.name)
		measured, err := f.measure(s)
		if err != nil {
			return all, fmt.Errorf("%s: %w", f.name, err)
		}
		all = append(all, measured...)
	}
	return all, nil
}

func printTable(all []figure) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tMEASURED\tLIMIT OR PEER\tRATIO\tTARGET\t")
	for _, f := range all {
		verdict := "met"
		if !f.met {
			verdict = "MISSED"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", f.name, f.measured, f.limit, f.ratio, f.target, verdict)
	}
	w.Flush()
}

func median[T int64 | float64 | time.Duration](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
