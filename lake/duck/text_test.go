package duck_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"brine/event"
	"brine/lake/duck"
)

// texts gives the one column of text that a query has; null is "null".
func (b *bench) texts(sql string) (got []string) {
	b.tb.Helper()
	rows, err := b.conn.Query(context.Background(), sql)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		v := rows.Vector(0)
		for i := range rows.Len() {
			if v.Null(i) {
				got = append(got, "null")
			} else {
				got = append(got, string(v.String(i)))
			}
		}
	}
	if rows.Err() != nil {
		b.tb.Fatal(rows.Err())
	}
	return got
}

func TestTimeFunction(t *testing.T) {
	b := mustOpen(t)
	name, err := b.conn.TimeFunction()
	if err != nil {
		t.Fatal(err)
	}
	got := b.texts("SELECT " + name + "(v) FROM (VALUES (-62135596800000), (NULL), (0), (0), (-1000), (1795266000000), (253402300799000)) t(v)")
	if want := []string{"0001-01-01T00:00:00Z", "null", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
		"2026-11-21T13:00:00Z", "9999-12-31T23:59:59Z"}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// mustOpenSmall connects to a DuckDB that may use 8 MB.
func mustOpenSmall(t *testing.T) *duck.Conn {
	t.Helper()
	db, err := duck.Open(duck.Options{Memory: 8 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); db.Close() })
	return conn
}

// What DuckDB throws where it has no memory for a function's results must not end the process.
func TestTextsWithoutMemory(t *testing.T) {
	conn := mustOpenSmall(t)
	long := bytes.Repeat([]byte("long"), 4<<10) // of which a chunk takes 32 MB
	name, done, err := conn.TextFunction(func() duck.Text { return func(dst, _ []byte) []byte { return append(dst, long...) } })
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	err = conn.Exec(t.Context(), "SELECT max("+name+"(i::VARCHAR)) FROM range(10000) t(i)")
	if !duck.OutOfMemory(err) {
		t.Errorf("got %v", err)
	}
}

// Nor where it has none for rows that are fed to it.
func TestFeedWithoutMemory(t *testing.T) {
	conn := mustOpenSmall(t)
	cols := []event.Column{{Name: "text", Kind: event.String}, {Name: "list", Kind: event.List, Fields: []event.Column{{Kind: event.Int64}}}}
	for what, row := range map[string]string{"texts": `{"text":"%d` + strings.Repeat("long", 4<<10) + `"}`, "lists": `{"text":"%d","list":[` + strings.Repeat("1,", 4<<10) + `1]}`} {
		feed := duck.NewFeed(cols, false)
		for i := range duck.ChunkRows { // 32 MB and more
			if err := feed.Add(event.Key{}, fmt.Appendf(nil, row, i)); err != nil {
				t.Fatal(err)
			}
		}
		table, done, err := conn.Feed(feed)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Exec(t.Context(), "SELECT max(text), max(len(list)) FROM "+table+"()"); !duck.OutOfMemory(err) {
			t.Errorf("%s: got %v", what, err)
		}
		done()
	}
}

func TestTextFunction(t *testing.T) {
	b := mustOpen(t)
	var calls atomic.Int64
	twice := func() duck.Text {
		return func(dst, value []byte) []byte {
			calls.Add(1)
			return append(append(dst, value...), value...)
		}
	}
	name, done, err := b.conn.TextFunction(twice)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long", 50)
	got := b.texts("SELECT " + name + "(v) FROM (VALUES ('a'), (NULL), (''), ('é'), ('" + long + "')) t(v)")
	if want := []string{"aa", "null", "", "éé", long + long}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	calls.Store(0)
	got = b.texts("SELECT max(" + name + "((i % 7)::VARCHAR)) FROM range(100000) t(i)")
	if got[0] != "66" || calls.Load() > 14 { // 7 for each of two threads
		t.Errorf("%q after %d calls for 7 values", got, calls.Load())
	}
	got = b.texts("SELECT list_transform([['a', NULL], NULL], lambda l: list_transform(l, lambda e: " + name + "(e)))::VARCHAR")
	if got[0] != "[[aa, NULL], NULL]" {
		t.Errorf("in lists: %q", got)
	}
	done()
	if err := b.conn.Exec(context.Background(), "SELECT "+name+"('a')"); err == nil {
		t.Error("the function is there when it is done")
	}

	// The next statement has the same function, and none of what the one before gave.
	again, done, err := b.conn.TextFunction(func() duck.Text {
		return func(dst, value []byte) []byte { return append(dst, bytes.ToUpper(value)...) }
	})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if got := b.texts("SELECT " + again + "('6')"); again != name || got[0] != "6" {
		t.Errorf("%s gives %q", again, got)
	}
	other, done, err := b.conn.TextFunction(twice)
	if err != nil || other == again {
		t.Errorf("two at once are %s and %s, %v", again, other, err)
	}
	done()
}

// A function that fails fails the statement, and nothing else.
func TestTextFunctionPanics(t *testing.T) {
	b := mustOpen(t)
	name, done, err := b.conn.TextFunction(func() duck.Text { return func([]byte, []byte) []byte { panic("broken") } })
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := b.conn.Exec(context.Background(), "SELECT "+name+"('a')"); err == nil {
		t.Error("no error")
	}
	b.exec("SELECT 1")
}

func TestColumns(t *testing.T) {
	b := mustOpen(t)
	want := []event.Column{
		{Name: "b", Kind: event.Bool}, {Name: "i", Kind: event.Int32}, {Name: "n", Kind: event.Int64}, {Name: "d", Kind: event.Double},
		{Name: "s", Kind: event.String}, {Name: "u", Kind: event.UUID},
		{Name: "l", Kind: event.List, Fields: []event.Column{{Kind: event.String}}},
		{Name: "m", Kind: event.Map, Fields: []event.Column{{Kind: event.Int64}}},
		{Name: "o", Kind: event.Struct, Fields: []event.Column{{Name: "x y", Kind: event.Double}}},
	}
	b.exec("CREATE TABLE t (" + duck.SQLColumns(want) + ")")
	got, err := b.conn.Columns(context.Background(), "t")
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %v\nwant %v", err, got, want)
	}
	for _, from := range []string{"nowhere", "(SELECT DATE '2026-11-21' AS d)"} {
		if _, err := b.conn.Columns(context.Background(), from); err == nil {
			t.Errorf("%s has columns", from)
		}
	}
}

func TestUUIDFunction(t *testing.T) {
	b := mustOpen(t)
	name, err := b.conn.UUIDFunction()
	if err != nil {
		t.Fatal(err)
	}
	got := b.texts("SELECT " + name + "(18446744073709551615::UBIGINT, (i * 256)::UBIGINT)::VARCHAR FROM range(2) t(i)")
	if want := []string{"ffffffff-ffff-ffff-0000-000000000000", "ffffffff-ffff-ffff-0000-000000000100"}; !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
	if again, err := b.conn.UUIDFunction(); err != nil || again != name {
		t.Errorf("a second one, %s, %v", again, err)
	}
}

// Each row gets a number of its own, in every chunk, and all bits of it are by chance.
func TestChanceFunction(t *testing.T) {
	b := mustOpen(t)
	name, err := b.conn.ChanceFunction()
	if err != nil {
		t.Fatal(err)
	}
	got := b.texts("SELECT concat_ws(' ', count(DISTINCT n), bit_count(bit_or(n)), bit_count(bit_and(n))) FROM (SELECT " + name + "() AS n FROM range(5000))")
	if want := []string{"5000 64 0"}; !reflect.DeepEqual(got, want) {
		t.Errorf("different ones, bits that some have and that all have: %s, want %s", got, want)
	}
}
