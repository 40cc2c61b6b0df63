package lake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"brine/event"
	"brine/lake/store"
)

// remote is an object store as a place: the journal is its catalogue, and DuckDB reads copies in the cache.
type remote struct {
	bucket  *store.Bucket
	cache   *store.Cache
	aside   *disk // in the cache's folder
	journal *journal
	log     *slog.Logger
	id      string     // that the lake must have; "" for any
	damaged func(Name) // is told of an object that is damaged, so that it is left out

	mu     sync.Mutex
	staged map[Name]bool // written and in no entry yet
	epoch  uint64        // as the owner
}

func newRemote(bucket *store.Bucket, cache *store.Cache, aside *disk, o Options) *remote {
	return &remote{id: o.ID, bucket: bucket, cache: cache, aside: aside, log: o.Logger, staged: map[Name]bool{},
		journal: &journal{bucket: bucket, log: o.Logger, now: o.Now, turn: semaphore.NewWeighted(1), state: newState()}}
}

func (r *remote) path(n Name) string { return r.cache.Path(keyOf(n)) }

// own begins an ownership. What the owner before wrote and did not commit is in the log still, and is swept later.
func (r *remote) own(ctx context.Context, log Log, lease uint64) (*catalogue, uint64, error) {
	if err := r.aside.clearAside(); err != nil {
		return nil, 0, err
	}
	infos, err := log.LogsNow(ctx)
	if err != nil {
		infos = nil // each flush asks again, and looks first
	}
	epoch, err := r.journal.own(ctx, lease, false, func(s *state) error {
		if err := r.expected(s.Lake); err != nil {
			return err
		}
		for _, info := range infos {
			if err := notBehind(info, mark{info.Name, s.Marks[info.Name]}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	r.mu.Lock()
	r.staged, r.epoch = map[Name]bool{}, epoch
	r.mu.Unlock()
	r.forgetCopies()
	return r.current(), epoch, nil
}

// known says whether a file is in the lake, or covered and not swept.
func (r *remote) known(n Name) bool {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.journal.state.find(n) != nil
}

func (r *remote) disown() { r.journal.disown() }

func (r *remote) look(ctx context.Context) (*catalogue, error) {
	if err := r.journal.refresh(ctx); err != nil {
		return nil, err
	}
	return r.current(), r.expected(r.lakeID())
}

// ErrOtherLake is a lake that is not the one which its user knows.
var ErrOtherLake = errors.New("this is another lake")

// expected refuses a lake that is not the one that it must be; an id of "" is of one that has never been owned.
func (r *remote) expected(id string) error {
	switch {
	case r.id == "" || r.id == id:
		return nil
	case id == "":
		return fmt.Errorf("%w: %s has none yet, and this data folder belongs to the lake %s", ErrOtherLake, r.bucket, r.id)
	}
	return fmt.Errorf("%w: %s holds the lake %s, and this data folder belongs to the lake %s", ErrOtherLake, r.bucket, id, r.id)
}

func (r *remote) lakeID() string {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.journal.state.Lake
}

// ID is what tells a lake in an object store from all others, made when it was first owned; "" for one in a folder, and where it is
// not known yet.
func (l *Lake) ID() string {
	if r, ok := l.place.(*remote); ok {
		return r.lakeID()
	}
	return ""
}

// forgetCopies takes copies out of the cache of what is in the store no more, and says whether some are held.
func (r *remote) forgetCopies() (held bool) {
	return r.cache.Keep(func(key string) bool {
		n, err := ParseName(key)
		return err == nil && r.known(n)
	})
}

// current is the journal's state as a catalogue.
func (r *remote) current() *catalogue {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	s := r.journal.state
	c := &catalogue{number: s.Number, marks: map[string]mark{}, hour: s.Hour, completeTo: s.CompleteTo}
	for _, in := range s.files {
		for _, f := range in {
			c.files = append(c.files, f)
		}
	}
	for n := range s.covered {
		c.covered = append(c.covered, n)
	}
	for log, last := range s.Marks {
		c.marks[log] = mark{log, last}
	}
	return c
}

// stage writes a file into the store, where it is nothing yet. What lies there under its name was never committed.
func (r *remote) stage(ctx context.Context, f *File) (err error) {
	if err := r.journal.owned(); err != nil {
		return err
	}
	aside := r.aside.aside(f.Name)
	if f.sum, err = store.SumOf(aside); err != nil {
		return err
	}
	r.mu.Lock()
	r.staged[f.Name] = true
	r.mu.Unlock()
	if err := r.put(ctx, f, aside); err != nil {
		return err
	}
	r.aside.point("object-put")
	return nil
}

// put writes a file. What is there already may be its own, by a try whose answer was lost, or that of a write that failed.
func (r *remote) put(ctx context.Context, f *File, path string) error {
	key := keyOf(f.Name)
	err := r.bucket.PutFile(ctx, key, path)
	if !errors.Is(err, store.ErrExists) {
		return err
	}
	if r.known(f.Name) {
		return fmt.Errorf("%s is in the lake already", f.Name)
	}
	if err = r.bucket.Verify(ctx, key, f.Size, f.sum); !errors.Is(err, store.ErrWrong) {
		return err
	}
	if err := r.bucket.Delete(ctx, key); err != nil {
		return err
	}
	if err = r.bucket.PutFile(ctx, key, path); errors.Is(err, store.ErrExists) {
		return r.bucket.Verify(ctx, key, f.Size, f.sum)
	}
	return err
}

func (r *remote) discard(ctx context.Context, n Name) error {
	if r.known(n) {
		return nil
	}
	if err := r.bucket.Delete(context.WithoutCancel(ctx), keyOf(n)); err != nil {
		return err
	}
	r.unstage(n)
	return nil
}

func (r *remote) leave(n Name) { r.unstage(n) }

func (r *remote) unstage(names ...Name) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range names {
		delete(r.staged, n)
	}
}

// commit refuses files of an ownership that has ended, whether this process has another now or not: they may be swept as strays, or have been. Only what
// is written beside flushes can be so late, and that begins anew after an [ErrReplaced].
func (r *remote) commit(ctx context.Context, c change) error {
	r.mu.Lock()
	epoch := r.epoch
	r.mu.Unlock()
	for _, f := range c.files {
		if f.Epoch != epoch {
			return fmt.Errorf("%s is of an earlier ownership of the lake: %w", f.Name, ErrReplaced)
		}
	}
	e := &entry{Add: c.files, Mark: c.mark, Hour: c.hour}
	if !c.completeTo.IsZero() {
		e.CompleteTo = time.UnixMilli(event.FloorMillis(c.completeTo.UnixMilli())).UTC()
	}
	if err := r.journal.append(ctx, e); err != nil {
		return err
	}
	r.aside.point("entry-put")
	r.committed(c.files)
	return nil
}

// committed keeps copies of what was just written. It counts without them: whoever reads it fetches it.
func (r *remote) committed(files []*File) {
	r.unstage(namesOf(files)...)
	for _, f := range files {
		aside := r.aside.aside(f.Name)
		if err := r.cache.Take(keyOf(f.Name), aside, f.Size); err != nil {
			err = errors.Join(err, os.RemoveAll(aside))
			r.log.Warn("a file that was just written is not kept in the cache", "file", f.String(), "err", err)
		}
	}
}

// takeBack settles a commit that failed. Where its entry is in the journal after all, it counts.
func (r *remote) takeBack(ctx context.Context, b *batch) (bool, error) {
	if _, err := r.journal.settle(ctx); err != nil {
		return false, err
	}
	there := len(b.files) > 0 // an entry has all of a batch, or none
	r.journal.mu.Lock()
	for _, f := range b.files {
		there = there && r.journal.state.find(f.Name) != nil
	}
	if len(b.files) == 0 {
		there = r.journal.state.Marks[b.log] == b.last
	}
	r.journal.mu.Unlock()
	if there {
		r.committed(b.files)
		return true, nil
	}
	for _, f := range b.files {
		if err := r.discard(ctx, f.Name); err != nil {
			return false, err
		}
	}
	return false, nil
}

// drop takes files out of the journal, so that nobody reads them, then out of the store. Where that fails they stay
// among those to be swept.
func (r *remote) drop(ctx context.Context, covered, files []Name) error {
	names := slices.Concat(covered, files)
	if len(names) == 0 {
		return nil
	}
	if len(files) > 0 {
		if err := r.journal.append(ctx, &entry{Drop: files}); err != nil {
			return err
		}
		r.aside.point("drop-entered")
	}
	return r.sweep(ctx, names)
}

func (r *remote) forget([]mark) error { return nil }

// deletesAtOnce is how many objects are removed side by side.
const deletesAtOnce = 8

func (r *remote) sweep(ctx context.Context, names []Name) error {
	if len(names) == 0 {
		return nil
	}
	if err := r.journal.owned(); err != nil {
		return err
	}
	if err := r.delete(ctx, names); err != nil {
		return err
	}
	if err := r.journal.append(ctx, &entry{Gone: names}); err != nil {
		return err
	}
	for _, n := range names {
		r.cache.Drop(keyOf(n))
	}
	return nil
}

func (r *remote) delete(ctx context.Context, names []Name) error {
	var all errgroup.Group
	all.SetLimit(deletesAtOnce)
	for _, n := range names {
		all.Go(func() error {
			defer r.aside.point("object-removed")
			return r.bucket.Delete(ctx, keyOf(n))
		})
	}
	return all.Wait()
}

// sweepStrays removes files that are in no entry: an owner wrote them and never committed them, or late.
func (r *remote) sweepStrays(ctx context.Context) error {
	if err := r.journal.owned(); err != nil {
		return err
	}
	var strays []Name
	for o, err := range r.bucket.List(ctx, "") {
		if err != nil {
			return err
		}
		if n, err := ParseName(o.Key); err == nil && r.stray(n) {
			strays = append(strays, n)
		}
	}
	if len(strays) > 0 {
		r.log.Warn("files that were never committed are removed from the lake", "files", len(strays))
	}
	return r.delete(ctx, strays)
}

// stray says whether a file was never committed, nor will be. Only the owner of an epoch commits files of it.
func (r *remote) stray(n Name) bool {
	r.mu.Lock()
	mine := n.Epoch > r.epoch || n.Epoch == r.epoch && r.staged[n]
	r.mu.Unlock()
	if mine {
		return false
	}
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	return r.journal.state.find(n) == nil && !r.journal.doubt[n]
}

// fetchesAtOnce is how many files one read fetches side by side.
const fetchesAtOnce = 8

// hold fetches files into the cache where they are not there, and keeps them there.
func (r *remote) hold(ctx context.Context, files []*File) (release func(), err error) {
	releases := make([]func(), len(files))
	release = func() {
		for _, release := range releases {
			if release != nil {
				release()
			}
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(fetchesAtOnce)
	for i, f := range files {
		all.Go(func() (err error) {
			releases[i], err = r.cache.Hold(ctx, keyOf(f.Name), f.Size, func(ctx context.Context, path string) error { return r.fetch(ctx, f, path) })
			return err
		})
	}
	if err := all.Wait(); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// errDamaged is an object that is not what was written, and is left out from now on.
var errDamaged = errors.New("a file of the lake is damaged in the object store")

// damagedObject is why it is left out.
const damagedObject = "damaged in the object store: it answers other bytes than were written, and the same ones each time"

// fetch asks again where the store answers wrong bytes. As many as were written, and the same ones each time, are a damaged
// object; whatever else is wrong is the store's, and may be otherwise soon.
func (r *remote) fetch(ctx context.Context, f *File, path string) (err error) {
	damaged, last := true, store.Sum{}
	for try := range tries {
		err = r.bucket.Fetch(ctx, keyOf(f.Name), path, f.Size, f.sum)
		var wrong *store.Wrong
		if !errors.As(err, &wrong) {
			return err
		}
		r.log.Error("the object store answers wrong bytes: they are not read", "file", f.String())
		damaged = damaged && wrong.Size == f.Size && (try == 0 || wrong.Sum == last)
		last = wrong.Sum
	}
	if !damaged {
		return err
	}
	r.damaged(f.Name)
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// whole says whether an object is what was written.
func (r *remote) whole(ctx context.Context, n Name) bool {
	r.journal.mu.Lock()
	f := r.journal.state.find(n)
	r.journal.mu.Unlock()
	return f != nil && r.bucket.Verify(ctx, keyOf(n), f.Size, f.sum) == nil
}

// present says whether the lake has the files as far as is known: a fetch tells whether the store has.
func (r *remote) present(files []*File) bool {
	return !slices.ContainsFunc(files, func(f *File) bool { return !r.known(f.Name) })
}

func (r *remote) size(n Name) int64 {
	r.journal.mu.Lock()
	defer r.journal.mu.Unlock()
	if f := r.journal.state.find(n); f != nil {
		return f.Size
	}
	return 0
}

func (r *remote) close() error {
	return errors.Join(r.cache.Close(), r.bucket.Close())
}
