package intake

import (
	"bytes"
	"slices"
	"strconv"

	"brine/event"
	"brine/event/scan"
)

const (
	maxShapeDepth = 8
	maxShapeBytes = 1 << 10
	maxShapeKinds = 4  // different shapes of elements told of one array
	shapeTail     = 16 // room for the end of a level: its count and bracket
)

// shapeOf tells of a JSON value which of the schema's keys it has and their JSON types, as
// JSON text of at most 1 kB:
//
//	{"timestamp":"string","event_stream":[2,[2,"string","number"]],"?":1}
//
// An object ends with the number of its keys that the schema does not have; an array is its
// length and the different shapes of its elements, the first four. No value is told. What
// is deeper than 8 levels is told by its type alone, what has no room is counted.
func shapeOf(value []byte, columns []event.Column) string {
	w := shapeWriter{s: scan.Scanner{Src: value}}
	if err := w.value(event.Column{Kind: event.Struct, Fields: columns}, 1); err != nil {
		return ""
	}
	return string(w.out)
}

type shapeWriter struct {
	s   scan.Scanner
	out []byte
	tmp []byte
}

var typeNames = map[scan.Type]string{
	scan.Object: `"object"`, scan.Array: `"array"`, scan.String: `"string"`,
	scan.Number: `"number"`, scan.Bool: `"boolean"`, scan.Null: `"null"`,
}

func (w *shapeWriter) value(node event.Column, depth int) error {
	t := w.s.Peek()
	switch {
	case t == scan.Object && depth <= maxShapeDepth:
		return w.object(node, depth)
	case t == scan.Array && depth <= maxShapeDepth:
		return w.array(node, depth)
	}
	w.out = append(w.out, typeNames[t]...)
	return w.s.Skip()
}

func (w *shapeWriter) object(node event.Column, depth int) error {
	w.s.Pos++
	w.out = append(w.out, '{')
	unknown := 0
	for n := 0; ; n++ {
		more, err := w.s.More(n, '}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		told, err := w.member(node, depth)
		if err != nil {
			return err
		}
		if !told {
			unknown++
		}
	}
	if unknown > 0 {
		w.out = strconv.AppendInt(append(w.out, `"?":`...), int64(unknown), 10)
	}
	w.out = append(bytes.TrimSuffix(w.out, []byte{','}), '}')
	return nil
}

// member writes a member and a comma, or reads past one that the schema does not have or there is no room for.
func (w *shapeWriter) member(node event.Column, depth int) (told bool, err error) {
	raw, escaped, err := w.s.Key()
	if err != nil {
		return false, err
	}
	if escaped {
		w.tmp = scan.Unescape(w.tmp[:0], raw)
		raw = w.tmp
	}
	i := slices.IndexFunc(node.Fields, func(c event.Column) bool { return c.Name == string(raw) })
	if node.Kind != event.Struct || i < 0 {
		return false, w.s.Skip()
	}
	begin := len(w.out)
	w.out = append(append(append(w.out, '"'), raw...), '"', ':')
	if err := w.value(node.Fields[i], depth+1); err != nil {
		return false, err
	}
	w.out = append(w.out, ',')
	return w.fits(begin, depth), nil
}

// fits takes back what was written since begin where it leaves no room for the levels to end.
func (w *shapeWriter) fits(begin, depth int) bool {
	if len(w.out)+depth*shapeTail <= maxShapeBytes {
		return true
	}
	w.out = w.out[:begin]
	return false
}

func (w *shapeWriter) array(node event.Column, depth int) error {
	element := event.Column{}
	if len(node.Fields) > 0 && (node.Kind == event.List || node.Kind == event.Tuple) {
		element = node.Fields[0]
	}
	w.s.Pos++
	begin := len(w.out)
	kinds := [maxShapeKinds][]byte{}
	n, told := 0, 0
	for ; ; n++ {
		more, err := w.s.More(n, ']')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := w.value(element, depth+1); err != nil {
			return err
		}
		if told < maxShapeKinds && w.fits(begin, depth) && isNew(kinds[:told], w.out[begin:]) {
			kinds[told] = bytes.Clone(w.out[begin:])
			told++
		}
		w.out = w.out[:begin]
	}
	w.out = strconv.AppendInt(append(w.out, '['), int64(n), 10)
	for _, kind := range kinds[:told] {
		before := len(w.out)
		w.out = append(append(w.out, ','), kind...)
		w.fits(before, depth)
	}
	w.out = append(w.out, ']')
	return nil
}

func isNew(kinds [][]byte, kind []byte) bool {
	for _, k := range kinds {
		if bytes.Equal(k, kind) {
			return false
		}
	}
	return true
}
