package lake

import (
	"math/rand/v2"
	"slices"
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

// A slot may have more keys than are remembered at a time: the filters after the first few are of one size.
func TestFiltersOfASlot(t *testing.T) {
	s := newSeen()
	slot, sizes := s.open(slotKey{}), []int{}
	for range 25 {
		s.add(slot, [16]byte{})
		sizes = append(sizes, len(slot.filters[len(slot.filters)-1])*lineBits/seenBits)
		slot.room, slot.filters[len(slot.filters)-1] = 0, nil // as if it were full
	}
	if !slices.Equal(sizes[:4], []int{seenFirstKeys, 8 * seenFirstKeys, 64 * seenFirstKeys, seenMostKeys}) || slices.Min(sizes[3:]) != seenMostKeys || slices.Max(sizes) != seenMostKeys {
		t.Errorf("the filters had room for %d keys", sizes)
	}
}
