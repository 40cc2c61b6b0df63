package cluster

import (
	"context"
	"fmt"

	"brine/eventlog"
)

// readBytes is how much of the log of a single node is read at a time.
const readBytes = 16 << 20

// TakeIn appends what is still in the log of a single node, which nobody appends to or flushes any more, and gives how many
// groups that were. What it held belongs to the hour in which it is taken in. After an error it may be called again: groups
// that are there twice are stored once, as their events have ids. The log is as it was; its folder may be deleted after
// a success.
func (l *Log) TakeIn(ctx context.Context, single *eventlog.Log) (groups int, err error) {
	for _, info := range single.Logs() {
		for next := info.First; next <= info.Last; {
			entries, err := single.Read(ctx, info.Name, next, readBytes)
			if err != nil {
				return groups, fmt.Errorf("take in log %s from %d: %w", info.Name, next, err)
			}
			if len(entries) == 0 {
				break // the rest is damaged, which is logged
			}
			for _, e := range entries {
				if next = e.Seq + 1; e.Mark {
					continue
				}
				if err := l.AppendID(ctx, fmt.Sprintf("%s-%d", info.Name, e.Seq), e.Group); err != nil {
					return groups, fmt.Errorf("take in log %s from %d: %w", info.Name, e.Seq, err)
				}
				groups++
			}
		}
	}
	return groups, nil
}
