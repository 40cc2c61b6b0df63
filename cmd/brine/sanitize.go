package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/lake"
	"brine/sanitize"
)

// sanitizeCmd copies closed hours through the allowlist.
type sanitizeCmd struct {
	dataFlag
	sanitizeWork
	JSON bool `help:"Print JSON."`
}

// sanitizeWork is what is asked for, on the command line and through the socket.
type sanitizeWork struct {
	From     time.Time `help:"Only hours from this one on (RFC 3339)." json:"from"`
	To       time.Time `help:"Only hours before this one (RFC 3339)." json:"to"`
	Stream   string    `help:"Only this stream." json:"stream"`
	Stale    bool      `help:"Also redo hours that were made by another allowlist or of other raw events, where raw data and a living salt still allow." json:"stale"`
	Backfill bool      `help:"Hash hours whose salt is gone under one made for this run: their pseudonyms match nothing else." json:"backfill"`
	Tighten  bool      `help:"Take what the allowlist no longer permits out of every sanitized file of any age." json:"tighten"`
	DryRun   bool      `help:"Only say what would be done." json:"dry_run"`
	Now      time.Time `help:"Act as if it were this time (RFC 3339)." json:"now"`
	Who      string    `kong:"-" json:"who"` // who asks, for the audit
}

// Help is shown below the flags.
func (*sanitizeCmd) Help() string {
	return `Copies each closed hour from raw to sanitized through the allowlist, with ids replaced under the hour's salt. brine serve does
so by itself; this command is for other hours than the next, and where no brine serves. It may be stopped and begun again at any point.

Examples:
  brine sanitize --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z
  brine sanitize --stale --dry-run
  brine sanitize --tighten`
}

// sanitized is what was done, or would be.
type sanitized struct {
	DryRun    bool                 `json:"dry_run"`
	Hours     []sanitize.HourState `json:"hours,omitempty"` // of a dry run
	Report    *sanitize.Report     `json:"report,omitempty"`
	Tightened *sanitize.Tightened  `json:"tightened,omitempty"`
	Receipt   string               `json:"receipt,omitempty"` // the file that says what was taken out
}

// Run sanitizes, or has the brine that serves do it.
func (c *sanitizeCmd) Run(g *globals) error {
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	if _, ok := streams[c.Stream]; c.Stream != "" && !ok {
		return errUnknownStream(c.Stream, cfg)
	}
	bar := showCount(g, "sanitizing")
	done, err := c.recordedWork(g, cfg, streams, bar.show)
	bar.done()
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(done)
	} else {
		err = done.print(g.stdout)
	}
	if err == nil && len(done.refused()) > 0 {
		return errTold
	}
	return err
}

// recordedWork records the command where it adds to what is sanitized. A dry run changes nothing, and what is taken out is recorded
// where it is done.
func (c *sanitizeCmd) recordedWork(g *globals, cfg *config.Config, streams map[string]*event.Stream, progress func(done, of int)) (done sanitized, err error) {
	if c.DryRun || c.Tighten {
		return c.work(g, cfg, streams, progress)
	}
	r := audit.Record{Route: "brine sanitize", Dataset: lake.Sanitized, Stream: c.Stream, From: c.From, To: c.To}
	err = commanded(cfg, r, func() (string, error) {
		done, err = c.work(g, cfg, streams, progress)
		if done.Report == nil {
			return "", err
		}
		return fmt.Sprintf("%d hours with %d events sanitized", done.Report.Hours, done.Report.Rows), err
	})
	return done, err
}

func (c *sanitizeCmd) work(g *globals, cfg *config.Config, streams map[string]*event.Stream, progress func(done, of int)) (done sanitized, err error) {
	c.Who = osUser()
	err = inDataDir(cfg, func() error {
		return askWork(g.ctx, cfg.Data, "/sanitize", c.sanitizeWork, progress, &done)
	}, func(data *dataDir) error {
		own, s, err := openOwnSanitizer(g.ctx, cfg, data, streams)
		if err != nil {
			return err
		}
		defer own.close()
		if s.record, err = recorderOf(cfg); err != nil {
			return err
		}
		if err := errors.Join(own.lake.Flush(g.ctx), own.lake.Compact(g.ctx)); err != nil {
			return err
		}
		done, err = s.do(g.ctx, cfg, c.sanitizeWork, progress)
		return err
	})
	return done, err
}

// do is the work of the command, in whichever process has the data folder.
func (s *sanitizer) do(ctx context.Context, cfg *config.Config, w sanitizeWork, progress func(done, of int)) (done sanitized, err error) {
	if err := s.Err(); err != nil {
		return done, fmt.Errorf("the allowlist is broken; brine check tells more:\n%w", err)
	}
	done.DryRun = w.DryRun
	if w.Tighten { // no salt is asked for, so it is the same at any time
		tightened, err := s.job.Tighten(ctx, w.DryRun, progress)
		done.Tightened = &tightened
		if err == nil && !w.DryRun && tightened.Files > 0 {
			done.Receipt, err = writeReceipt(cfg.Data, "tighten", time.Now(), tightened)
			err = errors.Join(err, s.record.say(audit.Purge, w.Who, fmt.Sprintf("the allowlist was tightened: %d files with %d rows were rewritten", tightened.Files, tightened.Rows)))
		}
		return done, err
	}
	job, err := s.at(cfg, w.Now)
	if err != nil {
		return done, err
	}
	q := sanitize.Request{From: w.From, To: w.To, Stream: w.Stream, Stale: w.Stale, Backfill: w.Backfill, Progress: progress}
	if w.DryRun {
		states, err := job.States(ctx, q)
		for _, st := range states {
			if st.State == sanitize.Waiting || st.State == sanitize.Lost || w.Stale && st.State == sanitize.Stale {
				done.Hours = append(done.Hours, st)
			}
		}
		return done, err
	}
	report, err := job.Run(ctx, q)
	done.Report = &report
	return done, err
}

func (d sanitized) refused() []sanitize.Denial {
	switch {
	case d.Report != nil:
		return d.Report.Refused
	case d.Tightened != nil:
		return d.Tightened.Refused
	}
	return nil
}

func (d sanitized) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	switch {
	case d.Tightened != nil:
		would := "were rewritten"
		if d.DryRun {
			would = "would be rewritten"
		}
		fmt.Fprintf(w, "%d files with %s rows %s\n", d.Tightened.Files, humanize.Comma(d.Tightened.Rows), would)
		for _, t := range d.Tightened.Taken {
			fmt.Fprintf(w, "  %s\tin %d files\n", t, t.Files)
		}
		if d.Receipt != "" {
			fmt.Fprintf(w, "receipt: %s\n", d.Receipt)
		}
	case d.Report != nil:
		fmt.Fprintf(w, "%d hours with %s events sanitized\n", d.Report.Hours, humanize.Comma(d.Report.Rows))
	case len(d.Hours) == 0:
		fmt.Fprintln(w, "nothing is to be done")
	}
	for _, h := range d.Hours {
		fmt.Fprintf(w, "%s\t%s\t%s\n", h.Hour, h.State, h.Redo)
	}
	for _, r := range d.refused() {
		fmt.Fprintf(w, "refused: %s:\t%s\n", r.Hour, r.Why)
	}
	return w.Flush()
}

func (h *house) serveSanitize(w http.ResponseWriter, r *http.Request) {
	serveWork(w, r, func(ctx context.Context, work sanitizeWork, progress func(done, of int)) (sanitized, error) {
		if err := errors.Join(h.lake.Flush(ctx), h.lake.Compact(ctx)); err != nil {
			return sanitized{}, err
		}
		return h.sanitizer.do(ctx, h.cfg, work, progress)
	})
}
