package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/kpi/facts"
	"brine/lake"
)

// factsEvery is how often hours are looked for whose facts are to be made.
const factsEvery = 10 * time.Second

// runFacts makes the facts of each hour once it is sanitized, and anew where other definitions are in force, until the context ends.
func runFacts(ctx context.Context, job *facts.Job, logger *slog.Logger) {
	tick := time.NewTicker(factsEvery)
	defer tick.Stop()
	for {
		if _, err := job.Run(ctx, facts.Request{}); err != nil && ctx.Err() == nil {
			logger.Error("cannot make facts: trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// kpiRebuildCmd makes facts anew.
type kpiRebuildCmd struct {
	dataFlag
	rebuildWork
	JSON bool `help:"Print JSON."`
}

// rebuildWork is what is asked for, on the command line and through the socket.
type rebuildWork struct {
	From time.Time `help:"Only hours from this one on (RFC 3339)." json:"from"`
	To   time.Time `help:"Only hours before this one (RFC 3339)." json:"to"`
}

// Help is shown below the flags.
func (*kpiRebuildCmd) Help() string {
	return `Makes the facts and roll-ups of all closed hours anew, of what is sanitized, whether or not they differ from what they should be. brine serve
makes those that are missing or stale by itself. It may be stopped and begun again at any point.

Examples:
  brine kpi rebuild
  brine kpi rebuild --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z`
}

// Run rebuilds, or has the brine that serves do it.
func (c *kpiRebuildCmd) Run(g *globals) error {
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	defs, err := definitions(cfg, plansOf(cfg, streams))
	if err != nil {
		return err
	}
	bar := showCount(g, "rebuilding")
	var report facts.Report
	err = commanded(cfg, audit.Record{Route: "brine kpi rebuild", Dataset: lake.Facts, Stream: event.Interaction, From: c.From, To: c.To}, func() (string, error) {
		report, err = c.work(g.ctx, cfg, streams, defs, bar.show)
		return fmt.Sprintf("facts of %d hours with %d interactions made", report.Hours, report.Rows), err
	})
	bar.done()
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(report)
	} else {
		err = printRebuilt(g.stdout, report)
	}
	if err == nil && len(report.Refused) > 0 {
		return errTold
	}
	return err
}

func (c *kpiRebuildCmd) work(ctx context.Context, cfg *config.Config, streams map[string]*event.Stream, defs *kpi.Definitions, progress func(done, of int)) (report facts.Report, err error) {
	err = inDataDir(cfg, func() error {
		return askWork(ctx, cfg.Data, "/kpi/rebuild", c.rebuildWork, progress, &report)
	}, func(data *dataDir) error {
		own, err := openOwnLake(ctx, cfg, data, streams)
		if err != nil {
			return err
		}
		defer own.close()
		if err := own.lake.Flush(ctx); err != nil { // now it knows which hours are closed
			return err
		}
		job := &facts.Job{Lake: own.lake, Definitions: func() *kpi.Definitions { return defs }}
		report, err = c.do(ctx, job, progress)
		return err
	})
	return report, err
}

// do is the work of the command, in whichever process has the data folder.
func (w rebuildWork) do(ctx context.Context, job *facts.Job, progress func(done, of int)) (facts.Report, error) {
	return job.Run(ctx, facts.Request{From: w.From, To: w.To, All: true, Progress: progress})
}

func (h *house) serveRebuild(w http.ResponseWriter, r *http.Request) {
	serveWork(w, r, func(ctx context.Context, work rebuildWork, progress func(done, of int)) (facts.Report, error) {
		return work.do(ctx, h.facts, progress)
	})
}

func printRebuilt(out io.Writer, r facts.Report) error {
	_, err := fmt.Fprintf(out, "facts of %d hours with %s interactions made\n", r.Hours, humanize.Comma(r.Rows))
	for _, d := range r.Refused {
		_, more := fmt.Fprintf(out, "refused: %s: %s\n", d.Hour.Format("2006-01-02T15:04Z"), d.Why)
		err = errors.Join(err, more)
	}
	return err
}

// factsStatus is how the facts stand, for brine status.
type factsStatus struct {
	facts.Status
	Problem string `json:"problem,omitempty"` // why that is not known
	KPIs    string `json:"kpis,omitempty"`    // what is wrong with the file of KPIs
}

func newFactsStatus(ctx context.Context, job *facts.Job, defs *kpis) *factsStatus {
	s := &factsStatus{}
	if err := defs.Err(); err != nil {
		s.KPIs = err.Error()
	}
	var err error
	if s.Status, err = job.Status(ctx); err != nil {
		s.Problem = err.Error()
	}
	return s
}

func (s *factsStatus) print(out io.Writer) {
	fmt.Fprintf(out, "\nfacts: of %d hours, %d wait, %d are stale", s.Done, s.Waiting, s.Stale)
	if s.Oldest != nil {
		fmt.Fprintf(out, " (the first is %s)", minute(s.Oldest.UnixMilli()))
	}
	fmt.Fprintln(out)
	if s.Failed > 0 {
		fmt.Fprintf(out, "FACTS OF %d HOURS CANNOT BE MADE: %s\n", s.Failed, s.Error)
	}
	if s.KPIs != "" {
		fmt.Fprintf(out, "THE KPIS ARE BROKEN: %s\n", s.KPIs)
	}
	if s.Problem != "" {
		fmt.Fprintf(out, "HOW THE FACTS STAND IS NOT KNOWN: %s\n", s.Problem)
	}
}
