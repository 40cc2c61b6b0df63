package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/access/private"
	"brine/kpi"
)

// Ledger is a folder with one file for each day that was published: its figures, and the epsilon that they spent. The two cannot differ,
// as they are one file; it appears whole, is never written again, and nobody sees its figures before it is durable. What a crash leaves before that
// was seen by nobody, so that to draw its noise anew spends nothing.
//
//	2026-12-01.json   a [Release]
//	skip.json         days that may have been published elsewhere; see [Ledger.Skip]
//	.…                being written, or left by a crash
type Ledger struct {
	dir string

	mu    sync.Mutex
	state ledgerState
	err   error // of the last look
}

// ledgerState is what the folder holds.
type ledgerState struct {
	releases []*Release // in the order of days
	skip     kpi.Date   // days before it that have no release are not published; "" for none
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

const skipFile = "skip.json"

type skipped struct {
	Before kpi.Date `json:"before"`
}

// OpenLedger opens the folder and makes it where there is none. Where something in it cannot be read, nothing is published; [Ledger.Err] says what.
func OpenLedger(dir string) (*Ledger, error) {
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("open the ledger of published totals: %w", err)
	}
	l := &Ledger{dir: dir}
	unlock, err := private.LockFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("open the ledger of published totals: %w", err)
	}
	defer unlock()
	if err := l.clear(); err != nil {
		return nil, fmt.Errorf("open the ledger of published totals: %w", err)
	}
	l.look()
	return l, nil
}

func makeFolder(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return private.Sync(filepath.Dir(dir))
}

// clear removes what a crash left.
func (l *Ledger) clear() error {
	left, err := filepath.Glob(filepath.Join(l.dir, ".*"))
	for _, path := range left {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// look reads the folder, once all that is in it is durable: what is shown stays.
func (l *Ledger) look() (state ledgerState, err error) {
	if err = private.Sync(l.dir); err == nil {
		state, err = readLedger(l.dir)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err = err; err == nil {
		l.state = state
	}
	return state, err
}

func readLedger(dir string) (state ledgerState, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return state, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch day, ok := strings.CutSuffix(e.Name(), ".json"); {
		case e.Name() == skipFile:
			var s skipped
			err = readJSON(path, &s)
			state.skip = s.Before
		case !ok, strings.HasPrefix(e.Name(), "."):
		default:
			r := &Release{}
			if err = readJSON(path, r); err == nil && string(r.Date) != day {
				err = fmt.Errorf("%s is the release of %s", path, r.Date)
			}
			state.releases = append(state.releases, r)
		}
		if err != nil {
			return state, fmt.Errorf("the ledger of published totals cannot be read, and nothing is published: %w (restore the file)", err)
		}
	}
	return state, state.complete(dir)
}

// complete says which file is missing, if one is: its epsilon would be spent twice.
func (s *ledgerState) complete(dir string) error {
	numbers := make([]int, len(s.releases))
	for i, r := range s.releases {
		numbers[i] = r.Number
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != i+1 {
			return fmt.Errorf("the ledger of published totals is not whole, and nothing is published: in %s release number %d is missing (restore the file)", dir, i+1)
		}
	}
	return nil
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

// spent is what all days spent, those that may have been published elsewhere among them, at what a day spends now. The first day may be put off,
// and what was published before stays spent.
func (s *ledgerState) spent(from kpi.Date, day kpi.Epsilon) (sum kpi.Epsilon) {
	published := map[kpi.Date]bool{}
	if len(s.releases) > 0 {
		from = min(from, s.releases[0].Date)
	}
	for _, r := range s.releases {
		sum += r.Spent
		published[r.Date] = true
	}
	for date := from; date < s.skip; date = date.Plus(1) {
		if !published[date] {
			sum += day
		}
	}
	return sum
}

// Err says why nothing can be published: the folder could not be read.
func (l *Ledger) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Releases are all that was published, in the order of days. They are not to be changed.
func (l *Ledger) Releases() []*Release {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.releases
}

// Spent is what of the budget is spent.
func (l *Ledger) Spent(p *kpi.Publish) kpi.Epsilon {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.spent(p.From, p.Day)
}

// Due says whether a day is yet to be published.
func (l *Ledger) Due(p *kpi.Publish, date kpi.Date) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.due(p, date) == nil
}

func (s *ledgerState) due(p *kpi.Publish, date kpi.Date) error {
	if slices.ContainsFunc(s.releases, func(r *Release) bool { return r.Date == date }) {
		return ErrPublished
	}
	if date < s.skip {
		return ErrSkipped
	}
	start, end := date.Start(p.Zone), date.Plus(1).Start(p.Zone)
	if slices.ContainsFunc(s.releases, func(r *Release) bool { return r.Start.Before(end) && start.Before(r.End) }) {
		return ErrOverlap
	}
	return nil
}

// room is [Overspent] where the budget has none for one more day.
func (s *ledgerState) room(p *kpi.Publish) error {
	if spent, asked := s.spent(p.From, p.Day), p.Spent(); asked > p.Day || spent+asked > p.All {
		return Overspent{spent, asked, p.All}
	}
	return nil
}

// Room is [Overspent] where the budget has none for one more day.
func (l *Ledger) Room(p *kpi.Publish) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.room(p)
}

// Publish has the day's figures made and publishes them. The error is [ErrPublished], [ErrSkipped], [ErrOverlap], [Overspent], or of the disk; then figures is not called,
// or nobody sees what it gave. It holds for all processes of the folder: one at a time publishes.
func (l *Ledger) Publish(p *kpi.Publish, date kpi.Date, figures func() []TotalsOfDay) error {
	unlock, err := private.LockFolder(l.dir)
	if err != nil {
		return err
	}
	defer unlock()
	state, err := l.look()
	if err != nil {
		return err
	}
	if err := state.due(p, date); err != nil {
		return err
	}
	if err := state.room(p); err != nil {
		return err
	}
	r := &Release{Number: len(state.releases) + 1, Date: date, Start: date.Start(p.Zone).UTC(), End: date.Plus(1).Start(p.Zone).UTC(), Spent: p.Spent(), Totals: figures()}
	if err := l.write(string(date)+".json", r); err != nil {
		return err
	}
	_, err = l.look()
	return err
}

// Skip keeps all days before a date that have no release from being published: a data folder that was made of a backup does not know
// which were after it. They count as spent.
func (l *Ledger) Skip(before kpi.Date) error {
	return private.Replace(filepath.Join(l.dir, skipFile), mustJSON(skipped{before}))
}

// write has a new file there, whole and durable when it returns nil. One that is there is an error.
func (l *Ledger) write(name string, r *Release) error {
	aside, err := os.CreateTemp(l.dir, ".")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name())
	hour := time.Now().Truncate(time.Hour)
	_, err = aside.Write(append(mustJSON(r), '\n'))
	if err := errors.Join(err, os.Chtimes(aside.Name(), hour, hour), aside.Sync(), aside.Close()); err != nil {
		return err
	}
	if err := os.Link(aside.Name(), filepath.Join(l.dir, name)); err != nil { // unlike a rename it replaces nothing
		return err
	}
	return private.Sync(l.dir)
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and finite numbers
	}
	return text
}
