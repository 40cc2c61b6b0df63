package lake

import (
	"slices"
	"time"
)

// sweepDelay is how long a covered file stays, for readers of other processes that began before.
const sweepDelay = 30 * time.Second

// sweep removes files that have been covered for a while.
func (l *Lake) sweep() error {
	now := l.opts.Now()
	l.mu.Lock()
	var due []Name
	l.cat.covered = slices.DeleteFunc(l.cat.covered, func(n Name) bool {
		since, ok := l.coveredSince[n]
		if !ok {
			l.coveredSince[n] = now
			return false
		}
		if now.Sub(since) < sweepDelay {
			return false
		}
		due = append(due, n)
		delete(l.coveredSince, n)
		delete(l.metas, n)
		return true
	})
	l.mu.Unlock()
	return l.disk.remove(due)
}
