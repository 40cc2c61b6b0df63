package duck_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"brine/event"
	"brine/lake/duck"
)

func proto() []event.Column {
	s := func(n string) event.Column { return event.Column{Name: n, Kind: event.String} }
	i := func(n string) event.Column { return event.Column{Name: n, Kind: event.Int64} }
	return []event.Column{i("timestamp"), {Name: "id", Kind: event.UUID}, i("received"),
		{Name: "event_stream", Kind: event.List, Fields: []event.Column{{Kind: event.Tuple, Fields: []event.Column{s("name"), i("offset"), i("duration"), i("repeat")}}}},
		s("email_type"), i("number_emails"), i("number_sites_logged_in"), {Name: "new_account", Kind: event.Bool}, s("language"),
		{Name: "screen_size", Kind: event.Struct, Fields: []event.Column{i("width"), i("height")}}, {Name: "sample_rate", Kind: event.Double},
		{Name: "user_agent", Kind: event.Struct, Fields: []event.Column{s("os"), s("browser"), s("version")}}, s("dialog"), s("release"),
		{Name: "experiments", Kind: event.Map, Fields: []event.Column{s("")}}}
}
func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestProto(t *testing.T) {
	f, err := os.Open("/tmp/proto/a/tuples.ndjson")
	if err != nil {
		t.Skip()
	}
	var lines [][]byte
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		lines = append(lines, bytes.Clone(sc.Bytes()))
	}
	dir := t.TempDir()
	db, err := duck.Open(duck.Options{Folders: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	x, _ := db.Conn()
	ctx := context.Background()
	for range 3 {
		if err := x.Exec(ctx, "CREATE OR REPLACE TABLE batch ("+duck.SQLColumns(proto())+")"); err != nil {
			t.Fatal(err)
		}
		t0, c0 := time.Now(), cpu()
		l, err := duck.NewLoader(x, "batch", proto(), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range lines {
			if err := l.Append(event.Key{}, b); err != nil {
				t.Fatal(err, string(b))
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Println("load", time.Since(t0)/time.Duration(len(lines)), (cpu()-c0)/time.Duration(len(lines)))
		t0, c0 = time.Now(), cpu()
		if err := x.Exec(ctx, "COPY batch TO "+duck.Quote(dir+"/a.parquet")+" (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)"); err != nil {
			t.Fatal(err)
		}
		fmt.Println("copy", time.Since(t0)/time.Duration(len(lines)), (cpu()-c0)/time.Duration(len(lines)))
		t0, c0 = time.Now(), cpu()
		rows, err := x.Query(ctx, "FROM read_parquet("+duck.Quote(dir+"/a.parquet")+")")
		if err != nil {
			t.Fatal(err)
		}
		r := duck.NewRenderer(proto())
		var out []byte
		n := 0
		for rows.Next() {
			r.Bind(rows)
			out = out[:0]
			for i := range rows.Len() {
				from := len(out)
				out = r.Append(out, i)
				if !bytes.Equal(out[from:], lines[n]) {
					t.Fatalf("%s\n%s", out[from:], lines[n])
				}
				n++
			}
		}
		if rows.Err() != nil || n != len(lines) {
			t.Fatal(rows.Err(), n)
		}
		rows.Close()
		fmt.Println("read", time.Since(t0)/time.Duration(len(lines)), (cpu()-c0)/time.Duration(len(lines)))
	}
	st, _ := os.Stat(dir + "/a.parquet")
	fmt.Println(st.Size() / int64(len(lines)))
}
