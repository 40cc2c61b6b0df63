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
	for _, n := range f.nodes {
		if n.isList() {
			n.setList(f.rows, n.size, n.size)
		}
	}
	f.rows++
}

// SetInt64 sets column i of the last row, and so do the others for columns of their kinds.
func (f *Feed) SetInt64(i int, v int64) {
	n := f.nodes[i]
	n.setInt64(f.rows-1, v)
	n.setValid(f.rows - 1)
}

// SetInt32 is for an Int32.
func (f *Feed) SetInt32(i int, v int32) {
	n := f.nodes[i]
	n.setInt32(f.rows-1, v)
	n.setValid(f.rows - 1)
}

// SetDouble is for a Double.
func (f *Feed) SetDouble(i int, v float64) {
	n := f.nodes[i]
	n.setDouble(f.rows-1, v)
	n.setValid(f.rows - 1)
}

// SetText is for a String.
func (f *Feed) SetText(i int, v string) {
	n := f.nodes[i]
	n.setNumber(f.rows-1, n.numberOf(v))
	n.setValid(f.rows - 1)
}

// SetInt32s is for a List of Int32.
func (f *Feed) SetInt32s(i int, values []int32) {
	n := f.nodes[i]
	from := n.size
	for _, v := range values {
		at := n.element()
		n.kids[0].setInt32(at, v)
		n.kids[0].setValid(at)
	}
	n.setList(f.rows-1, from, n.size)
	n.setValid(f.rows - 1)
}

// SetTexts is for a List of String.
func (f *Feed) SetTexts(i int, values []string) {
	n := f.nodes[i]
	from := n.size
	for _, v := range values {
		at := n.element()
		n.kids[0].setNumber(at, n.kids[0].numberOf(v))
		n.kids[0].setValid(at)
	}
	n.setList(f.rows-1, from, n.size)
	n.setValid(f.rows - 1)
}
