package intake

import (
	"encoding/json"
	"strings"
	"sync"
	"time"

	"brine/event"
)

// What the rejected dataset takes at most; beyond that refused events are only counted.
const (
	maxRejectsPerSecond = 50
	maxRejectBytesADay  = 100 << 20
)

// codes are all codes of an [event.Problem].
var codes = [...]string{
	event.CodeSyntax, event.CodeType, event.CodeRequired, event.CodeUnknown, event.CodeDuplicate,
	event.CodeValue, event.CodeLength, event.CodeTime, event.CodeRate, event.CodeSize,
}

// A rejectedRow is a row of [event.RejectedColumns]. It tells the developer of a client what
// was wrong with an event, and has nothing that the event said.
type rejectedRow struct {
	Received int64  `json:"received"`
	Stream   string `json:"stream"`
	Code     string `json:"code"`
	Path     string `json:"path"`
	Size     int    `json:"size"`
	Shape    string `json:"shape,omitempty"` // absent for what is no JSON
}

// appendRejected counts the refused events of a request whose token is valid, or that needs none, and
// appends their records to group as far as there may be that many. Of an event whose stream is not known there is none.
func (s *Server) appendRejected(group []byte, d *delivery) []byte {
	for _, r := range d.refused {
		s.stats.refuse(r.stream, r.problem.Code)
		if r.stream == "" || !s.rejects.take(d.arrival.Now, r.stream == event.Interaction) {
			s.stats.unrecorded.Add(1)
			continue
		}
		s.stats.recorded.Add(1)
		before := len(group)
		group = appendRejectedRecord(group, d, r)
		s.rejects.spend(len(group) - before)
	}
	s.stats.unrecorded.Add(uint64(d.leftOut))
	return group
}

func appendRejectedRecord(group []byte, d *delivery, r refusal) []byte {
	received := event.FloorMillis(d.arrival.Now.UnixMilli())
	row := rejectedRow{
		Received: received,
		Stream:   r.stream,
		Code:     r.problem.Code,
		Path:     schemaPath(r.problem.Path, r.columns),
		Size:     r.to - r.from,
	}
	if r.problem.Code != event.CodeSyntax {
		row.Shape = shapeOf(d.body[r.from:r.to], r.columns)
	}
	encoded, err := json.Marshal(row)
	if err != nil {
		panic(err) // a row holds strings and integers only
	}
	return event.AppendRecord(group, event.Record{
		Dataset: event.DatasetRejected,
		Stream:  r.stream,
		Key:     event.Key{Time: received, ID: newID()},
		Row:     encoded,
	})
}

// schemaPath turns a pointer into an event into one into its schema: /event_stream/17/0
// becomes /event_stream/*/*, and a name that the schema does not have becomes ?.
func schemaPath(path string, columns []event.Column) string {
	if path == "" {
		return ""
	}
	var out strings.Builder
	node := event.Column{Kind: event.Struct, Fields: columns}
	for segment := range strings.SplitSeq(path[1:], "/") {
		var name string
		name, node = step(node, segment)
		out.WriteByte('/')
		out.WriteString(name)
		if node.Kind == 0 {
			break
		}
	}
	return out.String()
}

// step goes from a node of the schema to the one that a segment of a pointer leads to. The
// node is zero where the schema has none.
func step(node event.Column, segment string) (name string, next event.Column) {
	switch node.Kind {
	case event.Struct:
		for _, f := range node.Fields {
			if f.Name == segment {
				return segment, f
			}
		}
	case event.Map:
		return "?", node.Fields[0]
	case event.List, event.Tuple:
		return "*", node.Fields[0]
	}
	return "?", event.Column{}
}

// A rejectBudget keeps the rejected dataset within its limits.
type rejectBudget struct {
	mu     sync.Mutex
	second int64 // Unix time that rows counts in
	rows   int
	day    int64 // days since the epoch that bytes counts in
	bytes  int
}

// take tells whether one more row may be written. What came without a token gets half of all that
// there is at most, so that it leaves room for the rest.
func (b *rejectBudget) take(now time.Time, hasToken bool) bool {
	rows, bytes := maxRejectsPerSecond, maxRejectBytesADay
	if !hasToken {
		rows, bytes = rows/2, bytes/2
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	second := now.Unix()
	if second != b.second {
		b.second, b.rows = second, 0
	}
	if day := second / 86400; day != b.day {
		b.day, b.bytes = day, 0
	}
	if b.rows >= rows || b.bytes >= bytes {
		return false
	}
	b.rows++
	return true
}

func (b *rejectBudget) spend(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += bytes
}
