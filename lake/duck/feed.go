package duck

/*
void brineFeedBind(void *);
void brineFeedInit(void *);
void brineFeedFill(void *, void *);
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"

	"brine/event"
)

// KeyColumns are the columns that a feed has in front of its own where none of those holds the
// key of its rows as it is.
var KeyColumns = []event.Column{{Name: "brine_time", Kind: event.Int64}, {Name: "brine_id", Kind: event.UUID}}

// Feed is rows in Brine's own encoding, read into columns, that SQL reads as a table in their order.
type Feed struct {
	nodes   []*node
	lists   []*node
	keyed   bool
	rows    int
	refused bool // a row, whose strings the dictionaries may hold

	// Most is how many bytes the elements of the next row's lists and maps may take, 0 for any: a few bytes of JSON, like "{},", may have hundreds of columns.
	Most     int
	elements int // bytes that all take so far
}

// NewFeed makes a feed without rows; keyed, it has [KeyColumns] in front.
func NewFeed(cols []event.Column, keyed bool) *Feed {
	f := &Feed{keyed: keyed}
	if keyed {
		cols = append(append([]event.Column{}, KeyColumns...), cols...)
	}
	for _, col := range cols {
		f.nodes = append(f.nodes, newNode(col))
	}
	f.lists = lists(f.nodes)
	return f
}

// What a feed has memory for after Reset, at most: so many rows, which take some 30 MB, and so many bytes of elements.
const (
	keptRows     = 128 << 10
	keptElements = 64 << 20
)

// ErrLarge is a row that takes more than [Feed.Most].
var ErrLarge = errors.New("its arrays take too much memory as columns")

// Elements is how many bytes the elements of lists and maps take.
func (f *Feed) Elements() int { return f.elements }

// Reset takes the rows away. The memory that they had is used again.
func (f *Feed) Reset() {
	f.rows, f.refused = 0, false
	release := f.nodes[0].room > keptRows || f.elements > keptElements // of all columns or of none: they grow together
	f.elements = 0
	for _, n := range f.nodes {
		n.reset(release)
	}
}

// Add reads a row. One that is not in Brine's encoding for the columns is left out: [ErrRow]. So is one that takes too much: [ErrLarge].
func (f *Feed) Add(key event.Key, row []byte) error {
	f.makeRoom()
	for _, list := range f.lists {
		list.mark = list.size
	}
	nodes := f.nodes
	if f.keyed {
		nodes[0].setInt64(f.rows, key.Time)
		nodes[1].setUUID(f.rows, key.ID)
		nodes[0].setValid(f.rows)
		nodes[1].setValid(f.rows)
		nodes = nodes[2:]
	}
	if err := parseRow(row, nodes, f.rows); err != nil {
		f.takeBack()
		return err
	}
	elements := 0
	for _, list := range f.lists {
		elements += (list.size - list.mark) * list.kids[0].weight
	}
	if f.Most > 0 && elements > f.Most {
		f.takeBack()
		return ErrLarge
	}
	f.elements += elements
	f.rows++
	return nil
}

func (f *Feed) makeRoom() {
	if f.rows < f.nodes[0].room {
		return
	}
	for _, n := range f.nodes {
		n.grow(max(ChunkRows, 2*f.rows))
	}
}

// takeBack removes what was read of a row that is given up.
func (f *Feed) takeBack() {
	f.refused = true
	for _, n := range f.nodes {
		n.setNull(f.rows, f.rows+1)
	}
	for _, list := range f.lists {
		list.kids[0].setNull(list.mark, list.size)
		list.size = list.mark
	}
}

// feeder is the table function of one connection.
type feeder struct {
	name   string
	handle *cgo.Handle    // by itself, as DuckDB holds its address
	pinned runtime.Pinner //

	mu   sync.Mutex // DuckDB fills chunks on threads of its own
	feed *Feed
	sent int               // rows
	more func(*Feed) error // nil: the feed has all rows
	err  error             // of more
}

var feeders atomic.Int64

// Feed lets the next statement read a feed, as the table function it names: FROM name(). The
// feed is read once. done ends it, and must be called after the statement.
func (x *Conn) Feed(f *Feed) (name string, done func(), err error) {
	if x.feeder == nil {
		if x.feeder, err = newFeeder(x.conn); err != nil {
			return "", nil, err
		}
	}
	x.feeder.set(f)
	return x.feeder.name, func() { x.feeder.set(nil) }, nil
}

func newFeeder(conn c.Connection) (*feeder, error) {
	f := &feeder{name: fmt.Sprintf("feed_%d", feeders.Add(1))}
	f.handle = new(cgo.Handle)
	*f.handle = cgo.NewHandle(f)
	f.pinned.Pin(f.handle)
	function := c.CreateTableFunction()
	defer c.DestroyTableFunction(&function)
	c.TableFunctionSetName(function, f.name)
	c.TableFunctionSetExtraInfo(function, unsafe.Pointer(f.handle), nil)
	c.TableFunctionSetBind(function, C.brineFeedBind)
	c.TableFunctionSetInit(function, C.brineFeedInit)
	c.TableFunctionSetFunction(function, C.brineFeedFill)
	if c.RegisterTableFunction(conn, function) != c.StateSuccess {
		f.close()
		return nil, errors.New("cannot register a table function with DuckDB")
	}
	return f, nil
}

func (f *feeder) set(feed *Feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.feed, f.sent = feed, 0
}

func (f *feeder) close() {
	f.handle.Delete()
	f.pinned.Unpin()
}

func feederOf(extra unsafe.Pointer) *feeder { return (*(*cgo.Handle)(extra)).Value().(*feeder) }

//export brineFeedBind
func brineFeedBind(p unsafe.Pointer) {
	info := c.BindInfo{Ptr: p}
	f := feederOf(c.BindGetExtraInfo(info))
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.feed == nil {
		c.BindSetError(info, "no feed is set for this statement")
		return
	}
	for _, n := range f.feed.nodes {
		typ := n.logicalType(!f.feed.refused)
		c.BindAddResultColumn(info, n.name, typ)
		c.DestroyLogicalType(&typ)
	}
}

//export brineFeedInit
func brineFeedInit(p unsafe.Pointer) { c.InitSetMaxThreads(c.InitInfo{Ptr: p}, 1) } // rows have an order

//export brineFeedFill
func brineFeedFill(p, chunk unsafe.Pointer) {
	info := c.FunctionInfo{Ptr: p}
	defer func() {
		if p := recover(); p != nil { // it must not unwind into DuckDB
			c.FunctionSetError(info, fmt.Sprint("cannot fill a chunk: ", p))
		}
	}()
	if err := feederOf(c.FunctionGetExtraInfo(info)).fill(c.DataChunk{Ptr: chunk}); err != nil {
		c.FunctionSetError(info, "cannot make rows")
	}
}

func (f *feeder) fill(chunk c.DataChunk) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.refill(); err != nil {
		return err
	}
	rows := min(ChunkRows, f.feed.rows-f.sent)
	for i, n := range f.feed.nodes {
		n.fill(c.DataChunkGetVector(chunk, c.IdxT(i)), f.sent, f.sent+rows)
	}
	f.sent += rows
	c.DataChunkSetSize(chunk, c.IdxT(rows))
	return nil
}
