// Package risk measures how well sanitized rows hide those whom they are of: how many are the only ones with their partial identifiers, which
// fields do most of it, and which rules of the allowlist would lower it.
//
// It imports event, lake with lake/duck, and sanitize. Plans and a period come in, sanitized files are read where they lie, and a [Report] goes
// out, which holds figures, names of fields and rules: no row, no pseudonym, and no value that fewer than 50 share. Nothing is stored.
//
// # What counts
//
// A partial identifier is every field that the allowlist leaves a value of, but for pseudonyms: as they are keyed, nobody can know them from
// elsewhere. Of an array of values its different elements count, of an array of tuples the first elements of these, by which the rule
// "only" judges them, too: when in a dialog something happened is known to nobody else. Of what is deeper, its text counts.
//
// Rows are alike that have the same of all partial identifiers. Installs, which are the pseudonyms of a stream's unit, are alike that have the
// same different values of each over all of their rows in the period. Streams whose units are hashed alike are joined: an install has the partial
// identifiers of all of them, and of its rows each is as unique as the install.
//
// An install that is alike to no other is unique; it hides among k where k are alike, itself included (Sweeney 2002, k-anonymity).
package risk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"brine/event"
	"brine/lake"
	"brine/sanitize"
)

// Options say what is measured. All but Stream, Memory and Progress must be set.
type Options struct {
	Lake     *lake.Lake
	Streams  map[string]*event.Stream
	Plans    map[string]*sanitize.Plan
	Stream   string             // only this one; "": all, and those joined that can be
	From, To time.Time          // of event time, To exclusive
	Memory   int64              // bytes that DuckDB may use before it spills; default 1 GB
	Progress func(done, of int) // called at each step; default: nothing
}

// Report is what was measured.
type Report struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Parts []Part    `json:"parts"` // a stream each, in order, and then all that are joined
}

// Part is a stream, or several that are joined.
type Part struct {
	Streams    []string `json:"streams"`
	Installs   *Count   `json:"installs,omitempty"` // nil where rows have no pseudonym of a unit
	Rows       Count    `json:"rows"`
	Fields     []Field  `json:"fields"`                // the most identifying first
	Rules      []Step   `json:"rules"`                 // that would lower it, one after the other; none where nothing is unique
	OtherRules int      `json:"other_rules,omitempty"` // files that another allowlist made: of what this one does not keep they may hold more
}

// Of is what is told apart: installs where there are any, else rows.
func (p Part) Of() string {
	if p.Installs != nil {
		return "installs"
	}
	return "rows"
}

// Figure is the count of what is told apart.
func (p Part) Figure() Count {
	if p.Installs != nil {
		return *p.Installs
	}
	return p.Rows
}

// Count says how many there are, and how many of them hide among fewer than so many that are alike, themselves included.
type Count struct {
	All     int64 `json:"all"`
	Unique  int64 `json:"unique"` // alike to no other
	Under5  int64 `json:"under_5"`
	Under10 int64 `json:"under_10"`
	Under50 int64 `json:"under_50"`
}

// Share is a part of all; 0 where there are none.
func (c Count) Share(n int64) float64 {
	if c.All == 0 {
		return 0
	}
	return float64(n) / float64(c.All)
}

// Field is one partial identifier.
type Field struct {
	Name    string `json:"name"`    // with the stream, like app_session.meta.dt
	Rule    string `json:"rule"`    // that it is kept by
	Alone   int64  `json:"alone"`   // how many would be unique if it were the only field
	Without int64  `json:"without"` // how many would be if it alone were dropped
}

// Step is a rule, and what is left of it after this rule and those before it.
type Step struct {
	Field string `json:"field"`
	Rule  string `json:"rule"` // as an allowlist has it
	Was   string `json:"was"`
	After Count  `json:"after"`
}

// ErrNothing is a period without sanitized rows.
var ErrNothing = errors.New("nothing sanitized lies in this period")

// defaultMemory is 1 GB: ten million rows in two streams spill little.
const defaultMemory = 1 << 30

// Measure measures. It works in DuckDB on the lake's files, with bounded memory.
func Measure(ctx context.Context, o Options) (report Report, err error) {
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	err = o.Lake.Apart(ctx, o.Memory, func(ctx context.Context, r *lake.Reader) ([]lake.File, error) {
		m := &measuring{Options: o, ctx: ctx, conn: r}
		files, err := m.open(r)
		if err != nil || len(files) == 0 {
			return files, errors.Join(err, errIf(err == nil, ErrNothing))
		}
		report, err = m.measure()
		return files, err
	})
	return report, err
}

func errIf(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

// open finds the rows of each stream.
func (m *measuring) open(r *lake.Reader) (files []lake.File, err error) {
	for _, name := range slices.Sorted(maps.Keys(m.Plans)) {
		plan := m.Plans[name]
		if !plan.Listed || m.Stream != "" && name != m.Stream {
			continue
		}
		s := &stream{name: name}
		var of []lake.File
		s.rows, of, err = r.Rows(m.ctx, sanitize.Table(plan), m.From.UnixMilli(), m.To.UnixMilli())
		if files = append(files, of...); err != nil {
			return files, err
		}
		if len(of) == 0 {
			continue
		}
		if s.others, err = m.madeByOthers(plan, of); err != nil {
			return files, err
		}
		if unit := m.Streams[name].Unit; unit != "" {
			s.unit, s.joins, _ = plan.Unit(unit)
		}
		for _, leaf := range plan.Leaves(m.Streams[name]) {
			s.columns = append(s.columns, &column{stream: s, leaf: leaf, name: name + "." + strings.Join(leaf.Path, ".")})
		}
		m.streams = append(m.streams, s)
	}
	return files, nil
}

func (m *measuring) madeByOthers(plan *sanitize.Plan, files []lake.File) (n int, err error) {
	metas, err := m.Lake.Meta(m.ctx, files)
	for _, f := range files {
		if err == nil && sanitize.ReadMeta(metas[f.Name]).Allowlist != plan.Digest() {
			n++
		}
	}
	return n, err
}

func (m *measuring) measure() (report Report, err error) {
	report = Report{From: m.From.UTC(), To: m.To.UTC(), Parts: []Part{}}
	var joined []*stream
	for _, s := range m.streams {
		m.of += 4*len(s.columns) + mostSteps
		if s.joins {
			joined = append(joined, s)
		}
	}
	if len(joined) > 1 {
		for _, s := range joined {
			m.of += 2 * len(s.columns)
		}
		m.of += mostSteps
	}
	for _, s := range m.streams {
		part, err := m.alone(s)
		if err != nil {
			return report, fmt.Errorf("measure %s: %w", s.name, err)
		}
		report.Parts = append(report.Parts, part)
	}
	if len(joined) > 1 {
		part, err := m.joined(joined)
		if err != nil {
			return report, fmt.Errorf("measure streams joined: %w", err)
		}
		report.Parts = append(report.Parts, part)
	}
	return report, nil
}

// alone measures one stream.
func (m *measuring) alone(s *stream) (p Part, err error) {
	var g *group
	p = Part{Streams: []string{s.name}, OtherRules: s.others}
	if s.unit == "" {
		g, err = m.rowsOf(s)
	} else {
		g, p.Rows, err = m.installsOf(s)
	}
	if err != nil {
		return p, err
	}
	of, rows, err := m.count(g, g.keys())
	if err != nil {
		return p, err
	}
	if s.unit == "" {
		p.Rows = rows
	} else {
		p.Installs = &of
	}
	return p, m.explain(g, &p)
}

// joined measures streams whose units are hashed alike.
func (m *measuring) joined(all []*stream) (p Part, err error) {
	g, err := m.join(all)
	if err != nil {
		return p, err
	}
	for _, s := range all {
		p.Streams, p.OtherRules = append(p.Streams, s.name), p.OtherRules+s.others
	}
	of, rows, err := m.count(g, g.keys())
	if err != nil {
		return p, err
	}
	p.Installs, p.Rows = &of, rows
	return p, m.explain(g, &p)
}

// explain tells what each field does, and which rules would lower it.
func (m *measuring) explain(g *group, p *Part) error {
	found, err := m.fields(g)
	if err != nil {
		return err
	}
	p.Fields = []Field{}
	for _, f := range found {
		p.Fields = append(p.Fields, f.Field)
	}
	p.Rules, err = m.propose(g, found, p.Figure())
	return err
}
