package duck

/*
void brineUUIDCall(void *, void *, void *);
void brineTimeCall(void *, void *, void *);
void brineChanceCall(void *, void *, void *);
*/
import "C"

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"
)

// UUIDFunction is the name of a function that makes a UUID of its upper and its lower half, two
// UBIGINTs, neither null. DuckDB has none, and making one of text costs half a microsecond.
func (x *Conn) UUIDFunction() (name string, err error) {
	if x.uuids == "" {
		x.uuids, err = x.register("uuid", c.TypeUUID, C.brineUUIDCall, c.TypeUBigInt, c.TypeUBigInt)
	}
	return x.uuids, err
}

// TimeFunction is the name of a function that writes ms since the epoch, a BIGINT, like 2026-11-21T13:00:00Z; null stays null. Where
// equal times lie together it costs a fraction of strftime.
func (x *Conn) TimeFunction() (name string, err error) {
	if x.times == "" {
		x.times, err = x.register("time", c.TypeVarchar, C.brineTimeCall, c.TypeBigInt)
	}
	return x.times, err
}

// ChanceFunction is the name of a function without parameters that gives each row a UBIGINT of the system's own chance. All that DuckDB's random() gives can be
// worked out, with its order, from a few of its numbers: it is a PCG of 64 bits (O'Neill, PCG, 2014), and hash() can be undone.
func (x *Conn) ChanceFunction() (name string, err error) {
	if x.chances == "" {
		x.chances, err = x.register("chance", c.TypeUBigInt, C.brineChanceCall)
	}
	return x.chances, err
}

// register makes a scalar function without a state known to the connection.
func (x *Conn) register(prefix string, result c.Type, call unsafe.Pointer, parameters ...c.Type) (name string, err error) {
	name = fmt.Sprintf("%s_%d", prefix, textFunctions.Add(1))
	function := c.CreateScalarFunction()
	defer c.DestroyScalarFunction(&function)
	c.ScalarFunctionSetName(function, name)
	for _, p := range parameters {
		t := c.CreateLogicalType(p)
		c.ScalarFunctionAddParameter(function, t)
		c.DestroyLogicalType(&t)
	}
	t := c.CreateLogicalType(result)
	defer c.DestroyLogicalType(&t)
	c.ScalarFunctionSetReturnType(function, t)
	if len(parameters) == 0 {
		c.ScalarFunctionSetVolatile(function) // it is no constant
	}
	c.ScalarFunctionSetFunction(function, call)
	if c.RegisterScalarFunction(x.conn, function) != c.StateSuccess {
		return "", errors.New("cannot register a function with DuckDB")
	}
	return name, nil
}

//export brineUUIDCall
func brineUUIDCall(_, chunk, out unsafe.Pointer) {
	in := c.DataChunk{Ptr: chunk}
	upper, lower := newVector(c.DataChunkGetVector(in, 0)), newVector(c.DataChunkGetVector(in, 1))
	ids := newVector(c.Vector{Ptr: out})
	for row := range int(c.DataChunkGetSize(in)) {
		half := (*[2]uint64)(unsafe.Add(ids.data, row*16)) // see [Vector.UUID]
		half[0], half[1] = uint64(lower.Int64(row)), uint64(upper.Int64(row))^(1<<63)
	}
}

//export brineChanceCall
func brineChanceCall(_, chunk, out unsafe.Pointer) {
	n := int(c.DataChunkGetSize(c.DataChunk{Ptr: chunk}))
	rand.Read(unsafe.Slice((*byte)(newVector(c.Vector{Ptr: out}).data), 8*n)) // never fails
}

//export brineTimeCall
func brineTimeCall(info, chunk, out unsafe.Pointer) {
	in := c.DataChunk{Ptr: chunk}
	times := newVector(c.DataChunkGetVector(in, 0))
	var all texts
	var text []byte // of the last time
	var last int64
	for row := range int(c.DataChunkGetSize(in)) {
		if times.Null(row) {
			setNull(c.Vector{Ptr: out}, row)
			addText(&all, "")
			continue
		}
		if ms := times.Int64(row); text == nil || ms != last {
			text, last = time.UnixMilli(ms).UTC().AppendFormat(text[:0], "2006-01-02T15:04:05Z"), ms
		}
		addText(&all, text)
	}
	if !all.assign(c.Vector{Ptr: out}) {
		c.ScalarFunctionSetError(c.FunctionInfo{Ptr: info}, noMemory)
	}
}
