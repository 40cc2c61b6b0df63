package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"brine/canary"
	"brine/config"
	"brine/console/board"
	"brine/metrics"
)

// openCanary makes what sends canaries by the way that append has for groups of events. Without ahead this process stores them itself.
func (h *house) openCanary(append func(context.Context, []byte) error, ahead func() (time.Duration, bool)) {
	if h.cfg.Canary.Every == 0 {
		return
	}
	h.canary = &canary.Sender{Name: h.cfg.Canary.Self(), Every: h.cfg.Canary.Every, Append: append, Ahead: ahead, Bye: ahead != nil, Logger: h.logger}
}

// canaryPatience is how long a store waits for a canary of a collector before it counts as missing: for several of them, and in an
// object store for as long as events wait in the log on purpose.
func canaryPatience(cfg *config.Config) time.Duration {
	patience := 5 * time.Minute
	if every := 3 * cfg.Canary.Every; every > patience {
		patience = every
	}
	if _, remote, err := cfg.LakeAddress(); err == nil && remote {
		patience += 10 * time.Minute
	}
	return patience
}

// canaryErr is what is wrong with the canaries that this process sends or waits for.
func (h *house) canaryErr() (err error) {
	if h.canary != nil {
		err = h.canary.Err()
	}
	if h.canaries != nil {
		err = errors.Join(err, h.canaries.Err())
	}
	return err
}

// putCanaries puts how the canaries of each collector stand.
func (h *house) putCanaries(_ context.Context, put metrics.Put) error {
	for _, c := range h.canaries.Collectors() {
		put(metrics.CanaryMissing, metrics.Bool(c.Missing), c.Collector)
		put.Time(metrics.CanaryReadable, c.Readable, c.Collector)
		if c.Travel > 0 {
			put(metrics.CanaryTravel, c.Travel.Seconds(), c.Collector)
		}
		put(metrics.CanaryAhead, c.Ahead.Seconds(), c.Collector)
	}
	return nil
}

// boardCanaries are the canaries as the health page tells of them.
func (h *house) boardCanaries() []board.Canary {
	all := []board.Canary{}
	for _, c := range h.canaries.Collectors() {
		all = append(all, board.Canary{Collector: c.Collector, Taken: c.Taken, Readable: c.Readable, Travel: c.Travel.Seconds(), Clock: canary.OffText(c.Ahead), Missing: c.Missing})
	}
	return all
}

func printCanaries(out io.Writer, all []canary.Status) error {
	if len(all) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCANARIES OF\tTAKEN HERE\tREADABLE\tTRAVEL TIME\tITS CLOCK")
	for _, c := range all {
		travel, missing := "-", ""
		if c.Travel > 0 {
			travel = c.Travel.Round(time.Millisecond).String()
		}
		if c.Missing {
			missing = "\tMISSING"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s%s\n", c.Collector, moment(c.Taken), moment(c.Readable), travel, canary.OffText(c.Ahead), missing)
	}
	return w.Flush()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("15:04:05")
}
