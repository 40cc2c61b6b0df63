package lake

import (
	"math/rand/v2"
	"testing"
)

// A filter that is full denies none of its keys, and few others are looked up for nothing.
func TestFilter(t *testing.T) {
	random := rand.NewChaCha8([32]byte{})
	id := func() (id [16]byte) {
		random.Read(id[:])
		return id
	}
	s := newSeen()
	slot := s.open(slotKey{})
	ids := make([][16]byte, 9*seenFirstKeys) // of two filters
	for i := range ids {
		ids[i] = id()
		s.add(slot, ids[i])
	}
	for _, id := range ids {
		if !slot.maybe(id) {
			t.Fatal("a key is denied that was added")
		}
	}
	wrong := 0
	for range 1_000_000 {
		if slot.maybe(id()) {
			wrong++
		}
	}
	if wrong > 60 { // 6 are expected
		t.Errorf("%d of a million others were taken for stored", wrong)
	}
	if want := uint(9 * seenFirstKeys * seenBits); s.bits != want {
		t.Errorf("the filters took %d bits, want %d", s.bits, want)
	}
	s.forget(slotKey{})
	if s.bits != 0 || s.has(slotKey{}) {
		t.Errorf("of a slot that is forgotten %d bits are left", s.bits)
	}
}
