package basis

import (
	"context"
	"time"
)

// Patience is how long an entry is asked for, again and again, before it is given up. JetStream answers in the same way
// for one that is damaged, and for one whose file it could not open or read just now, as the process had too many open.
const Patience = time.Minute

// How long it waits between two looks: the first time, and at most.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = 5 * time.Second
)

// Missing gives where a stretch ends that begins at from and of which has found nothing, at any look, for as long as patience.
// It gives from itself where that entry is found after all. The errors are those of has and of ctx.
func Missing(ctx context.Context, patience time.Duration, from, last uint64, has func(seq uint64) (bool, error)) (end uint64, err error) {
	began := time.Now()
	end = last + 1
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		over := time.Since(began) >= patience
		for seq := from; seq < end; seq++ {
			found, err := has(seq)
			if err != nil {
				return from, err
			}
			if found {
				end = seq
			}
		}
		if end == from || over {
			return end, nil
		}
		select {
		case <-ctx.Done():
			return from, ctx.Err()
		case <-time.After(pause):
		}
	}
}
