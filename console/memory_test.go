package console_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/lake"
	"brine/lake/duck"
	"brine/simulate"
)

// A read of everything costs no more memory than a read of a little: rows go out as they come in.
func TestMemoryDoesNotGrowWithTheRange(t *testing.T) {
	const rows = 200_000
	h := openHouse(t)
	h.storeHistory(rows)
	h.drain(asNDJSON, interactions+"?to="+testStart.Add(-60*time.Hour).Format(time.RFC3339)) // caches and buffers are there from now on

	for _, accept := range []string{asNDJSON, asCSV} {
		t.Run(accept, func(t *testing.T) {
			before := memory(t)
			read := h.drain(accept, interactions)
			t.Logf("%d rows, %d MB read; heap grew by %d MB, the process by %d MB", read.lines, read.bytes>>20,
				(read.most.heap-before.heap)>>20, (read.most.resident-before.resident)>>20)
			if read.lines < rows*9/10 || read.bytes < 80<<20 {
				t.Fatalf("%d lines in %d bytes are too few to tell", read.lines, read.bytes)
			}
			if grown := read.most.heap - before.heap; grown > 24<<20 {
				t.Errorf("the heap grew by %d MB", grown>>20)
			}
			if grown := read.most.resident - before.resident; grown > 64<<20 {
				t.Errorf("the process grew by %d MB", grown>>20)
			}
		})
	}
}

// source is the SHA-256 that an import goes by.
var source = strings.Repeat("ab", 32)

// storeHistory stores about n interactions of the last three days: a tenth of them simulated, and each
// of those ten times under ids of its own.
func (h *house) storeHistory(n int) {
	h.tb.Helper()
	const copies = 10
	t, err := h.lake.Table(lake.Raw, event.Interaction)
	if err != nil {
		h.tb.Fatal(err)
	}
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(simulate.Config{Seed: 2, Days: 3, PerDay: n / copies / 3, End: testStart}.Write(w))
	}()
	ctx := context.Background()
	if _, err := h.lake.Import(ctx, t, source, h.accepted(r)); err != nil {
		h.tb.Fatal(err)
	}
	few := filepath.Join(h.temp, "few.parquet")
	err = h.lake.Export(ctx, lake.Query{Table: t, To: math.MaxInt64}, few, func(context.Context, int64) error { h.multiply(few, copies); return nil })
	if err != nil {
		h.tb.Fatal(err)
	}
}

func (h *house) accepted(ndjson io.Reader) iter.Seq2[event.Key, []byte] {
	return func(yield func(event.Key, []byte) bool) {
		lines := bufio.NewScanner(ndjson)
		for lines.Scan() {
			if row, key := h.accept(lines.Bytes()); !yield(key, row) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			h.tb.Error(err)
		}
	}
}

// multiply puts copies of a file's rows into the lake in place of them, hour by hour, as a compaction would.
func (h *house) multiply(file string, copies int) {
	h.tb.Helper()
	db, err := duck.Open(duck.Options{Folders: []string{h.dir}})
	if err != nil {
		h.tb.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn()
	if err != nil {
		h.tb.Fatal(err)
	}
	defer conn.Close()
	end := testStart.Truncate(time.Hour)
	for hour := end.AddDate(0, 0, -3); hour.Before(end); hour = hour.Add(time.Hour) {
		name := lake.Name{Dataset: lake.Raw, Stream: event.Interaction, Hour: hour, Log: source, First: 1, Last: 1, Generation: 2}
		err := conn.Exec(context.Background(), fmt.Sprintf(
			`COPY (SELECT * REPLACE (uuid() AS id) FROM read_parquet(%s), range(%d) WHERE timestamp >= %d AND timestamp < %d ORDER BY timestamp, id)
			TO %s (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 61440)`,
			duck.Quote(file), copies, ms(hour), ms(hour.Add(time.Hour)), duck.Quote(filepath.Join(h.dir, "lake", name.String()))))
		if err != nil {
			h.tb.Fatal(err)
		}
	}
	h.openLake()
}

// usage is what the process holds, in bytes.
type usage struct{ heap, resident int64 }

func memory(tb testing.TB) (u usage) {
	tb.Helper()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	u.heap = int64(stats.HeapAlloc)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		tb.Fatal(err)
	}
	var size int64
	if _, err := fmt.Sscan(string(statm), &size, &u.resident); err != nil {
		tb.Fatal(err)
	}
	u.resident *= int64(os.Getpagesize())
	return u
}

// drained is a read that was thrown away.
type drained struct {
	lines, bytes int
	most         usage
}

// drain reads an answer to its end, and looks at the memory every few megabytes.
func (h *house) drain(accept, path string) (d drained) {
	h.tb.Helper()
	req, err := http.NewRequest("GET", h.url+ofRaw(path), nil)
	if err != nil {
		h.tb.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(h.identified(req))
	if err != nil {
		h.tb.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 1<<20)
	for look := 0; err == nil; {
		var n int
		n, err = res.Body.Read(buf)
		d.lines += bytes.Count(buf[:n], []byte{'\n'})
		if d.bytes += n; d.bytes >= look {
			u := memory(h.tb)
			d.most = usage{max(d.most.heap, u.heap), max(d.most.resident, u.resident)}
			look += 8 << 20
		}
	}
	if err != io.EOF || res.StatusCode != http.StatusOK {
		h.tb.Fatalf("%s: %v", res.Status, err)
	}
	return d
}
