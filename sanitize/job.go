package sanitize

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"brine/lake"
	"brine/lake/duck"
	"brine/salt"
)

// Job copies closed hours from raw to sanitized, each source of an hour into one file, which
// appears whole or not at all. Its methods may be called from any goroutine.
type Job struct {
	Lake    *lake.Lake
	Salts   func(hour time.Time) (*salt.Salt, error) // of an hour; see [salt.Folder.For]
	Plans   func() (map[string]*Plan, error)         // in force now, by stream; a stream without one gives no rows
	Memory  int64                                    // bytes DuckDB may use for each of two hours at a time; default [lake.RewriteMemory]
	Machine int64                                    // bytes this process may have; default [duck.MachineMemory]
	Logger  *slog.Logger                             // default: nothing is logged
	Plain   bool                                     // files without compression, for tests that search their bytes

	working sync.RWMutex // by who does an hour, from asking for the plans to the file's rename

	mu     sync.Mutex
	failed map[Hour]error // at the last try
}

// Hour is one hour of one stream.
type Hour struct {
	Stream string    `json:"stream"`
	Start  time.Time `json:"hour"`
}

func (h Hour) String() string { return h.Stream + " " + h.Start.UTC().Format("2006-01-02T15:04Z") }

// Request is which hours are wanted.
type Request struct {
	From, To time.Time // From inclusive, To exclusive; zero: no bound
	Stream   string    // "": all
	Stale    bool      // also hours that differ from what they were made of, where raw data and a living salt still allow
	Backfill bool      // hours whose salt is gone are hashed with one made for this run
	Progress func(done, of int)
}

// Report is what a run did.
type Report struct {
	Hours   int      `json:"hours"` // that were written
	Rows    int64    `json:"rows"`  // of raw that they hold
	Refused []Denial `json:"refused"`
}

// Denial is an hour that was not done, and why.
type Denial struct {
	Hour
	Why string `json:"why"`
}

// LargeMemory is how many bytes an hour may use at most that is too large to be done beside another; on a small machine it is half of
// its memory. As what a salt tells may not spill, it bounds the events of one hour: to some ten million.
const LargeMemory = 4 << 30

// large is how many bytes an hour may use that is done alone.
func (j *Job) large() (int64, error) {
	machine := j.Machine
	if machine == 0 {
		var err error
		if machine, err = duck.MachineMemory(); err != nil {
			return 0, fmt.Errorf("find out how much memory there is: %w", err)
		}
	}
	return min(LargeMemory, machine/2), nil
}

// tooLarge says of an hour what memory it lacks.
func tooLarge(memory int64, err error) error {
	if !duck.OutOfMemory(err) {
		return err
	}
	remedy := "no hour may have more: lower the stream's sample rate, or hash fewer of its fields"
	if memory < LargeMemory {
		remedy = "that is half of what this process has: give it more, as by the MemoryMax of its unit or on a larger machine, and it is done"
	}
	return fmt.Errorf("the hour does not fit into %s of memory; %s: %w", humanize.IBytes(uint64(memory)), remedy, err)
}

// rewriter opens the lake's rewriter with the job's memory.
func (j *Job) rewriter() (*lake.Rewriter, error) {
	return j.Lake.Rewriter(cmp.Or(j.Memory, lake.RewriteMemory))
}

// Run sanitizes the hours that are asked for and are not done. An hour that cannot be done does
// not keep others from it; each is told in the report. The error is of what stops them all.
func (j *Job) Run(ctx context.Context, q Request) (_ Report, err error) {
	work := &work{job: j, request: q, report: Report{Refused: []Denial{}}}
	if work.hours, err = work.wanted(ctx); err != nil || len(work.hours) == 0 {
		return work.report, err
	}
	var all sync.WaitGroup
	errs := make([]error, min(workers, len(work.hours)))
	for i := range errs {
		all.Go(func() { errs[i] = work.do(ctx) })
	}
	all.Wait()
	errs = append(errs, work.doLarge(ctx))
	slices.SortFunc(work.report.Refused, func(a, b Denial) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Stream, b.Stream))
	})
	return work.report, errors.Join(errs...)
}

// workers is how many hours are worked on side by side.
const workers = 2

// work is one run of the job, shared by its workers.
type work struct {
	job     *Job
	request Request
	hours   []Hour

	mu     sync.Mutex
	next   int        // of hours
	large  []Hour     // that need more memory than beside another
	fresh  *salt.Salt // of a backfill, made when it is first needed
	report Report
}

// take gives the next hour, until there is none.
func (w *work) take() (h Hour, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.request.Progress != nil {
		w.request.Progress(w.next, len(w.hours))
	}
	if w.next == len(w.hours) {
		return h, false
	}
	w.next++
	return w.hours[w.next-1], true
}

// do works through the hours, beside other workers.
func (w *work) do(ctx context.Context) error {
	r, err := w.job.rewriter()
	if err != nil {
		return err
	}
	defer r.Close()
	run := &run{job: w.job, r: r, work: w}
	for h, more := w.take(); more; h, more = w.take() {
		err := run.held(ctx, h)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if duck.OutOfMemory(err) {
			w.setAside(h)
			continue
		}
		w.tell(h, err)
	}
	return nil
}

// doLarge does the hours that were set aside, one by one.
func (w *work) doLarge(ctx context.Context) error {
	if len(w.large) == 0 {
		return nil
	}
	memory, err := w.job.large()
	if err != nil {
		return err
	}
	r, err := w.job.Lake.Rewriter(memory)
	if err != nil {
		return err
	}
	defer r.Close()
	run := &run{job: w.job, r: r, work: w}
	for _, h := range w.large {
		err := run.held(ctx, h)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.tell(h, tooLarge(memory, err))
	}
	return nil
}

func (w *work) setAside(h Hour) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.large = append(w.large, h)
}

// held does an hour once nobody else has it, by the plans that are in force then: a run may take hours.
func (u *run) held(ctx context.Context, h Hour) (err error) {
	u.job.working.RLock()
	defer u.job.working.RUnlock()
	if u.plans, err = u.job.Plans(); err != nil {
		return err
	}
	return u.r.Hour(ctx, h.Stream, h.Start, func(held *lake.Hour) error { return u.hour(ctx, held) })
}

func (w *work) tell(h Hour, err error) {
	w.job.note(h, err)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.report.Refused = append(w.report.Refused, Denial{h, err.Error()})
	} else {
		w.report.Hours++
	}
}

// note remembers how an hour went; a failure is logged when it is new.
func (j *Job) note(h Hour, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = map[Hour]error{}
	}
	before := j.failed[h]
	if delete(j.failed, h); err == nil {
		return
	}
	j.failed[h] = err
	if j.Logger != nil && (before == nil || before.Error() != err.Error()) {
		j.Logger.Error("an hour cannot be sanitized", "stream", h.Stream, "hour", h.Start.UTC().Format(time.RFC3339), "why", err)
	}
}

// run is what one goroutine does of a run, or of a look at the hours.
type run struct {
	job   *Job
	r     *lake.Rewriter
	plans map[string]*Plan
	work  *work // nil when nothing is written
}

// plan is what the allowlist says of a stream: nothing, where it has no plan.
func (u *run) plan(stream string) *Plan {
	return cmp.Or(u.plans[stream], &Plan{Stream: stream})
}

// wanted lists the hours to do: the oldest first, as raw data and salts are taken away from that end. Those that are lost are refused.
func (w *work) wanted(ctx context.Context) (hours []Hour, err error) {
	states, err := w.job.States(ctx, w.request)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.State == Waiting || s.State == Lost || w.request.Stale && s.State == Stale && s.Redo == "" {
			hours = append(hours, s.Hour)
		}
	}
	slices.SortStableFunc(hours, func(a, b Hour) int { return a.Start.Compare(b.Start) })
	return hours, nil
}

// ErrUnsettled is an hour that compaction has not made one file of yet.
var ErrUnsettled = errors.New("its raw files are still being compacted: try again in a minute")

// hour sanitizes what an hour's raw files hold and its sanitized ones do not, or hold otherwise.
func (u *run) hour(ctx context.Context, h *lake.Hour) error {
	raw, done := h.Files(lake.Raw), h.Files(lake.Sanitized)
	metas, err := u.r.Meta(ctx, done)
	if err != nil {
		return err
	}
	plan := u.plan(h.Stream)
	if plan.NeedsSalt() && brokenOff(raw, done, metas) {
		if done, err = nil, u.beginAgain(ctx, h, done); err != nil {
			return err
		}
		clear(metas)
	}
	for source, files := range bySource(raw) {
		if len(files) > 1 {
			return ErrUnsettled
		}
		before, made := madeFrom(done, metas, source)
		if made && current(before, plan, files) || !made && !plan.Listed {
			continue
		}
		if err := u.source(ctx, h, plan, files, metas); err != nil {
			return err
		}
	}
	return nil
}

// errBrokenOff is an hour that the salt of a backfill was lost in the middle of.
var errBrokenOff = errors.New("a backfill of this hour was broken off: with --backfill it is done anew as a whole")

// beginAgain takes away what a backfill that was broken off left of an hour, once it is sure that the whole can be done: its
// salt is gone, and the hour is to have one. Until the last file is gone, what is left says of itself that it is not all.
func (u *run) beginAgain(ctx context.Context, h *lake.Hour, left []lake.File) error {
	if !u.work.request.Backfill {
		return errBrokenOff
	}
	if _, err := u.job.Salts(h.Start); err != nil && !errors.Is(err, salt.ErrForgotten) {
		return err
	}
	return h.Drop(ctx, left)
}

// source sanitizes the raw file of one source. Others are what the hour's sanitized files say of themselves, and then this one's, too: its salt
// may be gone before the next source has its turn.
func (u *run) source(ctx context.Context, h *lake.Hour, plan *Plan, files []lake.File, others map[lake.Name]map[string]string) error {
	key, backfill, err := u.salt(h.Start, plan, others)
	if err != nil {
		return err
	}
	rows, err := h.From(ctx, files)
	if err != nil {
		return err
	}
	in := Input{Rows: rows, Hour: h.Start, Source: sourceNumber(files[0].Name)}
	meta := Meta{Allowlist: plan.Digest(), Made: plan.Made(), Inputs: inputsOf(files), Backfill: backfill}
	if key != nil {
		in.Hasher = func() Hasher { return key.Hasher() }
		meta.Salt = freshSalt
		if backfill {
			meta.Sources = sourcesOf(h.Files(lake.Raw))
		} else {
			meta.Salt = key.Period.Name()
		}
	}
	if meta.RowsIn, err = u.count(ctx, in.Rows); err != nil {
		return err
	}
	if plan.Listed {
		meta.RowsOut = meta.RowsIn
	}
	sql, end, err := plan.Select(u.r.Conn(), in)
	if err != nil {
		return err
	}
	defer end()
	made, err := h.Rewrite(ctx, lake.Rewrite{Table: Table(plan), Inputs: files, SQL: "FROM " + sql, Meta: meta.pairs(), Plain: u.job.Plain})
	if err != nil {
		return err
	}
	if !backfill { // whose salt lives as long as the run
		others[made.Name] = meta.pairs()
	}
	u.work.add(meta.RowsIn)
	return nil
}

// Table is where a plan's rows are stored.
func Table(p *Plan) lake.Table {
	return lake.NewTable(lake.Sanitized, p.Stream, p.Columns, "", "")
}

func (u *run) count(ctx context.Context, from string) (n int64, err error) {
	rows, err := u.r.Conn().Query(ctx, "SELECT count(*) FROM "+from)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		n += rows.Vector(0).Int64(0)
	}
	return n, rows.Err()
}

// sourceNumber tells the keys of one sanitized file's rows from those of others.
func sourceNumber(n lake.Name) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", n.Folder(), n.Log, n.First))
	return binary.BigEndian.Uint64(sum[:])
}

// errNever is an hour of which some is sanitized under a salt that is gone.
var errNever = errors.New("it is never hashed anew")

// salt is the key of an hour; nil where the plan needs none. An hour has one salt: what is there
// already under another is never hashed anew.
func (u *run) salt(hour time.Time, plan *Plan, done map[lake.Name]map[string]string) (key *salt.Salt, backfill bool, err error) {
	if !plan.NeedsSalt() {
		return nil, false, nil
	}
	key, err = u.job.Salts(hour)
	gone := errors.Is(err, salt.ErrForgotten)
	if err != nil && !gone {
		return nil, false, err
	}
	for _, pairs := range done {
		if under := parseMeta(pairs).Salt; under != "" && (gone || under != key.Period.Name()) {
			return nil, false, fmt.Errorf("the hour has rows under a salt that is gone (%s): %w", under, errNever)
		}
	}
	if !gone {
		return key, false, nil
	}
	if u.work == nil || !u.work.request.Backfill {
		return nil, false, fmt.Errorf("%w; with --backfill it gets pseudonyms that match nothing else", err)
	}
	key, err = u.work.freshSalt()
	return key, true, err
}

// freshSalt is the salt of this run's backfill.
func (w *work) freshSalt() (_ *salt.Salt, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fresh == nil {
		w.fresh, err = salt.Fresh()
	}
	return w.fresh, err
}

func (w *work) add(rows int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.report.Rows += rows
}
