package event

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"

	"brine/event/scan"
)

// A tree is a JSON value that was read: nodes in the order they were met, the root first. Once its
// memory has grown, reading another into it makes nothing, where Go's maps take a hundred pieces for each event.
type tree struct {
	nodes []node
	plain []byte // texts that do not stand in the source: those without their escapes, and what the server adds
	depth int    // of arrays and maps around what is being appended
	gaps  int    // columns without a value that the elements appended so far have
}

// node is one value. Its texts share memory with the source or with plain.
type node struct {
	typ   scan.Type
	name  []byte // of a member of an object
	value []byte // the text of a string, a number as it stands, true or false
	first int    // member or element; 0: none
	next  int    // member or element of what this one is in; 0: none
}

const root = 0

// read reads the one JSON object that src begins with. It refuses what encoding/json would let
// pass: repeated keys, lone surrogates, numbers that no column holds.
//
// n is as of [AppendInteraction].
func (t *tree) read(src []byte) (n int, p *Problem) {
	t.nodes, t.plain = t.nodes[:0], t.plain[:0]
	d := scan.Scanner{Src: src}
	if typ := d.Peek(); typ != scan.Object && typ != scan.End && typ != scan.Invalid {
		p = refuse(CodeType, "", "an object was expected")
	} else if _, p = t.object(&d, 1); p == nil {
		return d.Pos, nil
	}
	whole := scan.Scanner{Src: src}
	if whole.Skip() != nil {
		return -1, malformed()
	}
	return whole.Pos, p
}

// add appends a node.
func (t *tree) add(typ scan.Type, value []byte) (at int) {
	t.nodes = append(t.nodes, node{typ: typ, value: value})
	return len(t.nodes) - 1
}

// link puts a node behind the one before it, or first in what it is in.
func (t *tree) link(in, before, at int) {
	if before == root {
		t.nodes[in].first = at
	} else {
		t.nodes[before].next = at
	}
}

// value reads a value that stands in depth arrays and objects. The path of a problem is made on
// the way back, each level putting itself before it.
func (t *tree) value(d *scan.Scanner, depth int) (at int, p *Problem) {
	switch d.Peek() {
	case scan.Object:
		return t.object(d, depth+1)
	case scan.Array:
		return t.array(d, depth+1)
	case scan.String:
		raw, escaped, err := d.Text()
		if err == nil {
			return t.add(scan.String, t.text(raw, escaped)), nil
		}
	case scan.Number:
		return t.number(d)
	case scan.Bool:
		from := d.Pos
		if _, err := d.Bool(); err == nil {
			return t.add(scan.Bool, d.Src[from:d.Pos]), nil
		}
	case scan.Null:
		if d.Null() == nil {
			return t.add(scan.Null, nil), nil
		}
	}
	return 0, malformed()
}

// text is a string without its escapes.
func (t *tree) text(raw []byte, escaped bool) []byte {
	if !escaped {
		return raw
	}
	from := len(t.plain)
	t.plain = scan.Unescape(t.plain, raw)
	return t.plain[from:len(t.plain):len(t.plain)]
}

func (t *tree) object(d *scan.Scanner, depth int) (at int, p *Problem) {
	if depth > scan.MaxDepth || d.Open('{') != nil {
		return 0, malformed()
	}
	at = t.add(scan.Object, nil)
	names := nameSet{tree: t, object: at}
	last := root
	for n := 0; ; n++ {
		more, err := d.More(n, '}')
		if err != nil {
			return 0, malformed()
		}
		if !more {
			return at, nil
		}
		raw, escaped, err := d.Key()
		if err != nil {
			return 0, malformed()
		}
		name := t.text(raw, escaped)
		if names.has(name, n) {
			return 0, repeatedKey("", name)
		}
		member, p := t.value(d, depth)
		if p != nil {
			return 0, p.below(joinPath("", string(name)))
		}
		t.nodes[member].name = name
		t.link(at, last, member)
		last = member
	}
}

func (t *tree) array(d *scan.Scanner, depth int) (at int, p *Problem) {
	if depth > scan.MaxDepth || d.Open('[') != nil {
		return 0, malformed()
	}
	at = t.add(scan.Array, nil)
	last := root
	for n := 0; ; n++ {
		more, err := d.More(n, ']')
		if err != nil {
			return 0, malformed()
		}
		if !more {
			return at, nil
		}
		element, p := t.value(d, depth)
		if p != nil {
			return 0, p.below(indexPath("", n))
		}
		t.link(at, last, element)
		last = element
	}
}

// maxPoint bounds the numbers that are handed to the schema library, which computes with
// fractions of whole numbers as large as the exponent says. Doubles reach from 10^-324 to 10^308.
const maxPoint = 330

func (t *tree) number(d *scan.Scanner) (at int, p *Problem) {
	raw, err := d.Number()
	if err != nil {
		return 0, malformed()
	}
	if _, plain := parseDigits(raw); plain {
		return t.add(scan.Number, raw), nil
	}
	exact := parseDecimal(raw)
	if exact.n == 0 {
		return t.add(scan.Number, zero), nil
	}
	if _, err := strconv.ParseFloat(string(raw), 64); err != nil || math.Abs(float64(exact.point)) > maxPoint {
		return 0, refuse(CodeValue, "", "a number within the range of 64-bit floats was expected")
	}
	return t.add(scan.Number, raw), nil
}

var zero = []byte("0")

// nameSet knows the names of an object's members. Few are compared one by one, many are looked up.
type nameSet struct {
	*tree
	object int
	many   map[string]bool
}

const fewNames = 32

// has says whether the object has a name already; n members were read before.
func (s *nameSet) has(name []byte, n int) bool {
	if n < fewNames {
		_, ok := s.member(s.object, name)
		return ok
	}
	if s.many == nil {
		s.many = map[string]bool{}
		for i := s.nodes[s.object].first; i != 0; i = s.nodes[i].next {
			s.many[string(s.nodes[i].name)] = true
		}
	}
	if s.many[string(name)] {
		return true
	}
	s.many[string(name)] = true
	return false
}

// member is the member of an object with a name.
func (t *tree) member(object int, name []byte) (at int, ok bool) {
	for i := t.nodes[object].first; i != 0; i = t.nodes[i].next {
		if bytes.Equal(t.nodes[i].name, name) {
			return i, true
		}
	}
	return 0, false
}

// named is member for a name of the schema; a member that is null is as good as absent.
func (t *tree) named(object int, name string) (at int, ok bool) {
	for i := t.nodes[object].first; i != 0; i = t.nodes[i].next {
		if string(t.nodes[i].name) == name {
			return i, t.nodes[i].typ != scan.Null
		}
	}
	return 0, false
}

// at is the node at a path of names.
func (t *tree) at(path []string) (at int, ok bool) {
	at = root
	for _, name := range path {
		if at, ok = t.named(at, name); !ok {
			return 0, false
		}
	}
	return at, len(path) > 0
}

// set gives an object a member, in place of one that it has.
func (t *tree) set(object int, name string, typ scan.Type, value []byte) {
	t.remove(object, name)
	at := t.add(typ, value)
	t.nodes[at].name = []byte(name)
	t.nodes[at].next = t.nodes[object].first
	t.nodes[object].first = at
}

// remove takes a member out of an object.
func (t *tree) remove(object int, name string) {
	t.removeIf(object, func(other []byte) bool { return string(other) == name })
}

// removeIf takes the members out of an object whose names are to go.
func (t *tree) removeIf(object int, goes func(name []byte) bool) {
	last := root
	for i := t.nodes[object].first; i != 0; i = t.nodes[i].next {
		if goes(t.nodes[i].name) {
			t.link(object, last, t.nodes[i].next)
		} else {
			last = i
		}
	}
}

// decoded is a value as the schema library wants it: objects as map[string]any, numbers as json.Number.
func (t *tree) decoded(at int) any {
	n := &t.nodes[at]
	switch n.typ {
	case scan.Object:
		object := map[string]any{}
		for i := n.first; i != 0; i = t.nodes[i].next {
			object[string(t.nodes[i].name)] = t.decoded(i)
		}
		return object
	case scan.Array:
		list := []any{}
		for i := n.first; i != 0; i = t.nodes[i].next {
			list = append(list, t.decoded(i))
		}
		return list
	case scan.String:
		return string(n.value)
	case scan.Number:
		return json.Number(n.value)
	case scan.Bool:
		return n.value[0] == 't'
	}
	return nil
}
