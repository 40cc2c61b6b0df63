package erasure

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

// passMemory is how many bytes DuckDB may use: files are read and written as they stream.
const passMemory = 256 << 20

// pass takes the rows of a batch of requests out of all files.
type pass struct {
	e        *Erasures
	r        *lake.Rewriter
	ids      marks
	receipts []Receipt // of the batch, as they will be
	counted  map[countedHour]bool
	beyond   map[OutOfReach]int // hours, by what is out of reach without them
	stale    []staleHour
	salted   pseudonyms
	covered  []lake.Name
}

// countedHour is an hour that a receipt has counted.
type countedHour struct {
	receipt         int
	dataset, stream string
	hour            time.Time
}

// staleHour is one whose sanitized rows can only go by being made anew.
type staleHour struct {
	stream string
	hour   time.Time
	why    string
	hits   hits // of raw
}

// pass makes one pass. After an error the requests are as they were, but for what was counted.
func (e *Erasures) pass(ctx context.Context, batch []*request) error {
	p := &pass{e: e, ids: marks{}, counted: map[countedHour]bool{}, beyond: map[OutOfReach]int{}}
	for i, r := range batch {
		if other, twice := p.ids[r.Unit]; !twice || batch[other].Quiet && !r.Quiet { // what is found is told to somebody who waits for it
			p.ids[r.Unit] = i
		}
		receipt := r.Receipt
		receipt.Removed = slices.Clone(receipt.Removed)
		p.receipts = append(p.receipts, receipt)
	}
	if err := e.o.Lake.Flush(ctx); err != nil {
		return err
	}
	logs := e.logs() // what was acknowledged before the flush lies in none but these
	err := p.run(ctx)
	for i, r := range batch {
		err = errors.Join(err, e.passed(r, p.receipts[i], err == nil, logs, p.covered))
	}
	e.o.Point("pass-noted")
	return err
}

// passed notes a pass in a request.
func (e *Erasures) passed(r *request, receipt Receipt, done bool, logs []string, covered []lake.Name) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	next := *r
	next.Receipt = receipt
	if done && r.Receipt.State == Accepted {
		next.Receipt.remove(e.o.Now())
		next.Logs = logs
	} else if done && !r.waitsFor(logs) {
		next.Last = true
	}
	if !done && slices.Equal(receipt.Removed, r.Receipt.Removed) {
		return nil
	}
	if done {
		next.covered, next.removed = covered, e.o.Now()
	}
	if err := e.files.save(&next); err != nil {
		return fmt.Errorf("note an erasure: %w", err)
	}
	*r = next
	if r.Receipt.State != Accepted && e.fresh[r.Unit] == r {
		delete(e.fresh, r.Unit)
	}
	return nil
}

func (p *pass) run(ctx context.Context) (err error) {
	if p.r, err = p.e.o.Lake.Rewriter(passMemory); err != nil {
		return err
	}
	defer p.r.Close()
	l := p.e.o.Lake
	streams := slices.Concat(l.Streams(lake.Raw), l.Streams(lake.Sanitized))
	slices.Sort(streams)
	var errs []error
	for _, name := range slices.Compact(streams) {
		errs = append(errs, p.stream(ctx, name))
	}
	for _, name := range l.Streams(lake.Quarantine) {
		errs = append(errs, p.hours(ctx, name, l.List(lake.Quarantine, name), func(h *lake.Hour) error { return p.quarantine(ctx, h) }))
	}
	errs = append(errs, p.redo(ctx), p.leftOut(ctx))
	p.covered = l.Covered()
	p.tellBeyond()
	return errors.Join(errs...)
}

// stream takes the rows out of a stream's raw and sanitized files.
func (p *pass) stream(ctx context.Context, name string) error {
	l := p.e.o.Lake
	s := p.e.o.Streams[name]
	switch {
	case s == nil:
		p.beyond[OutOfReach{Stream: name, Why: whyUnknown}] = 0
		return nil
	case s.Unit == "":
		p.beyond[OutOfReach{Stream: name, Why: whyNoUnit}] = 0
		return nil
	}
	u, err := unitOf(s)
	if err != nil {
		return err
	}
	files := slices.Concat(l.List(lake.Raw, name), l.List(lake.Sanitized, name))
	return p.hours(ctx, name, files, func(h *lake.Hour) error { return p.hour(ctx, h, u) })
}

// hours does something to each hour of files while nobody else rewrites it. One that fails does not keep others from it.
func (p *pass) hours(ctx context.Context, stream string, files []lake.File, do func(*lake.Hour) error) error {
	starts := map[int64]time.Time{}
	for _, f := range files {
		starts[f.Hour.Unix()] = f.Hour
	}
	var errs []error
	for _, at := range slices.Sorted(maps.Keys(starts)) {
		err := p.r.Hour(ctx, stream, starts[at], func(h *lake.Hour) error { return untilSettled(h, do) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", stream, starts[at].UTC().Format("2006-01-02T15:04Z"), err))
		}
	}
	return errors.Join(errs...)
}

// maxReplaced bounds how often an hour is begun anew because a flush replaced a file of it meanwhile.
const maxReplaced = 20

func untilSettled(h *lake.Hour, do func(*lake.Hour) error) (err error) {
	for range maxReplaced {
		if err = do(h); !errors.Is(err, lake.ErrReplaced) {
			return err
		}
	}
	return err
}

// hour takes the rows out of the raw files of an hour, and then out of what was made of them.
func (p *pass) hour(ctx context.Context, h *lake.Hour, u unit) error {
	replaced := map[string]replacement{} // by source
	for _, f := range h.Files(lake.Raw) {
		made, found, err := p.take(ctx, h, f, u.typed, u.text(), p.ids.text, nil)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			replaced[f.Log] = replacement{sanitize.RangeOf(f), sanitize.RangeOf(made), found}
		}
	}
	done := h.Files(lake.Sanitized)
	metas, err := p.r.Meta(ctx, done)
	if err != nil {
		return err
	}
	for _, f := range done {
		if err := p.sanitized(ctx, h, f, u, sanitize.ReadMeta(metas[f.Name]), replaced[f.Log]); err != nil {
			return err
		}
	}
	return nil
}

// replacement is a raw file that lost rows.
type replacement struct {
	was, is sanitize.RawRange
	hits    hits
}

// sanitized takes the rows out of a sanitized file, as its own metadata say how it holds the unit.
func (p *pass) sanitized(ctx context.Context, h *lake.Hour, f lake.File, u unit, meta sanitize.Meta, raw replacement) error {
	if meta.RowsOut == 0 && meta.Made != "" {
		return nil
	}
	set, why, err := p.marksOf(h, u, meta)
	if err != nil {
		return err
	}
	if why != "" {
		p.outOfReach(h, f, meta, raw, why)
		return nil
	}
	shrink := func(rows int64) map[string]string { return meta.Shrunk(rows, raw.was, raw.is).Pairs() }
	_, _, err = p.take(ctx, h, f, asTheyAre, u.text(), set.text, shrink)
	return err
}

// outOfReach notes a sanitized file whose rows cannot be told apart. While its raw events are there, they tell
// whether any of its rows were made of what is erased.
func (p *pass) outOfReach(h *lake.Hour, f lake.File, meta sanitize.Meta, raw replacement, why string) {
	of := slices.DeleteFunc(h.Files(lake.Raw), func(r lake.File) bool { return r.Log != f.Log })
	switch {
	case len(of) == 0:
		p.beyond[OutOfReach{Dataset: lake.Sanitized, Stream: h.Stream, Why: why}]++
	case !meta.MadeOf(of):
		p.stale = append(p.stale, staleHour{h.Stream, h.Start, why, raw.hits})
	}
}

// quarantine takes out the lines of the log that hold an id.
func (p *pass) quarantine(ctx context.Context, h *lake.Hour) error {
	for _, f := range h.Files(lake.Quarantine) {
		if _, _, err := p.take(ctx, h, f, asTheyAre, "line", p.ids.line, nil); err != nil {
			return err
		}
	}
	return nil
}

// redo makes sanitized hours anew whose raw events lost rows.
func (p *pass) redo(ctx context.Context) error {
	for _, s := range p.stale {
		err := errors.New("there is no job for it")
		if p.e.o.Redo != nil {
			err = p.e.o.Redo(ctx, s.stream, s.hour)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			p.add(lake.Sanitized, s.stream, s.hour, s.hits)
			continue
		}
		why := s.why
		if s.why != whySaltGone && s.why != whyBackfill {
			why = whyNotRedone + err.Error()
		}
		p.beyond[OutOfReach{Dataset: lake.Sanitized, Stream: s.stream, Why: why}]++
	}
	return nil
}

// leftOut notes files that the lake does not read.
func (p *pass) leftOut(ctx context.Context) error {
	_, faults, err := p.e.o.Lake.Summaries(ctx)
	if len(faults) > 0 {
		p.beyond[OutOfReach{Why: whyUnreadable}] = 0
	}
	return err
}

// tellBeyond tells all receipts what this pass could not reach: what an earlier one could not, it looked for again.
func (p *pass) tellBeyond() {
	all := make([]OutOfReach, 0, len(p.beyond)+len(always))
	for o, hours := range p.beyond {
		o.Hours = hours
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b OutOfReach) int {
		return strings.Compare(a.Stream+"\x00"+a.Dataset+"\x00"+a.Why, b.Stream+"\x00"+b.Dataset+"\x00"+b.Why)
	})
	all = append(all, always...)
	for i := range p.receipts {
		p.receipts[i].OutOfReach = all
	}
}

// add counts rows that were removed.
func (p *pass) add(dataset, stream string, hour time.Time, found hits) {
	for i, rows := range found {
		at := countedHour{i, dataset, stream, hour.UTC()}
		p.receipts[i].add(dataset, stream, rows, !p.counted[at])
		p.counted[at] = true
	}
}

// unit is where the rows of a stream hold the install id.
type unit struct {
	path   []string
	column event.Column // at the top level, that it lies in
}

func unitOf(s *event.Stream) (unit, error) {
	path := strings.Split(s.Unit, ".")
	i := slices.IndexFunc(s.Columns, func(c event.Column) bool { return c.Name == path[0] })
	if i < 0 {
		return unit{}, fmt.Errorf("stream %s has no column for its unit %s", s.Name, s.Unit)
	}
	return unit{path, s.Columns[i]}, nil
}
