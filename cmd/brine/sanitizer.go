package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"text/tabwriter"
	"time"

	"brine/config"
	"brine/event"
	"brine/lake"
	"brine/salt"
	"brine/sanitize"
)

// sanitizer is the allowlist in force and the job that follows it.
type sanitizer struct {
	streams map[string]*event.Stream
	lake    *lake.Lake
	salts   *salt.Folder
	job     *sanitize.Job
	logger  *slog.Logger
	record  recorder // of what was tightened

	measuring sync.Mutex // held by who measures the risk

	mu    sync.Mutex
	plans map[string]*sanitize.Plan
	fault error // of the allowlist that was read last; where there is none in force, the job stands still
}

// newSanitizer compiles the allowlist. One with mistakes stops the job, not the process: events are
// still taken, and [sanitizer.Err] says why none is sanitized.
func newSanitizer(cfg *config.Config, streams map[string]*event.Stream, l *lake.Lake, salts *salt.Folder, logger *slog.Logger) *sanitizer {
	s := &sanitizer{streams: streams, lake: l, salts: salts, logger: logger}
	s.job = &sanitize.Job{Lake: l, Salts: salts.For, Plans: s.inForce, Logger: logger}
	s.take(cfg)
	return s
}

// take puts the allowlist that the config names in force. One with mistakes leaves the one before.
func (s *sanitizer) take(cfg *config.Config) {
	plans, err := compilePlans(cfg, s.streams)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault = err; err != nil {
		s.logger.Error("the allowlist is broken: "+s.consequence(), "err", err)
		return
	}
	s.plans = plans
	if s.lake == nil { // a collector's: its policy page tells of the allowlist
		return
	}
	for _, t := range sanitizedTables(plans) {
		s.lake.SetTable(t)
	}
}

func (s *sanitizer) consequence() string {
	if s.plans == nil {
		return "nothing is sanitized until it is mended"
	}
	return "the one before stays in force"
}

// compilePlans reads the allowlist and compiles it for every stream.
func compilePlans(cfg *config.Config, streams map[string]*event.Stream) (map[string]*sanitize.Plan, error) {
	list, err := loadAllowlist(cfg)
	if err != nil {
		return nil, err
	}
	if mistakes, _ := sanitize.Check(list, streams, allowlistOptions(cfg)); len(mistakes) > 0 {
		return nil, mistakes
	}
	plans := map[string]*sanitize.Plan{}
	for name, stream := range streams {
		if plans[name], err = sanitize.Compile(stream, list, allowlistOptions(cfg)); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

func sanitizedTables(plans map[string]*sanitize.Plan) (tables []lake.Table) {
	for _, p := range plans {
		tables = append(tables, sanitize.Table(p))
	}
	return tables
}

func (s *sanitizer) inForce() (map[string]*sanitize.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.plans == nil {
		return nil, s.fault
	}
	return s.plans, nil
}

// Err is what is wrong with the allowlist, nil when it is in force as it stands in its file.
func (s *sanitizer) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// sanitizeEvery is how often closed hours are looked for.
const sanitizeEvery = 10 * time.Second

// run sanitizes each hour once it is closed, until the context ends.
func (s *sanitizer) run(ctx context.Context) {
	tick := time.NewTicker(sanitizeEvery)
	defer tick.Stop()
	for {
		if _, err := s.job.Run(ctx, sanitize.Request{}); err != nil && ctx.Err() == nil && s.Err() == nil {
			s.logger.Error("cannot sanitize: trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// at is the job as it would be at a time: with the salts of then.
func (s *sanitizer) at(cfg *config.Config, now time.Time) (*sanitize.Job, error) {
	if now.IsZero() {
		return s.job, nil
	}
	folder, err := openSalts(cfg, func() time.Time { return now })
	if err != nil {
		return nil, err
	}
	return &sanitize.Job{Lake: s.lake, Salts: folder.For, Plans: s.inForce, Logger: s.logger}, nil
}

// sanitizeStatus is how the hours stand, for brine status.
type sanitizeStatus struct {
	Streams []sanitize.Backlog `json:"streams"`
	Error   string             `json:"error,omitempty"` // of the allowlist
}

func (s *sanitizer) status(ctx context.Context) *sanitizeStatus {
	st := &sanitizeStatus{}
	var err error
	st.Streams, err = s.job.Backlogs(ctx)
	if err = errors.Join(s.Err(), err); err != nil {
		st.Error = err.Error()
	}
	return st
}

func (s *sanitizeStatus) print(out io.Writer) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Streams) > 0 {
		fmt.Fprintln(w, "HOURS OF\tSANITIZED\tWAITING\tSTALE\tLOST\tFAILED")
	}
	for _, b := range s.Streams {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", b.Stream, b.Sanitized, b.Waiting, b.Stale, b.Lost, b.Failed)
	}
	for _, b := range s.Streams {
		for _, f := range b.Failures {
			fmt.Fprintf(w, "not sanitized: %s: %s\n", f.Hour, f.Error)
		}
	}
	if s.Error != "" {
		fmt.Fprintf(w, "THE ALLOWLIST IS BROKEN: %s\n", s.Error)
	}
	return w.Flush()
}
