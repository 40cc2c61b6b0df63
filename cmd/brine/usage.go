package main

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"github.com/alecthomas/kong"
)

// wrongUse is an error of a command that was asked for what cannot be: exit code 2. What the command line alone
// shows to be wrong is found by a command's Validate, before it runs.
type wrongUse struct{ error }

func (e wrongUse) Unwrap() error { return e.error }

// timeFlag reads the times of flags.
func timeFlag(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("time", &text); err != nil {
		return err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fmt.Errorf("%q is no time: write it like 2026-11-21T13:00:00Z (RFC 3339)", text)
	}
	target.Set(reflect.ValueOf(t))
	return nil
}

// errEraseUse is what is wrong with any command line of erase. What stands there may be an install id, so it is not told.
var errEraseUse = errors.New("erase: there is something on the command line that does not belong there. An install id is read from standard input: " +
	"others on this machine see command lines, and shells keep them. If it was an id, take it out of the shell's history")

// tellMistake says what is wrong with a command line.
func tellMistake(w io.Writer, args []string, err error) {
	if slices.Contains(args, "erase") {
		err = errEraseUse
	}
	fmt.Fprintf(w, "brine: %v\nTry brine --help.\n", err)
}

// Validate finds what the demo cannot do.
func (c *demoCmd) Validate() error {
	return errors.Join(onLoopback("public", c.Public), onLoopback("private", c.Private))
}

// Validate finds a language that there is not, and forms that --diff has not.
func (c *policyCmd) Validate() error {
	if c.Diff != "" && c.HTML {
		return errors.New("--diff prints text, or with --json JSON")
	}
	_, err := c.language()
	return err
}

// Validate finds numbers that make no history.
func (c *simulateCmd) Validate() error {
	for _, n := range []struct {
		flag         string
		value, least int
	}{{"days", c.Days, 1}, {"per-day", c.PerDay, 1}, {"installs", c.Installs, 0}, {"rare", c.Rare, 0}} {
		if n.value < n.least {
			return fmt.Errorf("--%s=%d: give at least %d", n.flag, n.value, n.least)
		}
	}
	return nil
}

// Validate finds wishes that do not go together.
func (c *sanitizeCmd) Validate() error {
	if c.Tighten && (c.Stale || c.Backfill || c.Stream != "" || !c.From.IsZero() || !c.To.IsZero()) {
		return errors.New("--tighten is for all that is sanitized: give it no other wish than --dry-run")
	}
	return anyHour(c.From, c.To)
}

// Validate finds a range without an hour.
func (c *kpiRebuildCmd) Validate() error { return anyHour(c.From, c.To) }

// anyHour finds --from that is not before --to, where both are given.
func anyHour(from, to time.Time) error {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return errors.New("--from is not before --to, so there is no hour between them: swap the two")
	}
	return nil
}
