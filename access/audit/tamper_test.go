package audit

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// threeDays is a disk with an audit of three days, 12 records.
func threeDays(t testing.TB) *memDisk {
	t.Helper()
	d, now := newMemDisk(), newClock()
	l := d.log(t, now)
	for n := range 6 {
		r := must(l.BeginRead(read("ada", fmt.Sprintf("stream_%d", n))))
		if err := r.End(int64(n), "ok"); err != nil {
			t.Fatal(err)
		}
		now.add(12 * time.Hour)
	}
	return d
}

// found wants something found, and gives it.
func found(t testing.TB, d *memDisk, what string) string {
	t.Helper()
	v, err := verify(d, memDir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Findings) == 0 {
		t.Errorf("%s: nothing was found", what)
		return ""
	}
	return v.Findings[0].String()
}

// stillFound wants it found also after the audit has gone on.
func stillFound(t testing.TB, d *memDisk, what string) {
	t.Helper()
	l, err := Open(Options{Dir: memDir, Now: newClock().now, disk: d})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		must(l.Append(Record{Action: Login, Who: "eve"}))
	}
	found(t, d, what+", and after more records")
	last := must(verify(d, memDir, nil)) // one of these may be gone later, or come: a changed number can be that of head for a while
	must(l.Append(Record{Action: Login, Who: "eve"}))
	if now := must(verify(d, memDir, nil)); len(now.Findings) == 0 || len(now.Findings) > len(last.Findings)+1 || now.Records != last.Records+1 {
		t.Errorf("%s: %d findings were there, and after one more record %d", what, len(last.Findings), len(now.Findings))
	}
}

func TestFlippedByte(t *testing.T) {
	whole := threeDays(t)
	for _, path := range slices.Sorted(maps.Keys(whole.files)) {
		for n := range whole.files[path].content {
			d := whole.clone()
			d.files[path].content[n] ^= byte(1 << rand.IntN(8))
			what := fmt.Sprintf("byte %d of %s", n, filepath.Base(path))
			h, err := readHeads(d, memDir)
			if err == nil && h.torn && h.Number == 11 {
				continue // of the newest slot: as if power went while it was written; the one before is known
			}
			found(t, d, what)
			if filepath.Base(path) != headFile && rand.IntN(10) == 0 { // head is put right by going on
				stillFound(t, d, what)
			}
		}
	}
}

// What is found, and what is said of it: the audit of three days, changed in each way.
func TestTampered(t *testing.T) {
	lines := func(change func(lines [][]byte) [][]byte) func(*memDisk) {
		return func(d *memDisk) {
			f := d.files[memDir+"/000000000003-2026-11-26.ndjson"]
			f.content = bytes.Join(change(bytes.SplitAfter(f.content, []byte("\n"))), nil)
		}
	}
	tail := func(n int) func(*memDisk) {
		return func(d *memDisk) {
			f := d.files[memDir+"/000000000011-2026-11-28.ndjson"]
			f.content = f.content[:len(f.content)-n]
		}
	}
	for _, c := range []struct {
		name   string
		change func(*memDisk)
		want   string
	}{
		{"a line removed", lines(func(l [][]byte) [][]byte { return slices.Delete(l, 1, 2) }), "000000000003-2026-11-26.ndjson:2: records 4 to 4 are missing before this one"},
		{"two lines swapped", lines(func(l [][]byte) [][]byte { l[0], l[1] = l[1], l[0]; return l }), "000000000003-2026-11-26.ndjson:1: records 3 to 3 are missing before this one"},
		{"a line twice", lines(func(l [][]byte) [][]byte { return slices.Insert(l, 1, l[1]) }), "000000000003-2026-11-26.ndjson:3: record 4 stands after record 4"},
		{"an empty line", lines(func(l [][]byte) [][]byte { return slices.Insert(l, 1, []byte("\n")) }), "000000000003-2026-11-26.ndjson:2: this line is not a record"},
		{"rows changed", lines(func(l [][]byte) [][]byte {
			l[1] = bytes.Replace(l[1], []byte(`"rows":1`), []byte(`"rows":9`), 1)
			return l
		}), "000000000003-2026-11-26.ndjson:2: record 4 was changed: it is not what record 5 was written after"},
		{"the last line removed", func(d *memDisk) {
			f := d.files[memDir+"/000000000011-2026-11-28.ndjson"]
			f.content = f.content[:bytes.LastIndexByte(f.content[:len(f.content)-1], '\n')+1]
		}, "head: record 12 is missing at the end"},
		{"the last bytes removed", tail(2), "000000000011-2026-11-28.ndjson:2: this line is not a record"},
		{"the last line changed", func(d *memDisk) {
			f := d.files[memDir+"/000000000011-2026-11-28.ndjson"]
			f.content = bytes.Replace(f.content, []byte(`"rows":5`), []byte(`"rows":0`), 1)
		}, "000000000011-2026-11-28.ndjson:2: record 12 was changed: its hash is not the one that head says"},
		{"the newest file removed", func(d *memDisk) { delete(d.files, memDir+"/000000000011-2026-11-28.ndjson") }, "head: records 11 to 12 are missing at the end"},
		{"a file removed", func(d *memDisk) { delete(d.files, memDir+"/000000000003-2026-11-26.ndjson") }, "000000000007-2026-11-27.ndjson:1: records 3 to 6 are missing before this one"},
		{"the oldest file removed", func(d *memDisk) { delete(d.files, memDir+"/000000000001-2026-11-25.ndjson") },
			"head: record 3 is the oldest, and no record says that those before it were purged: they are missing, or it was changed"},
		{"all files removed", func(d *memDisk) {
			for name := range d.files {
				if filepath.Base(name) != headFile {
					delete(d.files, name)
				}
			}
		}, "head: records 1 to 12 are missing at the end"},
		{"head removed", func(d *memDisk) { delete(d.files, memDir+"/head") }, "head: head is missing or broken: whether the last records were cut off cannot be told"},
		{"head and the tail removed", func(d *memDisk) { delete(d.files, memDir+"/head"); tail(1)(d) }, "000000000011-2026-11-28.ndjson:2: this line is not a record"},
		{"another file", func(d *memDisk) { d.files[memDir+"/000000000003-2026-11-26.ndjson.bak"] = &memFile{} }, "000000000003-2026-11-26.ndjson.bak: this is no file of the audit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := threeDays(t)
			c.change(d)
			if got := strings.TrimPrefix(found(t, d, c.name), memDir+"/"); got != c.want {
				t.Errorf("found %s\nwant  %s", got, c.want)
			}
			stillFound(t, d, c.name)
		})
	}
}

// Each tail that can be cut off is found, but for what head does not know.
func TestCutTail(t *testing.T) {
	whole := threeDays(t)
	path := memDir + "/000000000011-2026-11-28.ndjson"
	for n := range whole.files[path].content {
		d := whole.clone()
		d.files[path].content = d.files[path].content[:n]
		found(t, d, fmt.Sprint("cut at ", n))
		if n < len(whole.files[path].content)-1 && rand.IntN(10) == 0 { // the last line break is put back by going on
			stillFound(t, d, fmt.Sprint("cut at ", n))
		}
	}
}

// All files and head written anew are found by a head that was noted elsewhere.
func TestNoted(t *testing.T) {
	d, other := threeDays(t), threeDays(t)
	other.files[memDir+"/000000000001-2026-11-25.ndjson"].content[20]++
	v := must(verify(d, memDir, nil))
	noted := Anchor{v.Number, v.Hash}
	if got := must(ParseAnchor(noted.String())); got != noted {
		t.Errorf("%v reads as %v", noted, got)
	}
	l := d.log(t, newClock())
	must(l.Append(Record{Action: Login, Who: "ada"}))
	v, err := verify(d, memDir, &noted)
	clean(t, v, err)

	forged := newMemDisk()
	l = forged.log(t, newClock())
	for range 13 {
		must(l.Append(Record{Action: Login, Who: "ada"}))
	}
	v, err = verify(forged, memDir, nil)
	clean(t, v, err)
	for _, a := range []Anchor{noted, {20, genesis}} {
		if v := must(verify(forged, memDir, &a)); len(v.Findings) != 1 {
			t.Errorf("of a forged audit %v is found", v.Findings)
		}
	}
	for _, text := range []string{"", "12", "x:" + genesis, "12:" + genesis[1:], "12:" + strings.Repeat("G", 64)} {
		if _, err := ParseAnchor(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
