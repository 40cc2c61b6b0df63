package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"brine/access/audit"
	"brine/config"
)

// auditCmd is what can be asked of the record of who did what.
type auditCmd struct {
	List   auditListCmd   `cmd:"" default:"withargs" help:"List what was done, the newest first."`
	Verify auditVerifyCmd `cmd:"" help:"Find what was changed, removed or cut off of the audit."`
	Access auditAccessCmd `cmd:"" help:"Tell who can read what, and when they last did."`
}

// Help is shown below the flags.
func (*auditCmd) Help() string {
	return `The audit says who read what and what for, who logged in or was refused, and what was erased, purged and changed.

Examples:
  brine audit --who anna --from 2026-11-01T00:00:00Z
  brine audit verify
  brine audit access`
}

// auditFlags are the flags of all of them.
type auditFlags struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// open opens the audit of a data folder that is there. A broken schema must not keep anybody from looking.
func (f auditFlags) open() (*config.Config, *audit.Log, error) {
	cfg, err := saltFlags{dataFlag: f.dataFlag}.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	if err := auditExists(cfg); err != nil {
		return nil, nil, err
	}
	log, err := openAudit(cfg.Data, nil)
	return cfg, log, err
}

func auditExists(cfg *config.Config) error {
	if err := mustExist(cfg.Data); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(cfg.Data, auditFolder)); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nothing is recorded in %s yet, or its folder %s was removed", cfg.Data, auditFolder)
	}
	return nil
}

type auditListCmd struct {
	auditFlags
	Who     string    `help:"Only what this person did; os:NAME is a user of this machine, brine is Brine itself."`
	Action  string    `help:"Only this: read-begin, login, logout, refused, token, user, erasure, salt, publish, purge, config, command, start or audit."`
	Dataset string    `help:"Only of this dataset."`
	Stream  string    `help:"Only of this stream."`
	From    time.Time `help:"Only since then (RFC 3339)."`
	To      time.Time `help:"Only before then (RFC 3339)."`
	Read    uint64    `placeholder:"NUMBER" help:"Only this read."`
	Limit   int       `default:"100" help:"At most so many; 0 for all."`
}

// Help is shown below the flags.
func (*auditListCmd) Help() string {
	return `The newest first; a read is one line, with how many rows it gave. One without an end was cut where a brine has begun to serve
anew since; of others that began over an hour ago it is not known whether they go on. --json prints one object a line.

Example:
  brine audit --dataset raw --from 2026-11-01T00:00:00Z --limit 0 --json`
}

// Validate refuses what would find nothing and look as if nothing had been done.
func (c *auditListCmd) Validate() error {
	if a := audit.Action(c.Action); a != "" && !a.Known() {
		return fmt.Errorf("--action %s: there are %s", c.Action, audit.Actions())
	}
	if !c.From.IsZero() && !c.To.IsZero() && c.From.After(c.To) {
		return errors.New("--from lies after --to")
	}
	return nil
}

// Run lists.
func (c *auditListCmd) Run(g *globals) error {
	_, log, err := c.open()
	if err != nil {
		return err
	}
	out := newAuditPrinter(g.stdout, c.JSON)
	n, broken := 0, error(nil)
	for e, err := range log.Read(g.ctx, audit.Filter{Who: c.Who, Action: audit.Action(c.Action), Dataset: c.Dataset, Stream: c.Stream, From: c.From, To: c.To, Read: c.Read}) {
		if err != nil {
			broken = err
			continue
		}
		if err := out.print(e); err != nil {
			return err
		}
		if n++; n == c.Limit {
			break
		}
	}
	return errors.Join(out.flush(), broken)
}

// auditPrinter prints entries as a table, or as NDJSON.
type auditPrinter struct {
	json  *json.Encoder
	table *tabwriter.Writer
	lines int
}

func newAuditPrinter(out io.Writer, asJSON bool) *auditPrinter {
	if asJSON {
		return &auditPrinter{json: json.NewEncoder(out)}
	}
	p := &auditPrinter{table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(p.table, "NUMBER\tTIME\tWHO\tACTION\tROUTE\tDATA\tRANGE\tOUTCOME\tWHAT FOR, OR WHAT")
	return p
}

// tableBlock is how many lines a table's columns are fitted to.
const tableBlock = 1000

func (p *auditPrinter) print(e audit.Entry) error {
	if p.json != nil {
		return p.json.Encode(e)
	}
	_, err := fmt.Fprintf(p.table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Number, e.Time.UTC().Format("2006-01-02 15:04:05"), printable(e.Who), actionText(e),
		printable(e.Route), printable(strings.TrimSpace(e.Dataset+" "+e.Stream)), rangeText(e), printable(outcomeText(e)), printable(strings.TrimSpace(e.Purpose+" "+e.Note)))
	if p.lines++; err == nil && p.lines%tableBlock == 0 {
		err = p.table.Flush()
	}
	return err
}

func (p *auditPrinter) flush() error {
	if p.json != nil {
		return nil
	}
	return p.table.Flush()
}

// printable keeps what a person sent from steering a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

func actionText(e audit.Entry) string {
	if e.Action == audit.ReadBegin {
		return "read"
	}
	return string(e.Action)
}

func rangeText(e audit.Entry) string {
	day := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("2006-01-02T15:04")
	}
	if e.From.IsZero() && e.To.IsZero() {
		return ""
	}
	return day(e.From) + ".." + day(e.To)
}

func outcomeText(e audit.Entry) string {
	switch {
	case e.End != nil && e.End.Rows != nil:
		return fmt.Sprintf("%s, %d rows", e.End.Outcome, *e.End.Rows)
	case e.State == audit.Unknown:
		return "going, or cut"
	case e.State != "":
		return string(e.State)
	}
	return e.Outcome
}

type auditVerifyCmd struct {
	auditFlags
	Head string `placeholder:"NUMBER:HASH" help:"Check also that this record, noted earlier, is there unchanged."`
}

// Help is shown below the flags.
func (*auditVerifyCmd) Help() string {
	return `Reads the whole audit: each record carries the hash of the one before. Finds changed bytes, lines that were removed or put
elsewhere, gaps and a cut tail, each with its file and line; the exit code is then 1. Who rewrites all files leaves nothing to find:
note the last line of the output somewhere else, and give it as --head later.

Examples:
  brine audit verify
  brine audit verify --head 4711:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`
}

// Validate reads --head.
func (c *auditVerifyCmd) Validate() error {
	_, err := c.noted()
	return err
}

func (c *auditVerifyCmd) noted() (*audit.Anchor, error) {
	if c.Head == "" {
		return nil, nil
	}
	a, err := audit.ParseAnchor(c.Head)
	return &a, err
}

// Run verifies. It changes nothing.
func (c *auditVerifyCmd) Run(g *globals) error {
	cfg, err := saltFlags{dataFlag: c.dataFlag}.loadConfig()
	if err != nil {
		return err
	}
	if err := auditExists(cfg); err != nil {
		return err
	}
	noted, err := c.noted()
	if err != nil {
		return err
	}
	v, err := audit.Verify(filepath.Join(cfg.Data, auditFolder), noted)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(v)
	} else {
		err = printVerified(g.stdout, v)
	}
	if err == nil && len(v.Findings) > 0 {
		return errTold
	}
	return err
}

func printVerified(out io.Writer, v audit.Verified) error {
	for _, f := range v.Findings {
		fmt.Fprintln(out, printable(f.String()))
	}
	if v.Further > 0 {
		fmt.Fprintf(out, "and %d more\n", v.Further)
	}
	for _, note := range v.Notes {
		fmt.Fprintln(out, "note:", note)
	}
	verdict := "nothing was changed"
	if len(v.Findings) > 0 {
		verdict = "NOT IN ORDER"
	}
	_, err := fmt.Fprintf(out, "%d records, from %d to %d: %s\n%s\n", v.Records, v.First, v.Number, verdict, audit.Anchor{Number: v.Number, Hash: v.Hash})
	return err
}
