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
	return []event.Column{{Name: "int", Kind: event.Int64}, {Name: "number", Kind: event.Double}, {Name: "text", Kind: event.String},
		{Name: "list", Kind: event.List, Fields: []event.Column{{Kind: event.Int32}}}, {Name: "small", Kind: event.Int32},
		{Name: "texts", Kind: event.List, Fields: []event.Column{{Kind: event.String}}}}
}

// Rows are made while SQL reads them: more than a chunk of them, some values null, and texts that differ from chunk to chunk.
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
			f.SetDouble(1, float64(made)/2)
			f.SetText(2, fmt.Sprintf("a text that is longer than twelve bytes: %d", made/100))
			f.SetInt32s(3, []int32{int32(made), -1}[:made%3])
			f.SetInt32(4, 7)
			f.SetTexts(5, []string{"", fmt.Sprint(made % 7)}[:made%3])
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
	got := b.fetch(streamColumns())
	if len(got) != rows {
		t.Fatalf("%d rows, want %d", len(got), rows)
	}
	for i, row := range got {
		want := fmt.Sprintf(`{"int":%d}`, i)
		if i%3 > 0 {
			list := []string{"", fmt.Sprintf("[%d]", i), fmt.Sprintf("[%d,-1]", i)}[i%3]
			texts := []string{"", `[""]`, fmt.Sprintf(`["","%d"]`, i%7)}[i%3]
			number := fmt.Sprint(float64(i) / 2)
			want = fmt.Sprintf(`{"int":%d,"number":%s,"text":"a text that is longer than twelve bytes: %d","list":%s,"small":7,"texts":%s}`, i, number, i/100, list, texts)
		}
		if row != want {
			t.Fatalf("row %d is %s, want %s", i, row, want)
		}
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
