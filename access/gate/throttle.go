package gate

import (
	"sync"
	"time"
)

// throttle lets each of a few things happen once in a while.
type throttle struct {
	mu   sync.Mutex
	last map[string]time.Time // by thing; they are few
}

// due says whether that while is over for a thing, and begins its next. A clock that went back does not stop it.
func (t *throttle) due(thing string, now time.Time, while time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, was := t.last[thing]; was && now.Sub(last) >= 0 && now.Sub(last) < while {
		return false
	}
	if t.last == nil {
		t.last = map[string]time.Time{}
	}
	t.last[thing] = now
	return true
}

// say logs what an operator should know, each thing once a minute: every request may come upon it. What it says is none of a request's text.
func (g *Gate) say(what string, err error) {
	if g.told.due(what, g.Now(), time.Minute) {
		g.Logger.Error(what, "err", err)
	}
}
