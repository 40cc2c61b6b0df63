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

// Feed is rows in Brine's own encoding that SQL reads as a table, in their order, without a copy between.
type Feed struct {
	Columns []event.Column
	Keyed   bool                                          // with [KeyColumns] in front, from the keys
	Next    func() (key event.Key, row []byte, more bool) // the next row
	Refused func(error)                                   // the row that Next gave last cannot be read: [ErrRow]
}

// feeder is the table function of one connection.
type feeder struct {
	name   string
	handle *cgo.Handle    // by itself, as DuckDB holds its address
	pinned runtime.Pinner //

	mu     sync.Mutex // DuckDB fills chunks on threads of its own
	feed   *Feed
	filler *filler
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
	x.feeder.set(f, newFiller(f.Columns, f.Keyed))
	return x.feeder.name, func() { x.feeder.set(nil, nil) }, nil
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

func (f *feeder) set(feed *Feed, with *filler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.filler != nil {
		f.filler.close()
	}
	f.feed, f.filler = feed, with
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
	if f.filler == nil {
		c.BindSetError(info, "no feed is set for this statement")
		return
	}
	for i, name := range f.filler.names {
		c.BindAddResultColumn(info, name, f.filler.types[i])
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
	feederOf(c.FunctionGetExtraInfo(info)).fill(c.DataChunk{Ptr: chunk})
}

func (f *feeder) fill(chunk c.DataChunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filler.attach(chunk)
	rows := 0
	for rows < ChunkRows {
		key, row, more := f.feed.Next()
		if !more {
			break
		}
		if err := f.filler.put(rows, key, row); err != nil {
			f.feed.Refused(err)
			continue
		}
		rows++
	}
	f.filler.finish(chunk, rows)
}
