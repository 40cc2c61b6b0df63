package access

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sync/singleflight"
)

const (
	maxAge    = 60 * time.Second // of a remembered answer, counted from the moment of asking
	maxPeople = 10_000           // of whom answers are remembered
	askWithin = 10 * time.Second // a directory that returns later has broken its promise
)

// Cached is a directory that remembers for at most a minute which roles a person has: who is removed from a group reads
// no longer than that. Refusals and failures are not remembered, nor are passwords. Asks for one person at the same
// time become one.
type Cached struct {
	directory Directory
	now       func() time.Time
	asks      singleflight.Group

	mu     sync.Mutex
	people *simplelru.LRU[string, answer]
}

type answer struct {
	roles Roles
	asked time.Time
}

// NewCached remembers what the directory says. now is the clock, time.Now but in tests.
func NewCached(directory Directory, now func() time.Time) *Cached {
	people, err := simplelru.NewLRU[string, answer](maxPeople, nil)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &Cached{directory: directory, now: now, people: people}
}

// Login asks the directory, always. What it says of roles is remembered.
func (c *Cached) Login(ctx context.Context, name, password string) (string, Roles, error) {
	asked := c.now()
	person, roles, err := c.directory.Login(ctx, name, password)
	if err == nil {
		c.remember(person, answer{roles, asked})
	}
	return person, roles, err
}

// Roles are those that the person had at most a minute ago.
func (c *Cached) Roles(ctx context.Context, person string) (Roles, error) {
	if roles, ok := c.recall(person); ok {
		return roles, nil
	}
	// Whoever asked first may go away, and the others still wait: the ask is nobody's own.
	asking := c.asks.DoChan(person, func() (any, error) { return c.ask(context.WithoutCancel(ctx), person) })
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case got := <-asking:
		return got.Val.(Roles), got.Err
	}
}

func (c *Cached) ask(ctx context.Context, person string) (Roles, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	asked := c.now()
	roles, err := c.directory.Roles(ctx, person)
	if err != nil {
		return 0, err
	}
	c.remember(person, answer{roles, asked})
	return roles, nil
}

func (c *Cached) recall(person string) (Roles, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.people.Get(person)
	age := c.now().Sub(a.asked)
	if ok && age >= 0 && age < maxAge {
		return a.roles, true
	}
	c.people.Remove(person)
	return 0, false
}

func (c *Cached) remember(person string, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.people.Peek(person); !ok || a.asked.After(old.asked) || old.asked.After(c.now()) {
		c.people.Add(person, a)
	}
}
