package event

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"brine/event/scan"
)

// FuzzInteraction holds the one-pass validator against the schema library over the same
// schema. They must agree on what is taken, but for repeated keys, which the library does
// not see; and what is taken must read back as valid, and as itself when it is read again.
func FuzzInteraction(f *testing.F) {
	for _, seed := range []string{
		sample, sampleRow, blob(""), blob(`"dialog":null,"release":"1.0","experiments":{"a":"b","c":null}`),
		blob(`"id":"3F2504E0-4F89-41D3-9A0C-0305E82C3301","number_emails":1e2`),
		blob(`"user_agent":{"os":"a","browser":"b","version":17.5},"screen_size":{"width":1.0,"height":0}`),
		blob(`"language":"zh-Hant-TW","email_type":"primary","new_account":true`),
		strings.Replace(blob(""), "[]", `[["a.b",1,null],["c",2,3,4],["d",5,null,null],["\u0065",6]]`, 1),
		strings.Replace(blob(""), "[]", `[["12345678",1],["3f2504e0-4f89-41d3-9a0c-0305e82c3301",1]]`, 1),
		strings.Replace(blob(""), `"sample_rate":1`, `"sample_rate":1e-4`, 1),
	} {
		f.Add([]byte(seed))
	}
	schema := InteractionSchema()
	a := arrival()
	a.AnyAge = true
	f.Fuzz(func(t *testing.T, src []byte) {
		if farNumber.Match(src) {
			return // the library would spend its time on the exponent
		}
		row, key, n, p := AppendInteraction(nil, src, a)
		checkEnd(t, src, n, p)
		valid := n >= 0 && libraryTakes(schema, src[:n])
		if valid != (p == nil) {
			t.Fatalf("the validator says %v; the library takes it: %v", p, valid)
		}
		if p == nil {
			checkRow(t, schema, row, key, a)
		}
	})
}

// farNumber is one with an exponent of more than 4 digits.
var farNumber = regexp.MustCompile(`[eE][+-]?[0-9]{5}`)

// checkEnd sees that n is where the value ends, or -1 for what is no JSON.
func checkEnd(t *testing.T, src []byte, n int, p *Problem) {
	s := scan.Scanner{Src: src}
	err := s.Skip()
	switch {
	case err != nil && (n != -1 || p == nil || p.Code != CodeSyntax):
		t.Fatalf("%v, but n is %d and the problem %v", err, n, p)
	case err == nil && (n != s.Pos || p != nil && p.Code == CodeSyntax):
		t.Fatalf("n is %d and the problem %v, but the value is %d bytes of JSON", n, p, s.Pos)
	}
}

// libraryTakes says whether the value is valid by the library, and has no key twice.
func libraryTakes(schema *Schema, value []byte) bool {
	var v any
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if d.Decode(&v) != nil || repeatsKey(json.NewDecoder(bytes.NewReader(value))) {
		return false
	}
	return schema.compiled.Validate(v) == nil
}

// repeatsKey says whether any object of the next value has a key twice.
func repeatsKey(d *json.Decoder) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return false
	}
	keys := map[json.Token]bool{}
	repeats := false
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return repeats
			}
			repeats = repeats || keys[key]
			keys[key] = true
		}
		repeats = repeatsKey(d) || repeats
	}
	d.Token()
	return repeats
}

// checkRow sees that a row, without what the server puts into it, is a valid event and
// comes out as the same row again.
func checkRow(t *testing.T, schema *Schema, row []byte, key Key, a *Arrival) {
	src := bytes.Replace(row, []byte(`,"received":1795268400000`), nil, 1)
	if !libraryTakes(schema, src) {
		t.Fatalf("the library refuses the row %s", row)
	}
	again, sameKey, n, p := AppendInteraction(nil, src, a)
	if p != nil || n != len(src) || sameKey != key || !bytes.Equal(again, row) {
		t.Fatalf("row\n%s\nreads as\n%s (%v)", row, again, p)
	}
}
