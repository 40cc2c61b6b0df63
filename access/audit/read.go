package audit

import (
	"errors"
	"iter"
	"time"
)

// Filter says which records are wanted. What is zero asks for nothing.
type Filter struct {
	Who     string
	Action  Action
	Dataset string
	Stream  string
	From    time.Time // of the record's time, inclusive
	To      time.Time // exclusive
	Read    uint64    // the number of a read's beginning
}

// State is how a read stands.
type State string

// The states of a read. Other records have none.
const (
	Going State = "going" // it has begun, and may still go on
	Ended State = "ended" // its end is in Entry.End
	Cut   State = "cut"   // it has no end, and will not get one: whoever read was stopped
)

// Entry is one record; of a read it is the beginning, joined with its end.
type Entry struct {
	Record
	State State   `json:"state,omitempty"`
	End   *Record `json:"end,omitempty"`
}

// Page is some entries, the newest first.
type Page struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"next,omitempty"` // the cursor of the next page; "" on the last
}

// ErrCursor is a cursor that no page gave.
var ErrCursor = errors.New("cursor is not the next of a page")

// Read gives the records that pass the filter, the newest first, in bounded memory. An error beside an
// entry's place is of a line that is no record; others may follow.
func (l *Log) Read(f Filter) iter.Seq2[Entry, error] { panic("not yet") }

// Page is one page of [Log.Read]: at most limit entries from the cursor on, "" for the newest. Its errors are [ErrCursor]
// and those of the disk.
func (l *Log) Page(f Filter, cursor string, limit int) (Page, error) { panic("not yet") }
