package event

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Values that stand at the edges of some rule. Every field meets every one of them.
var edgeValues = strings.Fields(`null true false 0 -0 -0.0 1 -1 1.0 1.5 1e2 100e-2 1E+4 10000 10000.0 10001 1e4 32767 32768 86400000
	86400001 864000000e-1 1795268400000 253402300799999 253402300800000 9223372036854775807 9223372036854775808 1e400 1e-400
	0.0001 0.00009999999999999999999999999999 0.0001000000000000000000000000001 1.00000000000000000000001 0.99999999999999999999999999
	100000 100000.0000000000000000000000001 99999.9 {} [] "" "a" "A" "_" "." "primary" "secondary" "prim\u0061ry" "Primary"
	"en" "e" "engl" "en_US" "en-US-x" "en-aa-bb-cc" "en-aa-bb-cc-dd" "en-123456789" "e1" "en-" "\u0065n" "é" "\u00e9" "\ud83d\ude00" "\ud83d"
	"3f2504e0-4f89-41d3-9a0c-0305e82c3301" "3F2504E0-4F89-41D3-BA0C-0305E82C3301" "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
	"3f2504e0-4f89-41d3-ca0c-0305e82c3301" "3f2504e04f8941d39a0c0305e82c3301" "3f2504e0-4f89-41d3-9a0c-0305e82c330g"
	"5.1" "17" "12345" "Mobile_Safari" "a/b" "a:b" "a~b" "a\nb" "1234567" "12345678" "xx3F2504E0-4F89-11d3-0a0c-0305e82c3301yy"
	{"width":1,"height":2} {"height":1.0,"width":null} {"width":1,"height":2,"depth":3} {"width":1,"width":1,"height":1} {"w\u0069dth":1,"height":1}
	{"os":"a","browser":"b","version":"c"} {"os":"a","browser":"b","version":17.5} {"os":"a","browser":"b"} {"os":"","browser":"b","version":1}
	{"a":"b"} {"a":null} {"a":"b","c":null,"d":"e"} {"A":"b"} {"a":"B"} {"":"b"} {"a":"b","\u0061":"c"} {"a":1} {"a":{}} {"a":"b","a":null}
	{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":null}
	{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":null}
	[["a",1]] [["a",1.0,2,3],["b",4]] [["a",1,null]] [["a",1,2,null]] [["a",1,null,null]] [["a",1,null,2]] [["a",null]] [["a"]] [[]] [null] ["a"]
	[["a",1,2,3,4]] [["a",1,null,null,null]] [["",1]] [["a",-1]] [["a",86400000,86400000,10000]] [["a",1,2,0]] [["a",1,86400001]] [["a",1.5]]
	[["12345678",1]] [["x3f2504e0-4f89-11d3-0a0c-0305e82c3301",1]] [["\u0061.b:/-_",1]] [["aé",1]] [[1,1]] [{}]`)

// TestValidatorAgreesWithLibrary does what [FuzzInteraction] does over events that are made
// of the fields and the edge values, which bytes changed at random seldom come to.
func TestValidatorAgreesWithLibrary(t *testing.T) {
	edgeValues := append(edgeValues,
		`"`+strings.Repeat("a", 32)+`"`, `"`+strings.Repeat("a", 33)+`"`,
		`[["`+strings.Repeat("a", 64)+`",1]]`, `[["`+strings.Repeat("a", 65)+`",1]]`,
		`[`+strings.Repeat(`["a",1],`, 199)+`["a",1]]`, `[`+strings.Repeat(`["a",1],`, 200)+`["a",1]]`)
	schema := InteractionSchema()
	a := arrival()
	a.AnyAge = true
	check := func(src string) bool {
		row, key, n, p := AppendInteraction(nil, []byte(src), a)
		checkEnd(t, []byte(src), n, p)
		if valid := n >= 0 && libraryTakes(schema, []byte(src)[:n]); valid != (p == nil) {
			t.Fatalf("the validator says %v; the library takes it: %v\n%s", p, valid, src)
		}
		if p == nil {
			checkRow(t, schema, row, key, a)
		}
		return p == nil
	}
	names := append([]string{"other", "Dialog", "d\\u0069alog"}, schemaFields(schema)...)
	for _, name := range names {
		for _, value := range edgeValues {
			check(event(map[string]string{name: value}))
		}
	}
	taken, rng := 0, rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		fields := map[string]string{}
		for range rng.IntN(4) {
			fields[names[rng.IntN(len(names))]] = edgeValues[rng.IntN(len(edgeValues))]
		}
		if check(event(fields)) {
			taken++
		}
	}
	if taken < 100 {
		t.Errorf("only %d of the mixed events were taken", taken)
	}
}

func schemaFields(s *Schema) []string {
	return slices.Sorted(maps.Keys(s.compiled.Properties))
}

// event is an event of the fields, and of what is required where they lack it, in any order.
func event(fields map[string]string) string {
	for name, value := range map[string]string{"timestamp": "1795268400000", "event_stream": "[]", "sample_rate": "1"} {
		if _, ok := fields[name]; !ok {
			fields[name] = value
		}
	}
	var members []string
	for name, value := range fields {
		members = append(members, `"`+name+`":`+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}
