package duck_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"brine/event"
	"brine/lake/duck"
)

func streamColumns() []event.Column {
	return []event.Column{{Name: "int", Kind: event.Int64}, {Name: "text", Kind: event.String}, {Name: "bytes", Kind: event.Bytes}}
}

// Rows are made while SQL reads them: more than a chunk of them, some values null, texts that differ from chunk to chunk, and bytes that are no text.
func TestAStreamIsReadAsItIsMade(t *testing.T) {
	b := mustOpen(t)
	const rows = 3*duck.ChunkRows + 5
	made := 0
	name, done, err := b.conn.Stream(streamColumns(), func(f *duck.Feed) error {
		for n := 0; n < 700 && made < rows; n, made = n+1, made+1 {
			f.Next()
			f.SetInt64(0, int64(made))
			if made%3 == 0 {
				continue
			}
			f.SetText(1, fmt.Sprintf("a text that is longer than twelve bytes: %d", made/100))
			f.SetBytes(2, string([]byte{0, 0xff, byte(made), byte(made >> 8)}))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b.exec("COPY (FROM " + name + "()) TO " + duck.Quote(b.file()) + " (FORMAT parquet)")
	if err := done(); err != nil {
		t.Fatal(err)
	}
	result, err := b.conn.Query(context.Background(), "FROM read_parquet("+duck.Quote(b.file())+")")
	if err != nil {
		t.Fatal(err)
	}
	defer result.Close()
	at := 0
	for result.Next() {
		ints, texts, bytes := result.Vector(0), result.Vector(1), result.Vector(2)
		for row := range result.Len() {
			if none := at%3 == 0; ints.Int64(row) != int64(at) || texts.Null(row) != none || bytes.Null(row) != none {
				t.Fatalf("row %d is %d", at, ints.Int64(row))
			} else if !none && (string(texts.String(row)) != fmt.Sprintf("a text that is longer than twelve bytes: %d", at/100) ||
				string(bytes.String(row)) != string([]byte{0, 0xff, byte(at), byte(at >> 8)})) {
				t.Fatalf("row %d is %q, %x", at, texts.String(row), bytes.String(row))
			}
			at++
		}
	}
	if result.Err() != nil || at != rows {
		t.Fatalf("%d rows: %v", at, result.Err())
	}
}

func TestAStreamThatFailsFailsItsStatement(t *testing.T) {
	b := mustOpen(t)
	broken := errors.New("broken")
	name, done, err := b.conn.Stream(streamColumns(), func(f *duck.Feed) error { return broken })
	if err != nil {
		t.Fatal(err)
	}
	if err := b.conn.Exec(context.Background(), "COPY (FROM "+name+"()) TO "+duck.Quote(b.file())+" (FORMAT parquet)"); err == nil {
		t.Error("the statement went well")
	}
	if err := done(); !errors.Is(err, broken) {
		t.Errorf("the stream failed with %v", err)
	}
	if err := b.conn.Exec(context.Background(), "FROM "+name+"()"); err == nil {
		t.Error("a stream was read again")
	}
}
