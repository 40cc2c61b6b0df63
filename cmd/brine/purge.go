package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"brine/config"
	"brine/event"
	"brine/lake"
)

// purgeCmd drops what the retention no longer permits.
type purgeCmd struct {
	dataFlag
	purgeWork
	JSON bool `help:"Print JSON."`
}

// purgeWork is what is asked for, on the command line and through the socket.
type purgeWork struct {
	Now    time.Time `placeholder:"TIME" help:"Act as if it were then (RFC 3339). What is due by then goes for good; of the audit only what is due by now." json:"now"`
	DryRun bool      `help:"Only say what would go." json:"dry_run"`
	Yes    bool      `help:"Drop it, however much it is at once." json:"yes"`
	Who    string    `kong:"-" json:"who"` // who asks, for the audit; "" for Brine itself
}

// Help is shown below the flags.
func (*purgeCmd) Help() string {
	return `Drops the hours that are older than retention: in the config says, and the oldest ones of a dataset that is larger than it may be.
brine serve does so by itself every few minutes. Where more than retention.guard of a dataset would go at once, nothing of it does
without --yes, and the exit code is 1. It cannot be undone.

Examples:
  brine purge --dry-run
  brine purge --dry-run --now 2027-03-01T00:00:00Z
  brine purge --yes`
}

// purged is what went, or would go.
type purged struct {
	lake.Purged
	Audit   []string `json:"audit,omitempty"`   // files of the audit that went, or would go
	Receipt string   `json:"receipt,omitempty"` // the file that says what went
}

// Run purges, or has the brine that serves do it.
func (c *purgeCmd) Run(g *globals) error {
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	bar := showCount(g, "purging")
	done, err := c.work(g, cfg, streams, bar.show)
	bar.done()
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(done)
	} else {
		err = done.print(g.stdout)
	}
	if err == nil && len(done.Stopped) > 0 && !c.DryRun {
		return errTold
	}
	return err
}

func (c *purgeCmd) work(g *globals, cfg *config.Config, streams map[string]*event.Stream, progress func(done, of int)) (done purged, err error) {
	c.Who = osUser()
	err = inDataDir(cfg, func() error {
		return askWork(g.ctx, cfg.Data, "/purge", c.purgeWork, progress, &done)
	}, func(data *dataDir) error {
		own, s, err := openOwnSanitizer(g.ctx, cfg, data, streams)
		if err != nil {
			return err
		}
		defer own.close()
		if err := own.lake.Flush(g.ctx); err != nil { // it tells which hours are closed
			return err
		}
		log, err := openAudit(cfg.Data, nil)
		if err != nil {
			return err
		}
		p := &purger{cfg: cfg, lake: own.lake, log: own.log, tmp: data.tmp(), logger: s.logger, unsanitized: s.unsanitized, audit: log}
		done, err = p.do(g.ctx, c.purgeWork, progress)
		return err
	})
	return done, err
}

func (h *house) servePurge(w http.ResponseWriter, r *http.Request) {
	serveWork(w, r, func(ctx context.Context, work purgeWork, progress func(done, of int)) (purged, error) {
		return h.purger.do(ctx, work, progress)
	})
}

func (d purged) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(d.Dropped) > 0 {
		fmt.Fprintln(w, "DATASET\tSTREAM\tFOR\tHOURS\tFILES\tSIZE\tFROM\tTO")
	}
	for _, p := range d.Dropped {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", p.Dataset, p.Stream, p.Why, p.Hours, p.Files, humanize.Bytes(uint64(p.Bytes)), p.From, p.To)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out, d.total())
	for _, name := range d.Audit {
		fmt.Fprintln(out, "of the audit:", name)
	}
	for _, problem := range d.problems(nil) {
		fmt.Fprintln(out, problem)
	}
	if d.Receipt != "" {
		fmt.Fprintln(out, "receipt:", d.Receipt)
	}
	return nil
}

// total is what went, in a line.
func (d purged) total() string {
	hours, bytes := 0, int64(0)
	for _, p := range d.Dropped {
		hours, bytes = hours+p.Hours, bytes+p.Bytes
	}
	verb := "went"
	if d.DryRun {
		verb = "would go"
	}
	if hours == 0 {
		return "nothing " + verb
	}
	return fmt.Sprintf("%d hours, %s %s", hours, humanize.Bytes(uint64(bytes)), verb)
}
