// Package scan reads JSON (RFC 8259) from bytes that are already in memory: strictly,
// without copying and without allocating.
//
// It imports nothing of the house. A client's bytes come in; slices of the same bytes go
// out. Strict means: the grammar to the letter, strings in valid UTF-8 without lone
// surrogates, and nesting no deeper than [MaxDepth]. Whether a key comes twice is the
// caller's to see.
//
// An object is read like this:
//
//	s := scan.Scanner{Src: body}
//	err := s.Open('{')
//	for n := 0; err == nil; n++ {
//		more, err := s.More(n, '}')
//		if err != nil || !more {
//			break
//		}
//		key, escaped, err := s.Key()
//		… s.Text(), s.Number(), s.Bool(), s.Skip() …
//	}
package scan

import "errors"

// MaxDepth is how many arrays and objects [Scanner.Skip] follows into each other.
const MaxDepth = 32

// Why bytes are not the JSON that was asked for. [Scanner.Pos] then tells where.
var (
	ErrSyntax = errors.New("malformed JSON")
	ErrEnd    = errors.New("the JSON ends too early")
	ErrText   = errors.New("a string with a control character, invalid UTF-8 or half of a surrogate pair")
	ErrDepth  = errors.New("JSON nested too deeply")
)

// Type is what a JSON value is, told by its first byte.
type Type uint8

// The types of JSON values. Invalid is a byte that begins none, End that there is no byte.
const (
	Invalid Type = iota
	End
	Object
	Array
	String
	Number
	Bool
	Null
)

var typeOf = [256]Type{
	'{': Object, '[': Array, '"': String, 't': Bool, 'f': Bool, 'n': Null, '-': Number,
	'0': Number, '1': Number, '2': Number, '3': Number, '4': Number,
	'5': Number, '6': Number, '7': Number, '8': Number, '9': Number,
}

// Scanner reads JSON from Src. Its zero value with Src set is ready.
type Scanner struct {
	Src []byte
	Pos int // of the next byte to read; after an error, of the byte that does not fit
}

// Space skips white space.
func (s *Scanner) Space() {
	if s.Pos < len(s.Src) && s.Src[s.Pos] <= ' ' {
		s.spaces()
	}
}

func (s *Scanner) spaces() {
	for s.Pos < len(s.Src) {
		switch s.Src[s.Pos] {
		case ' ', '\t', '\n', '\r':
			s.Pos++
		default:
			return
		}
	}
}

// Peek skips white space and tells the type of the value that follows, without reading it.
func (s *Scanner) Peek() Type {
	s.Space()
	if s.Pos >= len(s.Src) {
		return End
	}
	return typeOf[s.Src[s.Pos]]
}

// take reads white space and the byte c.
func (s *Scanner) take(c byte) error {
	s.Space()
	if s.Pos >= len(s.Src) {
		return ErrEnd
	}
	if s.Src[s.Pos] != c {
		return ErrSyntax
	}
	s.Pos++
	return nil
}

// Open reads the '{' or '[' that begins an object or an array.
func (s *Scanner) Open(c byte) error { return s.take(c) }

// More reads what stands before member n (from 0) of an object or array: nothing or a comma.
// It returns false where it read closing, the '}' or ']' that ends it.
func (s *Scanner) More(n int, closing byte) (bool, error) {
	s.Space()
	if s.Pos >= len(s.Src) {
		return false, ErrEnd
	}
	switch c := s.Src[s.Pos]; {
	case c == closing:
		s.Pos++
		return false, nil
	case n == 0:
		return true, nil
	case c == ',':
		s.Pos++
		return true, nil
	}
	return false, ErrSyntax
}

// Key reads the name of an object's member and the colon. What it returns is as of [Scanner.Text].
func (s *Scanner) Key() (raw []byte, escaped bool, err error) {
	if raw, escaped, err = s.Text(); err != nil {
		return nil, false, err
	}
	return raw, escaped, s.take(':')
}

// Bool reads true or false.
func (s *Scanner) Bool() (bool, error) {
	if s.Peek() == Bool && s.Src[s.Pos] == 't' {
		return true, s.literal("true")
	}
	return false, s.literal("false")
}

// Null reads null.
func (s *Scanner) Null() error { return s.literal("null") }

func (s *Scanner) literal(word string) error {
	s.Space()
	for i := range len(word) {
		if s.Pos >= len(s.Src) {
			return ErrEnd
		}
		if s.Src[s.Pos] != word[i] {
			return ErrSyntax
		}
		s.Pos++
	}
	return nil
}

// Close reads white space up to the end of Src, and fails where anything else is left.
func (s *Scanner) Close() error {
	if s.Peek() != End {
		return ErrSyntax
	}
	return nil
}
