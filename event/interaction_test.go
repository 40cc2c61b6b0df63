package event

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// noon is when the events of these tests arrive; its slot began at slot.
var noon = time.Date(2026, 11, 21, 13, 47, 12, 0, time.UTC)

const slot = 1795268400000 // 2026-11-21T13:40:00Z

const (
	sample = `{"timestamp":1795268400000,"event_stream":[["picker",732],["picker::change",1700],["picker::signin",2300]],` +
		`"email_type":"secondary","number_emails":3,"new_account":false,"language":"en_US","number_sites_logged_in":1,` +
		`"screen_size":{"width":640,"height":480},"sample_rate":1.0,"user_agent":{"os":"iOS","browser":"Safari","version":"5.1"}}`
	sampleRow = `{"timestamp":1795268400000,"id":"ab000000-0000-4c00-8d00-0000000000ef","received":1795268400000,` +
		`"event_stream":[["picker",732],["picker::change",1700],["picker::signin",2300]],` +
		`"email_type":"secondary","number_emails":3,"number_sites_logged_in":1,"new_account":false,"language":"en_US",` +
		`"screen_size":{"width":640,"height":480},"sample_rate":1,"user_agent":{"os":"iOS","browser":"Safari","version":"5"}}`
)

// arrival is at noon, by a Firefox, with made ids that are all the same.
func arrival() *Arrival {
	return &Arrival{
		Now:       noon,
		UserAgent: UserAgent{OS: "Linux", Browser: "Firefox", Version: "128"},
		Rates:     []float64{1, 0.25},
		NewID:     func() [16]byte { return [16]byte{0: 0xab, 6: 0x4c, 8: 0x8d, 15: 0xef} },
	}
}

// blob is an event with what is required and, before it, more.
func blob(more string) string {
	if more != "" {
		more += ","
	}
	return `{` + more + `"timestamp":1795268400000,"event_stream":[],"sample_rate":1}`
}

// fieldOfRow is what a row says of one field, as JSON; "" where it does not have it.
func fieldOfRow(row []byte, name string) string {
	_, value, found := strings.Cut(string(row), `"`+name+`":`)
	if !found {
		return ""
	}
	depth := 0
	for i, c := range value {
		switch c {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		if depth < 0 || depth == 0 && value[i] == ',' {
			return value[:i]
		}
	}
	return value
}

func TestAppendInteraction(t *testing.T) {
	dst := []byte("before ")
	row, key, n, p := AppendInteraction(dst, []byte(" "+sample+",next"), arrival())
	if p != nil {
		t.Fatal(p)
	}
	if got := string(row); got != "before "+sampleRow {
		t.Errorf("row\n%s, want\n%s", got, sampleRow)
	}
	if want := (Key{Time: slot, ID: arrival().NewID()}); key != want {
		t.Errorf("key %v, want %v", key, want)
	}
	if n != len(sample)+1 {
		t.Errorf("%d bytes taken, want %d", n, len(sample)+1)
	}
}

func TestInteractionRow(t *testing.T) {
	tests := []struct{ name, src, field, want string }{
		{"a missing id is made", blob(``), "id", `"ab000000-0000-4c00-8d00-0000000000ef"`},
		{"a null id is made", blob(`"id":null`), "id", `"ab000000-0000-4c00-8d00-0000000000ef"`},
		{"an id in upper case", blob(`"id":"3F2504E0-4F89-41D3-9A0C-0305E82C3301"`), "id", `"3f2504e0-4f89-41d3-9a0c-0305e82c3301"`},
		{"null is absent", blob(`"dialog":null`), "dialog", ``},
		{"an object that is null is absent", blob(`"screen_size":null`), "screen_size", ``},
		{"1.0 is an integer", blob(`"number_emails":1.0`), "number_emails", `1`},
		{"1e2 is an integer", blob(`"number_emails":1e2`), "number_emails", `100`},
		{"so is 1500e-2", blob(`"number_emails":1500e-2`), "number_emails", `15`},
		{"minus nothing", blob(`"number_emails":-0.0e9`), "number_emails", `0`},
		{"nothing, far away", blob(`"number_emails":0e999999999999999999999`), "number_emails", `0`},
		{"a key with escapes", blob(`"\u0064ialog":"check\u006fut"`), "dialog", `"checkout"`},
		{"a user agent of the header", blob(``), "user_agent", `{"os":"Linux","browser":"Firefox","version":"128"}`},
		{"a user agent that is null", blob(`"user_agent":null`), "user_agent", `{"os":"Linux","browser":"Firefox","version":"128"}`},
		{"a version of text", blob(`"user_agent":{"version":"128.0.2","os":"a","browser":"b"}`), "user_agent", `{"os":"a","browser":"b","version":"128"}`},
		{"a version of a number", blob(`"user_agent":{"version":5.9,"os":"a","browser":"b"}`), "user_agent", `{"os":"a","browser":"b","version":"5"}`},
		{"a version of 4 digits", blob(`"user_agent":{"version":"2026-11","os":"a","browser":"b"}`), "user_agent", `{"os":"a","browser":"b","version":"2026"}`},
		{"a version of 5 digits", blob(`"user_agent":{"version":"12345","os":"a","browser":"b"}`), "user_agent", `{"os":"a","browser":"b","version":"Unknown"}`},
		{"a version of a large number", blob(`"user_agent":{"version":100000,"os":"a","browser":"b"}`), "user_agent", `{"os":"a","browser":"b","version":"Unknown"}`},
		{"a version without a number", blob(`"user_agent":{"version":"beta 5","os":"a","browser":"b"}`), "user_agent", `{"os":"a","browser":"b","version":"Unknown"}`},
		{"no experiments", blob(`"experiments":{}`), "experiments", `{}`},
		{"experiments as sent", blob(`"experiments":{"z":"1","a.b":"control","n":null}`), "experiments", `{"z":"1","a.b":"control"}`},
		{"nothing but a null branch", blob(`"experiments":{"n":null}`), "experiments", `{}`},
		{"a rate", strings.Replace(blob(``), `"sample_rate":1`, `"sample_rate":2.50e-1`, 1), "sample_rate", `0.25`},
		{
			"an event stream, spelled in many ways",
			strings.Replace(blob(``), `[]`, ` [ [ "a" , 1.0 , null , null ] , ["\u0062:/._-", 86400000, 0, 1e4] , ["c",0,5,null]]`, 1),
			"event_stream", `[["a",1],["b:/._-",86400000,0,10000],["c",0,5]]`,
		},
		{"an event stream after experiments", blob(`"experiments":{"a":"b"}`), "event_stream", `[]`},
		{"received is floored", blob(``), "received", strconv.Itoa(slot)},
		{"a timestamp is floored", strings.Replace(blob(``), `400000`, `523456`, 1), "timestamp", strconv.Itoa(slot)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			row, _, n, p := AppendInteraction(nil, []byte(test.src), arrival())
			if p != nil {
				t.Fatal(p)
			}
			if got := fieldOfRow(row, test.field); got != test.want || n != len(test.src) {
				t.Errorf("%s is %s after %d bytes, want %s after %d", test.field, got, n, test.want, len(test.src))
			}
		})
	}
}

func TestInteractionProblem(t *testing.T) {
	stream := func(entries string) string { return strings.Replace(blob(""), "[]", entries, 1) }
	rate := func(v string) string {
		return strings.Replace(blob(""), `"sample_rate":1`, `"sample_rate":`+v, 1)
	}
	agent := func(members string) string { return blob(`"user_agent":{` + members + `}`) }
	tests := []struct{ name, src, code, path string }{
		{"no object", `[1]`, CodeType, ""},
		{"nothing at all", ``, CodeSyntax, ""},
		{"no timestamp", `{"event_stream":[],"sample_rate":1}`, CodeRequired, "/timestamp"},
		{"a null timestamp", `{"timestamp":null,"event_stream":[],"sample_rate":1}`, CodeRequired, "/timestamp"},
		{"no event_stream", `{"timestamp":1795268400000,"sample_rate":1}`, CodeRequired, "/event_stream"},
		{"no sample_rate", `{"timestamp":1795268400000,"event_stream":[]}`, CodeRequired, "/sample_rate"},

		{"an unknown field", blob(`"email":"a@b.c"`), CodeUnknown, "/email"},
		{"received is the server's", blob(`"received":1795268400000`), CodeUnknown, "/received"},
		{"a name in another case", blob(`"Dialog":"a"`), CodeUnknown, "/Dialog"},
		{"an unknown name with all it can have", blob(`"a/~\u0001\u00e9\"":1`), CodeUnknown, `/a~1~0"`},
		{"a long unknown name", blob(`"` + strings.Repeat("x", 99) + `":1`), CodeUnknown, "/" + strings.Repeat("x", 64)},
		{"a repeated key", blob(`"dialog":"a","dialog":"a"`), CodeDuplicate, "/dialog"},
		{"a repeated key after null", blob(`"dialog":null,"dialog":"a"`), CodeDuplicate, "/dialog"},
		{"a repeated key, spelled otherwise", blob(`"dialog":"a","\u0064ialog":"a"`), CodeDuplicate, "/dialog"},

		{"an id of another version", blob(`"id":"6fa459ea-ee8a-11ca-894e-db77e160355e"`), CodeValue, "/id"},
		{"an id of another variant", blob(`"id":"3f2504e0-4f89-41d3-ca0c-0305e82c3301"`), CodeValue, "/id"},
		{"an id without dashes", blob(`"id":"3f2504e04f8941d39a0c0305e82c3301"`), CodeValue, "/id"},
		{"an id that is a number", blob(`"id":1`), CodeType, "/id"},

		{"a fraction", blob(`"number_emails":1.5`), CodeType, "/number_emails"},
		{"a very small fraction", blob(`"number_emails":1.00000000000000000000001`), CodeType, "/number_emails"},
		{"too many", blob(`"number_emails":10001`), CodeValue, "/number_emails"},
		{"far too many", blob(`"number_sites_logged_in":1e999999999999999999`), CodeValue, "/number_sites_logged_in"},
		{"far too few", blob(`"number_emails":1e-999999999999999999`), CodeType, "/number_emails"},
		{"a number as text", blob(`"number_emails":"1"`), CodeType, "/number_emails"},
		{"a truth as a number", blob(`"new_account":0`), CodeType, "/new_account"},
		{"another e-mail type", blob(`"email_type":"Primary"`), CodeValue, "/email_type"},
		{"a language of one letter", blob(`"language":"e"`), CodeValue, "/language"},
		{"a language of five parts", blob(`"language":"en-aa-bb-cc-dd"`), CodeValue, "/language"},
		{"a language that ends in a dash", blob(`"language":"en-"`), CodeValue, "/language"},
		{"a dialog in upper case", blob(`"dialog":"A"`), CodeValue, "/dialog"},
		{"no dialog's name", blob(`"dialog":""`), CodeLength, "/dialog"},
		{"a long release", blob(`"release":"` + strings.Repeat("1", 33) + `"`), CodeLength, "/release"},

		{"a screen without a height", blob(`"screen_size":{"width":1}`), CodeRequired, "/screen_size/height"},
		{"a screen with a null width", blob(`"screen_size":{"width":null,"height":1}`), CodeRequired, "/screen_size/width"},
		{"a screen with a third side", blob(`"screen_size":{"depth":1}`), CodeUnknown, "/screen_size/depth"},
		{"a screen with two widths", blob(`"screen_size":{"width":1,"w\u0069dth":1,"height":1}`), CodeDuplicate, "/screen_size/width"},
		{"a screen that is too wide", blob(`"screen_size":{"width":32768,"height":1}`), CodeValue, "/screen_size/width"},
		{"a screen that is text", blob(`"screen_size":"1x1"`), CodeType, "/screen_size"},

		{"a whole user agent string", blob(`"user_agent":"Mozilla/5.0 (X11)"`), CodeType, "/user_agent"},
		{"no version", agent(`"os":"a","browser":"b"`), CodeRequired, "/user_agent/version"},
		{"a version that is a list", agent(`"version":[1]`), CodeType, "/user_agent/version"},
		{"a version below zero", agent(`"version":-1`), CodeValue, "/user_agent/version"},
		{"a version that is too high", agent(`"version":100000.5`), CodeValue, "/user_agent/version"},
		{"a version with a slash", agent(`"version":"1/2"`), CodeValue, "/user_agent/version"},
		{"a browser that is a user agent string", agent(`"browser":"Mozilla/5.0 (X11)"`), CodeValue, "/user_agent/browser"},
		{"a long browser", agent(`"browser":"` + strings.Repeat("x", 33) + `"`), CodeLength, "/user_agent/browser"},
		{"two browsers", agent(`"browser":"a","browser":"b"`), CodeDuplicate, "/user_agent/browser"},
		{"a device", agent(`"device":"a"`), CodeUnknown, "/user_agent/device"},

		{"an empty branch", blob(`"experiments":{"a":"","b":""}`), CodeLength, "/experiments/a"},
		{"an experiment twice", blob(`"experiments":{"a":"x","b":"x","a":"x"}`), CodeDuplicate, "/experiments/a"},
		{"an experiment twice, once null", blob(`"experiments":{"a":null,"\u0061":"x"}`), CodeDuplicate, "/experiments/a"},
		{"an experiment with a wrong name", blob(`"experiments":{"A":"x"}`), CodeValue, "/experiments/A"},
		{"a branch that is a number", blob(`"experiments":{"a":1}`), CodeType, "/experiments/a"},
		{"experiments in a list", blob(`"experiments":["a"]`), CodeType, "/experiments"},

		{"an event stream that is an object", stream(`{}`), CodeType, "/event_stream"},
		{"an entry that is a name", stream(`["a"]`), CodeType, "/event_stream/0"},
		{"an entry with no parts", stream(`[["a",1],[]]`), CodeLength, "/event_stream/1"},
		{"an entry with no offset", stream(`[["a"]]`), CodeLength, "/event_stream/0"},
		{"an entry with five parts", stream(`[["a",1,2,3,4]]`), CodeLength, "/event_stream/0"},
		{"an entry with five parts, the last null", stream(`[["a",1,2,3,null]]`), CodeLength, "/event_stream/0"},
		{"a null offset", stream(`[["a",null]]`), CodeType, "/event_stream/0/1"},
		{"a null before a number", stream(`[["a",1,null,2]]`), CodeValue, "/event_stream/0/2"},
		{"an offset below zero", stream(`[["a",-1]]`), CodeValue, "/event_stream/0/1"},
		{"an offset of over a day", stream(`[["a",86400001]]`), CodeValue, "/event_stream/0/1"},
		{"no repeat", stream(`[["a",1,2,0]]`), CodeValue, "/event_stream/0/3"},
		{"a name that is a number", stream(`[[5,1]]`), CodeType, "/event_stream/0/0"},
		{"a name with a query", stream(`[["GET/x?a=b",1]]`), CodeValue, "/event_stream/0/0"},
		{"an empty name", stream(`[["",1]]`), CodeLength, "/event_stream/0/0"},
		{"a long name", stream(`[["` + strings.Repeat("a", 65) + `",1]]`), CodeLength, "/event_stream/0/0"},
		{"a name with eight digits", stream(`[["account.12345678",1]]`), CodeValue, "/event_stream/0/0"},
		{"a name with a UUID", stream(`[["a.aa3F2504E0-4F89-11d3-0a0c-0305e82c3301",1]]`), CodeValue, "/event_stream/0/0"},
		{"201 entries", stream("[" + strings.Repeat(`["a",1],`, 200) + `["a",1]]`), CodeLength, "/event_stream"},

		{"a rate of 0", rate("0"), CodeValue, "/sample_rate"},
		{"a rate that is too small", rate("0.00009999999999999999999999999"), CodeValue, "/sample_rate"},
		{"a rate above 1 by very little", rate("1.00000000000000000000001"), CodeValue, "/sample_rate"},
		{"a rate below zero", rate("-0.25"), CodeValue, "/sample_rate"},
		{"a rate that was never in force", rate("0.5"), CodeRate, "/sample_rate"},
		{"a rate as text", rate(`"1"`), CodeType, "/sample_rate"},

		{"a timestamp in seconds", strings.Replace(blob(""), "400000,", "400,", 1), CodeTime, "/timestamp"},
		{"a timestamp below zero", strings.Replace(blob(""), ":1795", ":-1795", 1), CodeValue, "/timestamp"},
		{"a timestamp beyond the year 9999", strings.Replace(blob(""), ":1795", ":999991795", 1), CodeValue, "/timestamp"},

		{"JSON that ends early", sample[:len(sample)-1], CodeSyntax, ""},
		{"a lone surrogate", blob(`"dialog":"\ud800"`), CodeSyntax, ""},
		{"a problem before malformed JSON", `{"email":1,}`, CodeSyntax, ""},
		{"nested too deeply", blob(`"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40)), CodeSyntax, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dst := []byte("before")
			row, key, n, p := AppendInteraction(dst, []byte(test.src+" ,"), arrival())
			if p == nil {
				t.Fatalf("taken as %s", row)
			}
			if p.Code != test.code || p.Path != test.path || p.Message == "" {
				t.Errorf("%s at %q (%s), want %s at %q", p.Code, p.Path, p.Message, test.code, test.path)
			}
			want := len(test.src)
			if test.code == CodeSyntax {
				want = -1
			}
			if n != want || key != (Key{}) || string(row) != "before" {
				t.Errorf("n %d, key %v, row %q; want %d, none and what was there", n, key, row, want)
			}
		})
	}
}

func TestElevenExperiments(t *testing.T) {
	var list []string
	for i := range 11 {
		list = append(list, `"e`+strconv.Itoa(i)+`":"on"`)
	}
	if _, _, _, p := AppendInteraction(nil, []byte(blob(`"experiments":{`+strings.Join(list[:10], ",")+`}`)), arrival()); p != nil {
		t.Errorf("ten: %v", p)
	}
	_, _, _, p := AppendInteraction(nil, []byte(blob(`"experiments":{`+strings.Join(list, ",")+`}`)), arrival())
	if p == nil || p.Code != CodeLength || p.Path != "/experiments" {
		t.Errorf("eleven: %v", p)
	}
}

func TestInteractionAge(t *testing.T) {
	day, hour := 24*time.Hour.Milliseconds(), time.Hour.Milliseconds()
	tests := []struct {
		name   string
		ms     int64
		anyAge bool
		ok     bool
	}{
		{"now", slot, false, true},
		{"7 days old", slot - 7*day, false, true},
		{"older by a slot", slot - 7*day - 1, false, false},
		{"in an hour", slot + hour + 599_999, false, true},
		{"later by a slot", slot + hour + 600_000, false, false},
		{"an import of the first day", 0, true, true},
		{"an import of the last", maxMillis, true, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := arrival()
			a.AnyAge = test.anyAge
			src := strings.Replace(blob(""), "1795268400000", strconv.FormatInt(test.ms, 10), 1)
			_, key, _, p := AppendInteraction(nil, []byte(src), a)
			if (p == nil) != test.ok || p != nil && (p.Code != CodeTime || p.Path != "/timestamp") {
				t.Errorf("problem %v", p)
			}
			if test.ok && key.Time != FloorMillis(test.ms) {
				t.Errorf("time %d, want %d", key.Time, FloorMillis(test.ms))
			}
		})
	}
}

func TestImportTakesAnyRateAndNoUserAgent(t *testing.T) {
	a := arrival()
	a.AnyAge, a.UserAgent = true, UserAgent{}
	src := strings.Replace(blob(""), `"sample_rate":1`, `"sample_rate":0.0001`, 1)
	row, _, _, p := AppendInteraction(nil, []byte(src), a)
	if p != nil {
		t.Fatal(p)
	}
	if fieldOfRow(row, "sample_rate") != "0.0001" || fieldOfRow(row, "user_agent") != "" {
		t.Errorf("row %s", row)
	}
}

func TestProblemsRepeatNoValue(t *testing.T) {
	const secret = "someone@example.org"
	for _, field := range []string{
		"id", "timestamp", "event_stream", "email_type", "number_emails", "language", "screen_size",
		"sample_rate", "user_agent", "dialog", "release", "experiments", "other",
	} {
		_, _, _, p := AppendInteraction(nil, []byte(`{"`+field+`":"`+secret+`"}`), arrival())
		if p == nil || strings.Contains(p.Error(), secret) {
			t.Errorf("%s: %v", field, p)
		}
	}
}

func TestInteractionAllocations(t *testing.T) {
	dst, a := make([]byte, 0, 4096), arrival()
	tests := []struct {
		name, src string
		max       float64
	}{
		{"the sample", sample, 0},
		{"with escapes", strings.Replace(sample, "language", `l\u0061nguage`, 1), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			src := []byte(test.src)
			if got := testing.AllocsPerRun(100, func() { AppendInteraction(dst, src, a) }); got > test.max {
				t.Errorf("%v allocations, want at most %v", got, test.max)
			}
		})
	}
}

func BenchmarkAppendInteraction(b *testing.B) {
	for _, bench := range []struct {
		name string
		src  []byte
	}{
		{"sample", []byte(sample)},
		{"real", realInteraction(b)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a, dst := arrival(), make([]byte, 0, 8192)
			b.ReportAllocs()
			b.SetBytes(int64(len(bench.src)))
			for b.Loop() {
				if _, _, _, p := AppendInteraction(dst, bench.src, a); p != nil {
					b.Fatal(p)
				}
			}
		})
	}
}

// realInteraction is a real use of a sign-in dialog, of ../../shared, with its time set to now.
func realInteraction(tb testing.TB) []byte {
	data, err := os.ReadFile("../../shared/realdata/interaction-real.json")
	if err != nil {
		tb.Skipf("skipped: ../shared has no real interaction: %v", err)
	}
	_, blob, _ := bytes.Cut(data, []byte(`"data":`))
	blob = bytes.TrimSuffix(bytes.TrimSpace(blob), []byte("}"))
	return bytes.Replace(blob, []byte("1361407200000"), []byte(strconv.Itoa(slot)), 1)
}

func TestRealInteraction(t *testing.T) {
	row, _, _, p := AppendInteraction(nil, realInteraction(t), arrival())
	if p != nil {
		t.Fatal(p)
	}
	want := `["xhr_complete.POST/wsapi/cert_key",20140,3580],["assertion_generated",23761],["window.unload",25564]]`
	if got := fieldOfRow(row, "event_stream"); !strings.HasSuffix(got, want) {
		t.Errorf("event_stream %s, want it to end in %s", got, want)
	}
}
