package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access"
	"brine/canary"
	"brine/config"
	"brine/erasure"
	"brine/event"
	"brine/eventlog/cluster"
	"brine/forward"
	"brine/intake"
	"brine/kpi/facts"
	"brine/lake"
	"brine/outlet"
)

// statusCmd tells how things stand.
type statusCmd struct {
	dataFlag
	JSON   bool `help:"Print JSON."`
	Unused bool `help:"Tell instead which fields and events no KPI, segment or read has touched in 90 days, and how to stop collecting them."`
}

// Help is shown below the flags.
func (*statusCmd) Help() string {
	return `What is held, whether events can be stored, and what was left out. Exit code 1 when events cannot be stored.

With --unused it looks at kpi.yaml, the audit and the names of events in sanitized interactions, and says what it cannot know.

Examples:
  brine status --config /etc/brine/brine.yaml
  brine status --unused`
}

// status is how things stand.
type status struct {
	Serving    bool             `json:"serving"` // a brine serves from the data folder
	Ready      bool             `json:"ready"`   // events can be stored
	Reason     string           `json:"reason,omitempty"`
	Config     string           `json:"config,omitempty"`      // what is wrong with its file since it changed: the one before is in force
	Lake       string           `json:"lake,omitempty"`        // why the object store that holds it, or the log to its end, cannot be used now
	CompleteTo *time.Time       `json:"complete_to,omitempty"` // what was acknowledged before can be read
	Waiting    uint64           `json:"waiting"`               // entries of the log that are not in the lake yet
	Door       *intake.Snapshot `json:"door,omitempty"`        // counters of the public door since the start
	Held       []lake.Summary   `json:"held"`
	LeftOut    []lake.Fault     `json:"left_out"` // files in the lake's folder that are not read
	Salts      *saltsStatus     `json:"salts"`
	Sanitize   *sanitizeStatus  `json:"sanitize"`
	Facts      *factsStatus     `json:"facts"`
	Published  *totalsStatus    `json:"published,omitempty"`
	Purge      *purgeStatus     `json:"purge"`
	Erasures   *erasure.Status  `json:"erasures"`
	Cluster    *cluster.Status  `json:"cluster,omitempty"` // the nodes that the log lies on, where they are several
	Awaited    string           `json:"awaited,omitempty"` // which nodes are waited for, and what for, on the one that leads
	Stores     []forward.Status `json:"stores,omitempty"`  // of a collector, which has nothing of the above but the door
	Outlets    []outlet.Status  `json:"outlets,omitempty"`
	Canaries   []canary.Status  `json:"canaries,omitempty"` // of each collector, as they reach this node
	Canary     string           `json:"canary,omitempty"`   // of a collector: what is wrong with those that it sends
}

// Run prints the status of the brine that serves, or of the folder where none does.
func (c *statusCmd) Run(g *globals) error {
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	if c.Unused {
		return c.runUnused(g, cfg, streams)
	}
	var st status
	err = askSocket(g.ctx, cfg.Data, "GET", "/status", nil, &st)
	if nobodyServes(err) {
		st, err = statusAtRest(g.ctx, cfg, streams)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(st)
	} else {
		err = st.print(g, cfg)
	}
	if err == nil && st.Serving && !st.Ready {
		return errTold
	}
	return err
}

func (h *house) status(ctx context.Context) status {
	if !h.role.stores {
		return h.collectorStatus()
	}
	erasures := h.erasures.Status()
	st := status{Serving: true, Ready: true, Door: h.doorStats(), Salts: h.saltsStatus(), Sanitize: h.sanitizer.status(ctx), Facts: newFactsStatus(ctx, h.facts, h.kpis), Published: h.totalsStatus(),
		Erasures: &erasures, Outlets: h.outlets.status(), Cluster: h.clusterStatus(), Canaries: h.canaries.Collectors()}
	if err := h.ready.Err(); err != nil {
		st.Ready, st.Reason = false, err.Error()
	}
	if err := h.configErr(); err != nil {
		st.Config = err.Error()
	}
	if h.peers != nil {
		if err := h.peers.Err(); err != nil {
			st.Awaited = err.Error()
		}
	}
	if err := h.lake.Trouble(); err != nil {
		st.Lake = err.Error()
	}
	if t := h.lake.CompleteTo(); !t.IsZero() {
		st.CompleteTo = &t
	}
	if st.Waiting = h.lake.Unflushed(); h.lake.Unknown() != nil && h.cluster == nil {
		for _, info := range h.log.Logs() {
			st.Waiting += info.Last + 1 - min(info.First, info.Last+1)
		}
	}
	if err := st.hold(ctx, h.lake); err != nil {
		st.Ready, st.Reason = false, err.Error()
	}
	st.Purge = h.purger.status(st.Held)
	return st
}

func statusAtRest(ctx context.Context, cfg *config.Config, streams map[string]*event.Stream) (st status, err error) {
	l, err := openLake(ctx, cfg, lake.Options{Tables: tables(streams)})
	if err != nil {
		return st, err
	}
	defer l.Close()
	st.Reason = "no brine serves from " + cfg.Data
	salts, err := openSalts(cfg, time.Now)
	if err != nil {
		return st, err
	}
	st.Salts, st.Erasures = &saltsStatus{Status: salts.Status()}, erasuresAtRest(cfg)
	s := newSanitizer(cfg, streams, l, salts, newLogger(io.Discard))
	st.Sanitize = s.status(ctx)
	kpis := newKPIs(cfg, s.inForce, newLogger(io.Discard))
	st.Facts = newFactsStatus(ctx, &facts.Job{Lake: l, Definitions: kpis.Definitions}, kpis)
	err = st.hold(ctx, l)
	st.Purge = newPurgeStatus(cfg, l, st.Held)
	return st, err
}

// figures are what somebody below analyst sees of a status: nothing that rests on single events, as sizes, times
// and the door's counters do.
type figures struct {
	Serving    bool       `json:"serving"`
	Ready      bool       `json:"ready"`
	CompleteTo *time.Time `json:"complete_to,omitempty"`
	Held       []figure   `json:"held"` // but for those of fewer rows than the cell
}

// figure is how many rows a table has.
type figure struct {
	Dataset string `json:"dataset"`
	Stream  string `json:"stream"`
	Rows    int64  `json:"rows"` // in steps of the cell
}

// by is the status as somebody may see it to whom figures are told by this cell.
func (s status) by(cell access.Cell) any {
	if cell.Whole() {
		return s
	}
	seen := figures{Serving: s.Serving, Ready: s.Ready, CompleteTo: s.CompleteTo, Held: []figure{}}
	for _, h := range s.Held {
		if rows := cell.Of(h.Rows); rows > 0 {
			seen.Held = append(seen.Held, figure{h.Dataset, h.Stream, rows})
		}
	}
	return seen
}

func (s *status) hold(ctx context.Context, l *lake.Lake) error {
	held, faults, err := l.Summaries(ctx)
	s.Held = slices.DeleteFunc(held, func(h lake.Summary) bool { return h.Files == 0 })
	slices.SortFunc(s.Held, func(a, b lake.Summary) int { return strings.Compare(a.Dataset+a.Stream, b.Dataset+b.Stream) })
	s.LeftOut = append([]lake.Fault{}, faults...)
	return err
}

func (s status) print(g *globals, cfg *config.Config) error {
	state := "serving, events can be stored"
	switch {
	case !s.Serving:
		state = s.Reason
	case !s.Ready:
		state = "NOT STORING: " + s.Reason
	}
	fmt.Fprintf(g.stdout, "%s\n\n", state)
	if s.Config != "" {
		fmt.Fprintf(g.stdout, "THE CONFIG IS BROKEN, the one before stays in force: %s\n\n", s.Config)
	}
	if s.Stores != nil {
		return s.printStores(g.stdout)
	}
	if s.Lake != "" {
		fmt.Fprintf(g.stdout, "THE LAKE CANNOT BE USED, the log holds what comes: %s\n\n", s.Lake)
	}
	w := tabwriter.NewWriter(g.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DATASET\tSTREAM\tEVENTS\tSIZE\tFILES\tOLDEST\tNEWEST")
	for _, h := range s.Held {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", h.Dataset, h.Stream, humanize.Comma(h.Rows),
			humanize.Bytes(uint64(h.Bytes)), h.Files, minute(h.Oldest), minute(h.Newest))
	}
	if len(s.Held) == 0 {
		fmt.Fprintln(w, "nothing is held yet")
	}
	err := w.Flush()
	if s.Serving {
		fmt.Fprintf(g.stdout, "\n%d entries of the log wait to be flushed (every %s)\n", s.Waiting, cfg.Flush.Every)
	}
	for _, f := range s.LeftOut {
		fmt.Fprintf(g.stdout, "left out: %s: %s\n", f.Path, f.Why)
	}
	s.Purge.print(g.stdout)
	s.Salts.print(g)
	if e := s.Erasures; e.Accepted+e.Removed > 0 {
		fmt.Fprintf(g.stdout, "\nerasures: %d accepted, %d removed from files and not complete yet\n", e.Accepted, e.Removed)
	}
	if s.Erasures.Error != "" {
		fmt.Fprintf(g.stdout, "ERASURES ARE NOT DONE: %s\n", s.Erasures.Error)
	}
	printOutlets(g.stdout, s.Outlets)
	err = errors.Join(err, printCanaries(g.stdout, s.Canaries), s.Sanitize.print(g.stdout))
	s.Facts.print(g.stdout)
	s.Published.print(g.stdout)
	if s.Awaited != "" {
		fmt.Fprintf(g.stdout, "\nNODES ARE AWAITED: %s\n", s.Awaited)
	}
	if s.Cluster != nil {
		fmt.Fprintln(g.stdout)
		printCluster(g, *s.Cluster)
	}
	return err
}

func minute(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04")
}

// reasonOf takes the reason out of a door's JSON answer.
func reasonOf(answer []byte) string {
	var a struct{ Reason string }
	if err := json.Unmarshal(answer, &a); err != nil || a.Reason == "" {
		return errors.New("an answer without a reason").Error()
	}
	return a.Reason
}
