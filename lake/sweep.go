package lake

import (
	"context"
	"slices"
	"time"
)

// sweepDelay is how long a covered file stays, for readers of other processes that began before.
const sweepDelay = 30 * time.Second

// sweep removes files that have been covered for a while. What could not be removed stays known.
func (l *Lake) sweep(ctx context.Context) error {
	due := l.sweepable()
	if err := l.place.sweep(ctx, due); err != nil {
		return err
	}
	for _, n := range due {
		l.swept(n)
	}
	return nil
}

func (l *Lake) sweepable() (due []Name) {
	now := l.opts.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.cat.covered {
		since, ok := l.coveredSince[n]
		if !ok {
			l.coveredSince[n] = now
		} else if now.Sub(since) >= sweepDelay {
			due = append(due, n)
		}
	}
	return due
}

func (l *Lake) swept(n Name) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cat.covered = slices.DeleteFunc(l.cat.covered, func(c Name) bool { return c == n })
	delete(l.coveredSince, n)
	delete(l.metas, n)
}
