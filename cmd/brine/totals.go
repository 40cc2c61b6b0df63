package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/kpi"
	"brine/kpi/facts"
	"brine/policy"
	"brine/publish"
	"brine/salt"
	"brine/sanitize"
)

// publishFolder is the ledger of published totals, in a data folder.
const publishFolder = "publish"

// publishEvery is how often is looked whether a day is due: one is, an hour after it is over.
const publishEvery = 10 * time.Second

// openTotals opens the ledger, and what publishes and shows it. Where the process has no public door, nothing is published.
func (h *house) openTotals() error {
	if !h.role.collects {
		if h.kpis.Definitions().Publish != nil {
			h.logger.Warn("kpi.yaml publishes totals, and this process has no public door to show them at: they are not published")
		}
		return nil
	}
	ledger, err := publish.OpenLedger(filepath.Join(h.cfg.Data, publishFolder))
	if err != nil {
		return err
	}
	source, record := h.board.Source.(*facts.Source), recorderTo(h.audit)
	h.totals = &publish.Publisher{
		Ledger: ledger, Definitions: h.kpis.Definitions, Days: source.Days, Whole: source.Whole, Logger: h.logger,
		Installs: func(ctx context.Context, stream string, date kpi.Date) (int64, int64, error) {
			n, sensitivity, err := source.Installs(ctx, stream, h.cfg.Streams[stream].Unit, date)
			return n, max(sensitivity, saltsWithin(h.periods, source, date)), err
		},
		Record: func(date kpi.Date) error {
			return record.say(audit.Publish, "", "the totals of "+string(date)+" are about to be published")
		},
	}
	return nil
}

// saltsWithin is how many salt periods the hours of a day have, whether there were events or not: the width of noise must not tell.
func saltsWithin(periods salt.Periods, hours interface {
	HoursOf(kpi.Date) (from, to time.Time)
}, date kpi.Date) (n int64) {
	for t, to := hours.HoursOf(date); t.Before(to); t = periods.At(t).End {
		n++
	}
	return n
}

// totalsErr is what keeps totals from being published that should be; that a budget is spent is no trouble.
func (h *house) totalsErr() error {
	if err := h.totals.Stopped(); err != nil && !errors.As(err, new(publish.Overspent)) {
		return err
	}
	return nil
}

// checkPublish finds what of publish the config does not allow.
func checkPublish(cfg *config.Config, d *kpi.Definitions, plans map[string]*sanitize.Plan) (mistakes config.Mistakes) {
	if d.Publish == nil {
		return nil
	}
	if cfg.Log.Replicated() {
		mistakes = append(mistakes, d.MistakeAt("publish", "take it off, or publish from a brine of its own", "the log lies on several nodes, each of which would have its own ledger: a day could be published twice"))
	}
	for _, t := range d.Publish.Totals {
		if t.Installs == "" {
			continue
		}
		at := "publish.totals." + t.Name + ".installs"
		stream, ok := cfg.Streams[t.Installs]
		plan := plans[t.Installs]
		switch {
		case !ok:
			mistakes = append(mistakes, d.MistakeAt(at, "known here: "+strings.Join(cfg.StreamNames(), ", "), fmt.Sprintf("the config has no stream %s", t.Installs)))
		case stream.Unit == "":
			mistakes = append(mistakes, d.MistakeAt(at, "set streams."+t.Installs+".unit in the config", "the stream has no unit: what one install adds to it has no bound"))
		case plan == nil || !slices.ContainsFunc(plan.Rules(), func(r sanitize.FieldRule) bool { return countable(r, stream.Unit) }):
			mistakes = append(mistakes, d.MistakeAt(at, "hash_per_stream it there", fmt.Sprintf("the allowlist does not keep %s, nor a pseudonym of it: what one install adds has no bound", stream.Unit)))
		}
	}
	return mistakes
}

// countable says whether a rule leaves something of the unit that installs can be told apart by.
func countable(r sanitize.FieldRule, unit string) bool {
	return strings.Join(r.Path, ".") == unit && slices.Contains([]string{sanitize.Keep.String(), sanitize.Hash.String(), sanitize.HashPerStream.String()}, r.Rule)
}

// policyPublished is what everybody is shown, nil for nothing.
func policyPublished(d *kpi.Definitions) *policy.Published {
	if d.Publish == nil {
		return nil
	}
	p := &policy.Published{Day: d.Publish.Day.Float(), All: d.Publish.All.Float(), Totals: []string{}}
	for _, t := range d.Publish.Totals {
		p.Totals = append(p.Totals, d.TitleOf(t))
	}
	return p
}

// totalsStatus is how published totals stand, for brine status.
type totalsStatus struct {
	Days    int         `json:"days"`           // that are published
	Last    kpi.Date    `json:"last,omitempty"` // of them
	Spent   kpi.Epsilon `json:"spent"`
	All     kpi.Epsilon `json:"all"`
	Stopped string      `json:"stopped,omitempty"` // why nothing more is published
}

// newTotalsStatus is nil where nothing is published.
func newTotalsStatus(d *kpi.Definitions, l *publish.Ledger, stopped error) *totalsStatus {
	if d.Publish == nil {
		return nil
	}
	releases := l.Releases()
	s := &totalsStatus{Days: len(releases), Spent: l.Spent(d.Publish), All: d.Publish.All}
	if s.Days > 0 {
		s.Last = releases[s.Days-1].Date
	}
	if err := errors.Join(l.Err(), stopped); err != nil {
		s.Stopped = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return s
}

func (h *house) totalsStatus() *totalsStatus {
	if h.totals == nil {
		return nil
	}
	return newTotalsStatus(h.kpis.Definitions(), h.totals.Ledger, h.totals.Stopped())
}

func (s *totalsStatus) print(out io.Writer) {
	if s == nil {
		return
	}
	fmt.Fprintf(out, "\npublished: %d days", s.Days)
	if s.Last != "" {
		fmt.Fprintf(out, ", the last is %s", s.Last)
	}
	fmt.Fprintf(out, "; an epsilon of %s of %s is spent\n", s.Spent, s.All)
	if s.Stopped != "" {
		fmt.Fprintf(out, "NOTHING MORE IS PUBLISHED: %s\n", s.Stopped)
	}
}
