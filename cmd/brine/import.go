package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"brine/access/audit"
	"brine/config"
	"brine/event"
	"brine/lake"
)

// importCmd files events of the past.
type importCmd struct {
	dataFlag
	Stream string `arg:"" help:"The stream that the events belong to, like interaction."`
	JSON   bool   `help:"Print JSON."`
}

// Help is shown below the flags.
func (*importCmd) Help() string {
	return `Reads NDJSON from standard input: one event a line. Each is filed under the hour of its own time, without the
7-day rule; what is older than the raw window (retention.raw.max_age), or over 1 hour in the future, is refused and counted. The same input a second time adds nothing.
A brine that is serving from the same data folder does the work.

Example:
  brine simulate --days 30 --per-day 5000 | brine import interaction`
}

// importReport is what an import did.
type importReport struct {
	lake.Imported
	TooOld   int64           `json:"too_old"`  // older than the raw window
	Refused  int64           `json:"refused"`  // not an event of this stream
	Problems []importProblem `json:"problems"` // of the first few that were refused
}

type importProblem struct {
	Line int64 `json:"line"`
	*event.Problem
}

// Run imports.
func (c *importCmd) Run(g *globals) error {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	s, ok := streams[c.Stream]
	if !ok {
		return errUnknownStream(c.Stream, cfg)
	}
	var report importReport
	err = commanded(cfg, audit.Record{Route: "brine import", Dataset: lake.Raw, Stream: c.Stream}, func() (string, error) {
		report, err = c.importInto(g, cfg, streams, s)
		return report.String(), err
	})
	if err != nil {
		return err
	}
	if err := report.print(g, c.JSON); err != nil {
		return err
	}
	if report.Refused > 0 {
		return errTold
	}
	return nil
}

func errUnknownStream(name string, cfg *config.Config) error {
	return wrongUse{fmt.Errorf("no stream %q; there are: %s", name, strings.Join(cfg.StreamNames(), ", "))}
}

func (c *importCmd) importInto(g *globals, cfg *config.Config, streams map[string]*event.Stream, s *event.Stream) (report importReport, err error) {
	in := showProgress(g, "importing", g.stdin)
	defer in.done()
	data, err := openDataDir(cfg.Data)
	if errors.Is(err, errLocked) {
		err = askSocket(g.ctx, cfg.Data, "POST", "/import/"+c.Stream, in, &report)
		if errors.Is(err, errStopped) {
			err = fmt.Errorf("%w: run the import again, nothing is counted twice", err)
		}
		return report, err
	}
	if err != nil {
		return report, err
	}
	defer data.Close()
	l, err := openOwnLake(g.ctx, cfg, data, streams)
	if err != nil {
		return report, err
	}
	defer l.close()
	return importEvents(g.ctx, l.lake, s, in, data.tmp(), oldestImport(cfg))
}

// oldestImport is the start of the first hour that is not due to be purged.
func oldestImport(cfg *config.Config) time.Time {
	if cfg.Retention.Raw.MaxAge == 0 {
		return time.Time{}
	}
	return time.Now().Add(-cfg.Retention.Raw.MaxAge).Truncate(time.Hour).Add(time.Hour)
}

// maxAhead is how far ahead of this machine's clock an event may be. What is further ahead has a
// wrong unit more often than a wrong clock, and would stay until its own year.
const maxAhead = time.Hour

func inFuture(s *event.Stream) *event.Problem {
	path := "/" + strings.ReplaceAll(s.Time, ".", "/")
	return &event.Problem{Code: event.CodeTime, Path: path, Message: "expected a time not over 1 hour in the future"}
}

// maxImportLine is how long a line of an import may be.
const maxImportLine = 1 << 20

// problemsShown bounds how many refused lines are told one by one.
const problemsShown = 10

// importEvents validates the input into a spool file, as the SHA-256 of what is good in it is known only
// at its end, and then files that.
func importEvents(ctx context.Context, l *lake.Lake, s *event.Stream, in io.Reader, tmp string, oldest time.Time) (report importReport, err error) {
	t, err := l.Table(lake.Raw, s.Name)
	if err != nil {
		return report, err
	}
	spool, err := os.CreateTemp(tmp, "import-*.spool")
	if err != nil {
		return report, err
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	w := bufio.NewWriterSize(spool, 1<<20)
	source, err := spoolEvents(s, in, w, oldest, &report)
	if err != nil {
		return report, err
	}
	if err := w.Flush(); err != nil {
		return report, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return report, err
	}
	var unread error
	report.Imported, err = l.Import(ctx, t, source, spooled(spool, &unread))
	return report, errors.Join(err, unread)
}

// spoolEvents writes each good line as a record, and gives the SHA-256 of these lines. Which are good changes with the clock and the schemas: the same
// input is another source then, and what it has more is stored. An event without an id has one of all lines up to its own, so that it is known again.
func spoolEvents(s *event.Stream, in io.Reader, w io.Writer, oldest time.Time, report *importReport) (source string, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxImportLine)
	read, good := sha256.New(), sha256.New()
	arrival := &event.Arrival{Now: time.Now(), NewID: func() [16]byte { return event.DerivedID([32]byte(read.Sum(nil))) }, AnyAge: true}
	newest := arrival.Now.Add(maxAhead).UnixMilli()
	var text, row, record []byte
	for n := int64(1); lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		text = append(append(text[:0], line...), '\n')
		read.Write(text)
		var key event.Key
		var problem *event.Problem
		row, key, problem = appendWhole(s, row[:0], line, arrival)
		switch {
		case problem != nil:
			report.refuse(n, problem)
			continue
		case key.Time < oldest.UnixMilli():
			report.TooOld++
			continue
		case key.Time > newest:
			report.refuse(n, inFuture(s))
			continue
		}
		good.Write(text)
		record = event.AppendRecord(record[:0], event.Record{Dataset: lake.Raw, Stream: s.Name, Key: key, Row: row})
		if _, err := w.Write(record); err != nil {
			return "", err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return "", fmt.Errorf("a line is longer than %d bytes: is this NDJSON, one event a line?", maxImportLine)
	}
	return hex.EncodeToString(good.Sum(nil)), lines.Err()
}

// appendWhole takes a line that must be one event and nothing else.
func appendWhole(s *event.Stream, dst, line []byte, a *event.Arrival) ([]byte, event.Key, *event.Problem) {
	row, key, n, problem := s.Append(dst, line, a)
	if problem == nil && n != len(line) {
		problem = &event.Problem{Code: event.CodeSyntax, Message: "expected one event a line and nothing after it"}
	}
	return row, key, problem
}

func (r *importReport) refuse(line int64, p *event.Problem) {
	r.Refused++
	if len(r.Problems) < problemsShown {
		r.Problems = append(r.Problems, importProblem{line, p})
	}
}

// spooled reads the records back.
func spooled(spool io.Reader, failed *error) iter.Seq2[event.Key, []byte] {
	return func(yield func(event.Key, []byte) bool) {
		lines := bufio.NewScanner(spool)
		lines.Buffer(make([]byte, 64<<10), 2*maxImportLine)
		for lines.Scan() {
			for r, err := range event.Records(bytes.Clone(lines.Bytes())) {
				if err != nil {
					*failed = err
					return
				}
				if !yield(r.Key, r.Row) {
					return
				}
			}
		}
		if err := lines.Err(); err != nil {
			*failed = err
		}
	}
}

func (r importReport) print(g *globals, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(g.stdout).Encode(r)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(g.stdout, "line %d: %v\n", p.Line, p.Problem)
	}
	_, err := fmt.Fprintln(g.stdout, r)
	return err
}

func (r importReport) String() string {
	return fmt.Sprintf("%d stored, %d known already, %d older than the raw window, %d refused", r.Stored, r.Known, r.TooOld, r.Refused)
}
