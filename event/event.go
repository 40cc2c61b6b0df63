// Package event says what an event is: the streams and their schemas, the one-pass
// validation of interactions, the time and the user agent made coarse, the columns an
// event is stored in, and the record that carries it through the log.
//
// It imports nothing else of the house. JSON bytes of a client come in; rows in Brine's own
// encoding go out, which the lake reads by the same [Column] tree.
package event

import "time"

// Slot is the coarsest and the only time that interactions have: 10 minutes.
const Slot = 10 * time.Minute

// FloorMillis floors a time in ms since the epoch to its [Slot].
func FloorMillis(ms int64) int64 {
	slot := Slot.Milliseconds()
	return ms - ((ms%slot)+slot)%slot
}

// Problem is why one event was refused. Its message says what was expected and never
// repeats a value that the client sent.
type Problem struct {
	Code    string `json:"code"`    // one of the Code constants
	Path    string `json:"path"`    // JSON pointer into the event, "" for the whole
	Message string `json:"message"` // what was expected
}

func (p *Problem) Error() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// The codes of a [Problem]: a closed list, so that they can be counted.
const (
	CodeSyntax    = "syntax"    // not JSON
	CodeType      = "type"      // another JSON type was expected
	CodeRequired  = "required"  // a required field is absent or null
	CodeUnknown   = "unknown"   // a field that the schema does not have
	CodeDuplicate = "duplicate" // one key twice
	CodeValue     = "value"     // outside the range, the pattern or the list of values
	CodeLength    = "length"    // too many or too few items or characters
	CodeTime      = "time"      // too old, or in the future
	CodeRate      = "rate"      // a sample rate that was not in force
	CodeSize      = "size"      // more bytes than a lone event may have
)

// Arrival is what the server knows when an event reaches it.
type Arrival struct {
	Now       time.Time       // the server's time
	UserAgent UserAgent       // as CoarseUserAgent makes it, from the request's header; used where the event has none; zero: none
	Rates     []float64       // the sample rates in force now or in the last 8 days
	NewID     func() [16]byte // makes a UUID version 4 where the event has none, like [NewID]; never nil
	AnyAge    bool            // import: no 7-day rule, any sample rate
}

// UserAgent is a browser made coarse: nothing in it tells one device from another of its kind.
type UserAgent struct {
	OS, Browser string // like "Windows", "Firefox"; "Unknown" where not known
	Version     string // the major number, or "Unknown"
}

// Key is what makes an event the same event: its time, floored to 10 minutes, and its id.
type Key struct {
	Time int64 // ms since the epoch, a multiple of Slot for interactions
	ID   [16]byte
}
