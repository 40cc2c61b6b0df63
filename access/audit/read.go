package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
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
	Next    string  `json:"next,omitempty"`   // the cursor of the next page; "" on the last
	Broken  int     `json:"broken,omitempty"` // lines that are no records, as far as was looked; see [Verify]
}

// ErrCursor is a cursor that no page gave.
var ErrCursor = errors.New("cursor is not the next of a page")

// Read gives the records that pass the filter, the newest first, in bounded memory. A read is one entry, its
// beginning joined with its end, unless ends are asked for by their action. An error is of a line that is no record, and others
// follow, or of the disk.
func (l *Log) Read(f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		j := &joiner{log: l, filter: f, ends: map[uint64]*Record{}, now: l.o.Now()}
		files, err := logFiles(l.o.disk, l.o.Dir)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for _, i := range slices.Backward(since(files, f.From)) {
			if !l.readFile(i, j, yield) {
				return
			}
		}
	}
}

// readFile says whether to go on.
func (l *Log) readFile(i info, j *joiner, yield func(Entry, error) bool) bool {
	f, err := l.o.disk.open(l.path(i.name))
	if errors.Is(err, fs.ErrNotExist) {
		return true // a purge has just removed it
	}
	if err != nil {
		return yield(Entry{}, err)
	}
	defer f.Close()
	lines, err := newBackReader(f, i.size)
	for err == nil {
		var line []byte
		if line, err = lines.next(); err != nil {
			break
		}
		r, wrong := parseLine(line)
		if wrong != nil {
			if !yield(Entry{}, fmt.Errorf("%s: %w: brine audit verify tells more", l.path(i.name), wrong)) {
				return false
			}
			continue
		}
		if e, wanted := j.join(r); wanted && !yield(e, nil) {
			return false
		}
	}
	return errors.Is(err, io.EOF) || yield(Entry{}, err)
}

// longestRead is how long a read by another process may go on without being shown as cut.
const longestRead = time.Hour

// joiner joins beginnings with their ends, and chooses. It sees the newest record first, and so a read's end before its beginning.
type joiner struct {
	log     *Log
	filter  Filter
	now     time.Time
	ends    map[uint64]*Record // by the number of their beginnings, which are yet to come
	started bool               // a brine began to serve after what is yet to come
}

func (j *joiner) join(r Record) (e Entry, wanted bool) {
	e = Entry{Record: r}
	switch r.Action {
	case Start:
		j.started = true
	case ReadEnd:
		if j.filter.Action != ReadEnd {
			j.ends[r.Read] = &r
			return e, false
		}
	case ReadBegin:
		e.End = j.ends[r.Number]
		delete(j.ends, r.Number)
		e.State = j.state(e)
	}
	return e, j.filter.wants(r)
}

func (j *joiner) state(e Entry) State {
	j.log.mu.Lock()
	going := j.log.going[e.Number]
	j.log.mu.Unlock()
	served := !strings.HasPrefix(e.Route, "brine ")
	switch {
	case e.End != nil:
		return Ended
	case going:
		return Going
	case served && j.started, j.now.Sub(e.Time) > longestRead:
		return Cut
	}
	return Going
}

func (f Filter) wants(r Record) bool {
	return (f.Who == "" || r.Who == f.Who) && (f.Action == "" || r.Action == f.Action) &&
		(f.Dataset == "" || r.Dataset == f.Dataset) && (f.Stream == "" || r.Stream == f.Stream) &&
		(f.From.IsZero() || !r.Time.Before(f.From)) && (f.To.IsZero() || r.Time.Before(f.To)) &&
		(f.Read == 0 || r.Number == f.Read || r.Read == f.Read)
}

// Page is one page of [Log.Read]: at most limit entries from the cursor on, "" for the newest. Its errors are [ErrCursor]
// and those of the disk.
func (l *Log) Page(f Filter, cursor string, limit int) (Page, error) {
	below := uint64(math.MaxUint64)
	if cursor != "" {
		var err error
		if below, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return Page{}, ErrCursor
		}
	}
	p := Page{Entries: []Entry{}}
	for e, err := range l.Read(f) {
		switch {
		case errors.Is(err, errNoRecord):
			p.Broken++
		case err != nil:
			return Page{}, err
		case e.Number >= below:
		case len(p.Entries) == limit:
			p.Next = strconv.FormatUint(p.Entries[limit-1].Number, 10)
			return p, nil
		default:
			p.Entries = append(p.Entries, e)
		}
	}
	return p, nil
}
