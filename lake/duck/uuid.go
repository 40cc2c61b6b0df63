package duck

/*
void brineUUIDCall(void *, void *, void *);
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"
)

// UUIDFunction is the name of a function that makes a UUID of its upper and its lower half, two
// UBIGINTs, neither null. DuckDB has none, and making one of text costs half a microsecond.
func (x *Conn) UUIDFunction() (name string, err error) {
	if x.uuids != "" {
		return x.uuids, nil
	}
	name = fmt.Sprintf("uuid_%d", textFunctions.Add(1))
	half, id := c.CreateLogicalType(c.TypeUBigInt), c.CreateLogicalType(c.TypeUUID)
	defer c.DestroyLogicalType(&half)
	defer c.DestroyLogicalType(&id)
	function := c.CreateScalarFunction()
	defer c.DestroyScalarFunction(&function)
	c.ScalarFunctionSetName(function, name)
	c.ScalarFunctionAddParameter(function, half)
	c.ScalarFunctionAddParameter(function, half)
	c.ScalarFunctionSetReturnType(function, id)
	c.ScalarFunctionSetFunction(function, C.brineUUIDCall)
	if c.RegisterScalarFunction(x.conn, function) != c.StateSuccess {
		return "", errors.New("cannot register a function with DuckDB")
	}
	x.uuids = name
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
