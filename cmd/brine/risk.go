package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access/audit"
	"brine/access/gate"
	"brine/config"
	"brine/event"
	"brine/lake"
	"brine/risk"
)

// riskCmd measures how well sanitized rows hide those whom they are of.
type riskCmd struct {
	dataFlag
	riskWork
	attackFlags
	Purpose string `placeholder:"TEXT" help:"What it is for, which is recorded."`
	JSON    bool   `help:"Print JSON."`
}

// riskWork is what is asked for, on the command line and through the socket.
type riskWork struct {
	Stream string    `help:"Only this stream; without it all, and those joined whose installs have equal pseudonyms." json:"stream"`
	From   time.Time `help:"The first event time, inclusive (RFC 3339); 30 days before --to without it." json:"from"`
	To     time.Time `help:"The last event time, exclusive; now without it." json:"to"`
}

// Help is shown below the flags.
func (*riskCmd) Help() string {
	return `Says of what is sanitized how many installs, or rows, are the only ones with their partial identifiers, how many hide among fewer than 5, 10
and 50, which fields do most of it, and which rules would lower it. It prints figures, fields and rules, and keeps nothing. With --attack --simulated
it measures instead how many simulated installs are found again after their salt was destroyed. See docs/privacy.md.

Examples:
  brine risk --stream app_session --purpose "yearly review of the allowlist"
  brine risk --attack --simulated`
}

// riskRoute is what the audit calls it. It looks at every field, and so is no use of any: see [readsSince].
const riskRoute = "brine risk"

// riskDays are measured unless the command line says otherwise.
const riskDays = 30

// Validate refuses what cannot be measured.
func (c *riskCmd) Validate() error {
	switch {
	case c.Attack && !c.Simulated:
		return errors.New("--attack: it is measured on simulated data alone, where the truth is known; say --attack --simulated")
	case c.Simulated && !c.Attack:
		return errors.New("--simulated is for --attack")
	case c.SVG != "" && !c.Attack:
		return errors.New("--svg is for --attack")
	case c.Attack && (c.Stream != "" || !c.From.IsZero() || !c.To.IsZero()):
		return errors.New("--attack makes its own data: --stream, --from and --to are not for it")
	case c.Attack && c.Installs < 20:
		return errors.New("--installs: give at least 20")
	case !c.From.IsZero() && !c.To.IsZero() && !c.From.Before(c.To):
		return errors.New("--from is not before --to")
	}
	if c.Purpose == "" {
		return nil
	}
	if err := gate.CheckPurpose(c.Purpose); err != nil {
		return fmt.Errorf("--purpose: %w", err)
	}
	return nil
}

// Run measures, or has the brine that serves do it.
func (c *riskCmd) Run(g *globals) error {
	if c.Attack {
		return c.attack(g, c.JSON)
	}
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	if _, ok := streams[c.Stream]; c.Stream != "" && !ok {
		return errUnknownStream(c.Stream, cfg)
	}
	c.riskWork = c.complete(time.Now())
	if !c.From.Before(c.To) {
		return wrongUse{errors.New("--from is not before now")}
	}
	var report risk.Report
	if err := c.recorded(cfg, func() (lines int, err error) {
		report, err = c.work(g, cfg, streams)
		return len(report.Parts), err
	}); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(report)
	}
	return printRisk(g.stdout, report)
}

// complete is the work with the period that it is of.
func (w riskWork) complete(now time.Time) riskWork {
	if w.To.IsZero() {
		w.To = now
	}
	if w.From.IsZero() {
		w.From = w.To.AddDate(0, 0, -riskDays)
	}
	w.From, w.To = w.From.UTC(), w.To.UTC()
	return w
}

// recorded measures between two records of the audit.
func (c *riskCmd) recorded(cfg *config.Config, do func() (parts int, err error)) error {
	log, err := openAudit(cfg.Data, nil)
	if err != nil {
		return fmt.Errorf("a read that cannot be recorded is refused: %w", err)
	}
	read, err := log.BeginRead(audit.Record{Who: osUser(), Route: riskRoute, Purpose: strings.TrimSpace(c.Purpose), Dataset: lake.Sanitized, Stream: c.Stream, From: c.From, To: c.To})
	if err != nil {
		return err
	}
	parts, err := do()
	if err != nil {
		return fmt.Errorf("%w%s", err, errText(read.End(0, "failed")))
	}
	return read.End(int64(parts), "ok")
}

func (c *riskCmd) work(g *globals, cfg *config.Config, streams map[string]*event.Stream) (report risk.Report, err error) {
	bar := showCount(g, "measuring")
	defer bar.done()
	err = inDataDir(cfg, func() error {
		return askWork(g.ctx, cfg.Data, "/risk", c.riskWork, bar.show, &report)
	}, func(data *dataDir) error {
		own, s, err := openOwnSanitizer(g.ctx, cfg, data, streams)
		if err != nil {
			return err
		}
		defer own.close()
		report, err = s.risk(g.ctx, c.riskWork, bar.show)
		return err
	})
	return report, err
}

func (h *house) serveRisk(w http.ResponseWriter, r *http.Request) {
	serveWork(w, r, h.sanitizer.risk)
}

// errMeasuring is one measuring while another is under way: each uses both cores and much memory.
var errMeasuring = errors.New("the risk is being measured already: try again in a minute")

// risk measures by the allowlist in force, in whichever process has the data folder.
func (s *sanitizer) risk(ctx context.Context, w riskWork, progress func(done, of int)) (report risk.Report, err error) {
	if !s.measuring.TryLock() {
		return report, errMeasuring
	}
	defer s.measuring.Unlock()
	plans, err := s.inForce()
	if err != nil {
		return report, fmt.Errorf("the allowlist is broken; brine check tells more:\n%w", err)
	}
	return risk.Measure(ctx, risk.Options{Lake: s.lake, Streams: s.streams, Plans: plans, Stream: w.Stream, From: w.From, To: w.To, Progress: progress})
}

func printRisk(out io.Writer, report risk.Report) error {
	fmt.Fprintf(out, "%s to %s\n", report.From.Format(time.RFC3339), report.To.Format(time.RFC3339))
	for _, p := range report.Parts {
		if err := printPart(out, p); err != nil {
			return err
		}
	}
	return nil
}

func printPart(out io.Writer, p risk.Part) error {
	joined := ""
	if len(p.Streams) > 1 {
		joined = ", joined by equal pseudonyms"
	}
	fmt.Fprintf(out, "\n%s%s\n", strings.Join(p.Streams, " and "), joined)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tALL\tUNIQUE\tAMONG FEWER THAN 5\t10\t50")
	if p.Installs != nil {
		printCount(w, "installs", *p.Installs)
	}
	printCount(w, "rows", p.Rows)
	fmt.Fprintf(w, "\nFIELD\tRULE\tUNIQUE %s BY IT ALONE\tWITHOUT IT\n", strings.ToUpper(p.Of()))
	for _, f := range p.Fields {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, f.Rule, humanize.Comma(f.Alone), humanize.Comma(f.Without))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(p.Rules) > 0 {
		fmt.Fprintf(out, "\nWhat would lower it, one after the other:\n")
	}
	for _, s := range p.Rules {
		fmt.Fprintf(out, "  %s: %s\n    then %s unique, %s among fewer than 5, %s than 10, %s than 50\n", s.Field, s.Rule, shareText(s.After, s.After.Unique),
			shareText(s.After, s.After.Under5), shareText(s.After, s.After.Under10), shareText(s.After, s.After.Under50))
	}
	if p.OtherRules > 0 {
		fmt.Fprintf(out, "%s files were made by another allowlist, and may hold more than is measured here: see brine sanitize --tighten --dry-run\n", humanize.Comma(int64(p.OtherRules)))
	}
	return nil
}

func printCount(w io.Writer, what string, c risk.Count) {
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", what, humanize.Comma(c.All), shareText(c, c.Unique), shareText(c, c.Under5), shareText(c, c.Under10), shareText(c, c.Under50))
}

func shareText(c risk.Count, n int64) string {
	return fmt.Sprintf("%s (%.2f %%)", humanize.Comma(n), 100*c.Share(n))
}
