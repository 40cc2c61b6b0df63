package lake

import "context"

// SmallRows is how many rows the last file of an hour may hold to be replaced, in these tests.
const SmallRows = 2_000

func init() { smallRows = SmallRows }

// BoundSeen sets how many bits all filters of stored keys may take together.
func (l *Lake) BoundSeen(bits uint) { l.seen.max = bits }

// SeenBits is how many bits they take.
func (l *Lake) SeenBits() uint { return l.seen.bits }

// Asked is how often the raw files were asked so far for what they have stored.
func (l *Lake) Asked() int { return l.seen.asked }

// SweepStrays removes what is in no entry of the journal, as the owner does now and again.
func (l *Lake) SweepStrays(ctx context.Context) error { return l.sweepStrays(ctx) }

// Mend looks again at what was left out, as is done now and again.
func (l *Lake) Mend(ctx context.Context) { l.mend(ctx) }
