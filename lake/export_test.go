package lake

// BoundSeen sets how many bits all filters of stored keys may take together.
func (l *Lake) BoundSeen(bits uint) { l.seen.max = bits }

// SeenBits is how many bits they take.
func (l *Lake) SeenBits() uint { return l.seen.bits }
