package intake

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// The limiter's table: 64 shards of 128 sets of 8 buckets, 16 bytes each: 1 MiB, however
// many clients come.
const (
	limiterShards = 64
	shardSets     = 128
	setWays       = 8
)

// A limiter gives each client a token bucket. It keeps no address: a bucket is found by a hash
// with a seed of this process. A set that is full forgets the client seen the longest
// ago, so a client that keeps coming stays limited however many others there are.
type limiter struct {
	perMilli float32 // tokens that come back in a millisecond
	burst    float32
	start    time.Time
	seed     maphash.Seed
	shards   [limiterShards]limiterShard
}

type limiterShard struct {
	mu   sync.Mutex
	sets [shardSets][setWays]bucket
}

// A bucket has no pointers and no lock of its own: a quarter of golang.org/x/time/rate's
// Limiter, and nothing for the garbage collector to look at.
type bucket struct {
	key    uint64 // 0: never used
	tokens float32
	at     uint32 // ms since start, wraps after 49 days
}

// newLimiter allows perSecond requests a second and client, and burst at once.
func newLimiter(perSecond float64, burst int, start time.Time) *limiter {
	return &limiter{
		perMilli: float32(perSecond / 1000),
		burst:    float32(max(burst, 1)),
		start:    start,
		seed:     maphash.MakeSeed(),
	}
}

// allow takes a token of the client's bucket. Where there is none it returns how long until there is.
func (l *limiter) allow(client netip.Addr, now time.Time) (wait time.Duration) {
	key := l.key(client)
	at := uint32(now.Sub(l.start).Milliseconds())
	shard := &l.shards[key>>1%limiterShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	b := l.find(&shard.sets[key>>7%shardSets], key, at)
	b.tokens = min(l.burst, b.tokens+float32(b.age(at))*l.perMilli)
	b.at = at
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	millis := math.Ceil(float64((1 - b.tokens) / l.perMilli))
	return time.Duration(millis) * time.Millisecond
}

// find returns the key's bucket, or gives it the set's unused or longest unseen one, full.
func (l *limiter) find(set *[setWays]bucket, key uint64, at uint32) *bucket {
	oldest := &set[0]
	for i := range set {
		b := &set[i]
		if b.key == key {
			return b
		}
		if oldest.key != 0 && (b.key == 0 || b.age(at) > oldest.age(at)) {
			oldest = b
		}
	}
	*oldest = bucket{key: key, tokens: l.burst, at: at}
	return oldest
}

// age is how many ms ago the bucket was used. Requests race for the shard's lock, so another may
// have been here with a time a little later; that is no age of 49 days.
func (b *bucket) age(at uint32) uint32 {
	const racing = 60_000
	if age := at - b.at; age < math.MaxUint32-racing {
		return age
	}
	return 0
}

// key hashes an IPv4 address, or the /64 of an IPv6 one: a household has that many for itself.
func (l *limiter) key(client netip.Addr) uint64 {
	a := client.As16()
	if client.Is6() && !client.Is4In6() {
		clear(a[8:])
	}
	return maphash.Bytes(l.seed, a[:]) | 1
}
