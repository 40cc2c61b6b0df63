package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/kpi"
	"brine/lake/store"
)

// Ledger has what was published of each day, and the epsilon that it spent: one file, or one object, a day. The two cannot differ, as they are one; it
// appears whole, is never written again, and nobody sees its figures before it is durable. What a crash leaves before that was seen by nobody, so that to
// draw its noise anew spends nothing. It lies in a folder (folder.go), or where several processes share one in an object store (objects.go); what a process has seen of it is kept apart (seen.go).
type Ledger struct {
	place place
	seen  seenFile

	turn  sync.Mutex // one at a time looks or publishes
	mu    sync.Mutex
	state *ledgerState
	err   error // of the last look
}

// place is where a ledger lies.
type place interface {
	// lock keeps out whoever else changes the place, where it can.
	lock() (unlock func(), err error)

	// read is what the place holds, all of it durable; before is what it held at the last read.
	read(ctx context.Context, before *ledgerState) (*ledgerState, error)

	// add has a release there after all of a state, whole and durable. The error is errTaken where another came after that.
	add(ctx context.Context, after *ledgerState, r *Release) error

	// note does so with what was published elsewhere.
	note(ctx context.Context, after *ledgerState, e elsewhere) error
}

// errTaken is the error of who was not the first.
var errTaken = errors.New("another process published meanwhile")

// ledgerState is what a ledger holds. It is not changed once others have it.
type ledgerState struct {
	releases []*Release // in the order of days
	elsewhere
	last int // the number of the last entry
}

// elsewhere is what may have been published, or was, and is not in this ledger; and how much that may be.
type elsewhere struct {
	Before kpi.Date    `json:"before,omitempty"` // days before it that have no release are not published; "" for none
	Twins  []twin      `json:"twins,omitempty"`
	First  kpi.Date    `json:"first,omitempty"` // the earliest day that was ever begun with; "": not known
	Day    kpi.Epsilon `json:"day,omitempty"`   // the most that a day was ever allowed
}

// twin is a release of another ledger, of hours that this one has a release of. It counts as spent.
type twin struct {
	Date  kpi.Date    `json:"date"`
	Sum   string      `json:"sum"` // see [Release.sum]
	Spent kpi.Epsilon `json:"spent"`
}

// with adds what others know of elsewhere.
func (e elsewhere) with(o elsewhere) elsewhere {
	e.Before, e.Day, e.Twins = max(e.Before, o.Before), max(e.Day, o.Day), slices.Clone(e.Twins)
	if e.First == "" || o.First != "" && o.First < e.First {
		e.First = o.First
	}
	for _, t := range o.Twins {
		if !slices.Contains(e.Twins, t) {
			e.Twins = append(e.Twins, t)
		}
	}
	return e
}

// knows says whether others know nothing more.
func (e elsewhere) knows(o elsewhere) bool {
	all := e.with(o)
	return all.Before == e.Before && all.First == e.First && all.Day == e.Day && len(all.Twins) == len(e.Twins)
}

// What keeps a day from being published.
var (
	ErrPublished = errors.New("this day is published already, and what is published stays as it is")
	ErrOverlap   = errors.New("a part of this day was published as that of another day, by another timezone, and twice would be too often")
	ErrSkipped   = errors.New("this day may have been published before the data folder was restored, and twice would be too often")
)

// Overspent is the error of a day that the budget has no room for.
type Overspent struct{ Spent, Asked, All kpi.Epsilon }

func (o Overspent) Error() string {
	return fmt.Sprintf("%s of an epsilon of %s is spent, and a day takes %s: nothing more is published (publish.epsilon.all in kpi.yaml is for good: "+
		"to raise it is to tell more of people than was said)", o.Spent, o.All, o.Asked)
}

// OpenLedger opens the ledger in a folder and makes it where there is none. Where something in it cannot be read, nothing is published; [Ledger.Err] says what.
// What it has seen is in a file beside the folder.
func OpenLedger(ctx context.Context, dir string) (*Ledger, error) {
	f := folder{dir}
	if err := f.make(); err != nil {
		return nil, fmt.Errorf("open the ledger of published totals: %w", err)
	}
	l := newLedger(f, dir)
	_ = l.Look(ctx) // Err says it
	return l, nil
}

// OpenSharedLedger opens the ledger in an object store, which is asked later: until then nothing is published. A ledger that lies in the folder dir is
// brought over; what this process has seen is in a file beside that.
func OpenSharedLedger(bucket *store.Bucket, dir string) *Ledger {
	from := folder{dir}
	_ = os.RemoveAll(from.removed()) // what a crash left; it is in nobody's way
	l := newLedger(&objects{bucket: bucket, from: from}, dir)
	l.err = fmt.Errorf("the ledger of published totals in %s is not read yet", bucket)
	return l
}

func newLedger(p place, dir string) *Ledger {
	return &Ledger{place: p, seen: seenIn(dir), state: &ledgerState{}}
}

// Look takes up what was published by others. All that is shown from then on is durable, and stays.
func (l *Ledger) Look(ctx context.Context) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	unlock, err := l.place.lock()
	if err != nil {
		return l.looked(nil, err)
	}
	defer unlock()
	_, err = l.look(ctx)
	return err
}

func (l *Ledger) look(ctx context.Context) (*ledgerState, error) {
	state, err := l.place.read(ctx, l.state)
	if err == nil {
		err = l.seen.judge(state)
	}
	return state, l.looked(state, err)
}

func (l *Ledger) looked(state *ledgerState, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("the ledger of published totals cannot be read, and nothing is published: %w", err)
	} else {
		l.state = state
	}
	l.err = err
	return err
}

// now is what was seen at the last look that went well.
func (l *Ledger) now() *ledgerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// spent is what all days spent, those that may have been published elsewhere among them, at the most that a day was ever allowed. The first day may be
// put off, and what was or may have been published before stays spent.
func (s *ledgerState) spent(from kpi.Date, day kpi.Epsilon) (sum kpi.Epsilon) {
	published := map[kpi.Date]bool{}
	day = max(day, s.Day)
	if s.First != "" {
		from = min(from, s.First)
	}
	if len(s.releases) > 0 {
		from = min(from, s.releases[0].Date)
	}
	for _, r := range s.releases {
		sum += r.Spent
		published[r.Date] = true
	}
	for _, t := range s.Twins {
		sum += t.Spent
	}
	for date := from; date < s.Before; date = date.Plus(1) {
		if !published[date] {
			sum += day
		}
	}
	return sum
}

// Err says why nothing can be published: the ledger could not be read.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Releases are all that was published, in the order of days. They are not to be changed.
func (l *Ledger) Releases() []*Release { return l.now().releases }

// Spent is what of the budget is spent.
func (l *Ledger) Spent(p *kpi.Publish) kpi.Epsilon { return l.now().spent(p.From, p.Day) }

// Due says whether a day is yet to be published.
func (l *Ledger) Due(p *kpi.Publish, date kpi.Date) bool { return l.now().due(p, date) == nil }

func (s *ledgerState) due(p *kpi.Publish, date kpi.Date) error {
	if slices.ContainsFunc(s.releases, func(r *Release) bool { return r.Date == date }) {
		return ErrPublished
	}
	if date < s.Before {
		return ErrSkipped
	}
	if s.overlaps(date.Start(p.Zone), date.Plus(1).Start(p.Zone)) {
		return ErrOverlap
	}
	return nil
}

func (s *ledgerState) overlaps(start, end time.Time) bool {
	return slices.ContainsFunc(s.releases, func(r *Release) bool { return r.Start.Before(end) && start.Before(r.End) })
}

// has says whether a release is in the ledger, be it as one that counts as spent alone.
func (s *ledgerState) has(date kpi.Date, sum string) bool {
	return slices.ContainsFunc(s.releases, func(r *Release) bool { return r.Date == date && r.sum() == sum }) ||
		slices.ContainsFunc(s.Twins, func(t twin) bool { return t.Sum == sum })
}

// room is [Overspent] where the budget has none for one more day.
func (s *ledgerState) room(p *kpi.Publish) error {
	if spent, asked := s.spent(p.From, p.Day), p.Spent(); asked > p.Day || spent+asked > p.All {
		return Overspent{spent, asked, p.All}
	}
	return nil
}

// Room is [Overspent] where the budget has none for one more day.
func (l *Ledger) Room(p *kpi.Publish) error { return l.now().room(p) }

// lock keeps others out, of this process and, where the ledger is in a folder, of all.
func (l *Ledger) lock() (unlock func(), err error) {
	l.turn.Lock()
	leave, err := l.place.lock()
	if err != nil {
		l.turn.Unlock()
		return nil, err
	}
	return func() {
		leave()
		l.turn.Unlock()
	}, nil
}

// Publish has the day's figures made and publishes them. The error is [ErrPublished], [ErrSkipped], [ErrOverlap], [Overspent], or of the place; then figures is
// not called, or nobody sees what it gave. It holds for all processes: of two that publish at once one is first, and the other looks anew.
func (l *Ledger) Publish(ctx context.Context, p *kpi.Publish, date kpi.Date, figures func() []TotalsOfDay) error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for {
		state, err := l.look(ctx)
		if err != nil {
			return err
		}
		if err = state.due(p, date); err == nil {
			err = state.room(p)
		}
		if err != nil {
			return err
		}
		r := &Release{Number: state.last + 1, Date: date, Start: date.Start(p.Zone).UTC(), End: date.Plus(1).Start(p.Zone).UTC(), Spent: p.Spent(), Totals: figures()}
		if err = l.place.add(ctx, state, r); errors.Is(err, errTaken) {
			continue
		}
		if err == nil {
			state, err = l.look(ctx)
		}
		if err == nil && !state.has(date, r.sum()) {
			err = fmt.Errorf("the release of %s does not read as it was written", date)
		}
		return err
	}
}

// Ask notes with which day publishing begins, and what a day may spend, where that is earlier or more than ever before: what may be missing in a ledger of
// a backup counts by it. So it is to be there before anything is published.
func (l *Ledger) Ask(ctx context.Context, first kpi.Date, day kpi.Epsilon) error {
	asked := elsewhere{First: first, Day: day}
	if l.now().knows(asked) {
		return nil
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for {
		state, err := l.look(ctx)
		if err != nil || state.knows(asked) {
			return err
		}
		if err := l.place.note(ctx, state, asked); err != nil && !errors.Is(err, errTaken) {
			return err
		}
	}
}

// Skip keeps all days before a date that have no release from being published: a data folder that was made of a backup does not know
// which were after it. They count as spent.
func (l *Ledger) Skip(ctx context.Context, before kpi.Date) error {
	l.turn.Lock()
	defer l.turn.Unlock()
	return l.place.note(ctx, l.now(), elsewhere{Before: before})
}

// Shared says whether the ledger lies where several processes share it.
func (l *Ledger) Shared() bool {
	_, ok := l.place.(*objects)
	return ok
}

// Export writes the ledger as a folder of its own, like [OpenLedger] opens one.
func (l *Ledger) Export(ctx context.Context, dir string) error {
	if err := l.Look(ctx); err != nil {
		return err
	}
	state, to := l.now(), folder{dir}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if err := to.make(); err != nil {
		return err
	}
	for i, r := range state.byNumber() {
		one := *r
		one.Number = i + 1
		if err := to.add(ctx, nil, &one); err != nil {
			return err
		}
	}
	return to.note(ctx, nil, state.elsewhere)
}

// byNumber are the releases in the order in which they were published.
func (s *ledgerState) byNumber() []*Release {
	return slices.SortedFunc(slices.Values(s.releases), func(a, b *Release) int { return a.Number - b.Number })
}

// sum tells a release from all others, wherever it stands.
func (r *Release) sum() string {
	plain := *r
	plain.Number = 0
	sum := sha256.Sum256(mustJSON(plain))
	return hex.EncodeToString(sum[:])
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and finite numbers
	}
	return text
}

func readJSON(path string, to any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// isHidden says whether a file is being written, or was left by a crash.
func isHidden(name string) bool { return strings.HasPrefix(name, ".") }
