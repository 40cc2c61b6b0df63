package duck

import (
	"brine/event"
)

// Stream lets the next statement read rows as a table while they are made: FROM name(). More is called whenever
// DuckDB wants rows; it adds up to [ChunkRows] of them with [Feed.Next], none at the end, and runs on
// DuckDB's thread. The stream is read once. done ends it, must be called after the statement, and gives what more
// has failed with.
func (x *Conn) Stream(cols []event.Column, more func(*Feed) error) (name string, done func() error, err error) {
	feed := NewFeed(cols, false)
	name, end, err := x.Feed(feed)
	if err != nil {
		return "", nil, err
	}
	f := x.feeder
	f.mu.Lock()
	f.more, f.err = more, nil
	f.mu.Unlock()
	return name, func() error {
		end()
		f.mu.Lock()
		defer f.mu.Unlock()
		err := f.err
		f.more, f.err = nil, nil
		return err
	}, nil
}

// refill asks for more rows once all are sent.
func (f *feeder) refill() error {
	if f.more == nil || f.sent < f.feed.rows {
		return nil
	}
	f.feed.Reset()
	f.sent = 0
	f.err = f.more(f.feed)
	return f.err
}

// Next begins a row. All its values are null until they are set.
func (f *Feed) Next() {
	f.makeRoom()
	f.rows++
}

// SetInt64 sets column i of the last row, and so do the others for columns of their kinds.
func (f *Feed) SetInt64(i int, v int64) {
	n := f.nodes[i]
	n.setInt64(f.rows-1, v)
	n.setValid(f.rows - 1)
}

// SetText is for a String.
func (f *Feed) SetText(i int, v string) {
	n := f.nodes[i]
	n.setString(f.rows-1, []byte(v))
	n.setValid(f.rows - 1)
}

// SetBytes is for Bytes.
func (f *Feed) SetBytes(i int, v string) {
	n := f.nodes[i]
	n.setNumber(f.rows-1, uint32(len(n.strings)))
	n.strings = append(n.strings, v)
	n.setValid(f.rows - 1)
}
