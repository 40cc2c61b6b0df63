package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/kpi/facts"
	"brine/lake"
)

// newBoard answers questions about what a lake holds. Of the added changes, those that can be read are told; the rest is told
// in the log.
func newBoard(cfg *config.Config, l *lake.Lake, defs func() *kpi.Definitions, plans plansInForce, logger *slog.Logger) *kpi.Board {
	changes := openChanges(cfg.Data)
	return &kpi.Board{
		Source: facts.NewSource(facts.SourceOptions{Lake: l, Definitions: defs, Plans: plans,
			Retention: retention(cfg).Limits[lake.Sanitized], Logger: logger}),
		Added: func() []kpi.Change {
			added, err := changes.list()
			if err != nil {
				logger.Error("added changes are left out", "err", err)
			}
			return added
		},
	}
}

// kpiCmd is about the figures.
type kpiCmd struct {
	Show    kpiShowCmd    `cmd:"" help:"Print one KPI, day by day or by a segment."`
	Rebuild kpiRebuildCmd `cmd:"" help:"Make facts and roll-ups anew."`
}

// Help is shown below the flags.
func (*kpiCmd) Help() string {
	return `What is measured stands in the file of KPIs, see docs/kpi.md; the dashboard shows it all.

Example:
  brine kpi show sign_in --by browser --last 14d`
}

// kpiShowCmd prints one KPI.
type kpiShowCmd struct {
	dataFlag
	kpiWork
	Last string `placeholder:"28d" help:"The last so many days, today among them; a week is 7d. Not beside --from."`
	JSON bool   `help:"Print JSON, as the API does."`
}

// kpiWork is what is asked for, on the command line and through the socket.
type kpiWork struct {
	KPI  string `arg:"" help:"The KPI's name." json:"kpi"`
	By   string `placeholder:"SEGMENT" help:"Tell it apart by this segment." json:"by"`
	From string `placeholder:"DAY" help:"The first day, like 2026-11-01; else four weeks before --to." json:"from"`
	To   string `placeholder:"DAY" help:"The day after the last one; else tomorrow." json:"to"`
}

// Help is shown below the flags.
func (*kpiShowCmd) Help() string {
	return `Figures are weighted by the sample rates, and rest on as many interactions as is said beside them. The range behind a figure holds the truth with
95 %, with a fixed --from however often one looks; with --last, which goes along, at each look by itself. It prints what an analyst sees: small numbers are not withheld.

Examples:
  brine kpi show sign_in
  brine kpi show sign_in --by browser --last 14d
  brine kpi show errors --from 2026-11-01 --to 2026-11-15 --json`
}

// shownKPI is the answer.
type shownKPI struct {
	Span     kpi.Span         `json:"span"`
	KPI      *kpi.OverviewKPI `json:"kpi,omitempty"`      // by day
	Segments *kpi.Segments    `json:"segments,omitempty"` // where it was asked for by a segment
}

// Run asks the brine that serves, or the folder where none does.
func (c *kpiShowCmd) Run(g *globals) error {
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	defs, err := definitions(cfg, plansOf(cfg, streams))
	if err != nil {
		return err
	}
	if err := c.days(defs, time.Now()); err != nil {
		return err
	}
	info, err := defs.FindKPI(c.KPI)
	if err != nil {
		return wrongUse{err}
	}
	var shown shownKPI
	if err := c.recorded(cfg, defs.Zone, func() (lines int, err error) {
		shown, err = c.work(g.ctx, cfg, streams, defs)
		return len(shown.lines(info)), err
	}); err != nil {
		return asWrongUse(err)
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(shown)
	}
	return shown.print(g.stdout, info)
}

// days says which days are asked for, where the command line does not.
func (c *kpiShowCmd) days(defs *kpi.Definitions, now time.Time) error {
	if c.Last != "" {
		days, err := strconv.Atoi(strings.TrimSuffix(c.Last, "d"))
		switch {
		case c.From != "":
			return wrongUse{fmt.Errorf("either --last or --from")}
		case err != nil || days < 1 || !strings.HasSuffix(c.Last, "d"):
			return wrongUse{fmt.Errorf("--last %q is no number of days, like 14d", c.Last)}
		case days > kpi.MostDays:
			return wrongUse{fmt.Errorf("--last %q is over %d days", c.Last, kpi.MostDays)}
		}
		to := kpi.Date(c.To)
		if to == "" {
			to = kpi.DateOf(now, defs.Zone).Plus(1)
		}
		c.From, c.To = string(to.Plus(-days)), string(to)
	}
	v, err := defs.Complete(c.view(), now)
	if err != nil {
		return wrongUse{err}
	}
	c.From, c.To = string(v.From), string(v.To)
	return nil
}

// view is what a board is asked.
func (c kpiWork) view() kpi.View {
	return kpi.View{From: kpi.Date(c.From), To: kpi.Date(c.To), By: c.By, KPI: c.KPI, Cell: 1}
}

// recorded reads between two records of the audit.
func (c *kpiShowCmd) recorded(cfg *config.Config, zone *time.Location, do func() (lines int, err error)) error {
	note := ""
	if c.By == "" {
		against := c.view().Against()
		note = fmt.Sprintf("compared with %s to %s", against.From, against.To)
	}
	log, err := openAudit(cfg.Data, nil)
	if err != nil {
		return fmt.Errorf("a read that cannot be recorded is refused: %w", err)
	}
	read, err := log.BeginRead(audit.Record{Who: osUser(), Route: "brine kpi show", Dataset: lake.Facts, Stream: event.Interaction,
		From: kpi.Date(c.From).Start(zone).UTC(), To: kpi.Date(c.To).Start(zone).UTC(), Note: note})
	if err != nil {
		return err
	}
	lines, err := do()
	if err != nil {
		return fmt.Errorf("%w%s", err, errText(read.End(0, "failed")))
	}
	return read.End(int64(lines), "ok")
}

// errText is a second error behind a first one.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return "; " + err.Error()
}

func (c *kpiShowCmd) work(ctx context.Context, cfg *config.Config, streams map[string]*event.Stream, defs *kpi.Definitions) (shown shownKPI, err error) {
	err = inDataDir(cfg, func() error {
		return askWork(ctx, cfg.Data, "/kpi", c.kpiWork, func(int, int) {}, &shown)
	}, func(data *dataDir) error {
		own, s, err := openOwnSanitizer(ctx, cfg, data, streams)
		if err != nil {
			return err
		}
		defer own.close()
		if err := own.lake.Flush(ctx); err != nil {
			return err
		}
		board := newBoard(cfg, own.lake, func() *kpi.Definitions { return defs }, s.inForce, slog.New(slog.DiscardHandler))
		job := facts.Job{Lake: own.lake, Definitions: board.Source.Definitions, Damaged: board.Source.(*facts.Source).Damaged}
		if _, err := job.Run(ctx, facts.Request{}); err != nil {
			return err
		}
		shown, err = c.ask(ctx, board)
		if err == nil {
			_, err = job.Run(ctx, facts.Request{}) // what the question found damaged is made anew
		}
		if building := (*kpi.Building)(nil); errors.As(err, &building) {
			return fmt.Errorf("%d hours wait for the allowlist, and no brine serves: run brine sanitize first", building.Of-building.Done)
		}
		return err
	})
	return shown, err
}

func (h *house) serveKPI(w http.ResponseWriter, r *http.Request) {
	serveWork(w, r, func(ctx context.Context, work kpiWork, _ func(done, of int)) (shownKPI, error) {
		return work.ask(ctx, h.board)
	})
}

// ask asks a board.
func (c kpiWork) ask(ctx context.Context, b *kpi.Board) (shown shownKPI, err error) {
	v := c.view()
	if c.By != "" {
		shown.Segments, err = b.Segments(ctx, v)
		if err == nil {
			shown.Span = shown.Segments.Span
		}
		return shown, err
	}
	o, err := b.Overview(ctx, v)
	if err != nil {
		return shown, err
	}
	shown.Span = o.Span
	for i := range o.KPIs {
		if o.KPIs[i].KPI.Name == c.KPI {
			shown.KPI = &o.KPIs[i]
		}
	}
	return shown, nil
}

// line is one figure with its name.
type line struct {
	name   string
	figure kpi.Figure
}

func (s shownKPI) print(out io.Writer, k kpi.KPI) error {
	fmt.Fprintf(out, "%s, %s to %s\n\n", k.Title, s.Span.From, s.Span.To.Plus(-1))
	return printLines(out, k, s.lines(k))
}

// lines are the figures of a KPI.
func (s shownKPI) lines(k kpi.KPI) (lines []line) {
	switch {
	case s.Segments != nil:
		for i, info := range s.Segments.KPIs {
			if info.Name == k.Name {
				for _, v := range s.Segments.Values {
					lines = append(lines, line{v.Value, v.Figures[i]})
				}
			}
		}
	case s.KPI != nil:
		for _, day := range s.KPI.Days {
			lines = append(lines, line{string(day.Date), day.Figure})
		}
		lines = append(lines, line{"all days", s.KPI.Now}, line{"before", s.KPI.Before})
	}
	return lines
}

// barWidth is how many characters the longest bar has.
const barWidth = 30

func printLines(out io.Writer, k kpi.KPI, lines []line) error {
	wide, most := 0, 0.0
	for _, l := range lines {
		wide = max(wide, utf8.RuneCountInString(l.name))
		if l.figure.Value != nil {
			most = max(most, *l.figure.Value)
		}
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(out, "%-*s  %10s  %-*s  %s\n", wide, l.name, valueText(k, l.figure), barWidth, bar(l.figure, most), restsOn(k, l.figure)); err != nil {
			return err
		}
	}
	return nil
}

func valueText(k kpi.KPI, f kpi.Figure) string {
	if f.Value == nil {
		return f.Why
	}
	return k.Text(*f.Value)
}

// bar is as long as the value is, to an eighth of a character.
func bar(f kpi.Figure, most float64) string {
	if f.Value == nil || !(most > 0) {
		return ""
	}
	eighths := int(math.Round(*f.Value / most * barWidth * 8))
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text
}

// restsOn is the interval of a figure, and how many interactions it rests on.
func restsOn(k kpi.KPI, f kpi.Figure) string {
	text := ""
	if f.Low != nil && f.High != nil {
		text = fmt.Sprintf("%s to %s, ", k.Text(*f.Low), k.Text(*f.High))
	}
	if f.Value == nil {
		return ""
	}
	return fmt.Sprintf("%sof %d", text, f.Interactions)
}
