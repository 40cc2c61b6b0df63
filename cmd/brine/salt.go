package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/lake"
	"brine/salt"
	"brine/sanitize"
)

// saltCmd is what an operator does with salts. All of it is safe beside a running brine, and twice at
// once: the salts folder has a lock of its own.
type saltCmd struct {
	Status  saltStatusCmd  `cmd:"" help:"Tell how the salts stand."`
	Rotate  saltRotateCmd  `cmd:"" help:"Destroy what is due and make what is needed soon."`
	Destroy saltDestroyCmd `cmd:"" help:"Destroy one salt before its time."`
}

// Help is shown below the flags.
func (*saltCmd) Help() string {
	return `Salts are the keys of pseudonyms: one for each period, destroyed a while after it.

Example:
  brine salt status --config /etc/brine/brine.yaml`
}

// saltFlags are the flags of all of them.
type saltFlags struct {
	dataFlag
	JSON bool `help:"Print JSON."`
}

// loadConfig reads the config alone: a broken schema must not keep a salt from being destroyed, or a user from being removed.
func (f dataFlag) loadConfig() (*config.Config, error) {
	cfg, err := config.Load(f.path())
	if err != nil {
		return nil, err
	}
	if f.Data != "" {
		cfg.Data = f.Data
	}
	return cfg, nil
}

func (f saltFlags) open() (*config.Config, *salt.Folder, error) {
	cfg, err := f.loadConfig()
	if err != nil {
		return nil, nil, err
	}
	folder, err := openSalts(cfg, time.Now)
	return cfg, folder, err
}

type saltStatusCmd struct{ saltFlags }

// Help is shown below the flags.
func (*saltStatusCmd) Help() string {
	return `Each salt with its period, state, fingerprint and when it is destroyed; never the salt. Exit code 1 when something is wrong.

Example:
  brine salt status --config /etc/brine/brine.yaml`
}

// Run prints the status.
func (c *saltStatusCmd) Run(g *globals) error {
	_, folder, err := c.open()
	if err != nil {
		return err
	}
	st := folder.Status()
	if c.JSON {
		err = json.NewEncoder(g.stdout).Encode(st)
	} else {
		err = printSalts(g.stdout, st)
	}
	if err == nil && len(st.Faults) > 0 {
		return errTold
	}
	return err
}

func printSalts(out io.Writer, st salt.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SALT\tSTATE\tFINGERPRINT\tDESTROYED AT")
	for _, s := range st.Salts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Salt, s.State, s.Fingerprint, minute(s.Deletion.UnixMilli()))
	}
	if len(st.Salts) == 0 {
		fmt.Fprintln(w, "there is no salt in "+st.Dir)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if st.NextRotation != nil {
		fmt.Fprintf(out, "the salt in force gives way to the next at %s\n", minute(st.NextRotation.UnixMilli()))
	}
	if st.Next != nil {
		fmt.Fprintf(out, "next: %s %s at %s\n", st.Next.Do, st.Next.Salt, minute(st.Next.At.UnixMilli()))
	}
	for _, fault := range st.Faults {
		fmt.Fprintf(out, "NOT IN ORDER: %s\n", fault)
	}
	return nil
}

type saltRotateCmd struct {
	saltFlags
	Now    time.Time `placeholder:"TIME" help:"Act as if it were then (RFC 3339). What was due by then is destroyed for good."`
	DryRun bool      `help:"Only say what would be done."`
}

// Help is shown below the flags.
func (*saltRotateCmd) Help() string {
	return `Destroys the salts whose time has passed, and makes those that are needed within 3 days. A running brine does the same by
itself, unless salts.manage is external. Made for cron, systemd or Puppet: run it at any time, as often as you like, also twice at once.

Examples:
  brine salt rotate --config /etc/brine/brine.yaml
  brine salt rotate --dry-run --now 2027-01-03T00:00:00Z`
}

// saltRotation is what a rotation did.
type saltRotation struct {
	DryRun bool        `json:"dry_run"`
	Steps  []salt.Step `json:"steps"` // in their order
	Error  string      `json:"error,omitempty"`
}

// Run rotates.
func (c *saltRotateCmd) Run(g *globals) error {
	cfg, folder, err := c.open()
	if err != nil {
		return err
	}
	if !c.DryRun && !cfg.Salts.External() {
		if err := makeFolder(cfg.Data); err != nil {
			return fmt.Errorf("make the data folder: %w", err)
		}
	}
	now := c.Now
	if now.IsZero() {
		now = time.Now()
	}
	steps, err := folder.Rotate(now, c.DryRun)
	if !c.DryRun && len(steps) > 0 {
		err = errors.Join(err, recordSalts(cfg, steps))
	}
	report := saltRotation{DryRun: c.DryRun, Steps: append([]salt.Step{}, steps...)}
	if !c.JSON {
		report.print(g.stdout)
		return err
	}
	if err != nil {
		report.Error = err.Error()
	}
	return errors.Join(json.NewEncoder(g.stdout).Encode(report), err)
}

func recordSalts(cfg *config.Config, steps []salt.Step) error {
	record, err := recorderOf(cfg)
	if err != nil {
		return err
	}
	return record.saltSteps(osUser(), steps)
}

func (r saltRotation) print(out io.Writer) {
	would := ""
	if r.DryRun {
		would = "would "
	}
	for _, s := range r.Steps {
		fmt.Fprintln(out, strings.TrimSpace(would+string(s.Do)+" "+s.Salt+" "+s.Fingerprint))
	}
	if len(r.Steps) == 0 {
		fmt.Fprintln(out, "nothing is due")
	}
}

type saltDestroyCmd struct {
	saltFlags
	Name string `arg:"" help:"Which: START_END_DELETION, as brine salt status prints it."`
	Yes  bool   `help:"Do it without asking."`
}

// Help is shown below the flags.
func (*saltDestroyCmd) Help() string {
	return `Destroys a salt before its time, as when somebody may have seen it; or gives up one that is lost. It cannot be undone. What is not
sanitized by then of the hours that have begun can only be backfilled. The next rotation makes a salt for the hours after this one.

Example:
  brine salt destroy 2026100100_2027010100_2027010300 --yes`
}

// unsanitizedHours is [countUnsanitized], but in tests.
var unsanitizedHours = countUnsanitized

// unsanitized counts the hours of a period that hold raw events which are not sanitized.
type unsanitized struct {
	whole int // without the salt they can be backfilled
	begun int // without the salt what is not sanitized of them is lost
}

func countUnsanitized(g *globals, cfg *config.Config, period salt.Period) (n unsanitized, err error) {
	if _, err := os.Stat(cfg.Data); errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	w := sanitizeWork{From: period.Start, To: period.End, DryRun: true}
	var done sanitized
	err = askWork(g.ctx, cfg.Data, "/sanitize", w, func(int, int) {}, &done)
	if nobodyServes(err) {
		done, err = sanitizeAtRest(g.ctx, cfg, w)
	}
	for _, h := range done.Hours {
		switch {
		case h.Begun:
			n.begun++
		case h.State == sanitize.Waiting:
			n.whole++
		}
	}
	return n, err
}

// sanitizeAtRest looks at a data folder that nobody serves, and changes nothing.
func sanitizeAtRest(ctx context.Context, cfg *config.Config, w sanitizeWork) (done sanitized, err error) {
	registry, err := event.LoadRegistry(cfg.Schemas)
	if err != nil {
		return done, err
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return done, err
	}
	l, err := openLake(ctx, cfg, lake.Options{Tables: tables(streams)})
	if err != nil {
		return done, err
	}
	defer l.Close()
	salts, err := openSalts(cfg, time.Now)
	if err != nil {
		return done, err
	}
	return newSanitizer(cfg, streams, l, salts, newLogger(io.Discard)).do(ctx, cfg, w, nil)
}

// Run destroys, once it is confirmed.
func (c *saltDestroyCmd) Run(g *globals) error {
	cfg, folder, err := c.open()
	if err != nil {
		return err
	}
	period, err := salt.ParseName(c.Name)
	if err != nil {
		return wrongUse{fmt.Errorf("%s: %w", c.Name, err)}
	}
	warnUnsanitized(g, cfg, period)
	if err := c.confirm(g); err != nil {
		return err
	}
	rec, err := folder.Destroy(c.Name)
	if err != nil {
		return err
	}
	if err := recordCommand(cfg, audit.Salt, "brine salt destroy", fmt.Sprintf("%s %s %s", rec.What, rec.Salt, rec.Fingerprint)); err != nil {
		fmt.Fprintf(g.stderr, "it is done, and not in the audit: %v\n", err) // whatever is broken must not keep a salt from being destroyed
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(rec)
	}
	_, err = fmt.Fprintf(g.stdout, "%s %s %s\n", rec.What, rec.Salt, rec.Fingerprint)
	return err
}

func warnUnsanitized(g *globals, cfg *config.Config, period salt.Period) {
	hours, err := unsanitizedHours(g, cfg, period)
	if err != nil { // whatever is broken must not keep a salt from being destroyed
		fmt.Fprintf(g.stderr, "it cannot be told whether hours of %s are not sanitized yet: %v\n", period.Name(), err)
		return
	}
	if hours.whole > 0 {
		fmt.Fprintf(g.stderr, "%d hours of %s are not sanitized yet: without it they can only be backfilled\n", hours.whole, period.Name())
	}
	if hours.begun > 0 {
		fmt.Fprintf(g.stderr, "%d hours of %s are sanitized in part: without it the rest of them, as of a late import, can never be\n", hours.begun, period.Name())
	}
}

// confirm wants the salt's name once more from a person, or --yes from a script.
func (c *saltDestroyCmd) confirm(g *globals) error {
	if c.Yes {
		return nil
	}
	in, ok := g.stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return fmt.Errorf("destroying %s cannot be undone: say --yes", c.Name)
	}
	fmt.Fprint(g.stderr, "This cannot be undone. Type the name of the salt to destroy it: ")
	line, err := bufio.NewReader(in).ReadString('\n')
	if strings.TrimSpace(line) != c.Name {
		return errors.Join(errors.New("not destroyed"), err)
	}
	return nil
}
