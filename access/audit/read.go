package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
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

	// Unknown is a read of over an hour ago, by another process: it goes on, or was cut.
	Unknown State = "unknown"
)

// Entry is one record; of a read it is the beginning, joined with its end.
type Entry struct {
	Record
	State State   `json:"state,omitempty"`
	End   *Record `json:"end,omitempty"`
}

// Read gives the records that pass the filter, the newest first, in bounded memory. A read is one entry, its
// beginning joined with its end, unless ends are asked for by their action. An error is of a line that is no record, and others
// follow, or of the disk, or the context's.
func (l *Log) Read(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		files, err := logFiles(l.o.disk, l.o.Dir)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		l.readFiles(ctx, since(files, f.From), f, yield)
	}
}

func (l *Log) readFiles(ctx context.Context, files []info, f Filter, yield func(Entry, error) bool) {
	j := &joiner{log: l, filter: f, ends: map[uint64]*Record{}, now: l.o.Now()}
	for _, i := range slices.Backward(files) {
		if !l.readFile(ctx, i, j, yield) {
			return
		}
	}
}

// readFile says whether to go on.
func (l *Log) readFile(ctx context.Context, i info, j *joiner, yield func(Entry, error) bool) bool {
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
		if err = ctx.Err(); err != nil {
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

// surelyGoing is how long a read by another process is taken to go on.
const surelyGoing = time.Hour

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
	switch {
	case e.End != nil:
		return Ended
	case j.log.isGoing(e.Number):
		return Going
	case e.served() && j.started:
		return Cut
	case j.now.Sub(e.Time) > surelyGoing:
		return Unknown
	}
	return Going
}

// isGoing says whether a read by this process goes on.
func (l *Log) isGoing(number uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.going[number]
}

// served says whether a serving brine answered, not a command.
func (e Entry) served() bool { return !strings.HasPrefix(e.Route, "brine ") }

func (f Filter) wants(r Record) bool {
	return (f.Who == "" || r.Who == f.Who) && (f.Action == "" || r.Action == f.Action) &&
		(f.Dataset == "" || r.Dataset == f.Dataset) && (f.Stream == "" || r.Stream == f.Stream) &&
		(f.From.IsZero() || !r.Time.Before(f.From)) && (f.To.IsZero() || r.Time.Before(f.To)) &&
		(f.Read == 0 || r.Number == f.Read || r.Read == f.Read)
}
