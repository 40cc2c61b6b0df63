package duck

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
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

// parser reads one row. The rows are Brine's own, so that it is strict and knows no white space.
type parser struct {
	b   []byte
	i   int
	err error
}

func (p *parser) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: byte %d: %s", ErrRow, p.i, what)
	}
	p.i = len(p.b)
}

func (p *parser) take(ch byte) bool {
	if p.i < len(p.b) && p.b[p.i] == ch {
		p.i++
		return true
	}
	return false
}

func (p *parser) expect(ch byte) {
	if !p.take(ch) {
		p.fail("expected " + strconv.QuoteRune(rune(ch)))
	}
}

// more says whether another item follows in an object or array that ends with the given byte.
func (p *parser) more(first bool, end byte) bool {
	if p.err != nil || p.take(end) {
		return false
	}
	if !first {
		p.expect(',')
	}
	return p.err == nil
}

func (p *parser) object(nodes []*node, row int) {
	p.expect('{')
	next := 0
	for first := true; p.more(first, '}'); first = false {
		for next < len(nodes) && !bytes.HasPrefix(p.b[p.i:], nodes[next].key) {
			nodes[next].setNull(row)
			next++
		}
		if next == len(nodes) {
			p.fail("a key that the columns do not have in this order")
			return
		}
		p.i += len(nodes[next].key)
		p.value(nodes[next], row)
		next++
	}
	for ; next < len(nodes); next++ {
		nodes[next].setNull(row)
	}
}

func (p *parser) value(n *node, row int) {
	n.setValid(row)
	switch n.kind {
	case event.Bool:
		*(*bool)(unsafe.Add(n.data, row)) = p.bool()
	case event.Int32:
		*(*int32)(unsafe.Add(n.data, row*4)) = p.int32()
	case event.Int64:
		*(*int64)(unsafe.Add(n.data, row*8)) = p.int64()
	case event.Double:
		*(*float64)(unsafe.Add(n.data, row*8)) = p.double()
	case event.String:
		n.setString(row, p.text())
	case event.UUID:
		p.uuid(unsafe.Add(n.data, row*16))
	case event.Struct:
		p.object(n.kids, row)
	case event.Tuple:
		p.tuple(n.kids, row)
	case event.List:
		p.list(n, row)
	case event.Map:
		p.pairs(n, row)
	}
}

func (p *parser) tuple(nodes []*node, row int) {
	p.expect('[')
	next := 0
	for first := true; p.more(first, ']'); first = false {
		if next == len(nodes) {
			p.fail("a tuple that is too long")
			return
		}
		if p.null() {
			nodes[next].setNull(row)
		} else {
			p.value(nodes[next], row)
		}
		next++
	}
	for ; next < len(nodes); next++ {
		nodes[next].setNull(row)
	}
}

func (p *parser) list(n *node, row int) {
	from := n.size
	p.expect('[')
	for first := true; p.more(first, ']'); first = false {
		at := n.element()
		if p.null() {
			n.kids[0].setNull(at)
		} else {
			p.value(n.kids[0], at)
		}
	}
	*(*[2]uint64)(unsafe.Add(n.data, row*16)) = [2]uint64{uint64(from), uint64(n.size - from)}
}

func (p *parser) pairs(n *node, row int) {
	from := n.size
	key, value := n.kids[0].kids[0], n.kids[0].kids[1]
	p.expect('{')
	for first := true; p.more(first, '}'); first = false {
		at := n.element()
		n.kids[0].setValid(at)
		key.setString(at, p.text())
		p.expect(':')
		if p.null() {
			value.setNull(at)
		} else {
			p.value(value, at)
		}
	}
	*(*[2]uint64)(unsafe.Add(n.data, row*16)) = [2]uint64{uint64(from), uint64(n.size - from)}
}

func (p *parser) word(w string) bool {
	if len(p.b)-p.i >= len(w) && string(p.b[p.i:p.i+len(w)]) == w {
		p.i += len(w)
		return true
	}
	return false
}

func (p *parser) null() bool { return p.i < len(p.b) && p.b[p.i] == 'n' && p.word("null") }

func (p *parser) bool() bool {
	if p.word("true") {
		return true
	}
	if !p.word("false") {
		p.fail("expected true or false")
	}
	return false
}

func (p *parser) int64() int64 {
	from := p.i
	negative := p.take('-')
	var n uint64
	for ; p.i < len(p.b) && p.b[p.i]-'0' <= 9; p.i++ {
		n = n*10 + uint64(p.b[p.i]-'0')
	}
	switch digits := p.b[from:p.i]; {
	case len(digits) < 19 && len(digits) > 0 && digits[len(digits)-1] != '-':
		if negative {
			return -int64(n)
		}
		return int64(n)
	default: // near the edge of int64, or no number
		v, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			p.fail("expected an integer within 64 bits")
		}
		return v
	}
}

func (p *parser) int32() int32 {
	v := p.int64()
	if v != int64(int32(v)) {
		p.fail("expected an integer within 32 bits")
	}
	return int32(v)
}

func (p *parser) double() float64 {
	from := p.i
	for p.i < len(p.b) && bytes.IndexByte([]byte("+-.0123456789eE"), p.b[p.i]) >= 0 {
		p.i++
	}
	if p.i-from == 1 && p.b[from] == '1' {
		return 1 // the sample rate of nearly every event
	}
	v, err := strconv.ParseFloat(string(p.b[from:p.i]), 64)
	if err != nil || math.IsInf(v, 0) {
		p.fail("expected a finite number")
	}
	return v
}

// text reads a string. What it gives shares the row's memory unless there were escapes.
func (p *parser) text() []byte {
	if !p.take('"') {
		p.fail("expected a string")
		return nil
	}
	b := p.b[p.i:]
	for i, ch := range b {
		switch ch {
		case '"':
			p.i += i + 1
			return b[:i]
		case '\\':
			return p.escapedText()
		}
	}
	p.fail("a string without end")
	return nil
}

func (p *parser) escapedText() []byte {
	end := p.i
	for end < len(p.b) && p.b[end] != '"' {
		if p.b[end] == '\\' {
			end++
		}
		end++
	}
	var s string
	if end >= len(p.b) || json.Unmarshal(p.b[p.i-1:end+1], &s) != nil {
		p.fail("a string with a wrong escape")
		return nil
	}
	p.i = end + 1
	return []byte(s)
}

func (p *parser) uuid(at unsafe.Pointer) {
	s := p.text()
	var id [16]byte
	if len(s) != 36 || !decodeUUID(&id, s) {
		p.fail("expected a UUID")
		return
	}
	setUUID(at, id)
}

func setUUID(at unsafe.Pointer, id [16]byte) {
	*(*uint64)(at) = binary.BigEndian.Uint64(id[8:])
	*(*uint64)(unsafe.Add(at, 8)) = binary.BigEndian.Uint64(id[:8]) ^ 1<<63
}

func decodeUUID(id *[16]byte, s []byte) bool {
	var digits [32]byte
	copy(digits[:], s[:8])
	copy(digits[8:], s[9:13])
	copy(digits[12:], s[14:18])
	copy(digits[16:], s[19:23])
	copy(digits[20:], s[24:36])
	_, err := hex.Decode(id[:], digits[:])
	return err == nil && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-'
}
