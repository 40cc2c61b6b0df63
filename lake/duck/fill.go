package duck

import (
	"encoding/binary"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"

	"brine/event"
)

// fill copies the values [from, to) of a node into a vector.
func (n *node) fill(v c.Vector, from, to int) {
	n.fillValid(v, from, to)
	switch n.kind {
	case event.Struct, event.Tuple:
		for i, kid := range n.kids {
			kid.fill(c.StructVectorGetChild(v, c.IdxT(i)), from, to)
		}
	case event.List, event.Map:
		n.fillList(v, from, to)
	case event.String:
		n.fillStrings(v, from, to)
	case event.Bytes:
		n.fillTexts(v, from, to)
	default:
		copy(vectorOf[byte](v, (to-from)*n.width), n.data[from*n.width:to*n.width])
	}
}

// vectorOf is the memory of a vector.
func vectorOf[T any](v c.Vector, size int) []T {
	return unsafe.Slice((*T)(c.VectorGetData(v)), size)
}

// fillValid tells DuckDB which values are null, where some are.
func (n *node) fillValid(v c.Vector, from, to int) {
	words := (to - from + 63) / 64
	var mask []uint64
	for i := range words {
		word := n.validFrom(from + i*64)
		if left := to - from - i*64; left < 64 {
			word |= ^uint64(0) << left
		}
		if word == ^uint64(0) {
			continue
		}
		if mask == nil {
			c.VectorEnsureValidityWritable(v)
			mask = unsafe.Slice((*uint64)(c.VectorGetValidity(v)), words)
		}
		mask[i] = word
	}
}

// validFrom is the 64 bits from one on.
func (n *node) validFrom(at int) uint64 {
	word, shift := n.valid[at/64], at%64
	if shift == 0 || at/64+1 == len(n.valid) {
		return word >> shift
	}
	return word>>shift | n.valid[at/64+1]<<(64-shift)
}

// fillList copies elements along, which come in the order of their lists.
func (n *node) fillList(v c.Vector, from, to int) {
	first, end := n.sent, n.sent
	entries := vectorOf[[2]uint64](v, to-from)
	for i := range entries {
		entries[i] = [2]uint64{}
		if at := from + i; n.isValid(at) {
			begin, stop := n.list(at)
			entries[i] = [2]uint64{uint64(begin - first), uint64(stop - begin)}
			end = stop
		}
	}
	n.sent = end
	if !reserve(v, end-first) {
		panic(noMemory)
	}
	n.kids[0].fill(c.ListVectorGetChild(v), first, end)
}

func (n *node) fillStrings(v c.Vector, from, to int) {
	typ := c.VectorGetColumnType(v)
	defer c.DestroyLogicalType(&typ)
	if c.GetTypeId(typ) != c.TypeEnum {
		n.fillTexts(v, from, to)
		return
	}
	switch c.EnumInternalType(typ) {
	case c.TypeUTinyInt:
		fillNumbers[uint8](n, v, from, to)
	case c.TypeUSmallInt:
		fillNumbers[uint16](n, v, from, to)
	default:
		fillNumbers[uint32](n, v, from, to)
	}
}

func fillNumbers[T uint8 | uint16 | uint32](n *node, v c.Vector, from, to int) {
	numbers := n.data[from*4 : to*4]
	out := vectorOf[T](v, to-from)
	for i := range out {
		out[i] = T(binary.NativeEndian.Uint32(numbers[i*4:]))
	}
}

// fillTexts copies each string once for a chunk.
func (n *node) fillTexts(v c.Vector, from, to int) {
	firsts := make([]int32, to-from) // the row that has the same string first
	seen := map[uint32]int32{}
	n.texts.reset()
	for i := range firsts {
		if !n.isValid(from + i) {
			continue
		}
		number := n.string(from + i)
		first, ok := seen[number]
		if !ok {
			first = int32(i)
			seen[number] = first
			n.texts.rows = append(n.texts.rows, int64(i))
			addText(&n.texts, n.strings[number])
		}
		firsts[i] = first
	}
	if !n.texts.assign(v) {
		panic(noMemory)
	}
	out := vectorOf[duckString](v, to-from)
	for i, first := range firsts {
		if n.isValid(from + i) {
			out[i] = out[first]
		}
	}
}
