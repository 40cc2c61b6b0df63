// Package lease lets one of several processes own a task at a time, by one entry of a JetStream key-value bucket.
//
// Whoever owns it renews its entry by an update that expects the revision it wrote last; whoever wants it takes over
// once an entry has stood unchanged for its lifetime. Both measure by their own monotonic clock, so no two
// clocks have to agree. The owner stops a while before another could begin. Where a process is stopped and let go
// on again, it finds its time over before it does anything else that asks [Term.Err]; what it had begun is
// fenced by the epoch, which is higher with each term.
//
//	bucket → Keep → own(ctx, term), as long as the term lasts
//
// It imports nothing of the house.
package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ErrLost is a term that is over.
var ErrLost = errors.New("lease: this process does not own the task any more")

// Options say what is owned, and by whom. All but those with a default are needed.
type Options struct {
	Bucket   func(ctx context.Context) (jetstream.KeyValue, error) // where the entry lies
	Key      string                                                // name of the task
	Holder   string                                                // name of this process, without spaces, as others are told it
	Lifetime time.Duration                                         // how long an entry stands without being renewed; default 15 s
	Now      func() time.Duration                                  // monotonic time, that goes on while the machine sleeps; default the process's
	Logger   *slog.Logger                                          // default: slog.Default()
}

// A term ends a fifth of the lifetime before another may begin, and is renewed five times in a lifetime.
const parts = 5

// released is the entry of an owner that has ended its term itself.
const released = ""

// Term is one owner's time.
type Term struct {
	Epoch uint64 // higher than that of any term before

	now   func() time.Duration
	mu    sync.Mutex
	until time.Duration
	over  bool
}

// Err is nil while the term lasts, else [ErrLost]. It costs nothing, and is to be asked before each act.
func (t *Term) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over || t.now() >= t.until {
		t.over = true
		return ErrLost
	}
	return nil
}

// extend lets the term last longer, if it has not been over.
func (t *Term) extend(until time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until = until
}

func (t *Term) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// left is how long the term lasts unless it is renewed.
func (t *Term) left() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until - t.now()
}

// keeper is one run of Keep.
type keeper struct {
	o    Options
	mark string        // what its entries hold: the holder, and what tells this run from others of the same name
	seen uint64        // revision that stands
	at   time.Duration // when it was seen first
	held string        // by whom, as it was told last
}

// Keep owns the task whenever it can, until ctx ends: it calls own with each term that it gets, and waits for it to
// return. The context of own ends with the term. When own returns while its term lasts, the term is given up, and
// another process may have the next one at once.
func Keep(ctx context.Context, o Options, own func(ctx context.Context, term *Term)) {
	k := &keeper{o: withDefaults(o), mark: o.Holder + " " + rand.Text()}
	for wait := time.Duration(0); Pause(ctx, wait); {
		term, revision, err := k.take(ctx)
		wait = k.o.Lifetime / (3 * parts)
		if err != nil {
			k.o.Logger.Debug("the lease cannot be looked at", "task", k.o.Key, "reason", err)
			continue
		}
		if term != nil {
			k.own(ctx, term, revision, own)
			wait = k.o.Lifetime / parts // others first: this one may have had a reason to give up
		}
	}
}

func withDefaults(o Options) Options {
	if o.Lifetime == 0 {
		o.Lifetime = 15 * time.Second
	}
	if o.Now == nil {
		began := time.Now()
		o.Now = func() time.Duration { return time.Since(began) }
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// take looks at the entry, and begins a term where there is none or it has stood for too long.
func (k *keeper) take(ctx context.Context) (*Term, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, k.o.Lifetime/parts)
	defer cancel()
	bucket, err := k.o.Bucket(ctx)
	if err != nil {
		return nil, 0, err
	}
	entry, err := bucket.Get(ctx, k.o.Key)
	began := k.o.Now() // before the entry is written: nobody sees it earlier
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		revision, err := bucket.Create(ctx, k.o.Key, []byte(k.mark))
		return k.begin(revision, began, err)
	case err != nil:
		return nil, 0, err
	case string(entry.Value()) == released:
	case k.stands(entry):
		return nil, 0, nil
	}
	revision, err := bucket.Update(ctx, k.o.Key, []byte(k.mark), entry.Revision())
	return k.begin(revision, began, err)
}

// stands tells whether another's term may still last: a lifetime from when this process saw its entry first.
func (k *keeper) stands(entry jetstream.KeyValueEntry) bool {
	if entry.Revision() > k.seen { // else it is the same, or a replica answers that lags
		k.seen, k.at = entry.Revision(), k.o.Now()
	}
	if owner := holder(entry); owner != k.held && entry.Revision() == k.seen {
		k.held = owner
		k.o.Logger.Info("another process owns the task", "task", k.o.Key, "owner", owner)
	}
	return k.o.Now()-k.at < k.o.Lifetime
}

// holder is the name in an entry.
func holder(entry jetstream.KeyValueEntry) string {
	name, _, _ := strings.Cut(string(entry.Value()), " ")
	return name
}

func (k *keeper) begin(revision uint64, began time.Duration, err error) (*Term, uint64, error) {
	if err != nil {
		return nil, 0, err
	}
	term := &Term{Epoch: revision, now: k.o.Now}
	term.extend(began + k.o.Lifetime - k.o.Lifetime/parts)
	return term, revision, nil
}

// own runs one term to its end.
func (k *keeper) own(ctx context.Context, term *Term, revision uint64, own func(context.Context, *Term)) {
	k.held = k.o.Holder
	k.o.Logger.Info("this process owns the task", "task", k.o.Key, "epoch", term.Epoch)
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		own(inner, term)
	}()
	revision = k.renew(ctx, term, revision, done)
	lost := term.Err() != nil
	if lost {
		k.o.Logger.Warn("this process does not own the task any more", "task", k.o.Key, "epoch", term.Epoch)
	}
	stop(ErrLost)
	<-done // before the entry is released: the next owner begins when this one has ended
	if term.Err() == nil && !lost {
		term.end()
		k.release(ctx, revision)
	}
}

// renew renews the term until it is over, the work is done or ctx ends, and gives the revision written last.
func (k *keeper) renew(ctx context.Context, term *Term, revision uint64, done <-chan struct{}) uint64 {
	tick := time.NewTicker(k.o.Lifetime / parts)
	defer tick.Stop()
	for term.Err() == nil {
		over := time.NewTimer(term.left())
		select {
		case <-ctx.Done():
		case <-done:
		case <-over.C:
			continue
		case <-tick.C:
			over.Stop()
			var err error
			if revision, err = k.update(ctx, term, revision); err != nil {
				k.o.Logger.Debug("the lease is not renewed", "task", k.o.Key, "reason", err)
			}
			continue
		}
		over.Stop()
		return revision
	}
	return revision
}

// update renews the entry once. One that another has written ends the term.
func (k *keeper) update(ctx context.Context, term *Term, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, max(0, term.left()))
	defer cancel()
	began := k.o.Now()
	bucket, err := k.o.Bucket(ctx)
	if err != nil {
		return revision, err
	}
	next, err := bucket.Update(ctx, k.o.Key, []byte(k.mark), revision)
	if err == nil {
		term.extend(began + k.o.Lifetime - k.o.Lifetime/parts)
		return next, nil
	}
	// It may be written all the same, by an answer that was lost; the entry then is this holder's, of this term.
	entry, getErr := bucket.Get(ctx, k.o.Key)
	switch {
	case getErr != nil:
		return revision, errors.Join(err, getErr)
	case entry.Revision() <= revision: // or a replica answers that lags
		return revision, err
	case string(entry.Value()) == k.mark:
		return entry.Revision(), err
	}
	term.end()
	return revision, fmt.Errorf("%w: %s does", ErrLost, holder(entry))
}

// release lets the next owner begin at once.
func (k *keeper) release(ctx context.Context, revision uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.o.Lifetime/parts)
	defer cancel()
	bucket, err := k.o.Bucket(ctx)
	if err == nil {
		_, err = bucket.Update(ctx, k.o.Key, []byte(released), revision)
	}
	if err != nil {
		k.o.Logger.Debug("the lease is not released, and runs out", "task", k.o.Key, "reason", err)
	}
}

// Pause waits, and tells whether there is more to do after it.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
