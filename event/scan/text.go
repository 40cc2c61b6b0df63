package scan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// Text reads a string and returns the bytes between its quotes as they stand; where escaped
// is true they hold backslashes, and [Unescape] gives the text. Either way it is checked:
// valid UTF-8, no control characters, surrogates in pairs only.
func (s *Scanner) Text() (raw []byte, escaped bool, err error) {
	if err := s.take('"'); err != nil {
		return nil, false, err
	}
	src, start := s.Src, s.Pos
	end := start + Plain(src[start:])
	if end < len(src) && src[end] == '"' {
		s.Pos = end + 1
		return src[start:end], false, nil
	}
	return s.unusualText(start, end)
}

// unusualText reads on at i, where the string that began at start has a character that is
// not plain.
func (s *Scanner) unusualText(start, i int) (raw []byte, escaped bool, err error) {
	src := s.Src
	for i < len(src) && src[i] != '"' {
		n := unusual(src[i:])
		if n == 0 {
			s.Pos = i
			return nil, false, ErrText
		}
		escaped = escaped || src[i] == '\\'
		i += n
		i += Plain(src[i:])
	}
	if i == len(src) {
		s.Pos = i
		return nil, false, ErrEnd
	}
	s.Pos = i + 1
	return src[start:i], escaped, nil
}

const (
	ones  = 0x0101010101010101 // times c: the byte c in each place of a word
	tops  = 0x80 * ones
	quote = '"' * ones
	slash = '\\' * ones
	space = ' ' * ones
)

// Plain tells how many bytes at the start of b stand for themselves in a string. It looks at
// eight at a time: a byte is zero where taking 1 from it borrows, and the lowest such place
// is exact (Warren, Hacker's Delight, 6-1).
func Plain(b []byte) int {
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		w := binary.LittleEndian.Uint64(b[n:])
		q, s := w^quote, w^slash
		stop := ((q-ones)&^q | (s-ones)&^s | (w-space)&^w | w) & tops
		if stop != 0 {
			return n + bits.TrailingZeros64(stop)/8
		}
	}
	for n < len(b) && b[n] >= ' ' && b[n] < utf8.RuneSelf && b[n] != '"' && b[n] != '\\' {
		n++
	}
	return n
}

// unusual tells the length of the escape or of the character beyond ASCII that b begins
// with; 0 where it is none that may stand in a string.
func unusual(b []byte) int {
	if b[0] == '\\' {
		_, n := escape(b)
		return n
	}
	if r, n := utf8.DecodeRune(b); r >= utf8.RuneSelf && (r != utf8.RuneError || n > 1) {
		return n
	}
	return 0
}

var short = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// escape decodes the escape that b begins with, and tells its length; 0 where it is none.
func escape(b []byte) (r rune, n int) {
	if len(b) < 2 {
		return 0, 0
	}
	if b[1] != 'u' {
		if short[b[1]] == 0 {
			return 0, 0
		}
		return rune(short[b[1]]), 2
	}
	high, ok := unit(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(high) {
		return high, 6
	}
	low, ok := unit(b[6:])
	if r = utf16.DecodeRune(high, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// unit decodes the \uXXXX that b begins with.
func unit(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | d
	}
	return r, true
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return -1
}

// Unescape appends the text of a string that [Scanner.Text] or [Scanner.Key] has read. It
// never appends more bytes than raw has.
func Unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		r, n := escape(raw[i:])
		if n == 0 {
			return dst
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}
