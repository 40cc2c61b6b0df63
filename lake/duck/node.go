package duck

import (
	"encoding/binary"
	"strings"

	c "github.com/duckdb/duckdb-go-bindings"

	"brine/event"
)

// node holds the values of one column of the tree, or of one below it, as DuckDB holds them, but
// for strings: those are numbers of a dictionary.
type node struct {
	kind   event.Kind
	name   string
	key    []byte // `"name":`, as it stands in a row
	kids   []*node
	width  int      // bytes of a value in data
	weight int      // and of what is in it, but for the elements of lists: what a value takes, whatever it holds
	data   []byte   // values, in the byte order of the machine
	valid  []uint64 // a bit for each value that is there, the others are null
	room   int      // values there is room for
	size   int      // of a list or map: elements so far
	mark   int      // what size was before the row that is being read
	sent   int      // elements that DuckDB has

	numbers map[string]uint32   // of the strings met
	strings []string            // by number; of bytes, too, each of which has a number
	likely  [likelyTexts]uint32 // numbers, by what a look at a few bytes says of their strings
	texts   texts               // of the chunk that is being filled
}

const likelyTexts = 256

// widths are the bytes of a value. A list's or map's is where its elements begin, and how many they are.
var widths = map[event.Kind]int{event.Bool: 1, event.Int32: 4, event.Int64: 8, event.Double: 8, event.UUID: 16,
	event.String: 4, event.Bytes: 4, event.List: 16, event.Map: 16}

func newNode(col event.Column) *node {
	n := &node{kind: col.Kind, name: col.Name, key: append(appendText(nil, []byte(col.Name)), ':'), width: widths[col.Kind]}
	for _, f := range col.Fields {
		n.kids = append(n.kids, newNode(f))
	}
	switch col.Kind {
	case event.Map: // its elements are pairs
		n.kids = []*node{{kind: event.Struct, kids: []*node{newNode(event.Column{Name: "key", Kind: event.String}), n.kids[0]}}}
	case event.String:
		n.numbers = map[string]uint32{}
	}
	n.weigh()
	return n
}

func (n *node) weigh() {
	n.weight = n.width
	for _, kid := range n.kids {
		if kid.weigh(); !n.isList() {
			n.weight += kid.weight
		}
	}
}

// lists are the lists and maps among nodes and below them, the outer ones first.
func lists(nodes []*node) (all []*node) {
	for _, n := range nodes {
		if n.isList() {
			all = append(all, n)
		}
		all = append(all, lists(n.kids)...)
	}
	return all
}

func (n *node) isList() bool { return n.kind == event.List || n.kind == event.Map }

// grow makes room for values, all of them null.
func (n *node) grow(room int) {
	n.room = room
	n.data = append(n.data, make([]byte, room*n.width-len(n.data))...)
	n.valid = append(n.valid, make([]uint64, (room+63)/64-len(n.valid))...)
	if !n.isList() {
		for _, kid := range n.kids {
			kid.grow(room)
		}
	}
}

// reset makes all values null, or lets go of their memory too, and forgets the strings.
func (n *node) reset(release bool) {
	if release {
		n.data, n.valid, n.room = nil, nil, 0
	}
	clear(n.valid)
	clear(n.numbers)
	clear(n.strings)
	n.strings, n.size, n.sent = n.strings[:0], 0, 0
	for _, kid := range n.kids {
		kid.reset(release)
	}
}

// element makes room for one more element of a list or map and gives its place.
func (n *node) element() int {
	if kid := n.kids[0]; n.size == kid.room {
		kid.grow(max(ChunkRows, 2*kid.room))
	}
	n.size++
	return n.size - 1
}

func (n *node) setValid(at int) { n.valid[at/64] |= 1 << (at % 64) }

func (n *node) isValid(at int) bool { return n.valid[at/64]&(1<<(at%64)) != 0 }

// setNull makes values null again.
func (n *node) setNull(from, to int) {
	for at := from; at < to; at++ {
		n.valid[at/64] &^= 1 << (at % 64)
	}
	if !n.isList() {
		for _, kid := range n.kids {
			kid.setNull(from, to)
		}
	}
}

func (n *node) setInt32(at int, v int32) { binary.NativeEndian.PutUint32(n.data[at*4:], uint32(v)) }

func (n *node) setInt64(at int, v int64) { binary.NativeEndian.PutUint64(n.data[at*8:], uint64(v)) }

// setUUID writes a 128-bit number with its first bit turned, so that it sorts as the id does.
func (n *node) setUUID(at int, id [16]byte) {
	low, high := binary.BigEndian.Uint64(id[8:]), binary.BigEndian.Uint64(id[:8])^1<<63
	binary.NativeEndian.PutUint64(n.data[at*16:], low)
	binary.NativeEndian.PutUint64(n.data[at*16+8:], high)
}

func (n *node) setList(at, from, to int) {
	binary.NativeEndian.PutUint64(n.data[at*16:], uint64(from))
	binary.NativeEndian.PutUint64(n.data[at*16+8:], uint64(to-from))
}

func (n *node) list(at int) (from, to int) {
	from = int(binary.NativeEndian.Uint64(n.data[at*16:]))
	return from, from + int(binary.NativeEndian.Uint64(n.data[at*16+8:]))
}

// setString sets a value. To compare a string with the one that it likely is spares to hash it.
func (n *node) setString(at int, s []byte) {
	likely := &n.likely[glance(s)%likelyTexts]
	if int(*likely) >= len(n.strings) || n.strings[*likely] != string(s) {
		number, met := n.numbers[string(s)]
		if !met {
			number = n.addString(string(s))
		}
		*likely = number
	}
	n.setNumber(at, *likely)
}

// glance is a number that tells most short strings apart.
func glance(s []byte) uint64 {
	n := len(s)
	if n == 0 {
		return 0
	}
	return (uint64(n) + uint64(s[0])<<8 + uint64(s[n/2])<<16 + uint64(s[n-1])<<24) * 0x9e3779b97f4a7c15 >> 56
}

// addString takes up a string that was not met before.
func (n *node) addString(s string) (number uint32) {
	number = uint32(len(n.strings))
	n.strings = append(n.strings, s)
	n.numbers[s] = number
	return number
}

func (n *node) setNumber(at int, number uint32) {
	binary.NativeEndian.PutUint32(n.data[at*4:], number)
}

func (n *node) string(at int) uint32 { return binary.NativeEndian.Uint32(n.data[at*4:]) }

// enumMost is how many strings an ENUM has at most: each row group of a file holds all of them.
const enumMost = 512

// isEnum says whether DuckDB gets the strings as an ENUM of those met. It is spared to copy and to hash
// each of them; in a Parquet file and in SQL it is text all the same.
func (n *node) isEnum() bool {
	if len(n.strings) == 0 || len(n.strings) > enumMost {
		return false
	}
	for _, s := range n.strings {
		if strings.ContainsRune(s, 0) { // which ends a string on the way to DuckDB
			return false
		}
	}
	return true
}

// logicalType must be destroyed by the caller.
func (n *node) logicalType(enums bool) c.LogicalType {
	switch n.kind {
	case event.String:
		if enums && n.isEnum() {
			return c.CreateEnumType(n.strings)
		}
	case event.List:
		child := n.kids[0].logicalType(enums)
		defer c.DestroyLogicalType(&child)
		return c.CreateListType(child)
	case event.Map:
		key, value := n.kids[0].kids[0].logicalType(enums), n.kids[0].kids[1].logicalType(enums)
		defer c.DestroyLogicalType(&key)
		defer c.DestroyLogicalType(&value)
		return c.CreateMapType(key, value)
	case event.Struct, event.Tuple:
		types, names := make([]c.LogicalType, len(n.kids)), make([]string, len(n.kids))
		for i, kid := range n.kids {
			types[i], names[i] = kid.logicalType(enums), kid.name
		}
		defer destroyTypes(types)
		return c.CreateStructType(types, names)
	}
	return c.CreateLogicalType(scalars[n.kind].typ)
}

func destroyTypes(types []c.LogicalType) {
	for i := range types {
		c.DestroyLogicalType(&types[i])
	}
}
