package facts

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// SourceOptions say what a [Source] answers from.
type SourceOptions struct {
	Lake        *lake.Lake
	Definitions func() *kpi.Definitions                   // in force now
	Plans       func() (map[string]*sanitize.Plan, error) // in force now, by stream: what of raw events may be looked at before they are sanitized
	Retention   lake.Limit                                // of sanitized; default: for ever
	Now         func() time.Time                          // default time.Now
	Memory      int64                                     // bytes of cells that are remembered, about, a quarter of it for what is in no file yet; default 256 MB
	Logger      *slog.Logger                              // default: nothing is logged
}

// Source answers from roll-ups, facts and what is in no file yet. It is a [kpi.Source]; its methods may be
// called from any goroutine.
type Source struct {
	o       SourceOptions
	loading chan struct{} // one question at a time reads files of facts, as each uses both cores and memory; what is remembered waits for none
	cache   *cache
	adding  chan struct{} // one at a time has pending
	pending pendingTallies

	mu      sync.Mutex
	damaged map[lake.Name]bool // files that cannot be read, though they are listed
}

// NewSource makes a source. Nothing is read until it is asked.
func NewSource(o SourceOptions) *Source {
	if o.Memory == 0 {
		o.Memory = 256 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	pending := o.Memory / 4
	return &Source{o: o, loading: make(chan struct{}, 1), adding: make(chan struct{}, 1), cache: newCache(o.Memory - pending), pending: pendingTallies{sums: newRecent[pendingKey, *pendingSum](pending)}}
}

// Definitions are those in force now.
func (s *Source) Definitions() *kpi.Definitions { return s.o.Definitions() }

// Pinned is the source as it is now, for all of one answer: its definitions stay the same though others come into force
// meanwhile, and the lake is looked at once. Where the facts are then no longer those of these, it says [kpi.Building]. It
// serves one goroutine.
func (s *Source) Pinned() kpi.Source { return s.pinned() }

func (s *Source) pinned() *pinned { return &pinned{Source: s, defs: s.o.Definitions()} }

type pinned struct {
	*Source
	defs *kpi.Definitions
	seen *look // nil before the first question, and where files of it were replaced
}

func (p *pinned) Definitions() *kpi.Definitions { return p.defs }

// Days are the days of the range.
func (s *Source) Days(ctx context.Context, slice kpi.Slice) ([]kpi.Day, error) {
	return s.pinned().Days(ctx, slice)
}

// Slots are the arrivals from a time to another.
func (s *Source) Slots(ctx context.Context, from, to int64) ([]kpi.Slot, error) {
	return s.pinned().Slots(ctx, from, to)
}

// Span is the first day and the day after the last that there is data of; zero where there is none.
func (s *Source) Span(ctx context.Context) (kpi.Span, error) { return s.pinned().Span(ctx) }

func (p *pinned) Span(ctx context.Context) (kpi.Span, error) {
	look, err := p.lookOnce(ctx)
	if err != nil {
		return kpi.Span{}, err
	}
	return look.span(), nil
}

func (p *pinned) lookOnce(ctx context.Context) (_ *look, err error) {
	if p.seen == nil {
		p.seen, err = p.look(ctx, p.defs)
	}
	return p.seen, err
}

// maxDays bounds the days of one question.
const maxDays = 10 * 366

// ErrRange is a question about days that are none, or too many.
var ErrRange error = kpi.BadQuestion{Param: "to", What: "no days, or too many", Fix: "1 day up to 10 years; to comes after from"}

// datesOf are the days of a range, each of them.
func datesOf(from, to kpi.Date) (dates []kpi.Date, err error) {
	at, err1 := time.Parse(time.DateOnly, string(from))
	end, err2 := time.Parse(time.DateOnly, string(to))
	if err1 != nil || err2 != nil || !at.Before(end) || end.Sub(at) > maxDays*24*time.Hour {
		return nil, ErrRange
	}
	for ; at.Before(end); at = at.AddDate(0, 0, 1) {
		dates = append(dates, kpi.Date(at.Format(time.DateOnly)))
	}
	return dates, nil
}

// view is what of a day is asked for.
type view struct {
	by     string     // segment; "": all in one cell
	only   kpi.Filter // zero: all interactions
	left   bool       // with a filter: also who left, and what is missing
	slots  bool       // the arrivals, and nothing else
	prompt bool       // without what came too late for its day
}

// viewOf is the cheapest view that answers a question, and the value to pick of its cells where that is what the filter comes to.
func viewOf(slice kpi.Slice) (v view, pick *string) {
	switch only := slice.Only; {
	case only == nil:
		return view{by: slice.By, prompt: slice.Prompt}, nil
	case only.Segment == slice.By, slice.By == "" && !slice.Left:
		return view{by: only.Segment, prompt: slice.Prompt}, &only.Value
	default:
		return view{by: slice.By, only: *only, left: slice.Left && slice.By == "", prompt: slice.Prompt}, nil
	}
}

func (p *pinned) Days(ctx context.Context, slice kpi.Slice) ([]kpi.Day, error) {
	dates, err := datesOf(slice.From, slice.To)
	if err != nil {
		return nil, err
	}
	if err := known(p.defs, slice); err != nil {
		return nil, err
	}
	v, pick := viewOf(slice)
	held, look, err := p.ask(ctx, v, dates)
	if err != nil {
		return nil, err
	}
	days := make([]kpi.Day, len(dates))
	for i, date := range dates {
		days[i] = kpi.Day{Date: date, Open: look.open(v, date), Cells: map[string]*kpi.Cell{}}
		if date < look.whole {
			continue
		}
		for value, cell := range cut(held[date].cells) {
			switch {
			case pick == nil:
				days[i].Cells[value] = cell
			case value == *pick && slice.By == "":
				days[i].Cells[""] = cell
			case value == *pick:
				days[i].Cells[value] = cell
			}
		}
	}
	return days, nil
}

// mostPrepared bounds the days, times views, that are added up in one reading.
const mostPrepared = 1000

// Prepare loads what several questions need of roll-ups and of facts into the cache, in one reading of each where it is not too much at once, and adds up for all of them what is in no
// file yet. It changes no answer: [Source.Days] loads what is not there.
func (p *pinned) Prepare(ctx context.Context, questions []kpi.Slice) error {
	days := map[view]map[kpi.Date]bool{}
	for _, slice := range questions {
		dates, err := datesOf(slice.From, slice.To)
		if err != nil {
			return err
		}
		if err := known(p.defs, slice); err != nil {
			return err
		}
		v, _ := viewOf(slice)
		if v.only != (kpi.Filter{}) && !listed(p.defs, v.only) {
			continue
		}
		if days[v] == nil {
			days[v] = map[kpi.Date]bool{}
		}
		for _, date := range dates {
			days[v][date] = true
		}
	}
	if len(days) == 0 {
		return nil
	}
	return p.looking(ctx, func(look *look) error { return p.prepare(ctx, look, days) })
}

func (s *Source) prepare(ctx context.Context, look *look, days map[view]map[kpi.Date]bool) error {
	var all []viewed
	for _, ofFacts := range []bool{false, true} {
		var now []viewed
		n := 0
		for v, wanted := range days {
			if ofFacts != (v.only != (kpi.Filter{})) {
				continue
			}
			some := viewed{view: v, dates: slices.Sorted(maps.Keys(wanted))}
			if ofFacts {
				var err error
				if some, err = s.having(ctx, look, v, some.dates); err != nil {
					return err
				}
			}
			all = append(all, some)
			if n += len(some.dates); n > mostPrepared && len(now) > 0 {
				if _, err := s.heldOf(ctx, look, now); err != nil {
					return err
				}
				now, n = nil, len(some.dates)
			}
			now = append(now, some)
		}
		if _, err := s.heldOf(ctx, look, now); err != nil {
			return err
		}
	}
	_, err := s.addedUp(ctx, look, all)
	return err
}

// ErrSegment is a question about a segment that the definitions do not have.
var ErrSegment error = kpi.BadQuestion{Param: "by", What: "no such segment", Fix: "kpi.yaml has them under segments"}

func known(defs *kpi.Definitions, slice kpi.Slice) error {
	has := func(name string) bool {
		return slices.ContainsFunc(defs.Segments, func(s kpi.Segment) bool { return s.Name == name })
	}
	if slice.By != "" && !has(slice.By) || slice.Only != nil && !has(slice.Only.Segment) {
		return ErrSegment
	}
	return nil
}

func (p *pinned) Slots(ctx context.Context, from, to int64) ([]kpi.Slot, error) {
	if from >= to {
		return nil, nil
	}
	last := time.UnixMilli(to-1).In(p.defs.Zone).AddDate(0, 0, 1)
	dates, err := datesOf(dateOf(from, p.defs.Zone), kpi.Date(last.Format(time.DateOnly)))
	if err != nil {
		return nil, err
	}
	held, look, err := p.ask(ctx, view{slots: true}, dates)
	if err != nil {
		return nil, err
	}
	var all []kpi.Slot
	for _, date := range dates {
		if date < look.whole {
			continue
		}
		for _, at := range slices.Sorted(maps.Keys(held[date].slots)) {
			if at >= from && at < to {
				all = append(all, held[date].slots[at])
			}
		}
	}
	return all, nil
}

// ask gives what is held of days: of files from the cache, or loaded into it, and of what is in no file yet.
func (p *pinned) ask(ctx context.Context, v view, dates []kpi.Date) (answer map[kpi.Date]held, of *look, err error) {
	err = p.looking(ctx, func(look *look) (err error) {
		of = look
		answer, err = p.answer(ctx, look, v, dates)
		return err
	})
	return answer, of, err
}

// looking does something with what there is to answer from, anew where files were replaced under it or cannot be read.
func (p *pinned) looking(ctx context.Context, do func(*look) error) error {
	for range replacedAtMost {
		look, err := p.lookOnce(ctx)
		if err != nil {
			return err
		}
		err = do(look)
		if broken := (*damage)(nil); errors.As(err, &broken) {
			p.leaveOut(broken)
			p.seen = nil
			continue
		}
		if !errors.Is(err, errReplaced) {
			return err
		}
		p.seen = nil
	}
	return errReplaced
}

// replacedAtMost bounds how often a question is begun anew because files were replaced under it.
const replacedAtMost = 20

var errReplaced = errors.New("files were replaced under this question again and again: try again")

func (s *Source) answer(ctx context.Context, look *look, v view, dates []kpi.Date) (map[kpi.Date]held, error) {
	unbuilt := look.pendingFor(dates)
	if len(unbuilt) > maxPending {
		return nil, &kpi.Building{Done: look.done, Of: look.done + len(unbuilt)}
	}
	some := viewed{view: v, dates: dates}
	if v.only != (kpi.Filter{}) {
		if !listed(look.defs, v.only) {
			return nil, nil
		}
		var err error
		if some, err = s.having(ctx, look, v, dates); err != nil {
			return nil, err
		}
	}
	answers, err := s.heldOf(ctx, look, []viewed{some})
	if err != nil {
		return nil, err
	}
	answer := answers[0]
	for _, date := range dates {
		if _, asked := answer[date]; !asked {
			answer[date] = newHeld()
		}
	}
	some.dates = dates
	added, err := s.addedUp(ctx, look, []viewed{some})
	if err != nil {
		return nil, err
	}
	for date, h := range added[0] {
		if before, asked := answer[date]; asked {
			answer[date] = before.plus(h, look.defs)
		}
	}
	return answer, nil
}

// listed says whether somebody may have the value.
func listed(defs *kpi.Definitions, f kpi.Filter) bool {
	return defs.Segments[segmentPlace(defs, f.Segment)].Has(f.Value)
}

// addedUp gives the days of several views, of what is in no file yet.
func (s *Source) addedUp(ctx context.Context, look *look, of []viewed) ([]map[kpi.Date]held, error) {
	var dates []kpi.Date
	for _, o := range of {
		dates = append(dates, o.dates...)
	}
	slices.Sort(dates)
	unbuilt := look.pendingFor(dates)
	if len(unbuilt) == 0 {
		return make([]map[kpi.Date]held, len(of)), nil
	}
	done, err := turn(ctx, s.adding)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.pending.tallies(ctx, s, look, unbuilt, of)
}

// look is what there is to answer from.
type look struct {
	defs    *kpi.Definitions
	closed  time.Time
	byDate  map[kpi.Date][]*source // whose facts are current
	pending []*pendingSource
	whole   kpi.Date           // days before it are not told: some of them may have been purged
	done    int                // sources whose facts are current
	there   map[lake.Name]bool // files of these
}

// pendingSource is one whose facts are not there, or not as they should be.
type pendingSource struct {
	hour  time.Time
	log   string
	files []lake.File // sanitized, or raw where that does not hold all
	raw   bool
}

// maxPending is how many sources are added up in memory for a question, before it is told to wait for the job: two days of hours.
const maxPending = 48

func (s *Source) look(ctx context.Context, defs *kpi.Definitions) (*look, error) {
	l := s.o.Lake
	if err := l.Unknown(); err != nil {
		return nil, err
	}
	k := &look{defs: defs, closed: l.ClosedTo(), byDate: map[kpi.Date][]*source{}, there: map[lake.Name]bool{}}
	metaOf := func(files []lake.File) (map[lake.Name]map[string]string, error) { return l.Meta(ctx, files) }
	all, err := sources(l, metaOf, true)
	if err != nil {
		return nil, err
	}
	if k.closed.IsZero() && len(all) > 0 && l.Owned() { // its first flush tells which hours are closed; until then each day would seem to be open
		return nil, &kpi.Building{Of: len(all)}
	}
	k.whole = s.whole(all, defs.Zone)
	partly, err := s.outgrown(all, metaOf)
	if err != nil {
		return nil, err
	}
	for _, key := range sortedKeys(all) {
		src := all[key]
		hour := time.Unix(key.hour, 0).UTC()
		switch {
		case src.current(defs.Digest) && !partly[key] && !s.isDamaged(src):
			k.done++
			k.there[src.rollup.Name], k.there[src.facts.Name] = true, true
			for _, date := range src.meta.days {
				k.byDate[date] = append(k.byDate[date], src)
			}
		case src.sanitized != nil && !partly[key]:
			k.pending = append(k.pending, &pendingSource{hour, key.log, []lake.File{*src.sanitized}, false})
		case len(src.raw) > 0:
			k.pending = append(k.pending, &pendingSource{hour, key.log, src.raw, true})
		}
	}
	return k, nil
}

// outgrown are the sources whose raw files hold more than what was sanitized of them, as an import that went on leaves them.
func (s *Source) outgrown(all map[sourceKey]*source, metaOf func([]lake.File) (map[lake.Name]map[string]string, error)) (map[sourceKey]bool, error) {
	var files []lake.File
	for _, src := range all {
		if src.sanitized != nil && len(src.raw) > 0 {
			files = append(files, *src.sanitized)
		}
	}
	metas, err := metaOf(files)
	if err != nil {
		return nil, err
	}
	partly := map[sourceKey]bool{}
	for key, src := range all {
		if src.sanitized != nil && len(src.raw) > 0 && sanitize.ReadMeta(metas[src.sanitized.Name]).Lacks(src.raw) {
			partly[key] = true
		}
	}
	return partly, nil
}

// maxLate is how long after its time an event may be stored, and maxEarly how long before, as a client's clock may be ahead.
const maxLate, maxEarly = 8 * 24 * time.Hour, 25 * time.Hour

// pendingFor are those that may hold events of the days.
func (k *look) pendingFor(dates []kpi.Date) (some []*pendingSource) {
	if len(dates) == 0 {
		return nil
	}
	from, to := dates[0].Start(k.defs.Zone), dates[len(dates)-1].Start(k.defs.Zone).Add(maxLate)
	for _, p := range k.pending {
		if p.hour.After(from.Add(-maxEarly)) && p.hour.Before(to.Add(24*time.Hour)) {
			some = append(some, p)
		}
	}
	return some
}

// open says whether a day is not over, or the hours are not closed that its last interactions are expected in.
func (k *look) open(v view, date kpi.Date) bool {
	if v.prompt {
		return date.LateFrom(k.defs.Zone).After(k.closed)
	}
	return date.Start(k.defs.Zone).AddDate(0, 0, 1).After(k.closed)
}

// takes says whether the view of a day has what arrived in an hour.
func (k *look) takes(v view, date kpi.Date, hour time.Time) bool {
	return !v.prompt || hour.Before(date.LateFrom(k.defs.Zone))
}

func (k *look) span() kpi.Span {
	dates := map[kpi.Date]bool{}
	for date := range k.byDate {
		dates[date] = true
	}
	for _, p := range k.pending {
		dates[dateOf(p.hour.UnixMilli(), k.defs.Zone)] = true
	}
	sorted := slices.Sorted(maps.Keys(dates))
	if len(sorted) == 0 {
		return kpi.Span{}
	}
	after := sorted[len(sorted)-1].Plus(1)
	if after <= k.whole {
		return kpi.Span{}
	}
	return kpi.Span{From: max(sorted[0], k.whole), To: after}
}
