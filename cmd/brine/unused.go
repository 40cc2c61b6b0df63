package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/lake"
	"brine/policy"
)

// unusedFor is how long something must not have been touched.
const unusedFor = 90 * 24 * time.Hour

// unusedReport is what is collected and not used, and what is not known of it.
type unusedReport struct {
	Since   time.Time      `json:"since"`
	Audit   *time.Time     `json:"audit_since,omitempty"` // since when reads are known, where that is later
	Streams []unusedStream `json:"streams"`
	Unknown []string       `json:"unknown"` // what this report cannot know
}

// unusedStream is what of one stream is not used.
type unusedStream struct {
	Stream   string        `json:"stream"`
	Reads    []streamReads `json:"reads"`  // by people and scripts, of whole rows
	Fields   []unusedField `json:"fields"` // that no KPI, segment or read touched
	Events   []unusedEvent `json:"events,omitempty"`
	Proposal string        `json:"proposal,omitempty"` // for the stream as a whole
}

// streamReads are the reads of one dataset.
type streamReads struct {
	Dataset string    `json:"dataset"`
	Reads   int       `json:"reads"`
	Last    time.Time `json:"last"`
}

// unusedField is a field of the schema.
type unusedField struct {
	Field    string `json:"field"`
	Kept     string `json:"kept,omitempty"` // by which rule of the allowlist; "" where it goes with the raw event
	Proposal string `json:"proposal"`
}

// unusedEvent is the name of an event that came.
type unusedEvent struct {
	Event    string `json:"event"`
	Proposal string `json:"proposal"`
}

// runUnused tells what is collected and not used.
func (c *statusCmd) runUnused(g *globals, cfg *config.Config, streams map[string]*event.Stream) error {
	if err := recordCommand(cfg, audit.Command, "brine status --unused", "looks for names of events in sanitized interactions"); err != nil {
		return err
	}
	plans, err := compilePlans(cfg, streams)
	if err != nil {
		return err
	}
	defs, err := definitions(cfg, plansOf(cfg, streams))
	if err != nil {
		return err
	}
	now := time.Now()
	u := unusedFinder{cfg: cfg, streams: streams, defs: defs, since: now.Add(-unusedFor), policy: inForce(policyOf(cfg, streams), cfg, cfg.Rate, plans, now)}
	if u.reads, u.audited, err = readsSince(g.ctx, cfg, u.since); err != nil {
		return err
	}
	if u.events, err = eventsSince(g, cfg, streams, u.since); err != nil {
		return err
	}
	report := u.report()
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(report)
	}
	return report.print(g.stdout)
}

// readKey is what reads are counted by.
type readKey struct{ stream, dataset string }

// readsSince are the reads of rows since then, and since when the audit knows of reads: zero where it goes back that far.
func readsSince(ctx context.Context, cfg *config.Config, since time.Time) (reads map[readKey]streamReads, audited time.Time, err error) {
	log, err := openAudit(cfg.Data, nil)
	if err != nil {
		return nil, audited, err
	}
	reads = map[readKey]streamReads{}
	for e, err := range log.Read(ctx, audit.Filter{}) {
		if err != nil {
			return nil, audited, fmt.Errorf("what was read is not known: %w", err)
		}
		if audited = e.Time; e.Time.Before(since) {
			return reads, time.Time{}, nil
		}
		if e.Action != audit.ReadBegin || e.Route == riskRoute || e.Dataset != lake.Raw && e.Dataset != lake.Sanitized {
			continue
		}
		k := readKey{e.Stream, e.Dataset}
		r := reads[k]
		if r.Reads == 0 { // the newest come first
			r.Dataset, r.Last = e.Dataset, e.Time
		}
		r.Reads++
		reads[k] = r
	}
	return reads, audited, nil
}

// filesAtOnce bounds what is read in one query.
const filesAtOnce = 24

// eventsSince are the names of events in sanitized interactions of the hours since then, in order.
func eventsSince(g *globals, cfg *config.Config, streams map[string]*event.Stream, since time.Time) ([]string, error) {
	l, err := openLake(g.ctx, cfg, lake.Options{Tables: tables(streams)})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	names := map[string]bool{}
	bar := showCount(g, "looking for events")
	defer bar.done()
	files := slices.DeleteFunc(l.List(lake.Sanitized, event.Interaction), func(f lake.File) bool { return f.Hour.Before(since) })
	for i := 0; i < len(files); i += filesAtOnce {
		bar.show(i, len(files))
		some := files[i:min(i+filesAtOnce, len(files))]
		err := l.Reading(g.ctx, func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
			return some, eventsIn(ctx, r, some, names)
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// eventsIn adds the names of events in some files. Files of which the allowlist kept no events have none.
func eventsIn(ctx context.Context, r *lake.Reader, files []lake.File, names map[string]bool) error {
	rows, err := r.From(ctx, files)
	if err != nil {
		return err
	}
	columns, err := r.Conn.Columns(ctx, rows)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(columns, func(c event.Column) bool { return c.Name == "event_stream" && c.Kind == event.List }) {
		return nil
	}
	found, err := r.Conn.Query(ctx, "SELECT DISTINCT unnest(event_stream).name FROM "+rows)
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		for row := range found.Len() {
			if v := found.Vector(0); !v.Null(row) {
				names[string(v.String(row))] = true
			}
		}
	}
	return found.Err()
}

// unusedFinder compares what is collected with what is used.
type unusedFinder struct {
	cfg     *config.Config
	streams map[string]*event.Stream
	defs    *kpi.Definitions
	policy  *policy.Policy // the fields of streams, and what the allowlist does with them
	since   time.Time
	reads   map[readKey]streamReads
	audited time.Time // zero: the audit goes back to since
	events  []string  // that came
}

func (u *unusedFinder) report() unusedReport {
	r := unusedReport{Since: u.since, Streams: []unusedStream{}, Unknown: u.unknown()}
	if !u.audited.IsZero() {
		r.Audit = &u.audited
	}
	for _, s := range u.policy.Streams {
		r.Streams = append(r.Streams, u.stream(s))
	}
	return r
}

func (u *unusedFinder) stream(s policy.Stream) unusedStream {
	out := unusedStream{Stream: s.Name, Reads: []streamReads{}, Fields: []unusedField{}}
	for _, dataset := range []string{lake.Raw, lake.Sanitized} {
		if r := u.reads[readKey{s.Name, dataset}]; r.Reads > 0 {
			out.Reads = append(out.Reads, r)
		}
	}
	for _, f := range s.Fields {
		if !u.used(s, f) {
			out.Fields = append(out.Fields, u.field(s, f))
		}
	}
	published := u.defs.Publish != nil && slices.ContainsFunc(u.defs.Publish.Totals, func(t kpi.Total) bool { return t.Installs == s.Name })
	if s.Name != event.Interaction && len(out.Reads) == 0 && !published && s.SampleRate > 0 && !s.Ended {
		out.Proposal = fmt.Sprintf("stop collecting it: streams.%s: sample_rate: 0, or a collect_until, in the config", s.Name)
	}
	if s.Name != event.Interaction || u.reads[readKey{s.Name, lake.Raw}].Reads+u.reads[readKey{s.Name, lake.Sanitized}].Reads > 0 {
		return out
	}
	for _, name := range u.events {
		if !u.defs.UsesEvent(name) {
			out.Events = append(out.Events, unusedEvent{name, "have the page stop recording it; and list the names that are used under event_stream: only in the allowlist, rather than what lets it through"})
		}
	}
	return out
}

// needed are the fields that Brine itself goes by: to know what and when an event is, to store it once, and to weigh it.
var needed = []string{"timestamp", "id", "event_stream", "event_stream.name", "event_stream.offset_ms", "sample_rate", "$schema", "meta", "meta.id", "meta.dt", "meta.stream"}

// used says whether a field was touched: Brine or a definition needs it, or it was in rows that were read. Of an object its members are judged.
func (u *unusedFinder) used(s policy.Stream, f policy.Field) bool {
	switch {
	case slices.Contains(needed, f.Path), f.Path == s.Unit, f.Path == u.streams[s.Name].Time, f.Type == "object", strings.HasSuffix(f.Path, ".*"):
		return true
	case s.Name == event.Interaction && u.defs.UsesField(f.Path):
		return true
	case u.reads[readKey{s.Name, lake.Raw}].Reads > 0:
		return true
	}
	return f.Rule != nil && u.reads[readKey{s.Name, lake.Sanitized}].Reads > 0
}

func (u *unusedFinder) field(s policy.Stream, f policy.Field) unusedField {
	out := unusedField{Field: f.Path}
	var steps []string
	if f.Rule != nil {
		out.Kept = f.Rule.Name
		at := f.Path
		if f.Rule.Of != "" {
			at = f.Rule.Of
		}
		switch {
		case strings.HasPrefix(at, "event_stream"): // its entries stay whole
		case at != f.Path:
			steps = append(steps, "list what is used of "+at+" in the allowlist, rather than all")
		default:
			steps = append(steps, "take "+s.Name+"."+f.Path+" off the allowlist")
		}
	}
	switch {
	case strings.HasPrefix(f.Path, "user_agent"): // the server makes it
	case s.Name == event.Interaction:
		steps = append(steps, "have the page leave it out of what it sends")
	default:
		steps = append(steps, "take it out of the next version of "+strings.Join(s.Versions[:min(1, len(s.Versions))], ""))
	}
	if len(steps) == 0 {
		steps = append(steps, "nothing to do: it goes with the raw event")
	}
	out.Proposal = strings.Join(steps, ", and ")
	return out
}

// unknown is what the report cannot know, as far as it matters here.
func (u *unusedFinder) unknown() []string {
	all := []string{
		"kpi.yaml is looked at as it stands: what it named within the time and no longer does is not known",
		"the audit says which rows were read, not which of their fields were looked at: a read counts for all it gave",
		"what other programs read in the files of the lake, in backups or in what was read out is not known",
		"names of events that the allowlist drops are not listed: they are in raw events alone",
		"the dashboard's flow page shows by their names the events after which people left: that counts as no use",
	}
	if !u.audited.IsZero() {
		all = append(all, "reads before "+u.audited.UTC().Format(time.DateOnly)+" are not known: the audit goes back no further")
	}
	if u.cfg.Outlets.CouchDB.URL != "" {
		all = append(all, "what is read of the copies in CouchDB is not known: ask whoever uses them")
	}
	return all
}

func (r unusedReport) print(out io.Writer) error {
	fmt.Fprintf(out, "What is collected, and was touched by no KPI, segment or read since %s:\n", r.Since.UTC().Format(time.DateOnly))
	for _, s := range r.Streams {
		fmt.Fprintf(out, "\n%s\n", s.Stream)
		for _, read := range s.Reads {
			fmt.Fprintf(out, "  %s of %s, the last on %s: each counts for all that it gave\n", english.Plural(read.Reads, "read", ""), read.Dataset, read.Last.UTC().Format(time.DateOnly))
		}
		if s.Proposal != "" {
			fmt.Fprintf(out, "  nothing of it is used: %s\n", s.Proposal)
		}
		if len(s.Fields)+len(s.Events) == 0 && s.Proposal == "" {
			fmt.Fprintln(out, "  nothing: all of it is used, or may have been")
		}
		for _, f := range s.Fields {
			kept := "not kept"
			if f.Kept != "" {
				kept = f.Kept
			}
			fmt.Fprintf(out, "  field %s (%s): %s\n", f.Field, kept, f.Proposal)
		}
		for i, e := range s.Events {
			if i == 0 {
				fmt.Fprintf(out, "  events, each of which: %s\n", e.Proposal)
			}
			fmt.Fprintf(out, "    %s\n", printable(e.Event))
		}
	}
	_, err := fmt.Fprintf(out, "\nWhat this cannot know:\n  - %s\n", strings.Join(r.Unknown, "\n  - "))
	return err
}
