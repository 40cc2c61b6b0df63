package duck

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"brine/event"
	"brine/event/scan"
)

// ErrRow is a row that is not in Brine's encoding for these columns.
var ErrRow = errors.New("a row that cannot be read")

// parseRow reads a row into its place of each node, where all is null before. After an error some of it is not.
func parseRow(row []byte, nodes []*node, at int) error {
	p := parser{b: row}
	p.object(nodes, at)
	if p.err == nil && p.i != len(row) {
		p.fail("bytes after the row's end")
	}
	return p.err
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
		p.missing(ch)
	}
}

func (p *parser) missing(ch byte) { p.fail("expected " + strconv.QuoteRune(rune(ch))) }

// more says whether another item follows in an object or array that ends with the given byte.
func (p *parser) more(first bool, end byte) bool {
	switch {
	case p.take(end):
		return false
	case !first && !p.take(','):
		p.missing(',')
	}
	return p.err == nil
}

func (p *parser) object(nodes []*node, at int) {
	p.expect('{')
	next := 0
	for first := true; p.more(first, '}'); first = false {
		for next < len(nodes) && !bytes.HasPrefix(p.b[p.i:], nodes[next].key) {
			next++
		}
		if next == len(nodes) {
			p.fail("a key that the columns do not have in this order")
			return
		}
		p.i += len(nodes[next].key)
		p.value(nodes[next], at)
		next++
	}
}

func (p *parser) value(n *node, at int) {
	n.setValid(at)
	switch n.kind {
	case event.Bool:
		if p.bool() {
			n.data[at] = 1
		} else {
			n.data[at] = 0
		}
	case event.Int32:
		n.setInt32(at, p.int32())
	case event.Int64:
		n.setInt64(at, p.int64())
	case event.Double:
		n.setInt64(at, int64(math.Float64bits(p.double())))
	case event.String:
		n.setString(at, p.text())
	case event.UUID:
		n.setUUID(at, p.uuid())
	case event.Struct:
		p.object(n.kids, at)
	case event.Tuple:
		p.tuple(n.kids, at)
	case event.List:
		p.list(n, at)
	case event.Map:
		p.pairs(n, at)
	}
}

func (p *parser) tuple(nodes []*node, at int) {
	p.expect('[')
	next := 0
	for first := true; p.more(first, ']'); first = false {
		if next == len(nodes) {
			p.fail("a tuple that is too long")
			return
		}
		if !p.null() {
			p.value(nodes[next], at)
		}
		next++
	}
}

func (p *parser) list(n *node, at int) {
	from := n.size
	p.expect('[')
	for first := true; p.more(first, ']'); first = false {
		if element := n.element(); !p.null() {
			p.value(n.kids[0], element)
		}
	}
	n.setList(at, from, n.size)
}

func (p *parser) pairs(n *node, at int) {
	from := n.size
	pair, key, value := n.kids[0], n.kids[0].kids[0], n.kids[0].kids[1]
	p.expect('{')
	for first := true; p.more(first, '}'); first = false {
		element := n.element()
		pair.setValid(element)
		p.value(key, element)
		p.expect(':')
		if !p.null() {
			p.value(value, element)
		}
	}
	n.setList(at, from, n.size)
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
	b, ascii := p.b[p.i:], true
	for i := scan.Plain(b); i < len(b); i++ {
		switch ch := b[i]; {
		case ch == '"':
			if !ascii && !utf8.Valid(b[:i]) {
				p.fail("not UTF-8")
			}
			p.i += i + 1
			return b[:i]
		case ch == '\\':
			return p.escapedText()
		case ch >= utf8.RuneSelf:
			ascii = false
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
	if end >= len(p.b) || !utf8.Valid(p.b[p.i:end]) || json.Unmarshal(p.b[p.i-1:end+1], &s) != nil {
		p.fail("a string that is not UTF-8 or has a wrong escape")
		return nil
	}
	p.i = end + 1
	return []byte(s)
}

func (p *parser) uuid() (id [16]byte) {
	if s := p.text(); len(s) != 36 || !decodeUUID(&id, s) {
		p.fail("expected a UUID")
	}
	return id
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
