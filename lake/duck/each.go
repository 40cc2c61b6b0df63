package duck

/*
void brineEachCall(void *, void *, void *);
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"
)

// Chunk is some rows of a query, in DuckDB's memory.
type Chunk struct{ chunk c.DataChunk }

// Len is the number of rows.
func (k Chunk) Len() int { return int(c.DataChunkGetSize(k.chunk)) }

// Vector is column i.
func (k Chunk) Vector(i int) Vector { return newVector(c.DataChunkGetVector(k.chunk, c.IdxT(i))) }

// Each hands the rows of a selection to use, one chunk after the other, on threads of DuckDB: in their order where it has one. A chunk is
// good until use returns. It is cheaper than [Conn.Query], for which DuckDB copies each row, with its texts, out of the query.
func (x *Conn) Each(ctx context.Context, selected []string, from string, use func(Chunk)) error {
	if x.each == nil {
		var err error
		if x.each, err = newEachFunction(x.conn); err != nil {
			return err
		}
	}
	x.each.set(use)
	defer x.each.set(nil)
	return x.Exec(ctx, fmt.Sprintf("SELECT count(%s(%s)) FROM %s", x.each.name, strings.Join(selected, ", "), from))
}

// eachFunction is a scalar function of any columns, which looks at them and gives true for each row.
type eachFunction struct {
	name   string
	handle *cgo.Handle    // by itself, as DuckDB holds its address
	pinned runtime.Pinner //

	mu  sync.Mutex // held by the thread that calls
	use func(Chunk)
}

var eachFunctions atomic.Int64

func newEachFunction(conn c.Connection) (*eachFunction, error) {
	f := &eachFunction{name: fmt.Sprintf("each_%d", eachFunctions.Add(1)), handle: new(cgo.Handle)}
	*f.handle = cgo.NewHandle(f)
	f.pinned.Pin(f.handle)
	anything, boolean := c.CreateLogicalType(c.TypeAny), c.CreateLogicalType(c.TypeBoolean)
	defer c.DestroyLogicalType(&anything)
	defer c.DestroyLogicalType(&boolean)
	function := c.CreateScalarFunction()
	defer c.DestroyScalarFunction(&function)
	c.ScalarFunctionSetName(function, f.name)
	c.ScalarFunctionSetVarargs(function, anything)
	c.ScalarFunctionSetReturnType(function, boolean)
	c.ScalarFunctionSetSpecialHandling(function) // it is called for nulls, too
	c.ScalarFunctionSetVolatile(function)        // and for all rows, though they may be alike
	c.ScalarFunctionSetExtraInfo(function, unsafe.Pointer(f.handle), nil)
	c.ScalarFunctionSetFunction(function, C.brineEachCall)
	if c.RegisterScalarFunction(conn, function) != c.StateSuccess {
		f.close()
		return nil, errors.New("cannot register a function with DuckDB")
	}
	return f, nil
}

func (f *eachFunction) set(use func(Chunk)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.use = use
}

func (f *eachFunction) call(k Chunk) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.use(k)
}

func (f *eachFunction) close() {
	f.handle.Delete()
	f.pinned.Unpin()
}

//export brineEachCall
func brineEachCall(p, chunk, out unsafe.Pointer) {
	info := c.FunctionInfo{Ptr: p}
	defer func() {
		if p := recover(); p != nil { // it must not unwind into DuckDB
			c.ScalarFunctionSetError(info, fmt.Sprint("cannot use a chunk: ", p))
		}
	}()
	k := Chunk{c.DataChunk{Ptr: chunk}}
	(*(*cgo.Handle)(c.ScalarFunctionGetExtraInfo(info))).Value().(*eachFunction).call(k)
	met := vectorOf[bool](c.Vector{Ptr: out}, k.Len())
	for i := range met {
		met[i] = true
	}
}
