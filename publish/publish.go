// Package publish shows totals to everybody: KPIs of whole days with noise that hides whether any one interaction, or any one install on
// a day, is in them (differential privacy).
//
// Definitions come in with what they publish, and cells as a board has them; figures go out at /kpi, as a page, JSON and CSV. Between
// the two lies a [Ledger]: a day is published once, together with the epsilon it spends, and stays as it is whatever becomes of what it was made
// of. Exact counts are in memory alone.
//
// It imports access/private, door, kpi, lake/store, and policy for its languages.
package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"brine/kpi"
)

// Publisher publishes each day once it is over. Its fields are set before it works and not changed after.
type Publisher struct {
	Ledger      *Ledger
	Definitions func() *kpi.Definitions
	Days        func(context.Context, kpi.Slice) ([]kpi.Day, error) // as of [kpi.Source]
	Whole       func(context.Context) (kpi.Date, error)             // the first day of which nothing can have been purged; "": all are

	// Installs counts the installs that a stream has events of on a day, and says by how much one install can change the number at most.
	Installs func(ctx context.Context, stream string, date kpi.Date) (n, sensitivity int64, err error)

	Hour        func() time.Time // that is open in the log; zero: not known yet
	AcceptClock bool             // an operator has looked at the clock as it is at the start, see [Leap]

	Now    func() time.Time     // default: time.Now
	Logger *slog.Logger         // default: nothing is logged
	Record func(kpi.Date) error // that a day is about to be published: none is without; nil: nothing is recorded

	mu      sync.Mutex
	stopped error
	first   time.Time // the hour that was known first

	awaited kpi.Date // the day that is waited for
	since   time.Time
}

// Stopped says why nothing more is published, nil while all that is due is or may yet be.
func (p *Publisher) Stopped() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stopped
}

// Run publishes what is due, now and every so often, until the context ends.
func (p *Publisher) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for told := ""; ; {
		err := p.Step(ctx)
		building := (*kpi.Building)(nil)
		if errors.As(err, &building) || ctx.Err() != nil {
			err = nil
		}
		p.stop(err)
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		if reason != "" && reason != told {
			p.logger().Error("totals are not published", "reason", err)
		}
		told = reason
		select {
		case <-ctx.Done():
			p.stop(nil) // another process publishes now, or none
			return
		case <-tick.C:
		}
	}
}

func (p *Publisher) stop(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = err
}

// Follow takes up what other processes publish, now and every so often, until the context ends.
func (p *Publisher) Follow(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if hour, _ := p.hour(); p.Ledger.Look(ctx) == nil && p.Ledger.now().begun() != "" {
			_ = p.Ledger.Enter(hour, false) // who publishes tells
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// hour is the one that is open, and whether an operator has looked at it: at the one that was known first, and not at a later leap.
func (p *Publisher) hour() (hour time.Time, accepted bool) {
	hour = p.Hour()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first.IsZero() {
		p.first = hour
	}
	return hour, p.AcceptClock && hour.Sub(p.first) <= maxLeap
}

// on says whether anything is published, or was.
func (p *Publisher) on() bool {
	return p.Definitions().Publish != nil || len(p.Ledger.Releases()) > 0
}

func (p *Publisher) logger() *slog.Logger {
	if p.Logger != nil {
		return p.Logger
	}
	return slog.New(slog.DiscardHandler)
}

func (p *Publisher) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// Step publishes all days that are due, the oldest first. A day is due an hour after it is over, once its last hour is closed; then it is told
// as a viewer sees it for ever, without what comes later.
func (p *Publisher) Step(ctx context.Context) error {
	d := p.Definitions()
	if err := p.Ledger.Err(); err != nil && d.Publish != nil {
		if err = p.Ledger.Look(ctx); err != nil { // it may have been mended
			return err
		}
	}
	if !p.on() {
		return nil
	}
	hour, accepted := p.hour()
	if d.Publish == nil {
		return p.Ledger.Enter(hour, accepted)
	}
	whole, err := p.Whole(ctx)
	if err != nil || hour.IsZero() {
		return err
	}
	first, today := max(d.Publish.From, whole), kpi.DateOf(p.now(), d.Zone)
	if err := p.Ledger.now().early(first, d.Zone, hour); err != nil && !accepted {
		return err
	}
	if err := p.Ledger.Enter(hour, accepted); err != nil {
		return err
	}
	if err := p.Ledger.Ask(ctx, first, d.Publish.Day); err != nil {
		return err
	}
	for date := first; date < today; date = date.Plus(1) {
		if !p.Ledger.Due(d.Publish, date) {
			continue
		}
		if err := p.Ledger.Room(d.Publish); err != nil {
			return err
		}
		if over, err := p.day(ctx, d, date); err != nil || !over {
			return p.tooLong(err, date, hour.Sub(date.LateFrom(d.Zone)))
		}
	}
	return nil
}

// Waits is the error of a day that has been over for long, and hours of which are not done.
type Waits struct {
	Date  kpi.Date
	Hours int
}

func (w Waits) Error() string {
	return fmt.Sprintf("%s, and all days after it, wait for %d hours that are not sanitized, or whose facts are not made (brine status names those that are refused, and why: brine sanitize --backfill "+
		"does those whose salt is gone; those that can never be done are waited for until their raw events are purged, by retention.raw)", w.Date, w.Hours)
}

// tooLong is [Waits] in place of [kpi.Building] where a day could have been published for over a day, and this process has waited for it for an hour: it may
// have begun just now to make what the day needs.
func (p *Publisher) tooLong(err error, date kpi.Date, late time.Duration) error {
	building := (*kpi.Building)(nil)
	if !errors.As(err, &building) || late <= 24*time.Hour {
		p.awaited = ""
		return err
	}
	if p.awaited != date {
		p.awaited, p.since = date, p.now()
	}
	if p.now().Sub(p.since) < time.Hour {
		return err
	}
	return Waits{date, building.Of - building.Done}
}

// day publishes one day; false where it is not over yet.
func (p *Publisher) day(ctx context.Context, d *kpi.Definitions, date kpi.Date) (over bool, err error) {
	counts := make([]counted, len(d.Publish.Totals))
	for i, t := range d.Publish.Totals {
		if counts[i], over, err = p.count(ctx, d, t, date); err != nil || !over {
			return over, err
		}
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if p.Definitions() != d {
		return false, nil // others came into force: what they say is published, the next time
	}
	if p.Record != nil {
		if err := p.Record(date); err != nil {
			return false, fmt.Errorf("the audit cannot take it: %w", err)
		}
	}
	if err := p.Ledger.Enter(p.hour()); err != nil { // by now it may be the one that ended the day
		return false, err
	}
	err = p.Ledger.Publish(ctx, d.Publish, date, func() (all []TotalsOfDay) {
		noise := newSampler()
		for i, t := range d.Publish.Totals {
			all = append(all, noise.total(d, t, counts[i]))
		}
		return all
	})
	if errors.Is(err, ErrPublished) || errors.Is(err, ErrSkipped) || errors.Is(err, ErrOverlap) {
		return true, nil // by another process
	}
	if err == nil {
		p.logger().Info("totals are published", "day", date)
	}
	return true, err
}

// counted is a total before noise.
type counted struct {
	sensitivity int64
	cells       map[string]Split
}

// total is a total of a day as it is published.
func (s sampler) total(d *kpi.Definitions, t kpi.Total, c counted) TotalsOfDay {
	out := s.noisy(t, d.Ratio(t), c.sensitivity, d.KeySpace(t), c.cells)
	out.Title, out.Meaning = d.TitleOf(t), d.Meaning(t)
	return out
}

// count is what a total comes to, in each cell of its key space; false where the day is not over.
func (p *Publisher) count(ctx context.Context, d *kpi.Definitions, t kpi.Total, date kpi.Date) (c counted, over bool, err error) {
	days, err := p.Days(ctx, kpi.Slice{From: date, To: date.Plus(1), By: t.By, Prompt: true})
	if err != nil || days[0].Open {
		return c, false, err
	}
	if t.Installs != "" {
		n, sensitivity, err := p.Installs(ctx, t.Installs, date)
		return counted{sensitivity, map[string]Split{"": {With: n}}}, true, err
	}
	c = counted{1, map[string]Split{}}
	for _, value := range d.KeySpace(t) {
		with, without := d.Split(t, days[0].Cells[value])
		c.cells[value] = Split{with, without}
	}
	return c, true, nil
}
