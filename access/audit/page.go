package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"strconv"
)

// Page is some entries, the newest first.
type Page struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"next,omitempty"`   // the cursor of the next page; "" on the last
	Broken  int     `json:"broken,omitempty"` // lines that are no records, as far as was looked; see [Verify]
}

// ErrCursor is a cursor that no page gave.
var ErrCursor = errors.New("cursor is not the next of a page")

// Page is one page of [Log.Read]: at most limit entries from the cursor on, "" for the newest. It reads from the file on that
// holds the cursor. Its errors are [ErrCursor], those of the disk and the context's.
func (l *Log) Page(ctx context.Context, f Filter, cursor string, limit int) (Page, error) {
	below := uint64(math.MaxUint64)
	if cursor != "" {
		var err error
		if below, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return Page{}, ErrCursor
		}
	}
	files, err := logFiles(l.o.disk, l.o.Dir)
	if err != nil {
		return Page{}, err
	}
	n, err := l.countBelow(files, below)
	if err != nil {
		return Page{}, err
	}
	p, err := l.page(ctx, since(files[:n], f.From), f, below, limit)
	if err != nil {
		return Page{}, err
	}
	return p, l.joinLater(ctx, files[n:], p.Entries)
}

// countBelow is how many of the files, from the oldest on, may hold records below a number.
func (l *Log) countBelow(files []info, below uint64) (int, error) {
	if below == math.MaxUint64 {
		return len(files), nil
	}
	for n := len(files); n > 0; n-- {
		r, err := l.first(files[n-1])
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, io.EOF): // just purged, or empty
		case errors.Is(err, errNoRecord), err == nil && r.Number < below:
			return n, nil
		case err != nil:
			return 0, err
		}
	}
	return 0, nil
}

func (l *Log) page(ctx context.Context, files []info, f Filter, below uint64, limit int) (p Page, err error) {
	p.Entries = []Entry{}
	l.readFiles(ctx, files, f, func(e Entry, wrong error) bool {
		switch {
		case errors.Is(wrong, errNoRecord):
			p.Broken++
		case wrong != nil:
			err = wrong
			return false
		case e.Number >= below:
		case len(p.Entries) == limit:
			p.Next = strconv.FormatUint(p.Entries[limit-1].Number, 10)
			return false
		default:
			p.Entries = append(p.Entries, e)
		}
		return true
	})
	return p, err
}

// joinLater looks in the files after a page's for the ends of reads that have none there, mostly near its beginning.
func (l *Log) joinLater(ctx context.Context, later []info, entries []Entry) error {
	open := map[uint64]*Entry{}
	for n := range entries {
		if e := &entries[n]; e.Action == ReadBegin && e.State != Ended && e.State != Cut && !l.isGoing(e.Number) {
			open[e.Number] = e
		}
	}
	for _, i := range later {
		if err := l.joinFrom(ctx, i, open); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// joinFrom joins the reads that are open with what a file says of them, until none is left.
func (l *Log) joinFrom(ctx context.Context, i info, open map[uint64]*Entry) error {
	if len(open) == 0 {
		return nil
	}
	f, err := l.o.disk.open(l.path(i.name))
	if err != nil {
		return err
	}
	defer f.Close()
	lines := newLineReader(f, 0, i.size)
	for len(open) > 0 {
		line, _, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		if r, err := parseLine(line); err == nil {
			joinOpen(r, open)
		}
	}
	return nil
}

func joinOpen(r Record, open map[uint64]*Entry) {
	switch r.Action {
	case ReadEnd:
		if e := open[r.Read]; e != nil {
			e.End, e.State = &r, Ended
			delete(open, r.Read)
		}
	case Start:
		for number, e := range open {
			if e.served() {
				e.State = Cut
				delete(open, number)
			}
		}
	}
}
