package duck

import (
	"errors"
	"unicode/utf8"
	"unsafe"

	c "github.com/duckdb/duckdb-go-bindings"

	"brine/event"
)

// ErrRow is a row that is not in Brine's encoding for these columns.
var ErrRow = errors.New("a row that cannot be read")

// filler reads rows straight into DuckDB's memory, column by column.
type filler struct {
	types []c.LogicalType
	names []string
	nodes []*node
	keyed bool
}

func newFiller(cols []event.Column, keyed bool) *filler {
	f := &filler{keyed: keyed}
	if keyed {
		cols = append(append([]event.Column{}, KeyColumns...), cols...)
	}
	for _, col := range cols {
		f.types, f.names = append(f.types, logicalType(col)), append(f.names, col.Name)
		f.nodes = append(f.nodes, newNode(col))
	}
	return f
}

func (f *filler) close() { destroyTypes(f.types) }

// attach begins a new chunk.
func (f *filler) attach(chunk c.DataChunk) {
	for i, n := range f.nodes {
		n.attach(c.DataChunkGetVector(chunk, c.IdxT(i)), ChunkRows)
	}
}

// put reads one row into its place. After an error the place can be used again.
func (f *filler) put(at int, key event.Key, row []byte) error {
	p := parser{b: row}
	if !utf8.Valid(row) {
		p.fail("not UTF-8")
	}
	nodes := f.nodes
	if f.keyed {
		*(*int64)(unsafe.Add(nodes[0].data, at*8)) = key.Time
		setUUID(unsafe.Add(nodes[1].data, at*16), key.ID)
		nodes = nodes[2:]
	}
	p.object(nodes, at)
	if p.err == nil && p.i != len(row) {
		p.fail("bytes after the row's end")
	}
	return p.err
}

// finish tells DuckDB how many rows the chunk has.
func (f *filler) finish(chunk c.DataChunk, rows int) {
	for _, n := range f.nodes {
		n.setSizes()
	}
	c.DataChunkSetSize(chunk, c.IdxT(rows))
}

// node writes one column of the tree, or one below it.
type node struct {
	kind    event.Kind
	key     []byte // `"name":`, as it stands in a row
	kids    []*node
	vec     c.Vector
	data    unsafe.Pointer
	valid   unsafe.Pointer        // made with the first null
	size    int                   // elements so far, of a list or map
	room    int                   // elements there is room for
	strings map[string]duckString // long strings that this vector holds already
}

func newNode(col event.Column) *node {
	n := &node{kind: col.Kind, key: append(appendText(nil, []byte(col.Name)), ':')}
	for _, f := range col.Fields {
		n.kids = append(n.kids, newNode(f))
	}
	if col.Kind == event.Map { // its elements are pairs
		n.kids = []*node{{kind: event.Struct, kids: []*node{{kind: event.String}, n.kids[0]}}}
	}
	return n
}

// attach points the node at the vectors of a new chunk.
func (n *node) attach(v c.Vector, rows int) {
	n.vec, n.strings = v, nil
	n.size, n.room = 0, 0
	n.point()
	switch n.kind {
	case event.Struct, event.Tuple:
		for i, kid := range n.kids {
			kid.attach(c.StructVectorGetChild(v, c.IdxT(i)), rows)
		}
	case event.List, event.Map:
		n.kids[0].attach(c.ListVectorGetChild(v), rows)
		n.grow(rows)
	}
}

// point takes the addresses anew: DuckDB moves a list's elements when it makes room for more.
func (n *node) point() { n.data, n.valid = c.VectorGetData(n.vec), nil }

func (n *node) repoint() {
	n.point()
	if n.kind == event.Struct || n.kind == event.Tuple {
		for _, kid := range n.kids {
			kid.repoint()
		}
	}
}

func (n *node) grow(room int) {
	if c.ListVectorReserve(n.vec, c.IdxT(room)) != c.StateSuccess {
		panic("DuckDB has no memory for a list")
	}
	n.room = room
	n.kids[0].repoint()
}

// element makes room for one more element and gives its place.
func (n *node) element() int {
	if n.size == n.room {
		n.grow(2 * n.room)
	}
	n.size++
	return n.size - 1
}

func (n *node) setSizes() {
	if n.kind == event.List || n.kind == event.Map {
		c.ListVectorSetSize(n.vec, c.IdxT(n.size))
	}
	for _, kid := range n.kids {
		kid.setSizes()
	}
}

func (n *node) setNull(row int) {
	if n.valid == nil {
		c.VectorEnsureValidityWritable(n.vec)
		n.valid = c.VectorGetValidity(n.vec)
	}
	*(*uint64)(unsafe.Add(n.valid, row/64*8)) &^= 1 << (row % 64)
	switch n.kind {
	case event.Struct, event.Tuple:
		for _, kid := range n.kids {
			kid.setNull(row)
		}
	case event.List, event.Map:
		*(*[2]uint64)(unsafe.Add(n.data, row*16)) = [2]uint64{uint64(n.size), 0}
	}
}

// setValid undoes a null that a row left behind which was given up half-way.
func (n *node) setValid(row int) {
	if n.valid != nil {
		*(*uint64)(unsafe.Add(n.valid, row/64*8)) |= 1 << (row % 64)
	}
}

func (n *node) setString(row int, s []byte) {
	at := (*duckString)(unsafe.Add(n.data, row*16))
	if len(s) <= inlineLength {
		*at = duckString{length: uint32(len(s))}
		copy(unsafe.Slice(&at.prefix[0], inlineLength), s)
		return
	}
	if known, ok := n.strings[string(s)]; ok {
		*at = known
		return
	}
	c.VectorAssignStringElementLen(n.vec, c.IdxT(row), s)
	if n.strings == nil {
		n.strings = map[string]duckString{}
	}
	n.strings[string(s)] = *at
}
