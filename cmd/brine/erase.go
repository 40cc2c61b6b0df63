package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/erasure"
	"brine/event"
)

// eraseCmd erases one install.
type eraseCmd struct {
	dataFlag
	JSON    bool   `help:"Print JSON."`
	Wait    bool   `help:"Return when it is complete, which takes up to 26 hours, rather than when it is removed from files."`
	Receipt string `placeholder:"NUMBER" help:"Erase nothing; print how this one stands."`
}

// Help is shown below the flags.
func (*eraseCmd) Help() string {
	return `Reads one install id from standard input and takes its events out of every stream that has a unit: raw, sanitized where the
salt lives, quarantine. Prints a receipt, which never holds the id. It is complete when the log of the day is gone, which a serving
brine sees to; a brine that is serving from the same data folder does the work.

Examples:
  brine erase < id.txt
  brine erase --receipt 5f0c9be2a71d4e0f8a3b6c5d7e9f1a2b`
}

// Run erases.
func (c *eraseCmd) Run(g *globals) error {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	if err := mustExist(cfg.Data); err != nil {
		return err
	}
	var receipt erasure.Receipt
	if c.Receipt != "" {
		receipt, err = erasure.ReadReceipt(filepath.Join(cfg.Data, erasuresFolder), filepath.Join(cfg.Data, receiptsFolder), c.Receipt)
	} else if receipt, err = c.erase(g, cfg, registry); err == nil {
		if err := recordCommand(cfg, audit.Erasure, "brine erase", "receipt "+receipt.Number+": "+string(receipt.State)); err != nil {
			fmt.Fprintf(g.stderr, "it is not in the audit: %v\n", err) // which must not keep anybody from being forgotten
		}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(receipt)
	}
	return printReceipt(g.stdout, receipt)
}

func (c *eraseCmd) erase(g *globals, cfg *config.Config, registry *event.Registry) (receipt erasure.Receipt, err error) {
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return receipt, err
	}
	if !anyUnit(streams) {
		return receipt, errNoUnit
	}
	unit, err := readUnit(g.stdin)
	if err != nil {
		return receipt, err
	}
	data, err := openDataDir(cfg.Data)
	if errors.Is(err, errLocked) {
		return c.askToErase(g.ctx, cfg, unit)
	}
	if err != nil {
		return receipt, err
	}
	defer data.Close()
	return c.eraseHere(g, cfg, data, streams, unit)
}

// readUnit reads one id. A final line break is not part of it.
func readUnit(in io.Reader) ([]byte, error) {
	unit, err := io.ReadAll(io.LimitReader(in, erasure.MaxUnit+2))
	if err != nil {
		return nil, fmt.Errorf("read the install id: %w", err)
	}
	unit = bytes.TrimSuffix(bytes.TrimSuffix(unit, []byte("\n")), []byte("\r"))
	if len(unit) == 0 || len(unit) > erasure.MaxUnit {
		return nil, fmt.Errorf("%w; it is read from standard input", erasure.ErrUnit)
	}
	if bytes.ContainsAny(unit, "\r\n") {
		return nil, errors.New("standard input holds more than one line: give one install id")
	}
	return unit, nil
}

// askEvery is how often a waiting command looks.
const askEvery = time.Second

// askToErase lets the brine that serves do it.
func (c *eraseCmd) askToErase(ctx context.Context, cfg *config.Config, unit []byte) (receipt erasure.Receipt, err error) {
	err = askSocket(ctx, cfg.Data, "POST", "/erasures", bytes.NewReader(unit), &receipt)
	for err == nil && !c.enough(receipt) {
		select {
		case <-ctx.Done():
			return receipt, nil // it goes on without this command
		case <-time.After(askEvery):
		}
		err = askSocket(ctx, cfg.Data, "GET", "/erasures/"+receipt.Number, nil, &receipt)
	}
	if errors.Is(err, errStopped) && receipt.Number != "" {
		return receipt, nil // the next start takes it up
	}
	return receipt, err
}

// enough says whether a receipt is as far as was asked for.
func (c *eraseCmd) enough(r erasure.Receipt) bool {
	return r.State == erasure.Complete || r.State == erasure.Removed && !c.Wait
}

// eraseHere does it in a data folder that nobody serves, as far as it can be done without the next day's log.
func (c *eraseCmd) eraseHere(g *globals, cfg *config.Config, data *dataDir, streams map[string]*event.Stream, unit []byte) (receipt erasure.Receipt, err error) {
	if c.Wait {
		return receipt, errors.New("--wait needs a serving brine, which sees to the log of the next day")
	}
	receipt, err = c.eraseIn(g, cfg, data, streams, unit)
	if err != nil {
		return receipt, err
	}
	own, err := openOwnLake(g.ctx, cfg, data, streams) // takes away the files that hold the rows still
	if err != nil {
		return receipt, err
	}
	return receipt, own.close()
}

func (c *eraseCmd) eraseIn(g *globals, cfg *config.Config, data *dataDir, streams map[string]*event.Stream, unit []byte) (receipt erasure.Receipt, err error) {
	own, s, err := openOwnSanitizer(g.ctx, cfg, data, streams)
	if err != nil {
		return receipt, err
	}
	defer func() { err = errors.Join(err, own.close()) }()
	if s.record, err = recorderOf(cfg); err != nil {
		return receipt, err
	}
	all, err := openErasures(cfg, own.log, s, s.record, nil, s.logger)
	if err != nil {
		return receipt, err
	}
	number, err := all.Accept(string(unit), false)
	if err == nil {
		err = all.Step(g.ctx)
	}
	if err != nil {
		return receipt, fmt.Errorf("%w; it is accepted, and goes on when brine serves", err)
	}
	return all.Receipt(number)
}

func printReceipt(out io.Writer, r erasure.Receipt) error {
	fmt.Fprintf(out, "receipt %s: %s", r.Number, r.State)
	if r.CompleteBy != "" {
		fmt.Fprintf(out, ", complete by %s while brine serves", r.CompleteBy)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, gone := range r.Removed {
		fmt.Fprintf(w, "removed\t%s\t%s\t%d events; hours: %d\n", gone.Dataset, gone.Stream, gone.Rows, gone.Hours)
	}
	if len(r.Removed) == 0 && r.State != erasure.Accepted {
		fmt.Fprintln(w, "nothing was found")
	}
	for _, c := range r.Outlets {
		fmt.Fprintf(w, "outlet\t%s: %s\n", c.Outlet, c.State)
	}
	for _, o := range r.OutOfReach {
		where := strings.TrimSpace(o.Dataset + " " + o.Stream)
		if o.Hours > 0 {
			where += fmt.Sprintf(" (hours: %d)", o.Hours)
		}
		if where != "" {
			where += ": "
		}
		fmt.Fprintf(w, "out of reach\t%s%s\n", where, o.Why)
	}
	return w.Flush()
}
