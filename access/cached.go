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

// Cached is a directory that remembers for at most a minute which roles a person has: who is removed from a group begins
// no read after that. Refusals and failures are not remembered, nor are passwords. Asks for one person at the same
// time become one.
type Cached struct {
	directory Directory
	now       func() time.Time
	asks      singleflight.Group

	mu     sync.Mutex
	people *simplelru.LRU[string, answer]
}

type answer struct {
	account Account
	asked   time.Time
}

// NewCached remembers what the directory says. now is the clock, time.Now but in tests.
func NewCached(directory Directory, now func() time.Time) *Cached {
	people, err := simplelru.NewLRU[string, answer](maxPeople, nil)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &Cached{directory: directory, now: now, people: people}
}

// Login asks the directory, always. What it says is remembered.
func (c *Cached) Login(ctx context.Context, name, password string) (Account, error) {
	asked := c.now()
	account, err := c.directory.Login(ctx, name, password)
	if err == nil {
		c.remember(account.Name, answer{account, asked})
	}
	return account, err
}

// Find is the account as it was at most a minute ago.
func (c *Cached) Find(ctx context.Context, name string) (Account, error) {
	if account, ok := c.recall(name); ok {
		return account, nil
	}
	// Whoever asked first may go away, and the others still wait: the ask is nobody's own.
	asking := c.asks.DoChan(name, func() (any, error) { return c.ask(context.WithoutCancel(ctx), name) })
	select {
	case <-ctx.Done():
		return Account{}, context.Cause(ctx)
	case got := <-asking:
		return got.Val.(Account), got.Err
	}
}

func (c *Cached) ask(ctx context.Context, name string) (Account, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	asked := c.now()
	account, err := c.directory.Find(ctx, name)
	if err != nil {
		return Account{}, err
	}
	c.remember(name, answer{account, asked})
	return account, nil
}

func (c *Cached) recall(name string) (Account, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.people.Get(name)
	age := c.now().Sub(a.asked)
	if ok && age >= 0 && age < maxAge {
		return a.account, true
	}
	c.people.Remove(name)
	return Account{}, false
}

func (c *Cached) remember(name string, a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.people.Peek(name); !ok || !a.asked.Before(old.asked) || old.asked.After(c.now()) {
		c.people.Add(name, a)
	}
}
