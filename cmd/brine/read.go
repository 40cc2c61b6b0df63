package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"brine/access/audit"
	"brine/access/gate"
	"brine/console"
	"brine/lake"
)

// readCmd reads what the private door gives, without the door.
type readCmd struct {
	dataFlag
	Stream  string `arg:"" help:"The stream to read, like interaction."`
	Dataset string `default:"sanitized" enum:"sanitized,raw,rejected,quarantine" help:"sanitized, as at the private door, or raw, rejected or quarantine."`
	From    string `help:"The first event time, inclusive: RFC 3339 or milliseconds."`
	To      string `help:"The last event time, exclusive."`
	Format  string `default:"ndjson" enum:"ndjson,json,csv,parquet" help:"ndjson, json (one page), csv or parquet."`
	Limit   string `help:"Events of a page of json."`
	Cursor  string `help:"Where a page of json begins: the next of the page before."`
	Purpose string `placeholder:"TEXT" help:"What it is for, which is recorded; needed for all but sanitized."`
}

// Help is shown below the flags.
func (*readCmd) Help() string {
	return `Prints events ordered by time and id: those of the last closed hours and before, sanitized; with --dataset raw as they were sent, up to some seconds ago.
Who reads, what and what for is recorded before the first event is printed: see brine audit.

Examples:
  brine read interaction | jq .language
  brine read interaction --dataset raw --purpose "ticket 123, why users stop at the code" --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z | jq .event_stream`
}

var mediaTypes = map[string]string{
	"ndjson": "application/x-ndjson", "json": "application/json", "csv": "text/csv", "parquet": "application/vnd.apache.parquet",
}

// Run reads. It asks the private door's own handler, so that both give the same.
func (c *readCmd) Run(g *globals) (err error) {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	if _, ok := streams[c.Stream]; !ok && c.Dataset != lake.Quarantine {
		return errUnknownStream(c.Stream, cfg)
	}
	if err := mustExist(cfg.Data); err != nil {
		return err
	}
	all := tables(streams)
	if c.Dataset == lake.Sanitized {
		plans, err := compilePlans(cfg, streams)
		if err != nil {
			return fmt.Errorf("the allowlist says what columns there are, and is broken:\n%w", err)
		}
		all = append(all, sanitizedTables(plans)...)
	}
	temp, err := os.MkdirTemp("", "brine-read-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	l, err := openLake(g.ctx, cfg, lake.Options{Temp: temp, Tables: all, Logger: newLogger(g.stderr)})
	if err != nil {
		return err
	}
	defer l.Close()
	defer func() {
		if p := recover(); p != nil {
			err = cutShort(g.ctx, p)
		}
	}()
	log, err := openAudit(cfg.Data, nil)
	if err != nil {
		return fmt.Errorf("a read that cannot be recorded is refused: %w", err)
	}
	out := &answer{out: g.stdout, header: http.Header{}, status: http.StatusOK}
	(&console.Server{Lake: l, Temp: temp, Logger: newLogger(g.stderr), Begin: c.begin(log)}).Local().ServeHTTP(out, c.request(g))
	return out.err()
}

// begin makes the record of what is read. A read is refused where that cannot be written.
func (c *readCmd) begin(log *audit.Log) func(audit.Record) (func(int64, string) error, error) {
	return func(r audit.Record) (func(int64, string) error, error) {
		r.Who, r.Via, r.Route, r.Purpose = osUser(), "", "brine read", strings.TrimSpace(c.Purpose)
		read, err := log.BeginRead(r)
		if err != nil {
			return nil, err
		}
		return read.End, nil
	}
}

// Validate refuses to read without a purpose what did not pass the allowlist.
func (c *readCmd) Validate() error {
	if c.Dataset == lake.Sanitized && c.Purpose == "" {
		return nil
	}
	if c.Purpose == "" {
		return fmt.Errorf("a read of %s needs a purpose, which is recorded: --purpose \"ticket 123, why users stop at the code\"", c.Dataset)
	}
	if err := gate.CheckPurpose(c.Purpose); err != nil {
		return fmt.Errorf("--purpose: %w", err)
	}
	return nil
}

// cutShort is the error of an answer that ended with a panic, which is how the door cuts one short.
func cutShort(ctx context.Context, p any) error {
	switch {
	case p != http.ErrAbortHandler:
		panic(p)
	case ctx.Err() != nil:
		return errors.New("the read was interrupted: what was printed is not all")
	}
	return errors.New("the read broke off: what was printed is not all")
}

func (c *readCmd) request(g *globals) *http.Request {
	values := url.Values{"dataset": {c.Dataset}}
	for name, value := range map[string]string{"from": c.From, "to": c.To, "limit": c.Limit, "cursor": c.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	u := &url.URL{Path: "/api/v1/events/" + c.Stream, RawQuery: values.Encode()}
	r := &http.Request{Method: http.MethodGet, URL: u, Host: "localhost", Header: http.Header{"Accept": {mediaTypes[c.Format]}}}
	return r.WithContext(g.ctx)
}

// answer is a response that is printed where it is a success.
type answer struct {
	out    io.Writer
	header http.Header
	status int
	reason []byte
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(b []byte) (int, error) {
	if a.status >= http.StatusBadRequest {
		a.reason = append(a.reason, b...)
		return len(b), nil
	}
	return a.out.Write(b)
}

func (a *answer) err() error {
	if a.status == http.StatusBadRequest {
		return wrongUse{errors.New(reasonOf(a.reason))}
	}
	if a.status > http.StatusBadRequest {
		return errors.New(reasonOf(a.reason))
	}
	return nil
}
