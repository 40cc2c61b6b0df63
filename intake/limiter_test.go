package intake

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := time.Now()
	l := newLimiter(2, 3, now)
	client := netip.MustParseAddr("192.0.2.1")
	for i := range 3 {
		if wait := l.allow(client, now); wait != 0 {
			t.Fatalf("request %d waits %v", i, wait)
		}
	}
	if wait := l.allow(client, now); wait != 500*time.Millisecond {
		t.Error("over the burst: waits", wait)
	}
	if wait := l.allow(netip.MustParseAddr("192.0.2.2"), now); wait != 0 {
		t.Error("another client waits", wait)
	}
	if wait := l.allow(client, now.Add(500*time.Millisecond)); wait != 0 {
		t.Error("after half a second: waits", wait)
	}
	if wait := l.allow(client, now.Add(400*time.Millisecond)); wait == 0 {
		t.Error("a request that comes out of order is given a full bucket")
	}
}

func TestLimiterTakesAnIPv6NetworkAsOne(t *testing.T) {
	now := time.Now()
	l := newLimiter(1, 1, now)
	allow := func(addr string) bool { return l.allow(netip.MustParseAddr(addr), now) == 0 }
	if !allow("2001:db8:0:1::1") || allow("2001:db8:0:1::2") || !allow("2001:db8:0:2::1") {
		t.Error("clients of one /64 are not one, or those of two are not two")
	}
}

// TestLimiterMemory has a million clients come: what the limiter holds stays the same, and
// one that keeps coming stays limited.
func TestLimiterMemory(t *testing.T) {
	now := time.Now()
	before := heap()
	l := newLimiter(1, 2, now)
	empty := heap() - before
	busy := netip.MustParseAddr("192.0.2.1")
	passed := 0
	for i := range uint32(1_000_000) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], i)
		now = now.Add(10 * time.Microsecond)
		l.allow(netip.AddrFrom4(a), now)
		if i%100 == 0 && l.allow(busy, now) == 0 {
			passed++
		}
	}
	full := heap() - before
	if empty > 2<<20 || full > empty+64<<10 {
		t.Errorf("%d bytes with no client, %d with a million", empty, full)
	}
	if passed > 2+10 { // the burst, and 10 seconds at 1 a second
		t.Errorf("the busy client came through %d times in 10 s", passed)
	}
	runtime.KeepAlive(l)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLimiterConcurrently(t *testing.T) {
	l := newLimiter(0.001, 100, time.Now())
	client := netip.MustParseAddr("192.0.2.1")
	var mu sync.Mutex
	var wg sync.WaitGroup
	passed := 0
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if l.allow(client, time.Now()) == 0 {
					mu.Lock()
					passed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if passed != 100 {
		t.Errorf("%d of 800 requests passed a burst of 100", passed)
	}
}
