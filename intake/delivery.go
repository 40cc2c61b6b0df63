package intake

import (
	"crypto/rand"
	"sync"

	"brine/event"
	"brine/event/scan"
)

// A delivery is one POST of events while it is read. It is used again for other requests,
// so that reading one allocates next to nothing.
type delivery struct {
	body       []byte
	token      []byte  // the value of csrf; part of body, or of plain where it was escaped
	plain      []byte  // room for keys and the token without their escapes
	row        []byte  // room for one row
	records    []byte  // the accepted events, for the log
	seen       [2]bool // which keys of the envelope were met
	blobs      int     // events met
	stored     int     // events accepted, to be stored
	tallies    []tally // stored and sampledOut, by stream
	sampledOut int     // events that are not to be kept: out of the sample, or of a stream that is not collected now
	refused    []refusal
	leftOut    int // events refused that refused does not list
	arrival    event.Arrival
	app        event.AppEvent // the event of an app that is being read
}

// A tally is how many events of a stream a delivery has that are accepted and left out.
type tally struct {
	stream             string
	stored, sampledOut int
}

// tally is that of a stream. There are few in one delivery.
func (d *delivery) tally(stream string) *tally {
	for i := range d.tallies {
		if d.tallies[i].stream == stream {
			return &d.tallies[i]
		}
	}
	d.tallies = append(d.tallies, tally{stream: stream})
	return &d.tallies[len(d.tallies)-1]
}

// A refusal is an event that was refused, and where it lies in the body.
type refusal struct {
	index    int
	problem  *event.Problem
	from, to int
	stream   string         // "" where none is known
	columns  []event.Column // of the stream
}

// maxRefusals is how many refused events an answer lists, and maxKept the bytes of a
// buffer that is kept for the next request.
const (
	maxRefusals = 1000
	maxKept     = 64 << 10
)

// A fault is why a request as a whole cannot be read.
type fault struct {
	reason string
	index  int    // of the blob that was being read, -1 for none
	path   string // JSON pointer into the request, or into that blob
}

var deliveries = sync.Pool{New: func() any {
	return &delivery{
		body:    make([]byte, 0, 4<<10),
		arrival: event.Arrival{NewID: newID},
	}
}}

func newDelivery() *delivery { return deliveries.Get().(*delivery) }

func (d *delivery) release() {
	if cap(d.body) > maxKept || cap(d.records) > maxKept || cap(d.refused) > maxRefusals {
		return
	}
	clear(d.refused)
	*d = delivery{
		body:    d.body[:0],
		plain:   d.plain[:0],
		row:     d.row[:0],
		records: d.records[:0],
		tallies: d.tallies[:0],
		refused: d.refused[:0],
		app:     d.app,
		arrival: event.Arrival{NewID: newID},
	}
	deliveries.Put(d)
}

// newID makes a UUID version 4.
func newID() (id [16]byte) {
	rand.Read(id[:])
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// The keys of the envelope, by their place in delivery.seen.
const (
	keyCSRF = iota
	keyData
	keyUnknown
)

// parse reads the body in one pass: {"csrf": token, "data": blob or [blob, …]}, in any order.
// Events are written anew as they are met; whether the token was right is seen to afterwards.
func (d *delivery) parse() *fault {
	s := scan.Scanner{Src: d.body}
	switch s.Peek() {
	case scan.End:
		return &fault{reason: `the body is empty: send {"csrf":…,"data":…}`, index: -1}
	case scan.Object:
		s.Pos++
	default:
		return &fault{reason: `the body is no JSON object: send {"csrf":…,"data":…}`, index: -1}
	}
	for n := 0; ; n++ {
		more, err := s.More(n, '}')
		if err != nil {
			return malformed(err, -1)
		}
		if !more {
			break
		}
		if f := d.member(&s); f != nil {
			return f
		}
	}
	if err := s.Close(); err != nil {
		return &fault{reason: "something follows the JSON object: send one object and nothing after it", index: -1}
	}
	return nil
}

// member reads one member of the envelope.
func (d *delivery) member(s *scan.Scanner) *fault {
	raw, escaped, err := s.Key()
	if err != nil {
		return malformed(err, -1)
	}
	key, name := d.key(raw, escaped)
	if key == keyUnknown {
		return &fault{reason: "unknown key in the body: it has csrf and data, nothing else", index: -1, path: pointer(name)}
	}
	if d.seen[key] {
		return &fault{reason: "a key of the body comes twice", index: -1, path: pointer(name)}
	}
	d.seen[key] = true
	if key == keyCSRF {
		return d.readToken(s)
	}
	return d.readData(s)
}

func (d *delivery) key(raw []byte, escaped bool) (key int, name []byte) {
	if escaped {
		d.plain = scan.Unescape(d.plain[:0], raw)
		raw = d.plain
	}
	switch string(raw) {
	case "csrf":
		return keyCSRF, raw
	case "data":
		return keyData, raw
	}
	return keyUnknown, raw
}

func (d *delivery) readToken(s *scan.Scanner) *fault {
	switch s.Peek() {
	case scan.String:
	case scan.Null:
		if err := s.Null(); err != nil {
			return malformed(err, -1)
		}
		return nil
	default:
		return &fault{reason: "csrf must be a string: the csrf_token of session_context", index: -1, path: "/csrf"}
	}
	raw, escaped, err := s.Text()
	if err != nil {
		return malformed(err, -1)
	}
	if escaped {
		raw = scan.Unescape(nil, raw)
	}
	d.token = raw
	return nil
}

func (d *delivery) readData(s *scan.Scanner) *fault {
	if s.Peek() != scan.Array {
		return d.readBlob(s)
	}
	s.Pos++
	for n := 0; ; n++ {
		more, err := s.More(n, ']')
		if err != nil {
			return malformed(err, n)
		}
		if !more {
			return nil
		}
		if f := d.readBlob(s); f != nil {
			return f
		}
	}
}

// readBlob writes one event anew into the records, or notes why it is refused.
func (d *delivery) readBlob(s *scan.Scanner) *fault {
	s.Space()
	from := s.Pos
	row, key, n, problem := event.AppendInteraction(d.row[:0], s.Src[from:], &d.arrival)
	if n < 0 {
		d.refuse(refusal{problem: problem, from: from, to: len(s.Src), stream: event.Interaction, columns: interactionColumns})
		return malformed(nil, d.blobs-1)
	}
	s.Pos += n
	if n > maxBlob { // whatever else is wrong with it
		problem = tooLarge
	}
	if problem != nil {
		d.refuse(refusal{problem: problem, from: from, to: s.Pos, stream: event.Interaction, columns: interactionColumns})
		return nil
	}
	d.row = row
	d.keep(event.Interaction, key, row)
	return nil
}

var interactionColumns = event.InteractionColumns()

// keep appends an accepted event to the records.
func (d *delivery) keep(stream string, key event.Key, row []byte) {
	d.blobs++
	d.stored++
	d.tally(stream).stored++
	d.records = event.AppendRecord(d.records, event.Record{Dataset: event.DatasetRaw, Stream: stream, Key: key, Row: row})
}

// leaveOut counts an event that is not to be kept.
func (d *delivery) leaveOut(stream string) {
	d.blobs++
	d.sampledOut++
	d.tally(stream).sampledOut++
}

func (d *delivery) refusedCount() int { return len(d.refused) + d.leftOut }

var tooLarge = &event.Problem{Code: event.CodeSize, Message: "an event has at most 10 kB"}

func (d *delivery) refuse(r refusal) {
	r.index = d.blobs
	d.blobs++
	if len(d.refused) == maxRefusals {
		d.leftOut++
		return
	}
	d.refused = append(d.refused, r)
}

// loneTooLarge tells whether the request holds one event, in an array or not, and that is too large.
func (d *delivery) loneTooLarge() bool {
	return d.blobs == 1 && len(d.refused) == 1 && d.refused[0].problem.Code == event.CodeSize
}

func malformed(err error, index int) *fault {
	reason := "malformed JSON"
	if err != nil {
		reason = err.Error()
	}
	return &fault{reason: reason + ": send valid JSON in UTF-8", index: index}
}

// pointer is the JSON pointer (RFC 6901) to a key of the envelope. A long name is cut: it
// is told for the developer of a client to find it, not to be sent back whole.
func pointer(name []byte) string {
	const most = 64
	p := []byte{'/'}
	for _, c := range string(name[:min(len(name), most)]) {
		switch c {
		case '~':
			p = append(p, "~0"...)
		case '/':
			p = append(p, "~1"...)
		default:
			p = append(p, string(c)...)
		}
	}
	return string(p)
}
