package event

import (
	"bytes"
	"strings"
	"testing"
)

func TestRecords(t *testing.T) {
	want := []Record{
		{"raw", "interaction", Key{Time: slot, ID: NewID()}, []byte(sampleRow)},
		{"raw", "app_session", Key{Time: -1}, []byte(`{"a b":"c d"}`)},
		{"rejected", "interaction", Key{}, nil},
	}
	var group []byte
	for _, r := range want {
		group = AppendRecord(group, r)
	}
	n := 0
	for got, err := range Records(group) {
		if err != nil || !sameRecord(got, want[n]) {
			t.Errorf("record %d is %+v (%v), want %+v", n, got, err, want[n])
		}
		n++
	}
	if n != len(want) {
		t.Errorf("%d records, want %d", n, len(want))
	}
}

func sameRecord(a, b Record) bool {
	return a.Dataset == b.Dataset && a.Stream == b.Stream && a.Key == b.Key && bytes.Equal(a.Row, b.Row)
}

func TestRecordsThatAreNone(t *testing.T) {
	good := string(AppendRecord(nil, Record{Dataset: "raw", Stream: "s", Row: []byte("{}")}))
	tests := []struct{ name, line, want string }{
		{"empty", "", "is no record"},
		{"no row", "raw s 1 00", "is no record"},
		{"a short id", "raw s 1 00 {}", "is no record"},
		{"a time that is none", strings.Replace(strings.TrimSpace(good), " 0 ", " x ", 1), "time is no number"},
		{"an id that is none", strings.Replace(strings.TrimSpace(good), " 0 0", " 0 x", 1), "id is not hexadecimal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var faults, whole int
			for r, err := range Records([]byte(good + test.line + "\n" + good)) {
				if err == nil {
					whole++
					continue
				}
				faults++
				if !strings.Contains(err.Error(), test.want) || string(r.Row) != test.line {
					t.Errorf("error %v with %q, want %s", err, r.Row, test.want)
				}
			}
			if faults != 1 || whole != 2 {
				t.Errorf("%d faults and %d records, want 1 and 2", faults, whole)
			}
		})
	}
}

// FuzzRecords sees that whatever is read as a record is written as the same line, and that
// no line is lost.
func FuzzRecords(f *testing.F) {
	f.Add(AppendRecord(nil, Record{"raw", "s", Key{Time: slot}, []byte(`{"a":1}`)}))
	f.Add([]byte("\n\nraw s 1 00 {}\n"))
	f.Fuzz(func(t *testing.T, group []byte) {
		size := 0
		for r, err := range Records(group) {
			if err != nil {
				size += len(r.Row) + 1
				continue
			}
			line := AppendRecord(nil, r)
			for again, err := range Records(line) {
				if err != nil || !sameRecord(again, r) {
					t.Fatalf("record %+v reads as %+v (%v)", r, again, err)
				}
			}
			end := bytes.IndexByte(group[size:], '\n') + 1
			if end == 0 {
				end = len(group) - size + 1
			}
			size += end
		}
		if size < len(group) {
			t.Fatalf("%d of %d bytes were read", size, len(group))
		}
	})
}
