package lake

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"brine/event"
)

// quarantineStream is the one stream of the quarantine dataset.
const quarantineStream = "lines"

// QuarantineTable is where lines of the log go that the flush could not read.
func QuarantineTable() Table {
	return NewTable(Quarantine, quarantineStream, []event.Column{
		{Name: "received", Kind: event.Int64}, {Name: "id", Kind: event.UUID},
		{Name: "dataset", Kind: event.String}, {Name: "stream", Kind: event.String},
		{Name: "why", Kind: event.String}, {Name: "line", Kind: event.String}, {Name: "encoded", Kind: event.Bool},
	}, "received", "id")
}

// quarantineRecord wraps a line that could not be read. A line that is no text is stored in base64.
func quarantineRecord(r event.Record, why string, now time.Time) event.Record {
	line := struct {
		Received int64     `json:"received"`
		ID       uuid.UUID `json:"id"`
		Dataset  string    `json:"dataset"`
		Stream   string    `json:"stream"`
		Why      string    `json:"why"`
		Line     any       `json:"line"`
		Encoded  bool      `json:"encoded"`
	}{event.FloorMillis(now.UnixMilli()), uuid.New(), r.Dataset, r.Stream, why, string(r.Row), false}
	if !utf8.Valid(r.Row) {
		line.Line, line.Encoded = r.Row, true
	}
	row, _ := json.Marshal(line) // strings, a number and a bool: it cannot fail
	return event.Record{Dataset: Quarantine, Stream: quarantineStream, Key: event.Key{Time: line.Received, ID: line.ID}, Row: row}
}
