package facts

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"brine/event"
	"brine/kpi"
	"brine/lake"
	"brine/lake/duck"
	"brine/sanitize"
)

// Job makes facts and roll-ups of closed hours, from what is sanitized alone. Each file appears whole or not at
// all; a run may be stopped anywhere and begun again. Its methods may be called from any goroutine.
type Job struct {
	Lake        *lake.Lake
	Definitions func() *kpi.Definitions // in force now
	Memory      int64                   // bytes DuckDB may use for each of two hours at a time; default [lake.RewriteMemory]
	Logger      *slog.Logger            // default: nothing is logged
	Damaged     func(lake.Name) bool    // whether a file is known to be unreadable, and is made anew; nil: none is
	Plain       bool                    // files without compression, for tests that search their bytes

	mu     sync.Mutex
	failed map[sourceKey]string // at the last try
}

// Request is which hours are wanted.
type Request struct {
	From, To time.Time // From inclusive, To exclusive; zero: no bound
	All      bool      // also hours whose facts are as the definitions say today
	Progress func(done, of int)
}

// Report is what a run did.
type Report struct {
	Hours   int      `json:"hours"`   // whose facts were made; an hour counts once for each log or import that it has events of
	Rows    int64    `json:"rows"`    // interactions in them
	Dropped int      `json:"dropped"` // hours whose facts went, as what they were made of is gone
	Refused []Denial `json:"refused"`
}

// Denial is an hour that was not done, and why.
type Denial struct {
	Hour time.Time `json:"hour"`
	Why  string    `json:"why"`
}

// workers is how many hours are worked on side by side.
const workers = 2

// Run makes the facts that are asked for and are not there, or are not what they should be. An hour that cannot be done does not
// keep others from it; each is told in the report. The error is of what stops them all.
func (j *Job) Run(ctx context.Context, q Request) (Report, error) {
	work := &work{job: j, request: q, defs: j.Definitions(), report: Report{Refused: []Denial{}}}
	err := work.look(ctx)
	if err != nil || len(work.todo) == 0 {
		return work.report, err
	}
	var all sync.WaitGroup
	errs := make([]error, min(workers, len(work.todo)))
	for i := range errs {
		all.Go(func() { errs[i] = work.do(ctx) })
	}
	all.Wait()
	if q.Progress != nil {
		q.Progress(len(work.todo), len(work.todo))
	}
	slices.SortFunc(work.report.Refused, func(a, b Denial) int { return a.Hour.Compare(b.Hour) })
	return work.report, errors.Join(errs...)
}

// work is one run, shared by its workers.
type work struct {
	job     *Job
	request Request
	defs    *kpi.Definitions // of the whole run
	todo    []sourceKey

	mu     sync.Mutex
	next   int
	report Report
}

// good says whether facts and roll-up are what they should be, as far as is known.
func (j *Job) good(s *source, digest string) bool {
	return s.current(digest) && (j.Damaged == nil || !j.Damaged(s.facts.Name) && !j.Damaged(s.rollup.Name))
}

// look lists what is to be done: the newest first, as most questions are about these.
func (w *work) look(ctx context.Context) error {
	if w.defs.Digest == kpi.None().Digest { // they are broken: the facts there are wait until they are mended
		return nil
	}
	l := w.job.Lake
	all, err := sources(l, func(files []lake.File) (map[lake.Name]map[string]string, error) { return l.Meta(ctx, files) }, false)
	if err != nil {
		return err
	}
	closed := l.ClosedTo()
	var inputs []lake.File
	for _, k := range sortedKeys(all) {
		hour, s := time.Unix(k.hour, 0).UTC(), all[k]
		if !hour.Before(closed) || hour.Before(w.request.From) || !w.request.To.IsZero() && !hour.Before(w.request.To) {
			continue
		}
		if s.orphan() || s.sanitized != nil && (w.request.All || !w.job.good(s, w.defs.Digest)) {
			w.todo = append(w.todo, k)
			if s.sanitized != nil {
				inputs = append(inputs, *s.sanitized)
			}
		}
	}
	slices.Reverse(w.todo)
	_, err = l.Meta(ctx, inputs) // all at once, as a query for each costs more; they are remembered
	return err
}

func (w *work) take() (k sourceKey, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.request.Progress != nil {
		w.request.Progress(w.next, len(w.todo))
	}
	if w.next == len(w.todo) || w.job.Definitions().Digest != w.defs.Digest { // others are in force: the next run sees to it
		return k, false
	}
	w.next++
	return w.todo[w.next-1], true
}

// do works through the hours, beside another worker.
func (w *work) do(ctx context.Context) error {
	r, err := w.job.Lake.Rewriter(cmp.Or(w.job.Memory, lake.RewriteMemory))
	if err != nil {
		return err
	}
	defer r.Close()
	conn, err := r.Reader()
	if err != nil {
		return err
	}
	defer conn.Close()
	m := &maker{work: w, r: r, conn: conn, defs: w.defs, sum: newTally(w.defs)}
	for k, more := w.take(); more; k, more = w.take() {
		err := r.Hour(ctx, stream, time.Unix(k.hour, 0).UTC(), func(h *lake.Hour) error { return m.hour(ctx, h, k) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.tell(k, err)
	}
	return nil
}

func (w *work) tell(k sourceKey, err error) {
	j := w.job
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed == nil {
		j.failed = map[sourceKey]string{}
	}
	before := j.failed[k]
	delete(j.failed, k)
	if err == nil {
		return
	}
	hour := time.Unix(k.hour, 0).UTC()
	j.failed[k] = err.Error()
	w.mu.Lock()
	w.report.Refused = append(w.report.Refused, Denial{hour, err.Error()})
	w.mu.Unlock()
	if j.Logger != nil && before != err.Error() {
		j.Logger.Error("the facts of an hour cannot be made", "hour", hour.Format(time.RFC3339), "why", err)
	}
}

// maker makes the facts of one hour after the other.
type maker struct {
	defs *kpi.Definitions
	work *work
	r    *lake.Rewriter
	conn *duck.Conn // that reads, while the rewriter's writes

	made string // [sanitize.Meta.Made] of the file before: most are alike
	in   *interactions
	sum  *tally // of the hour's facts

	written []byte // used again
}

// hour looks again, now that nobody else has the hour: a run beside this one may have done it, or what it is made of may be gone.
func (m *maker) hour(ctx context.Context, h *lake.Hour, k sourceKey) error {
	s := &source{sanitized: ofLog(h.Files(lake.Sanitized), k.log), facts: ofLog(h.Files(lake.Facts), k.log), rollup: ofLog(h.Files(lake.Rollups), k.log)}
	if s.rollup != nil {
		metas, err := m.r.Meta(ctx, []lake.File{*s.rollup})
		if err != nil {
			return err
		}
		s.meta = parseMeta(metas[s.rollup.Name])
	}
	switch {
	case s.orphan():
		return m.drop(ctx, h, s)
	case s.sanitized == nil || !m.work.request.All && m.work.job.good(s, m.defs.Digest):
		return nil
	}
	return m.make(ctx, h, *s.sanitized)
}

func ofLog(files []lake.File, log string) *lake.File {
	i := slices.IndexFunc(files, func(f lake.File) bool { return f.Log == log })
	if i < 0 {
		return nil
	}
	return &files[i]
}

// drop takes away what was made of a sanitized file that is gone.
func (m *maker) drop(ctx context.Context, h *lake.Hour, s *source) error {
	for _, f := range []*lake.File{s.rollup, s.facts} {
		if f == nil {
			continue
		}
		if err := h.Drop(ctx, []lake.File{*f}); err != nil {
			return err
		}
	}
	m.work.mu.Lock()
	defer m.work.mu.Unlock()
	m.work.report.Dropped++
	return nil
}

// make writes the facts of a sanitized file, and then the roll-up: by it they count.
func (m *maker) make(ctx context.Context, h *lake.Hour, f lake.File) error {
	files := []lake.File{f}
	rows, err := h.From(ctx, files)
	if err != nil {
		return err
	}
	in, err := m.interactions(ctx, f, rows)
	if err != nil {
		return err
	}
	made := meta{digest: m.defs.Digest, input: inputOf(f)}
	facts, err := m.facts(ctx, h, files, rows, in, made)
	if err != nil {
		return err
	}
	made.days, made.facts = m.sum.dates(), facts.Generation
	if err := m.rollup(ctx, h, files, made); err != nil {
		return err
	}
	m.work.mu.Lock()
	defer m.work.mu.Unlock()
	m.work.report.Hours++
	m.work.report.Rows += m.sum.rows
	return nil
}

// interactions reads a sanitized file. Files that the same rules made are alike.
func (m *maker) interactions(ctx context.Context, f lake.File, from string) (*interactions, error) {
	metas, err := m.r.Meta(ctx, []lake.File{f})
	if err != nil {
		return nil, err
	}
	meta := sanitize.ReadMeta(metas[f.Name])
	if m.in != nil && meta.Made == m.made && meta.Made != "" {
		return m.in, nil
	}
	columns, err := m.conn.Columns(ctx, from)
	if err != nil {
		return nil, err
	}
	m.in, m.made = newInteractions(m.defs, columns, meta.Hashed()), meta.Made
	return m.in, nil
}

// facts writes the file of facts of the sanitized rows, and adds them up. They are read while they are written, so that an hour of any size takes
// the same memory.
func (m *maker) facts(ctx context.Context, h *lake.Hour, files []lake.File, from string, in *interactions, made meta) (f lake.File, err error) {
	reading, stop := context.WithCancel(ctx)
	blocks := make(chan row)
	m.sum.reset(func(r row) {
		select {
		case blocks <- r:
		case <-reading.Done():
		}
	})
	var failed error // to be read when blocks is closed
	go func() {
		defer close(blocks)
		failed = m.conn.Each(reading, in.selected(), from, func(k duck.Chunk) { in.each(k, m.sum.add) })
		m.sum.settle()
	}()
	defer func() { // nobody uses the connection, or the sum, when it returns
		stop()
		for range blocks {
		}
	}()
	name, done, err := m.r.Conn().Stream(columns, func(feed *duck.Feed) error {
		r, more := <-blocks
		if !more {
			return failed
		}
		r.append(feed, m.defs.Zone)
		return nil
	})
	if err != nil {
		return f, err
	}
	f, err = h.Rewrite(ctx, lake.Rewrite{Table: table(lake.Facts), Inputs: files, SQL: "FROM " + name + "()", Meta: made.pairs(0), Plain: m.work.job.Plain})
	if cause := done(); cause != nil {
		err = cause
	}
	return f, err
}

// rollup writes what the facts add up to.
func (m *maker) rollup(ctx context.Context, h *lake.Hour, files []lake.File, made meta) error {
	sum := m.sum
	sum.cut()
	of := []event.Column{{Name: columnTime, Kind: event.Int64}, {Name: columnDate, Kind: event.String}, {Name: columnAll, Kind: event.Bytes}, {Name: columnSlots, Kind: event.Bytes}}
	for _, s := range m.defs.Segments {
		of = append(of, event.Column{Name: columnOf(s.Name), Kind: event.Bytes})
	}
	days := sum.dates()
	name, done, err := m.r.Conn().Stream(of, func(feed *duck.Feed) error {
		for _, date := range days {
			m.appendDay(feed, sum, date)
		}
		days = nil
		return nil
	})
	if err != nil {
		return err
	}
	_, err = h.Rewrite(ctx, lake.Rewrite{Table: table(lake.Rollups), Inputs: files, Meta: made.pairs(sum.rows), Plain: m.work.job.Plain,
		SQL: "FROM " + name + "()"})
	return errors.Join(err, done())
}

// appendDay adds a day as a row.
func (m *maker) appendDay(feed *duck.Feed, sum *tally, date kpi.Date) {
	day := sum.days[date]
	feed.Next()
	feed.SetInt64(0, date.Start(m.defs.Zone).UnixMilli())
	feed.SetText(1, string(date))
	set := func(i int, bytes []byte) {
		feed.SetBytes(i, string(bytes))
		m.written = bytes[:0]
	}
	set(2, day.whole().Append(m.written))
	set(3, appendSlots(m.written, sum.slotsOf(date)))
	for i, cells := range day.segments {
		set(4+i, appendCells(m.written, cells))
	}
}

// Status is how the facts stand.
type Status struct {
	Waiting int        `json:"waiting"` // closed and sanitized hours without facts
	Done    int        `json:"done"`    // as the definitions say today
	Stale   int        `json:"stale"`   // of other definitions, of a sanitized file that was replaced, or damaged
	Failed  int        `json:"failed"`  // of the waiting and stale ones, at the last try
	Oldest  *time.Time `json:"oldest,omitempty"`
	Error   string     `json:"error,omitempty"` // of the last one that failed
}

// Status looks at all closed hours. An hour counts once for each log or import that it has events of.
func (j *Job) Status(ctx context.Context) (st Status, err error) {
	digest := j.Definitions().Digest
	all, err := sources(j.Lake, func(files []lake.File) (map[lake.Name]map[string]string, error) { return j.Lake.Meta(ctx, files) }, false)
	if err != nil {
		return st, err
	}
	closed := j.Lake.ClosedTo()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, k := range sortedKeys(all) {
		hour, s := time.Unix(k.hour, 0).UTC(), all[k]
		if s.sanitized == nil || !hour.Before(closed) {
			continue
		}
		switch {
		case j.good(s, digest):
			st.Done++
			continue
		case s.rollup == nil:
			st.Waiting++
		default:
			st.Stale++
		}
		if st.Oldest == nil {
			st.Oldest = &hour
		}
		if why := j.failed[k]; why != "" {
			st.Failed, st.Error = st.Failed+1, why
		}
	}
	return st, nil
}
