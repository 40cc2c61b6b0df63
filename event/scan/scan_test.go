package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSkip(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, src string
		rest      string // what is left unread
		err       error
	}{
		{"number", " 12 ", " ", nil},
		{"number before another value", `-0.5e+3,"x"`, `,"x"`, nil},
		{"string", `"a\"b" 1`, ` 1`, nil},
		{"literals", `[true,false,null]`, ``, nil},
		{"nested", `{"a":[{},[],{"b":[1,{"c":null}]}],"d":"\uD83D\uDE00é"}x`, `x`, nil},
		{"deepest", deep(MaxDepth), ``, nil},
		{"too deep", deep(MaxDepth + 1), `[` + strings.Repeat("]", MaxDepth+1), ErrDepth},
		{"nothing", ` `, ``, ErrEnd},
		{"an open array", `[1,`, ``, ErrEnd},
		{"an open object", `{"a":`, ``, ErrEnd},
		{"an open string", `"a`, ``, ErrEnd},
		{"half a word", `tru`, ``, ErrEnd},
		{"a wrong word", `trux`, `x`, ErrSyntax},
		{"a comma too many", `[1,]`, `]`, ErrSyntax},
		{"a comma first", `[,1]`, `,1]`, ErrSyntax},
		{"no comma", `[1 2]`, `2]`, ErrSyntax},
		{"the wrong bracket", `[1}`, `}`, ErrSyntax},
		{"a key that is no string", `{1:2}`, `1:2}`, ErrSyntax},
		{"no colon", `{"a" 1}`, `1}`, ErrSyntax},
		{"a byte order mark", "\xef\xbb\xbf1", "\xef\xbb\xbf1", ErrSyntax},
		{"a leading zero", `[01]`, `1]`, ErrSyntax},
		{"a bare minus", `[-]`, `]`, ErrSyntax},
		{"no digit after the point", `[1.]`, `]`, ErrSyntax},
		{"no digit in the exponent", `[1e+]`, `]`, ErrSyntax},
		{"a control character", "\"a\nb\"", "\nb\"", ErrText},
		{"invalid UTF-8", "\"\xff\"", "\xff\"", ErrText},
		{"an encoded surrogate", "\"\xed\xa0\x80\"", "\xed\xa0\x80\"", ErrText},
		{"an unknown escape", `"\x"`, `\x"`, ErrText},
		{"half an escape", `"\u12"`, `\u12"`, ErrText},
		{"a high surrogate alone", `"\ud800"`, `\ud800"`, ErrText},
		{"a low surrogate alone", `"\udc00"`, `\udc00"`, ErrText},
		{"surrogates in the wrong order", `"\udc00\ud800"`, `\udc00\ud800"`, ErrText},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := Scanner{Src: []byte(test.src)}
			err := s.Skip()
			if rest := test.src[s.Pos:]; !errors.Is(err, test.err) || rest != test.rest {
				t.Errorf("error %v with %q left, want %v with %q", err, rest, test.err, test.rest)
			}
		})
	}
}

func TestReadObject(t *testing.T) {
	s := Scanner{Src: []byte(` { "n" : 1.50 , "\u0073" : "\u00e9\ud83d\ude00\n" , "b" : true , "z" : null } `)}
	if err := s.Open('{'); err != nil {
		t.Fatal(err)
	}
	var got []string
	for n := 0; ; n++ {
		more, err := s.More(n, '}')
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		key, _, err := s.Key()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(Unescape(nil, key))+"="+readScalar(t, &s))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "n=1.50 s=é😀\n b=true z=null"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func readScalar(t *testing.T, s *Scanner) string {
	switch s.Peek() {
	case Number:
		raw, err := s.Number()
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	case String:
		raw, _, err := s.Text()
		if err != nil {
			t.Fatal(err)
		}
		return string(Unescape(nil, raw))
	case Bool:
		if v, err := s.Bool(); err == nil && v {
			return "true"
		}
		return "false"
	}
	if err := s.Null(); err != nil {
		t.Fatal(err)
	}
	return "null"
}

func TestSkipDoesNotAllocate(t *testing.T) {
	src := []byte(`{"a":[1,2.5e3,{"b":"\ud83d\ude00","c":[true,false,null]}]}`)
	allocs := testing.AllocsPerRun(100, func() {
		s := Scanner{Src: src}
		if err := s.Skip(); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}

// FuzzSkip holds Skip against encoding/json, which is as strict but for the depth and for
// strings that are no valid Unicode.
func FuzzSkip(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,"\u00e9\ud83d\ude00",true,false,null,{}]}`, `"\ud800"`, "\"\xff\"", ` [ ] `, `01`, `1e`, `{"a":1,}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s := Scanner{Src: src}
		err := s.Skip()
		if err == nil {
			err = s.Close()
		}
		switch {
		case err == nil && !json.Valid(src):
			t.Errorf("taken, but encoding/json refuses it")
		case err == nil && !sameText(t, src):
			t.Errorf("taken, with text that is not valid Unicode")
		case err != nil && !errors.Is(err, ErrDepth) && !errors.Is(err, ErrText) && json.Valid(src):
			t.Errorf("refused (%v), but encoding/json takes it", err)
		case errors.Is(err, ErrText) && json.Valid(src) && sameText(t, src):
			t.Errorf("refused, but its text is valid Unicode")
		}
	})
}

// sameText says whether encoding/json had nothing to replace in the strings of valid JSON.
func sameText(t *testing.T, src []byte) bool {
	if !utf8.Valid(src) {
		return false
	}
	// A replacement character that the source does not spell stands for a lone surrogate.
	spelled := bytes.Count(src, []byte("\uFFFD")) + bytes.Count(bytes.ToLower(src), []byte(`\ufffd`))
	found := 0
	d := json.NewDecoder(bytes.NewReader(src))
	for {
		token, err := d.Token()
		if err != nil {
			return found <= spelled
		}
		if text, ok := token.(string); ok {
			found += strings.Count(text, "\uFFFD")
		}
	}
}
