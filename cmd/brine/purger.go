package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"brine/access/audit"
	"brine/canary"
	"brine/config"
	"brine/eventlog"
	"brine/lake"
	"brine/sanitize"
)

// purger keeps the retention of the config.
type purger struct {
	cfg         *config.Config
	lake        *lake.Lake
	log         groupLog // tells whether the clock can be trusted
	tmp         string
	unsanitized func(context.Context) (func(stream string, hour time.Time) bool, error)
	logger      *slog.Logger
	audit       *audit.Log // is purged too, and told of what went; nil: neither

	one sync.Mutex // purge at a time

	mu   sync.Mutex // guards what follows
	last *purged    // that dropped something, or was stopped
	err  error      // of the last one by this server
	told string     // what was logged of it
}

// retention is what the config says of the lake.
func retention(cfg *config.Config) lake.Retention {
	r := cfg.Retention
	return lake.Retention{Guard: r.Guard, Limits: map[string]lake.Limit{
		lake.Raw:        {MaxAge: r.Raw.MaxAge, MaxBytes: int64(r.Raw.MaxBytes), DropUnsanitized: r.Raw.DropUnsanitized},
		lake.Quarantine: {MaxAge: r.Raw.MaxAge},
		lake.Sanitized:  {MaxAge: r.Sanitized.MaxAge, MaxBytes: int64(r.Sanitized.MaxBytes)},
		lake.Rejected:   {MaxAge: r.Rejected.MaxAge, MaxBytes: int64(r.Rejected.MaxBytes)},
		lake.Canary:     {MaxAge: canary.Retention},
	}}
}

// do purges as a command or the server asks, in whichever process has the data folder.
func (p *purger) do(ctx context.Context, w purgeWork, progress func(done, of int)) (done purged, err error) {
	p.one.Lock()
	defer p.one.Unlock()
	now := w.Now
	if now.IsZero() {
		if err := p.log.Err(); errors.Is(err, eventlog.ErrClock) {
			return done, fmt.Errorf("nothing is purged: %w", err)
		}
		now = time.Now()
	}
	if !w.DryRun {
		if err := p.tellKilled(); err != nil {
			return done, err
		}
	}
	done.Purged, err = p.lake.Purge(ctx, lake.Purge{Retention: retention(p.cfg), Now: now, DryRun: w.DryRun, Yes: w.Yes,
		Unsanitized: p.unsanitized, Intend: p.intend, Progress: progress})
	err = errors.Join(err, p.purgeAudit(now, w, &done))
	if w.DryRun {
		return done, err
	}
	err = errors.Join(err, removeOldSpill(p.tmp), removeOldSnapshot(p.cfg.Data))
	receipt, receiptErr := p.tellDropped(w.Who, done.Dropped)
	done.Receipt, err = receipt, errors.Join(err, receiptErr)
	if len(done.Dropped)+len(done.Stopped) > 0 {
		p.mu.Lock()
		p.last = &done
		p.mu.Unlock()
	}
	return done, err
}

// purgeAudit removes what is too old of the audit, which records it by itself.
func (p *purger) purgeAudit(now time.Time, w purgeWork, done *purged) error {
	if p.audit == nil {
		return nil
	}
	r := p.cfg.Retention
	audited, err := p.audit.Purge(audit.Purging{Now: now, MaxAge: r.Audit.MaxAge, Guard: r.Guard, Yes: w.Yes, DryRun: w.DryRun, Who: w.Who})
	if audited.Stopped {
		done.Stopped = append(done.Stopped, lake.Stopped{Dataset: "audit", Hours: 24 * audited.Days, Bytes: audited.Bytes, Share: audited.Share})
	}
	done.Audit = audited.Files
	return err
}

// spillLife is how long a file in tmp may lie unchanged: no query and no import takes so long over one.
const spillLife = 24 * time.Hour

// removeOldSpill takes away what was left in tmp by what has long ended; the rest goes at the next start.
func removeOldSpill(tmp string) error {
	return filepath.WalkDir(tmp, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && time.Since(info.ModTime()) > spillLife {
			err = os.Remove(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

const (
	purgeEvery = 5 * time.Minute
	purgePause = time.Minute // where the disk is short
)

// run purges now and again until the context ends, sooner while short says that the disk is full.
func (p *purger) run(ctx context.Context, short func() bool) {
	tick := time.NewTicker(purgePause)
	defer tick.Stop()
	var last time.Time
	for {
		if time.Since(last) >= purgeEvery || short() {
			last = time.Now()
			p.round(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// runHere purges what is this node's own while another one leads, which purges the lake of all: the audit, and what was left in tmp.
func (p *purger) runHere(ctx context.Context, leading func() bool) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		if !leading() {
			p.roundHere()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *purger) roundHere() {
	p.one.Lock()
	defer p.one.Unlock()
	var done purged
	err := p.log.Err()
	if !errors.Is(err, eventlog.ErrClock) { // else nobody knows how old anything is
		err = p.purgeAudit(time.Now().Add(purgeEvery), purgeWork{}, &done)
	}
	err = errors.Join(err, p.tellKilled(), removeOldSpill(p.tmp), removeOldSnapshot(p.cfg.Data))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell(done.problems(err))
}

// round purges once, ahead of the time by a round, so that nothing is older than it may be before the next.
func (p *purger) round(ctx context.Context) {
	var work purgeWork
	if err := p.log.Err(); !errors.Is(err, eventlog.ErrClock) {
		work.Now = time.Now().Add(purgeEvery)
	}
	done, err := p.do(ctx, work, nil)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
	for _, d := range done.Dropped {
		p.logger.Info("purged", "dataset", d.Dataset, "stream", d.Stream, "why", d.Why, "hours", d.Hours, "bytes", d.Bytes)
	}
	p.tell(done.problems(err))
}

// tell logs what an operator should see to, once.
func (p *purger) tell(problems []string) {
	all := strings.Join(problems, "\n")
	if all != p.told {
		for _, problem := range problems {
			p.logger.Warn("purge", "problem", problem)
		}
	}
	p.told = all
}

// problems are what an operator should see to.
func (d purged) problems(err error) []string {
	problems := slices.Clone(d.Warnings)
	for _, s := range d.Stopped {
		problems = append(problems, stoppedText(s))
	}
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

func stoppedText(s lake.Stopped) string {
	return fmt.Sprintf("stopped by the guard: %d hours of %s (%s, %.0f %% of it) would go at once, and nothing of it goes; look at the clock and at retention:, then brine purge --yes",
		s.Hours, s.Dataset, humanize.Bytes(uint64(s.Bytes)), 100*s.Share)
}

// unsanitized tells which raw hours hold what is to be kept and is not sanitized as it should be.
func (s *sanitizer) unsanitized(ctx context.Context) (func(stream string, hour time.Time) bool, error) {
	states, err := s.job.States(ctx, sanitize.Request{})
	if err != nil {
		return nil, err
	}
	type key struct {
		stream string
		hour   int64
	}
	waits := map[key]bool{}
	for _, st := range states {
		if st.State == sanitize.Waiting || st.State == sanitize.Lost || st.State == sanitize.Stale && st.Redo == "" {
			waits[key{st.Stream, st.Start.Unix()}] = true
		}
	}
	return func(stream string, hour time.Time) bool { return waits[key{stream, hour.Unix()}] }, nil
}

// purgeStatus is what is kept and how the retention stands, for brine status.
type purgeStatus struct {
	OldestRaw   int64                `json:"oldest_raw,omitempty"` // event time, ms since the epoch
	OldestHours map[string]time.Time `json:"oldest_hours"`         // the first hour that a dataset has files of
	Bytes       map[string]int64     `json:"bytes"`                // by dataset
	Next        *time.Time           `json:"next,omitempty"`       // when the next hour comes due by age
	Last        *purged              `json:"last,omitempty"`       // since the start, that dropped something or was stopped
	Problems    []string             `json:"problems"`             // of the last purge by the server
}

// newPurgeStatus looks at the lake alone.
func newPurgeStatus(cfg *config.Config, l *lake.Lake, held []lake.Summary) *purgeStatus {
	st := &purgeStatus{OldestHours: map[string]time.Time{}, Bytes: map[string]int64{}, Problems: []string{}}
	hours := l.Held()
	for _, h := range hours {
		st.Bytes[h.Dataset] += h.Bytes
		if first, ok := st.OldestHours[h.Dataset]; !ok || h.Hour.Before(first) {
			st.OldestHours[h.Dataset] = h.Hour
		}
	}
	for _, s := range held {
		if s.Dataset == lake.Raw && s.Oldest != 0 && (st.OldestRaw == 0 || s.Oldest < st.OldestRaw) {
			st.OldestRaw = s.Oldest
		}
	}
	if next, ok := retention(cfg).NextDue(hours); ok {
		st.Next = &next
	}
	return st
}

func (p *purger) status(held []lake.Summary) *purgeStatus {
	st := newPurgeStatus(p.cfg, p.lake, held)
	p.mu.Lock()
	defer p.mu.Unlock()
	st.Last = p.last
	if p.told != "" {
		st.Problems = strings.Split(p.told, "\n")
	}
	return st
}

func (s *purgeStatus) print(out io.Writer) {
	fmt.Fprintf(out, "\noldest raw event: %s\n", minute(s.OldestRaw))
	if s.Next != nil {
		fmt.Fprintf(out, "next purge of an hour: %s\n", minute(s.Next.UnixMilli()))
	}
	if s.Last != nil {
		fmt.Fprintf(out, "last purge: %s: %s\n", s.Last.Day, s.Last.total())
	}
	for _, problem := range s.Problems {
		fmt.Fprintf(out, "PURGE: %s\n", problem)
	}
}
