// Package canary shows that what collectors send can be read, and how long that takes: each sends one marked record a minute by
// the way that groups of events take, and the stores watch when it is readable.
//
// It imports event and lake. A [Sender] is of a process that collects, a [Watch] of one that stores. A canary tells nothing of a
// person. Its row has no time finer than that of an interaction, as the files of a flush bear one range of the log: travel times are
// measured where a canary passes, by one clock each, and only their lengths are written down. So a clock that is wrong changes none.
package canary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"brine/event"
	"brine/lake"
)

// Stream is the one stream of the dataset [lake.Canary].
const Stream = "collectors"

// Retention is how long canaries are kept.
const Retention = 7 * 24 * time.Hour

// Table is where canaries lie.
func Table() lake.Table {
	return lake.NewTable(lake.Canary, Stream, []event.Column{
		{Name: "collector", Kind: event.String}, {Name: "sent", Kind: event.Int64},
		{Name: "way_ms", Kind: event.Int64}, {Name: "ahead_ms", Kind: event.Int64}, {Name: "leaving", Kind: event.Bool},
	}, "", "")
}

// row is one canary as it is stored.
type row struct {
	Collector string `json:"collector"`
	Sent      int64  `json:"sent"`               // ms by the collector's clock, floored to [event.Slot]
	Way       *int64 `json:"way_ms,omitempty"`   // that the canary before took until a store had it; nil for the first, and after a failure
	Ahead     *int64 `json:"ahead_ms,omitempty"` // of the collector's clock, to that of the store; nil where both are one, or not known
	Leaving   bool   `json:"leaving"`            // it is the collector's last one
}

// group is a group that has this canary alone.
func (r row) group(id uuid.UUID) ([]byte, error) {
	text, err := json.Marshal(r)
	return event.AppendRecord(nil, event.Record{Dataset: lake.Canary, Stream: Stream, Key: event.Key{Time: r.Sent, ID: id}, Row: text}), err
}

var groupPrefix = []byte(lake.Canary + " " + Stream + " ")

// parseGroup gives the canary of a group that is one; ok is false for all others.
func parseGroup(group []byte) (id uuid.UUID, r row, ok bool) {
	if !bytes.HasPrefix(group, groupPrefix) {
		return id, r, false
	}
	for record, err := range event.Records(group) {
		if err == nil {
			r, err = parseRow(record.Row)
		}
		return record.Key.ID, r, err == nil
	}
	return id, r, false
}

// parseRow refuses what no [Sender] sends: names become labels of metrics.
func parseRow(text []byte) (r row, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("a canary's row: %w", err)
	}
	if !event.CollectorName.MatchString(r.Collector) {
		return r, fmt.Errorf("a canary's collector is no name: a to z, 0 to 9 and . _ - within, at most 64")
	}
	return r, nil
}

func millis(d time.Duration) *int64 {
	ms := d.Milliseconds()
	return &ms
}

func orZero(ms *int64) time.Duration {
	if ms == nil {
		return 0
	}
	return time.Duration(*ms) * time.Millisecond
}
