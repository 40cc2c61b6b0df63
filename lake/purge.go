package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Purge is one run of the retention.
type Purge struct {
	Retention
	Now    time.Time // hours are judged as of then
	DryRun bool      // only say what would go
	Yes    bool      // drop what the guard would keep
	// Unsanitized tells which raw hours are still to be sanitized; nil where none is. When it fails, no raw
	// hour goes for space.
	Unsanitized func(context.Context) (func(stream string, hour time.Time) bool, error)
	Intend      func([]Drop) error // told what is about to go; where it fails nothing does. For [Lake.Went], nil: nobody is told
	Progress    func(done, of int) // nil: nobody looks
}

// Purged is what a purge did, or would do. It says no time finer than the day.
type Purged struct {
	Day      string    `json:"day"` // as of which it was done
	DryRun   bool      `json:"dry_run"`
	Dropped  []Dropped `json:"dropped"`
	Stopped  []Stopped `json:"stopped"`  // by the guard
	Warnings []string  `json:"warnings"` // what an operator should see to
}

// Dropped is what went of one stream, for one reason.
type Dropped struct {
	Dataset string `json:"dataset"`
	Stream  string `json:"stream"`
	Why     Why    `json:"why"`
	From    string `json:"from"` // day of the first hour that went
	To      string `json:"to"`   // day of the last, inclusive
	Hours   int    `json:"hours"`
	Files   int    `json:"files"`
	Bytes   int64  `json:"bytes"`
	Lost    int    `json:"lost"` // hours among them that were not sanitized, or not as they were
}

// Purge drops what the retention no longer permits: whole hours with all their files, those that
// others cover and those that were left out as damaged included. A foreign file is told and stays.
// Marks stay. An hour that fails does not keep others from it; the next run takes it up again.
// Reads under way go on with what is left.
func (l *Lake) Purge(ctx context.Context, p Purge) (Purged, error) {
	done := Purged{Day: p.Now.UTC().Format(time.DateOnly), DryRun: p.DryRun, Dropped: []Dropped{}, Stopped: []Stopped{}, Warnings: []string{}}
	leave, err := l.enter()
	if err != nil {
		return done, err
	}
	defer leave()
	if err := l.Unknown(); err != nil {
		return done, err
	}
	held := l.Held()
	raw := rawHours(held)
	markMadeAgain(held, raw)
	err = markUnsanitized(ctx, p, held)
	drops, stopped := p.Due(held, p.Now, p.Yes)
	drops = withoutMadeAgain(drops, raw)
	done.Stopped = append(done.Stopped, stopped...)
	done.Warnings = append(done.Warnings, l.foreign()...)
	if err == nil {
		done.Warnings = append(p.warnings(held, drops), done.Warnings...)
	}
	if p.DryRun {
		for _, d := range drops {
			done.add(d)
		}
		return done, err
	}
	if p.Intend != nil && len(drops) > 0 {
		if err := p.Intend(drops); err != nil {
			return done, fmt.Errorf("nothing is purged: note what is to go: %w", err)
		}
	}
	return done, errors.Join(err, l.dropAll(ctx, p, drops, &done), l.pruneEmpty())
}

// Went is what is there no more of what a purge was to drop that was ended in the middle of it.
func (l *Lake) Went(intended []Drop) ([]Dropped, error) {
	if err := l.Unknown(); err != nil {
		return nil, err
	}
	left := map[string]Held{}
	for _, h := range l.Held() {
		left[h.key()] = h
	}
	var went Purged
	for _, d := range intended {
		h, some := left[d.key()]
		d.Files = slices.DeleteFunc(slices.Clone(d.Files), func(n Name) bool { return slices.ContainsFunc(h.Files, n.Overlaps) })
		d.Bytes = max(0, d.Bytes-h.Bytes)
		if !some || len(d.Files) > 0 {
			went.add(d)
		}
	}
	return went.Dropped, nil
}

func (l *Lake) dropAll(ctx context.Context, p Purge, drops []Drop, done *Purged) error {
	var errs []error
	for i, d := range drops {
		if p.Progress != nil {
			p.Progress(i, len(drops))
		}
		if ctx.Err() != nil {
			return errors.Join(append(errs, ctx.Err())...)
		}
		gone, err := l.drop(ctx, d)
		if gone {
			done.add(d)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Held lists what is on disk, hour by hour: dataset by dataset, the oldest first.
func (l *Lake) Held() []Held {
	l.mu.Lock()
	defer l.mu.Unlock()
	type key struct {
		tableKey
		hour int64
	}
	hours := map[key]*Held{}
	add := func(n Name, size int64) {
		k := key{tableKey{n.Dataset, n.Stream}, n.Hour.Unix()}
		if hours[k] == nil {
			hours[k] = &Held{Dataset: n.Dataset, Stream: n.Stream, Hour: n.Hour, Open: !n.Hour.Before(l.closedTo)}
		}
		hours[k].Bytes += size
		hours[k].Files = append(hours[k].Files, n)
	}
	for _, f := range l.cat.files {
		add(f.Name, f.Size)
	}
	for _, n := range l.cat.leftOut() {
		add(n, l.place.size(n))
	}
	all := make([]Held, 0, len(hours))
	for _, h := range hours {
		slices.SortFunc(h.Files, func(a, b Name) int { return cmp.Compare(a.String(), b.String()) })
		all = append(all, *h)
	}
	slices.SortFunc(all, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Dataset, b.Dataset), a.Hour.Compare(b.Hour), cmp.Compare(a.Stream, b.Stream))
	})
	return all
}

// leftOut are the lake's own files among the faults: they hold events, whatever is wrong with them.
func (c *catalogue) leftOut() (names []Name) {
	for _, f := range c.faults {
		if n, err := ParseName(f.Path); err == nil && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// foreign tells of files that are none of the lake's. They are never removed.
func (l *Lake) foreign() (warnings []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.cat.faults {
		if _, err := ParseName(f.Path); err != nil {
			warnings = append(warnings, f.Path+" is not a file of the lake's and stays, whatever it holds: move it away")
		}
	}
	return warnings
}

// rawHours are the raw hours there are.
func rawHours(held []Held) map[hourKey]bool {
	raw := map[hourKey]bool{}
	for _, h := range held {
		if h.Dataset == Raw {
			raw[hourKey{h.Stream, h.Hour.Unix()}] = true
		}
	}
	return raw
}

// markMadeAgain keeps sanitized hours from going for space while their raw hours are there: they
// would come back.
func markMadeAgain(held []Held, raw map[hourKey]bool) {
	for i, h := range held {
		if h.Dataset == Sanitized && raw[hourKey{h.Stream, h.Hour.Unix()}] {
			held[i].Open = true
		}
	}
}

// withoutMadeAgain leaves out sanitized hours whose raw hours are there and stay, as the guard may have it.
func withoutMadeAgain(drops []Drop, raw map[hourKey]bool) []Drop {
	stay := maps.Clone(raw)
	for _, d := range drops {
		if d.Dataset == Raw {
			delete(stay, hourKey{d.Stream, d.Hour.Unix()})
		}
	}
	return slices.DeleteFunc(drops, func(d Drop) bool { return d.Dataset == Sanitized && stay[hourKey{d.Stream, d.Hour.Unix()}] })
}

// markUnsanitized notes which raw hours are not sanitized; all, where nobody can tell.
func markUnsanitized(ctx context.Context, p Purge, held []Held) error {
	if p.Unsanitized == nil {
		return nil
	}
	waits, err := p.Unsanitized(ctx)
	for i, h := range held {
		held[i].Unsanitized = h.Dataset == Raw && (err != nil || waits(h.Stream, h.Hour))
	}
	if err != nil {
		return fmt.Errorf("look which hours are sanitized: %w", err)
	}
	return nil
}

// drop takes an hour away. Gone is false where it has to wait for the next run.
func (l *Lake) drop(ctx context.Context, d Drop) (gone bool, err error) {
	r := &Rewriter{lake: l}
	err = r.Hour(ctx, d.Stream, d.Hour, func(h *Hour) error {
		files := h.Files(d.Dataset)
		if d.Why == ForSpace && !d.holds(files) {
			return nil // it was added to or rewritten since it was judged
		}
		if err := h.dropLeftOut(ctx, d.Dataset); err != nil {
			return err
		}
		gone = true
		if d.Dataset == Sanitized {
			if err := h.dropAllFollowing(ctx); err != nil {
				return err
			}
		}
		return h.Drop(ctx, files)
	})
	if err != nil {
		return false, fmt.Errorf("drop %s %s %s: %w", d.Dataset, d.Stream, d.Hour.Format("2006-01-02T15:04Z"), err)
	}
	return gone, nil
}

// dropAllFollowing takes away what was made of the hour's sanitized files, also what cannot be read of it.
func (h *Hour) dropAllFollowing(ctx context.Context) error {
	for _, dataset := range following {
		if err := h.dropLeftOut(ctx, dataset); err != nil {
			return err
		}
	}
	return h.dropFollowing(ctx, func(File) bool { return true })
}

// holds says whether all files were there when the hour was judged.
func (h Held) holds(files []File) bool {
	return !slices.ContainsFunc(files, func(f File) bool { return !slices.Contains(h.Files, f.Name) })
}

// dropLeftOut takes away the hour's files that are not read. They go before what overlaps them:
// none is ever read for the want of it.
func (h *Hour) dropLeftOut(ctx context.Context, dataset string) error {
	l := h.r.lake
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	names := slices.DeleteFunc(l.cat.leftOut(), func(n Name) bool {
		return n.Dataset != dataset || n.Stream != h.Stream || !n.Hour.Equal(h.Start)
	})
	l.mu.Unlock()
	if err := l.place.drop(ctx, nil, names); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat.faults = slices.DeleteFunc(l.cat.faults, func(f Fault) bool {
		n, err := ParseName(f.Path)
		return err == nil && slices.Contains(names, n)
	})
	return nil
}

// pruneEmpty removes folders of hours and days that hold nothing, as a crash may leave them.
func (l *Lake) pruneEmpty() error {
	if _, ok := l.place.(*remote); ok {
		return nil
	}
	for _, pattern := range []string{"*/*/date=*/hour=*", "*/*/date=*"} {
		folders, err := filepath.Glob(l.disk.path(pattern))
		if err != nil {
			return err
		}
		for _, folder := range folders {
			entries, err := os.ReadDir(folder)
			if err != nil || len(entries) > 0 {
				continue // it is in use, or gone
			}
			if err := l.pruneFolder(folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// pruneFolder keeps writers away, which may be about to fill it.
func (l *Lake) pruneFolder(path string) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	rel, err := filepath.Rel(l.disk.root, path)
	if err != nil {
		return err
	}
	return l.disk.prune(rel)
}

// add counts an hour in.
func (p *Purged) add(d Drop) {
	day := d.Hour.UTC().Format(time.DateOnly)
	i := slices.IndexFunc(p.Dropped, func(o Dropped) bool { return o.Dataset == d.Dataset && o.Stream == d.Stream && o.Why == d.Why })
	if i < 0 {
		i = len(p.Dropped)
		p.Dropped = append(p.Dropped, Dropped{Dataset: d.Dataset, Stream: d.Stream, Why: d.Why, From: day})
	}
	o := &p.Dropped[i]
	o.To = day
	o.Hours++
	o.Files += len(d.Files)
	o.Bytes += d.Bytes
	if d.Unsanitized {
		o.Lost++
	}
}

// warnBefore is how long before an hour that is not sanitized goes by age it is told.
const warnBefore = 14 * 24 * time.Hour

// warnings tell of hours that are or will soon be lost, and of limits that cannot be kept.
func (p Purge) warnings(held []Held, drops []Drop) []string {
	warnings := []string{}
	going := map[string]bool{}
	for _, d := range drops {
		going[d.key()] = true
	}
	lost, soon, left := map[string]int{}, map[string][]Held{}, map[string]int64{}
	for _, h := range held {
		limit := p.Limits[h.Dataset]
		switch {
		case going[h.key()] && h.Unsanitized:
			lost[h.Stream]++
		case going[h.key()]:
		default:
			left[h.Dataset] += h.Bytes
			if h.Unsanitized && limit.aged(h, p.Now.Add(min(warnBefore, limit.MaxAge/2))) {
				soon[h.Stream] = append(soon[h.Stream], h)
			}
		}
	}
	for _, stream := range sortedKeys(lost) {
		warnings = append(warnings, fmt.Sprintf("%d hours of %s go that are not sanitized, or not as they are now: what is not is lost", lost[stream], stream))
	}
	for _, stream := range sortedKeys(soon) {
		warnings = append(warnings, fmt.Sprintf("%d hours of %s are not sanitized, and the first goes on %s (retention.raw.max_age): see brine status",
			len(soon[stream]), stream, soon[stream][0].Hour.Add(p.Limits[Raw].MaxAge).UTC().Format(time.DateOnly)))
	}
	for _, dataset := range sortedKeys(left) {
		if limit := p.Limits[dataset].MaxBytes; limit > 0 && left[dataset] > limit {
			warnings = append(warnings, fmt.Sprintf("%s takes %d bytes more than retention.%s.max_bytes: %s",
				dataset, left[dataset]-limit, dataset, p.whyOver(dataset, held, going)))
		}
	}
	return warnings
}

// whyOver is what keeps a dataset over its limit.
func (p Purge) whyOver(dataset string, held []Held, going map[string]bool) string {
	waiting := 0
	for _, h := range held {
		if h.Dataset == dataset && h.Unsanitized && !going[h.key()] {
			waiting++
		}
	}
	if waiting > 0 && !p.Limits[dataset].DropUnsanitized {
		return fmt.Sprintf("%d hours are not sanitized and not dropped for space (retention.raw.drop_unsanitized)", waiting)
	}
	return "what is left is stopped by the guard, still open, or would be made of raw again"
}

func (h Held) key() string {
	return h.Dataset + "/" + h.Stream + "/" + h.Hour.UTC().Format(time.RFC3339)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
