package peers

import (
	"context"
	"time"
)

// roundEvery is how often the node that leads looks at the others.
const roundEvery = 2 * time.Second

// pause waits, and tells whether there is more to do after it.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
