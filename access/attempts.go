package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// The limits of login attempts. Every wait ends by itself, however many attempts came before.
const (
	pairFree   = 5               // failures of one name from one client that cost no wait
	pairWait   = 5 * time.Minute // the longest wait after one more
	clientFree = 30              // the same for all names from one client together
	clientWait = 30 * time.Second
	nameHot    = 20            // failures of one name from all clients, above which a client has one free failure, not pairFree
	hotStart   = time.Minute   // the first wait then
	forgotten  = 1 * time.Hour // after the last failure the count begins anew
)

// The numbers of counts that are held: about 5 MB when full, however many clients come.
const (
	maxPairs   = 20_000
	maxClients = 10_000
	maxNames   = 10_000
	maxKnown   = 10_000
)

// TooMany is the error of an attempt that has to wait.
type TooMany struct{ Wait time.Duration }

func (e *TooMany) Error() string {
	return fmt.Sprintf("too many attempts: wait %s", e.Wait.Round(time.Second))
}

// Attempts limits logins by name and by client, without locking anybody out.
//
// What counts is the pair of a name and a client: from the sixth failure on it waits 1 s, 2 s, 4 s, … 5 minutes. A client that tries
// many names waits too, 30 s at most. A name that fails from many clients has a tighter limit at each of
// them (one failure, then a minute and more), but no limit of its own: whoever hammers a name makes
// no wait for the person who comes from another client. A client from which the
// person has logged in since the start is not held up by what is tried with other names there, or with this one
// elsewhere. Who fails with the same name at the same client does make the person wait: the two are one pair.
//
// Names and addresses are held in memory only, as hashes under a key of this process, and are in no error. An IPv6 client is its /64.
type Attempts struct {
	now func() time.Time
	key [32]byte

	mu      sync.Mutex
	pairs   *counts
	clients *counts
	names   *counts
	known   *simplelru.LRU[hashed, struct{}] // pairs that have logged in
}

type (
	hashed [16]byte
	counts = simplelru.LRU[hashed, count]
)

// count is how often something failed, and when last.
type count struct {
	failures int
	last     time.Time
}

// NewAttempts makes a limiter that has seen nobody. now is the clock, time.Now but in tests.
func NewAttempts(now func() time.Time) *Attempts {
	a := &Attempts{now: now, pairs: newLRU[count](maxPairs), clients: newLRU[count](maxClients), names: newLRU[count](maxNames), known: newLRU[struct{}](maxKnown)}
	rand.Read(a.key[:])
	return a
}

func newLRU[V any](size int) *simplelru.LRU[hashed, V] {
	lru, err := simplelru.NewLRU[hashed, V](size, nil)
	if err != nil {
		panic(err) // the sizes are constants
	}
	return lru
}

// Begin asks for an attempt: the error is a [TooMany], or nil. An attempt counts as failed from the start, so that many at once are
// no way around the limit, until done is told how it went: nil clears the pair, [ErrUnavailable] is taken
// back, and anything else stands. done must be called once.
func (a *Attempts) Begin(name string, client netip.Addr) (done func(error), err error) {
	at := a.hash(name, client)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if wait := a.wait(at, now); wait > 0 {
		return nil, &TooMany{wait}
	}
	add(a.pairs, at.pair, now, 1)
	add(a.clients, at.client, now, 1)
	add(a.names, at.name, now, 1)
	return func(err error) { a.end(at, err) }, nil
}

func (a *Attempts) wait(at place, now time.Time) time.Duration {
	free, start := pairFree, time.Second
	known := a.known.Contains(at.pair)
	if !known && get(a.names, at.name, now).failures >= nameHot {
		free, start = 1, hotStart
	}
	wait := get(a.pairs, at.pair, now).wait(now, free, start, pairWait)
	if !known {
		wait = max(wait, get(a.clients, at.client, now).wait(now, clientFree, time.Second, clientWait))
	}
	return wait
}

func (a *Attempts) end(at place, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.pairs.Remove(at.pair)
		a.known.Add(at.pair, struct{}{})
	case errors.Is(err, ErrUnavailable):
		add(a.pairs, at.pair, a.now(), -1)
	default:
		return
	}
	add(a.clients, at.client, a.now(), -1)
	add(a.names, at.name, a.now(), -1)
}

// wait is how long from now the next attempt has to wait: twice as long after each failure beyond the free ones.
func (c count) wait(now time.Time, free int, start, longest time.Duration) time.Duration {
	if c.failures < free {
		return 0
	}
	wait := min(float64(longest), float64(start)*math.Exp2(float64(c.failures-free)))
	return c.last.Add(time.Duration(wait)).Sub(now)
}

// get is the count as it stands now. One from a time to come, as after a clock was set back, has no say.
func get(all *counts, key hashed, now time.Time) count {
	c, _ := all.Get(key)
	if age := now.Sub(c.last); age < 0 || age >= forgotten {
		return count{}
	}
	return c
}

// add counts more, or takes back what was counted: that leaves the time of the last failure, which is not known any more, as it is.
func add(all *counts, key hashed, now time.Time, more int) {
	c := get(all, key, now)
	c.failures = max(0, c.failures+more)
	if more > 0 {
		c.last = now
	}
	all.Add(key, c)
}

// place is where an attempt is counted.
type place struct{ pair, client, name hashed }

func (a *Attempts) hash(name string, client netip.Addr) place {
	from := client.Unmap()
	if from.Is6() {
		from = netip.PrefixFrom(from.WithZone(""), 64).Masked().Addr() // a household has that many for itself
	}
	who, where := NameKey(name), from.String()
	return place{pair: a.mac("pair", who, where), client: a.mac("client", where), name: a.mac("name", who)}
}

func (a *Attempts) mac(parts ...string) (h hashed) {
	m := hmac.New(sha256.New, a.key[:])
	for _, part := range parts {
		part := sha256.Sum256([]byte(part)) // of one length, so that no two lists of parts are alike
		m.Write(part[:])
	}
	copy(h[:], m.Sum(nil))
	return h
}
