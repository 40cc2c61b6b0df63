package gate

import (
	"sync"
	"time"
)

// throttle lets something happen once in a while.
type throttle struct {
	mu   sync.Mutex
	last time.Time
}

// due says whether that while is over, and begins the next. The lock is held by the caller. A clock that went back does not stop it.
func (t *throttle) due(now time.Time, while time.Duration) bool {
	if age := now.Sub(t.last); age >= 0 && age < while {
		return false
	}
	t.last = now
	return true
}

// say logs what an operator should know, once a minute: every request may come upon it.
func (g *Gate) say(what string, err error) {
	g.told.mu.Lock()
	defer g.told.mu.Unlock()
	if g.told.due(g.Now(), time.Minute) {
		g.Logger.Error(what, "err", err)
	}
}
