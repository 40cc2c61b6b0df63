package cluster

import "testing"

// A node that is alone, as the others cannot be reached, stops cleanly at any moment.
func TestStopAlone(t *testing.T) {
	s := newSite(t, "a", "b", "c")
	for range 10 {
		s.start("a")
		s.stop("a")
	}
}
