package duck

/*
void brineUUIDCall(void *, void *, void *);
void brineTimeCall(void *, void *, void *);
*/
import "C"

import (
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
