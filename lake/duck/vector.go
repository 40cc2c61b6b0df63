package duck

import (
	"encoding/binary"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"
)

// Vector is one column of a chunk, read in DuckDB's memory. It is good until its chunk is gone.
type Vector struct {
	vec   c.Vector
	data  unsafe.Pointer
	valid *uint64 // one bit a row, nil when no row is null
}

func newVector(v c.Vector) Vector {
	return Vector{vec: v, data: c.VectorGetData(v), valid: (*uint64)(c.VectorGetValidity(v))}
}

// Null says whether a row has no value.
func (v Vector) Null(row int) bool {
	if v.valid == nil {
		return false
	}
	word := *(*uint64)(unsafe.Add(unsafe.Pointer(v.valid), row/64*8))
	return word&(1<<(row%64)) == 0
}

// Bool, Int32, Int64 and Double read a row of a column of that type.
func (v Vector) Bool(row int) bool      { return *(*bool)(unsafe.Add(v.data, row)) }
func (v Vector) Int32(row int) int32    { return *(*int32)(unsafe.Add(v.data, row*4)) }
func (v Vector) Int64(row int) int64    { return *(*int64)(unsafe.Add(v.data, row*8)) }
func (v Vector) Double(row int) float64 { return *(*float64)(unsafe.Add(v.data, row*8)) }

// duckString is DuckDB's string: up to 12 bytes stand in it, longer ones behind a pointer.
type duckString struct {
	length uint32
	prefix [4]byte
	ptr    *byte
}

const inlineLength = 12

// String reads a row of a text column without copying it.
func (v Vector) String(row int) []byte {
	s := (*duckString)(unsafe.Add(v.data, row*int(unsafe.Sizeof(duckString{}))))
	if s.length <= inlineLength {
		return unsafe.Slice(&s.prefix[0], s.length)
	}
	return unsafe.Slice(s.ptr, s.length)
}

// UUID reads a row of a UUID column, which DuckDB holds as a 128-bit number with its first bit turned.
func (v Vector) UUID(row int) (id [16]byte) {
	p := unsafe.Add(v.data, row*16)
	binary.BigEndian.PutUint64(id[8:], *(*uint64)(p))
	binary.BigEndian.PutUint64(id[:8], *(*uint64)(unsafe.Add(p, 8))^(1<<63))
	return id
}

// List is where a row's elements lie in the child of a list or map column: from, to (exclusive).
func (v Vector) List(row int) (from, to int) {
	e := (*[2]uint64)(unsafe.Add(v.data, row*16))
	return int(e[0]), int(e[0] + e[1])
}

// Elements is the child of a list or map column.
func (v Vector) Elements() Vector { return newVector(c.ListVectorGetChild(v.vec)) }

// Field is member i of a struct column; of a map's elements 0 is the key, 1 the value.
func (v Vector) Field(i int) Vector { return newVector(c.StructVectorGetChild(v.vec, c.IdxT(i))) }
