package duck

/*
#include <stdint.h>
void brineTextCall(void *, void *, void *);
int brineAssign(void *, const int64_t *, const char *, const int64_t *, int64_t);
int brineReserve(void *, int64_t);
*/
import "C"

import (
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"runtime/cgo"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"
)

// Text is a function of one text, in Go. It appends its result to dst. It serves one thread at a
// time, and must give the same for the same value.
type Text func(dst, value []byte) []byte

// textFunction is a scalar function that a connection has registered. DuckDB cannot forget one, so
// each serves one statement after the other.
type textFunction struct {
	name   string
	handle *cgo.Handle    // by itself, as DuckDB holds its address
	pinned runtime.Pinner //

	mu   sync.Mutex
	make func() Text // nil: no statement uses it
	idle []*memo     // one for each thread that has called, while it does not
}

var textFunctions atomic.Int64

// TextFunction lets the next statement call a function from text to text, by the name that is given
// back: null stays null. newText makes it, once for each thread. done ends it, and must be called
// after the statement. Equal values are handed to it once, as far as a bounded memory reaches.
func (x *Conn) TextFunction(newText func() Text) (name string, done func(), err error) {
	f, err := x.freeTextFunction()
	if err != nil {
		return "", nil, err
	}
	f.set(newText)
	return f.name, func() { f.set(nil) }, nil
}

func (x *Conn) freeTextFunction() (*textFunction, error) {
	i := slices.IndexFunc(x.texts, func(f *textFunction) bool { return f.free() })
	if i >= 0 {
		return x.texts[i], nil
	}
	f, err := newTextFunction(x.conn)
	if err == nil {
		x.texts = append(x.texts, f)
	}
	return f, err
}

func newTextFunction(conn c.Connection) (*textFunction, error) {
	f := &textFunction{name: fmt.Sprintf("text_%d", textFunctions.Add(1)), handle: new(cgo.Handle)}
	*f.handle = cgo.NewHandle(f)
	f.pinned.Pin(f.handle)
	text := c.CreateLogicalType(c.TypeVarchar)
	defer c.DestroyLogicalType(&text)
	function := c.CreateScalarFunction()
	defer c.DestroyScalarFunction(&function)
	c.ScalarFunctionSetName(function, f.name)
	c.ScalarFunctionAddParameter(function, text)
	c.ScalarFunctionSetReturnType(function, text)
	c.ScalarFunctionSetExtraInfo(function, unsafe.Pointer(f.handle), nil)
	c.ScalarFunctionSetFunction(function, C.brineTextCall)
	if c.RegisterScalarFunction(conn, function) != c.StateSuccess {
		f.close()
		return nil, errors.New("cannot register a function with DuckDB")
	}
	return f, nil
}

func (f *textFunction) free() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.make == nil
}

// set also forgets what the function was called with before.
func (f *textFunction) set(newText func() Text) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make, f.idle = newText, nil
}

func (f *textFunction) close() {
	f.handle.Delete()
	f.pinned.Unpin()
}

// take gives a thread a memo of its own until it is put back.
func (f *textFunction) take() *memo {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.make == nil {
		return nil
	}
	if n := len(f.idle); n > 0 {
		m := f.idle[n-1]
		f.idle = f.idle[:n-1]
		return m
	}
	return newMemo(f.make())
}

func (f *textFunction) put(m *memo) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.idle = append(f.idle, m)
}

//export brineTextCall
func brineTextCall(p, chunk, out unsafe.Pointer) {
	info := c.FunctionInfo{Ptr: p}
	defer func() {
		if p := recover(); p != nil { // it must not unwind into DuckDB
			c.ScalarFunctionSetError(info, fmt.Sprint("a text function failed: ", p))
		}
	}()
	f := (*(*cgo.Handle)(c.ScalarFunctionGetExtraInfo(info))).Value().(*textFunction)
	m := f.take()
	if m == nil {
		c.ScalarFunctionSetError(info, "no text function is set for this statement")
		return
	}
	defer f.put(m)
	if !m.call(c.DataChunk{Ptr: chunk}, c.Vector{Ptr: out}) {
		c.ScalarFunctionSetError(info, noMemory)
	}
}

// memo is a text function with what it gave lately: a table in which a value has one place, so that it is bounded and
// the garbage collector has nothing to look at in it.
type memo struct {
	text  Text
	seed  maphash.Seed
	known []memoEntry
	dst   []byte
	out   texts // of the present chunk
}

// memoEntry has room for ids and for their pseudonyms; what is longer is not remembered.
type memoEntry struct {
	values, results uint8 // lengths
	full            bool
	value           [48]byte
	result          [64]byte
}

// memoEntries is a power of 2; they take 30 MB, of which only what is used is in memory.
const memoEntries = 1 << 18

func newMemo(text Text) *memo {
	return &memo{text: text, seed: maphash.MakeSeed(), known: make([]memoEntry, memoEntries)}
}

// call says whether DuckDB had memory for the results.
func (m *memo) call(chunk c.DataChunk, out c.Vector) bool {
	in := newVector(c.DataChunkGetVector(chunk, 0))
	m.out.reset()
	for row := range int(c.DataChunkGetSize(chunk)) {
		if in.Null(row) {
			setNull(out, row)
			addText(&m.out, "")
		} else {
			addText(&m.out, m.of(in.String(row)))
		}
	}
	return m.out.assign(out)
}

// of gives the result for a value; it is good until the next one.
func (m *memo) of(value []byte) []byte {
	e := &m.known[maphash.Bytes(m.seed, value)%memoEntries]
	if e.full && string(e.value[:e.values]) == string(value) {
		return e.result[:e.results]
	}
	m.dst = m.text(m.dst[:0], value)
	if len(value) <= len(e.value) && len(m.dst) <= len(e.result) {
		e.values, e.results, e.full = uint8(copy(e.value[:], value)), uint8(copy(e.result[:], m.dst)), true
	}
	return m.dst
}

// texts are those of a chunk. They are handed over all at once, as a call for each costs as much as to find it.
type texts struct {
	rows  []int64 // which they are of; none: the first, one after the other
	bytes []byte  // one after the other
	ends  []int64 // of each, in them
}

// keptTexts is how many bytes of texts there is memory for after a reset.
const keptTexts = 4 << 20

func (t *texts) reset() {
	t.rows, t.bytes, t.ends = t.rows[:0], t.bytes[:0], t.ends[:0]
	if cap(t.bytes) > keptTexts {
		t.bytes = nil
	}
}

func addText[T string | []byte](t *texts, text T) {
	t.bytes = append(t.bytes, text...)
	t.ends = append(t.ends, int64(len(t.bytes)))
}

// assign puts them into a vector, and says whether DuckDB had memory for them.
func (t *texts) assign(out c.Vector) bool {
	var rows *C.int64_t
	if len(t.rows) > 0 {
		rows = (*C.int64_t)(unsafe.SliceData(t.rows))
	}
	return C.brineAssign(out.Ptr, rows, (*C.char)(unsafe.Pointer(unsafe.SliceData(t.bytes))), (*C.int64_t)(unsafe.SliceData(t.ends)), C.int64_t(len(t.ends))) != 0
}

// reserve gives a vector of lists so many elements, and says whether DuckDB had memory for them.
func reserve(v c.Vector, size int) bool { return C.brineReserve(v.Ptr, C.int64_t(size)) != 0 }

func setNull(v c.Vector, row int) {
	c.VectorEnsureValidityWritable(v)
	word := (*uint64)(unsafe.Add(c.VectorGetValidity(v), row/64*8))
	*word &^= 1 << (row % 64)
}
