package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// lastPublished is what a collector last knew of them, in its data folder.
const lastPublished = "published.json"

// How often is looked whether a day is due, as one is an hour after it is over; and whether others have published.
const (
	publishEvery = 10 * time.Second
	totalsEvery  = time.Minute
)

// openLedger opens the ledger of published totals: beside the lake where that lies in an object store, as several processes may share that; else in the data folder.
func openLedger(ctx context.Context, cfg *config.Config) (l *publish.Ledger, closeIt func() error, err error) {
	dir := filepath.Join(cfg.Data, publishFolder)
	bucket, closeIt, err := lakeBucket(ctx, cfg)
	switch {
	case err != nil:
		return nil, nil, err
	case bucket != nil:
		return publish.OpenSharedLedger(bucket, dir), closeIt, nil
	}
	l, err = publish.OpenLedger(ctx, dir)
	return l, closeIt, err
}

// withLedger does something with the ledger, while no other process has the data folder.
func withLedger(ctx context.Context, cfg *config.Config, do func(*publish.Ledger) error) error {
	l, closeIt, err := openLedger(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(do(l), closeIt())
}

// openTotals opens the ledger, and what publishes and shows it.
func (h *house) openTotals(ctx context.Context, acceptClock bool) error {
	ledger, closeIt, err := openLedger(ctx, h.cfg)
	if err != nil {
		return err
	}
	h.onClose(closeIt)
	source, record := h.board.Source.(*facts.Source), recorderTo(h.audit)
	h.totals = &publish.Publisher{
		Ledger: ledger, Definitions: h.kpis.Definitions, Days: source.Days, Whole: source.Whole, Logger: h.logger,
		Hour: h.lake.ClosedTo, AcceptClock: acceptClock,
		Installs: func(ctx context.Context, stream string, date kpi.Date) (n, sensitivity int64, err error) {
			unit, err := h.unitRule(stream)
			if err != nil {
				return 0, 0, err
			}
			from, to := source.HoursOf(date)
			salts, sensitivity, err := saltsOf(unit, h.salts, from, to)
			if err != nil {
				return 0, 0, err
			}
			n, err = source.Installs(ctx, stream, unit, salts, date)
			return n, sensitivity, err
		},
		Record: func(date kpi.Date) error {
			return record.say(audit.Publish, "", "the totals of "+string(date)+" are about to be published")
		},
	}
	return nil
}

// openPublished makes what shows at a collector what the stores publish.
func (h *house) openPublished(ctx context.Context) {
	h.published = &publish.Copy{Path: filepath.Join(h.cfg.Data, lastPublished), Logger: h.logger, Fetch: func(ctx context.Context, known string) ([]byte, string, error) {
		text, tag, found, err := h.forward.Public(ctx, "/v1/published", known)
		if err == nil && !found {
			err = publish.ErrNothing
		}
		return text, tag, err
	}}
	h.published.Open()
	h.published.Refresh(ctx) // before the policy says what is published
}

// serveEdition gives collectors what everybody is shown. Where the KPIs were never right since the start, it is not known what that is.
func (h *house) serveEdition(w http.ResponseWriter, r *http.Request) {
	if h.kpis.Err() != nil && h.edition() == nil {
		http.Error(w, "the KPIs of this store are broken: see its log", http.StatusServiceUnavailable)
		return
	}
	h.totals.ServeEdition(w, r)
}

// edition is what everybody is shown, nil for nothing.
func (h *house) edition() *publish.Edition {
	if h.published != nil {
		return h.published.Edition()
	}
	return h.totals.Edition()
}

// unitRule is the rule in force of the field by which installs of a stream are counted.
func (h *house) unitRule(stream string) (r sanitize.FieldRule, err error) {
	plans, err := h.sanitizer.inForce()
	if err != nil {
		return r, err
	}
	unit := h.cfg.Streams[stream].Unit
	if plan := plans[stream]; plan != nil {
		rules := plan.Rules()
		if i := slices.IndexFunc(rules, func(r sanitize.FieldRule) bool { return countable(r, unit) }); i >= 0 {
			return rules[i], nil
		}
	}
	return r, fmt.Errorf("the allowlist does not keep %s of %s any more: installs cannot be counted", unit, stream)
}

// saltsOf are the salts of hours from one up to another, and by how much one install can change the number of installs in them: it has a pseudonym under each. Neither
// tells which of the hours have events, as what is published says how wide noise is.
func saltsOf(unit sanitize.FieldRule, salts *salt.Folder, from, to time.Time) (names []string, sensitivity int64, err error) {
	if !unit.Hashes() {
		return nil, 1, nil
	}
	names, err = salts.Within(from, to)
	return names, max(1, int64(len(names))), err
}

// totalsErr is what keeps totals from being published that should be; that a budget is spent is no trouble.
func (h *house) totalsErr() error {
	if h.kpis.Definitions().Publish == nil {
		return nil
	}
	if err := h.totals.Stopped(); err != nil && !errors.As(err, new(publish.Overspent)) {
		return err
	}
	return h.totals.Ledger.Err()
}

// checkPublish finds what of publish the config does not allow.
func checkPublish(cfg *config.Config, d *kpi.Definitions, plans map[string]*sanitize.Plan) (mistakes config.Mistakes) {
	if d.Publish == nil {
		return nil
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

// earlyTotals warns of a first day far back where nothing was published yet.
func earlyTotals(cfg *config.Config, d *kpi.Definitions, now time.Time) config.Mistakes {
	if d.Publish == nil || !publish.TooEarly(d.Publish.From, d.Zone, now) || publish.Begun(filepath.Join(cfg.Data, publishFolder)) {
		return nil
	}
	return config.Mistakes{d.MistakeAt("publish.from", "put it off; or where it is meant so, start with --accept-clock",
		fmt.Sprintf("%s is long ago, and nothing was published yet: days of which nothing is held would be published as empty, and spend as much as any other", d.Publish.From))}
}

// countable says whether a rule leaves something of the unit that installs can be told apart by.
func countable(r sanitize.FieldRule, unit string) bool {
	return strings.Join(r.Path, ".") == unit && slices.Contains([]string{sanitize.Keep.String(), sanitize.Hash.String(), sanitize.HashPerStream.String()}, r.Rule)
}

// policyPublished is what everybody is shown, nil for nothing.
func policyPublished(e *publish.Edition) *policy.Published {
	if e == nil {
		return nil
	}
	p := &policy.Published{Day: e.Epsilon.Day.Float(), All: e.Epsilon.All.Float(), Totals: []string{}}
	for _, t := range e.Totals {
		p.Totals = append(p.Totals, t.Title)
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
func newTotalsStatus(e *publish.Edition, stopped error) *totalsStatus {
	if e == nil {
		return nil
	}
	s := &totalsStatus{Days: len(e.Releases), Spent: e.Epsilon.Spent, All: e.Epsilon.All}
	if s.Days > 0 {
		s.Last = e.Releases[s.Days-1].Date
	}
	if stopped != nil {
		s.Stopped = stopped.Error()
	}
	return s
}

func (h *house) totalsStatus() *totalsStatus {
	stopped := h.totals.Stopped()
	if stopped == nil {
		stopped = h.totals.Ledger.Err()
	}
	return newTotalsStatus(h.edition(), stopped)
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
