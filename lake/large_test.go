package lake_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"brine/event"
	"brine/lake"
)

// wide is a stream that a few bytes of have many columns: "{}," is an object of 30.
func wide() lake.Table {
	var fields []event.Column
	for i := range 30 {
		fields = append(fields, event.Column{Name: fmt.Sprintf("field%d", i), Kind: event.Int64})
	}
	return lake.NewTable(lake.Raw, "wide", []event.Column{{Name: "name", Kind: event.String},
		{Name: "list", Kind: event.List, Fields: []event.Column{{Kind: event.Struct, Fields: fields}}}}, "", "")
}

// ample is the lake in a process that may have more memory.
func (h *house) ample() *lake.Lake {
	l, err := lake.Open(h.tb.Context(), lake.Options{Tables: tables(), Dir: filepath.Join(h.dir, "lake"), Now: h.clock.Wall, Memory: 1 << 30})
	if err != nil {
		h.tb.Fatal(err)
	}
	h.tb.Cleanup(func() { l.Close() })
	return l
}

// Rows that are small as JSON and large as columns are flushed in parts, however many there are, and what is next to them is stored with them.
func TestSmallRowsOfLargeColumns(t *testing.T) {
	h := mustOpen(t)
	n := 0
	record := func(list string) event.Record {
		n++
		return event.Record{Dataset: lake.Raw, Stream: "wide", Key: event.Key{Time: event.FloorMillis(testStart.UnixMilli()), ID: uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n))},
			Row: fmt.Appendf(nil, `{"name":"%d","list":[%s]}`, n, list)}
	}
	large := strings.Repeat("{},", 21_000) + "{}" // 64 KB, 5 MB as columns
	for range 3 {                                 // 78 MB in all
		var group []event.Record
		for range 5 {
			group = append(group, record(large), record(`{"field3":1}`))
		}
		h.append(group...)
	}
	h.flush()
	if files := h.files(); len(files) < 2 {
		t.Errorf("all is in %q", files)
	}
	if rows := read(t, h.ample(), lake.Raw, "wide"); len(rows) != 30 {
		t.Errorf("%d of 30 rows are stored", len(rows))
	}
	if rows := read(t, h.lake, lake.Quarantine, "lines"); len(rows) > 0 {
		t.Errorf("%d rows are in quarantine", len(rows))
	}

	// One group cannot be divided: what is large in it is kept as it came, the others are stored.
	var group []event.Record
	for range 20 {
		group = append(group, record(large), record(`{"field3":1}`))
	}
	h.append(group...)
	h.flush()
	if rows := read(t, h.ample(), lake.Raw, "wide"); len(rows) != 50 {
		t.Errorf("%d of 50 rows are stored", len(rows))
	}
	kept := read(t, h.lake, lake.Quarantine, "lines")
	if len(kept) != 20 || slices.ContainsFunc(kept, func(row string) bool { return !strings.Contains(row, "arrays take too much memory") }) {
		t.Errorf("%d rows are in quarantine, like %.300s", len(kept), strings.Join(kept, "\n"))
	}
}
