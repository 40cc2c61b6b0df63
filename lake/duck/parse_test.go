package duck

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"brine/event"
)

// textOf reads the string that b begins with byte by byte, as the parser may not: what it holds, and how many bytes it takes. ok is false where
// there is none.
func textOf(b []byte) (text string, size int, ok bool) {
	for end := 1; len(b) > 0 && b[0] == '"' && end < len(b); end++ {
		switch b[end] {
		case '\\':
			end++
		case '"':
			quoted := b[:end+1]
			if !utf8.Valid(quoted) {
				return "", 0, false
			}
			if bytes.IndexByte(quoted, '\\') < 0 { // what json refuses in it, as control bytes, is let through
				return string(quoted[1:end]), end + 1, true
			}
			ok = json.Unmarshal(quoted, &text) == nil
			return text, end + 1, ok
		}
	}
	return "", 0, false
}

func checkText(t *testing.T, b []byte) {
	t.Helper()
	want, size, ok := textOf(b)
	p := parser{b: b}
	if got := string(p.text()); ok != (p.err == nil) || ok && (got != want || p.i != size) {
		t.Errorf("%q is read as %q, %d bytes, %v; want %q, %d bytes, %t", b, got, p.i, p.err, want, size, ok)
	}
}

// A text is read the same wherever in eight bytes what is not plain in it lies.
func TestTextsAtEachPlace(t *testing.T) {
	odd := []string{"", `"`, `\`, `\"`, `\\`, `\n`, `\u00e9`, `\ud800`, `\x`, "\x00", "\x1f", "\x7f", "!", "#", "[", "]", "é", "€", "😀", "\x80", "\xff", "\xc3", "\xa2", "\xdc", "\xe2\x82", "\xed\xa0\x80"}
	for before := range 18 {
		for after := range 18 {
			for _, one := range odd {
				for _, two := range odd {
					inner := strings.Repeat("a", before) + one + two + strings.Repeat("b", after)
					checkText(t, []byte(`"`+inner+`"`))
					checkText(t, []byte(`"`+inner+`","more":"text \" `+"\xff"))
					checkText(t, []byte(`"`+inner))
				}
			}
		}
	}
}

// FuzzText holds the reading of texts by eight bytes against that of one byte after the other.
func FuzzText(f *testing.F) {
	for _, b := range []string{`"plain"`, `"a \"quoted\" one"`, "\"\xff\"", `"\u00e9😀`} {
		f.Add([]byte(b))
	}
	f.Fuzz(checkText)
}

// Texts that look alike at a glance are told apart, and so are those of before a reset.
func TestTextsThatLookAlike(t *testing.T) {
	n := newNode(event.Column{Name: "text", Kind: event.String})
	n.grow(ChunkRows)
	for round := range 3 {
		var want []string
		for i := range 1000 {
			text := []string{"", "a", "aXb" + strings.Repeat("c", i%3), "a" + strings.Repeat("x", 20) + string(rune('0'+(i+round)%7)) + "z"}[i%4]
			n.setString(i, []byte(text))
			want = append(want, text)
		}
		for i, text := range want {
			if got := n.strings[n.string(i)]; got != text {
				t.Fatalf("text %d of round %d is %q, want %q", i, round, got, text)
			}
		}
		if len(n.strings) != len(n.numbers) {
			t.Errorf("%d texts have %d numbers", len(n.strings), len(n.numbers))
		}
		n.reset(round == 1)
		n.grow(ChunkRows)
	}
}
