package salt

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// lookEvery is how often a rotator looks, and so how late it may be.
const lookEvery = time.Minute

// Rotator rotates a folder by itself for as long as a server runs; where another tool keeps the
// salts it only looks, so that what is wrong with them is told.
type Rotator struct {
	Folder *Folder
	Logger *slog.Logger
	Done   func([]Step) // told of what a turn did; default: nobody is
	Hold   func() error // an error says why the clock must not be believed now; default nil, it always is

	fault atomic.Pointer[error]
}

// Err is what went wrong at the last look; nil when nothing did. It is tried again every minute.
func (r *Rotator) Err() error {
	if err := r.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Run looks at once and then every minute, until the context ends.
func (r *Rotator) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		r.Turn()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Turn does what is due by now. A change of what is wrong goes into the log, once.
func (r *Rotator) Turn() {
	steps, err := r.turn()
	for _, step := range steps {
		r.Logger.Info("salt", "done", step.Do, "salt", step.Salt, "fingerprint", step.Fingerprint)
	}
	if r.Done != nil && len(steps) > 0 {
		r.Done(steps)
	}
	before := r.Err()
	switch {
	case err == nil:
		r.fault.Store(nil)
		if before != nil {
			r.Logger.Warn("the salts are in order again")
		}
		return
	case before == nil || before.Error() != err.Error():
		r.Logger.Error("the salts are not in order; nothing is hashed with one that is not", "err", err)
	}
	r.fault.Store(&err)
}

func (r *Rotator) turn() ([]Step, error) {
	if r.Hold != nil {
		if err := r.Hold(); err != nil {
			return nil, err
		}
	}
	if r.Folder.o.External {
		return nil, r.Folder.watch()
	}
	return r.Folder.Rotate(r.Folder.o.Now(), false)
}
