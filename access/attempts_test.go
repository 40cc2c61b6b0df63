package access

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// door is a limiter with a clock, at which people fail and do not.
type door struct {
	*Attempts
	now time.Time
}

func newDoor() *door {
	d := &door{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	d.Attempts = NewAttempts(func() time.Time { return d.now })
	return d
}

// try makes an attempt that goes as told, and gives how long it has to wait before, if so.
func (d *door) try(name, client string, how error) time.Duration {
	done, err := d.Begin(name, netip.MustParseAddr(client))
	var tooMany *TooMany
	if errors.As(err, &tooMany) {
		return tooMany.Wait
	}
	done(how)
	return 0
}

const (
	home   = "192.0.2.1"
	office = "192.0.2.2"
)

func TestAttemptsOfOnePair(t *testing.T) {
	d := newDoor()
	for i := range pairFree {
		if wait := d.try("anna", home, ErrDenied); wait != 0 {
			t.Fatalf("attempt %d waits %s", i+1, wait)
		}
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300} {
		want *= time.Second
		for range 3 { // asking while it waits makes the wait no longer
			if wait := d.try("ANNA", home, nil); wait != want {
				t.Fatalf("waits %s, want %s", wait, want)
			}
		}
		d.now = d.now.Add(want)
		if wait := d.try("anna", home, ErrDenied); wait != 0 {
			t.Fatalf("after the wait: %s more", wait)
		}
	}
	d.now = d.now.Add(pairWait)
	if wait := d.try("anna", home, nil); wait != 0 {
		t.Error("the right password waits", wait)
	}
	for range pairFree { // and the count begins anew
		if wait := d.try("anna", home, ErrDenied); wait != 0 {
			t.Error("after a login: waits", wait)
		}
	}
}

// Many at once are no way around the limit.
func TestAttemptsAtOnce(t *testing.T) {
	d := newDoor()
	begun := 0
	for range 100 {
		if _, err := d.Begin("anna", netip.MustParseAddr(home)); err == nil {
			begun++
		}
	}
	if begun != pairFree {
		t.Errorf("%d attempts have begun", begun)
	}
}

func TestAttemptsWhileTheDirectoryIsDown(t *testing.T) {
	d := newDoor()
	for range 100 {
		if wait := d.try("anna", home, fmt.Errorf("%w: why", ErrUnavailable)); wait != 0 {
			t.Fatal("waits", wait)
		}
	}
}

// Whoever hammers a name, from one client or from a thousand, keeps the person out at none of these: a client where she has logged
// in, and one that is new.
func TestAttemptsLockNobodyOut(t *testing.T) {
	d := newDoor()
	d.try("anna", office, nil)
	for i := range 20_000 {
		d.try("anna", fmt.Sprintf("10.1.%d.%d", i/250%4, i%250), ErrDenied)
		d.try("anna", home, ErrDenied)
		d.now = d.now.Add(100 * time.Millisecond)
	}
	if wait := d.try("anna", "192.0.2.77", nil); wait != 0 {
		t.Error("from a new client she waits", wait)
	}
	for range pairFree { // she may even mistype
		if wait := d.try("anna", office, ErrDenied); wait != 0 {
			t.Error("from her usual client she waits", wait)
		}
	}
	if wait := d.try("anna", home, nil); wait == 0 || wait > pairWait {
		t.Error("where it is hammered she waits", wait)
	}
}

// A name that fails from many clients gets few guesses at each.
func TestAttemptsFromManyClients(t *testing.T) {
	d := newDoor()
	guesses := 0
	for range 60 { // an hour
		for i := range 30 { // more than make a name hot
			for range 10 {
				if d.try("anna", fmt.Sprintf("10.0.0.%d", i), ErrDenied) == 0 {
					guesses++
				}
			}
		}
		d.now = d.now.Add(time.Minute)
	}
	if most := 30 * 16; guesses > most { // at once; after 1, 2 and 4 minutes; then every 5
		t.Errorf("%d guesses in an hour, expected at most %d", guesses, most)
	}
}

func TestAttemptsOfOneClientForManyNames(t *testing.T) {
	d := newDoor()
	d.try("anna", home, nil)
	guesses := 0
	for i := range 36_000 { // an hour
		if d.try(fmt.Sprintf("name%d", i), home, ErrDenied) == 0 {
			guesses++
		}
		d.now = d.now.Add(100 * time.Millisecond)
	}
	if most := clientFree + 5 + int(time.Hour/clientWait); guesses > most {
		t.Errorf("%d guesses in an hour, expected at most %d", guesses, most)
	}
	if wait := d.try("anna", home, nil); wait != 0 {
		t.Error("a colleague at the same address waits", wait)
	}
	if wait := d.try("bert", home, nil); wait > clientWait {
		t.Error("a new colleague waits", wait)
	}
}

func TestAttemptsOfAnIPv6Network(t *testing.T) {
	d := newDoor()
	for i := range pairFree {
		d.try("anna", fmt.Sprintf("2001:db8::%d", i), ErrDenied)
	}
	if d.try("anna", "2001:db8::ffff", nil) == 0 {
		t.Error("another address of the same network does not wait")
	}
	if d.try("anna", "2001:db8:0:1::1", nil) != 0 {
		t.Error("another network waits")
	}
	for range pairFree {
		d.try("bert", "::ffff:192.0.2.1", ErrDenied)
	}
	if d.try("bert", home, nil) == 0 {
		t.Error("an IPv4 address in IPv6 is another one")
	}
	if _, err := d.Begin("anna", netip.Addr{}); err != nil {
		t.Error("without an address:", err)
	}
}

func TestAttemptsClockGoesBack(t *testing.T) {
	d := newDoor()
	for range pairFree {
		d.try("anna", home, ErrDenied)
	}
	d.now = d.now.Add(-24 * time.Hour)
	if wait := d.try("anna", home, nil); wait != 0 {
		t.Error("waits", wait)
	}
}

func TestAttemptsForgotten(t *testing.T) {
	d := newDoor()
	for range pairFree {
		d.try("anna", home, ErrDenied)
	}
	d.now = d.now.Add(forgotten)
	for range pairFree {
		if wait := d.try("anna", home, ErrDenied); wait != 0 {
			t.Error("waits", wait)
		}
	}
}

func TestTooManySaysNoName(t *testing.T) {
	if text := (&TooMany{90 * time.Second}).Error(); text != "too many attempts: wait 1m30s" {
		t.Error(text)
	}
}

// More names from as many clients than may be held: what is held stays bounded, and is no address.
func TestAttemptsMemory(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	d := newDoor()
	for i := range uint32(maxPairs * 8 / 5) { // two in three fail
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], i)
		done, err := d.Begin(strings.Repeat("x", 100)+fmt.Sprint(i), netip.AddrFrom4(a))
		if err == nil {
			done([]error{nil, ErrDenied, ErrDenied}[i%3])
		}
	}
	if held := heap() - before; held > 20<<20 {
		t.Errorf("%d bytes are held", held)
	}
	for _, n := range []int{d.pairs.Len() - maxPairs, d.clients.Len() - maxClients, d.names.Len() - maxNames, d.known.Len() - maxKnown} {
		if n > 0 {
			t.Errorf("%d more than may be held", n)
		}
	}
	runtime.KeepAlive(d)
}
