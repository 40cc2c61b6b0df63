package duck_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"brine/event"
	"brine/lake/duck"
	"brine/simulate"
)

// bench is a DuckDB with one folder that it may write.
type bench struct {
	tb     testing.TB
	conn   *duck.Conn
	folder string
}

func mustOpen(tb testing.TB) *bench {
	tb.Helper()
	folder := tb.TempDir()
	db, err := duck.Open(duck.Options{Folders: []string{folder}})
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := db.Conn()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(); db.Close() })
	return &bench{tb, conn, folder}
}

func (b *bench) exec(sql string) {
	b.tb.Helper()
	if err := b.conn.Exec(context.Background(), sql); err != nil {
		b.tb.Fatal(err)
	}
}

// store writes rows into a Parquet file and gives those that were refused.
func (b *bench) store(cols []event.Column, rows []string) (refused []string) {
	b.tb.Helper()
	feed := duck.NewFeed(cols, false)
	for _, row := range rows {
		if err := feed.Add(event.Key{}, []byte(row)); err != nil {
			if !errors.Is(err, duck.ErrRow) {
				b.tb.Error(err)
			}
			refused = append(refused, row)
		}
	}
	b.write(feed)
	return refused
}

// write writes a feed into a Parquet file.
func (b *bench) write(feed *duck.Feed) {
	b.tb.Helper()
	table, done, err := b.conn.Feed(feed)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer done()
	b.exec("COPY (FROM " + table + "()) TO " + duck.Quote(b.file()) + " (FORMAT parquet)")
}

func (b *bench) file() string { return filepath.Join(b.folder, "rows.parquet") }

// fetch reads the file back as rows.
func (b *bench) fetch(cols []event.Column) (got []string) {
	b.tb.Helper()
	rows, err := b.conn.Query(context.Background(), "FROM read_parquet("+duck.Quote(b.file())+")")
	if err != nil {
		b.tb.Fatal(err)
	}
	defer rows.Close()
	renderer := duck.NewRenderer(cols)
	for rows.Next() {
		renderer.Bind(rows)
		for i := range rows.Len() {
			got = append(got, string(renderer.Append(nil, i)))
		}
	}
	if err := rows.Err(); err != nil {
		b.tb.Fatal(err)
	}
	return got
}

// allKinds are columns of every kind, nested in each other.
func allKinds() []event.Column {
	text := event.Column{Name: "text", Kind: event.String}
	number := event.Column{Name: "number", Kind: event.Double}
	return []event.Column{
		{Name: "bool", Kind: event.Bool}, {Name: "small", Kind: event.Int32}, {Name: "int", Kind: event.Int64}, number, text, {Name: "id", Kind: event.UUID},
		{Name: "list", Kind: event.List, Fields: []event.Column{text}},
		{Name: "object", Kind: event.Struct, Fields: []event.Column{text, {Name: "in\"ner", Kind: event.Struct, Fields: []event.Column{number}}}},
		{Name: "map", Kind: event.Map, Fields: []event.Column{{Kind: event.List, Fields: []event.Column{number}}}},
		{Name: "tuples", Kind: event.List, Fields: []event.Column{{Kind: event.Tuple, Fields: []event.Column{text, {Kind: event.Int64, Name: "n"}}}}},
	}
}

func TestRowsReadBackAsTheyWere(t *testing.T) {
	long := strings.Repeat("long text ", 5)
	rows := []string{
		`{}`,
		`{"bool":true,"small":-2147483648,"int":-9223372036854775808,"number":1.5,"text":"","id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301"}`,
		`{"bool":false,"small":2147483647,"int":9223372036854775807,"number":-1e-300,"text":"twelve bytes","id":"ffffffff-ffff-4fff-bfff-ffffffffffff"}`,
		`{"text":"` + long + `","list":["` + long + `",null,"é","` + long + `"]}`,
		`{"text":"quote \" backslash \\ line\n tab\t \u0001 😀","list":[]}`,
		`{"object":{},"map":{},"tuples":[]}`,
		`{"object":{"text":"a","in\"ner":{"number":0.1}},"map":{"k":[1,null],"":[],"null":null},"tuples":[["a",1],["b"],[],[null,2]]}`,
		`{"list":[null]}`,
	}
	b := mustOpen(t)
	if refused := b.store(allKinds(), rows); refused != nil {
		t.Fatalf("refused: %s", refused)
	}
	if got := b.fetch(allKinds()); !slices.Equal(got, rows) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
}

func TestRowsThatCannotBeReadAreRefusedAlone(t *testing.T) {
	good := `{"int":1,"list":["x"],"tuples":[["a",1]]}`
	bad := []string{
		``, `{`, `[]`, `{"unknown":1}`, `{"int":"1"}`, `{"small":2147483648}`, `{"int":1.5}`, `{"int":9223372036854775808}`, `{"number":1e999}`,
		`{"text":"no end}`, `{"text":"\ud800"x}`, `{"id":"3f2504e0"}`, `{"list":["x",{"y":1}]}`, `{"tuples":[["a",1,2]]}`,
		`{"int":1,"bool":true}`, `{"int":1}x`, "{\"text\":\"\xff\"}", `{"object":{"text":1}}`, `{"map":{"k":["x"]}}`,
	}
	b := mustOpen(t)
	rows := []string{good}
	for _, row := range bad {
		rows = append(rows, row, good)
	}
	if refused := b.store(allKinds(), rows); !slices.Equal(refused, bad) {
		t.Errorf("refused %d rows, want %d:\n%s", len(refused), len(bad), strings.Join(refused, "\n"))
	}
	if got := b.fetch(allKinds()); !slices.Equal(got, slices.Repeat([]string{good}, len(bad)+1)) {
		t.Errorf("what a refused row left behind is in the next one:\n%s", strings.Join(got, "\n"))
	}
}

// Strings go to DuckDB as the numbers of a dictionary, where that can be.
func TestStringsReadBackAsTheyWere(t *testing.T) {
	cols := []event.Column{{Name: "text", Kind: event.String}, {Name: "list", Kind: event.List, Fields: []event.Column{{Kind: event.String}}}}
	numbered := func(n int) (rows []string) {
		for i := range 2 * n {
			rows = append(rows, fmt.Sprintf(`{"text":"%d","list":["a text longer than twelve bytes","%d",null]}`, i%n, -i%n))
		}
		return rows
	}
	b := mustOpen(t)
	for name, rows := range map[string][]string{
		"one":              {`{"text":"a"}`, `{"text":"a","list":["a","a"]}`},
		"none":             {`{}`, `{"list":[null]}`, `{"list":[]}`},
		"empty":            {`{"text":"","list":["",""]}`, `{"text":"a"}`},
		"with a zero":      {`{"text":"a\u0000b"}`, `{"text":"a\u0000c"}`, `{"text":"a"}`},
		"255":              numbered(255),
		"256":              numbered(256),
		"some hundreds":    numbered(500),
		"too many to tell": numbered(5000),
	} {
		t.Run(name, func(t *testing.T) {
			b.tb = t
			b.store(cols, rows)
			if got := b.fetch(cols); !slices.Equal(got, rows) {
				t.Errorf("got %d rows that are not the %d stored", len(got), len(rows))
			}
		})
	}
}

func TestAFileHoldsNoStringOfARefusedRow(t *testing.T) {
	b := mustOpen(t)
	if refused := b.store(allKinds(), []string{`{"text":"kept"}`, `{"text":"refused","list":[1]}`}); len(refused) != 1 {
		t.Fatalf("refused %v", refused)
	}
	file, err := os.ReadFile(b.file())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("kept")) || bytes.Contains(file, []byte("refused")) {
		t.Error("want kept in the file, and refused not")
	}
}

func TestAFeedIsUsedAgain(t *testing.T) {
	b := mustOpen(t)
	feed := duck.NewFeed(allKinds(), false)
	for _, row := range []string{`{"text":"first","list":["a","b"],"map":{"k":[1]}}`, `{"list":[null]}`, `{"text":"third"}`} {
		feed.Reset()
		if err := feed.Add(event.Key{}, []byte(row)); err != nil {
			t.Fatal(err)
		}
		b.write(feed)
		if got := b.fetch(allKinds()); !slices.Equal(got, []string{row}) {
			t.Errorf("got %s, want %s", got, row)
		}
	}
}

// A feed that held very many rows lets go of their memory, and is used again.
func TestAFeedIsUsedAgainAfterMany(t *testing.T) {
	cols := allKinds()[:5]
	feed := duck.NewFeed(cols, false)
	for range 128<<10 + 1 { // more than it keeps memory for
		if err := feed.Add(event.Key{}, []byte(`{"bool":true}`)); err != nil {
			t.Fatal(err)
		}
	}
	const row = `{"int":5,"text":"after"}`
	feed.Reset()
	if err := feed.Add(event.Key{}, []byte(row)); err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t)
	b.write(feed)
	if got := b.fetch(cols); !slices.Equal(got, []string{row}) {
		t.Errorf("got %s, want %s", got, row)
	}
}

func TestManyChunks(t *testing.T) {
	source := simulate.NewSource(7)
	arrival := &event.Arrival{Now: time.Now(), NewID: event.NewID, AnyAge: true}
	var rows []string
	for range 3*duck.ChunkRows + 17 {
		row, _, _, p := event.AppendInteraction(nil, source.AppendInteraction(nil, time.Now()), arrival)
		if p != nil {
			t.Fatal(p)
		}
		rows = append(rows, string(row))
	}
	b := mustOpen(t)
	b.store(event.InteractionColumns(), rows)
	if got := b.fetch(event.InteractionColumns()); !slices.Equal(got, rows) {
		t.Error("simulated interactions do not read back as they were")
	}
}

// FuzzInteraction is the third of three that must agree: what the one-pass validator takes
// (which [brine/event.FuzzInteraction] holds against the schema library) DuckDB reads back, equal.
func FuzzInteraction(f *testing.F) {
	const blob = `{"timestamp":1795268400000,"sample_rate":1,"event_stream":[["a.b",1],["c",2,3,4]]`
	for _, more := range []string{`}`, `,"experiments":{"a":"b","c":"d"}}`, `,"experiments":{},"event_stream":[]}`,
		`,"user_agent":{"os":"a","browser":"b","version":17.5},"screen_size":{"width":1.0,"height":0}}`,
		`,"id":"3F2504E0-4F89-41D3-9A0C-0305E82C3301","number_emails":1e2,"new_account":true,"language":"zh-Hant-TW"}`} {
		f.Add([]byte(blob + more))
	}
	b := mustOpen(f)
	arrival := &event.Arrival{Now: time.Now(), NewID: event.NewID, AnyAge: true}
	f.Fuzz(func(t *testing.T, src []byte) {
		row, _, _, p := event.AppendInteraction(nil, src, arrival)
		if p != nil {
			return
		}
		bench := &bench{t, b.conn, t.TempDir()}
		bench.folder = b.folder
		bench.store(event.InteractionColumns(), []string{string(row)})
		if got := bench.fetch(event.InteractionColumns()); !slices.Equal(got, []string{string(row)}) {
			t.Errorf("stored %s\nread   %s", row, got)
		}
	})
}

// FuzzFeed feeds rows that nobody validated: none may end the process or change another.
func FuzzFeed(f *testing.F) {
	for _, row := range []string{`{}`, `{"text":"\u00e9"}`, `{"map":{"k":[1]},"tuples":[["a"]]}`, `{"list":[null,"x`} {
		f.Add([]byte(row))
	}
	b := mustOpen(f)
	const witness = `{"int":1,"list":["x"],"map":{"k":[1]}}`
	f.Fuzz(func(t *testing.T, row []byte) {
		bench := &bench{t, b.conn, b.folder}
		bench.store(allKinds(), []string{witness, string(row), witness})
		got := bench.fetch(allKinds())
		if len(got) < 2 || got[0] != witness || got[len(got)-1] != witness {
			t.Errorf("the rows around it became %s", got)
		}
	})
}

func TestOnlyTheGivenFoldersAreReached(t *testing.T) {
	b := mustOpen(t)
	for _, sql := range []string{
		"SELECT * FROM read_csv('/etc/passwd')",
		"COPY (SELECT 1) TO '/tmp/brine-must-not-write'",
		"SET enable_external_access = true",
		"ATTACH '/tmp/brine-must-not-write.db'",
	} {
		if err := b.conn.Exec(context.Background(), sql); err == nil {
			t.Errorf("was allowed: %s", sql)
		}
	}
}

func TestAQueryEndsWithItsContext(t *testing.T) {
	b := mustOpen(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := b.conn.Exec(ctx, "SELECT sum(range) FROM range(1000000000000)")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Exec: %v", err)
	}
	rows, err := b.conn.Query(ctx, "SELECT sum(range) FROM range(1000000000000)")
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
		rows.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Query: %v", err)
	}
}

func ExampleSQLColumns() {
	fmt.Println(duck.SQLColumns(event.InteractionColumns()[:4]))
	// Output: "timestamp" BIGINT, "id" UUID, "received" BIGINT, "event_stream" STRUCT("name" VARCHAR, "offset_ms" INTEGER, "duration_ms" INTEGER, "repeat" INTEGER)[]
}

// In CSV no text begins as a formula does, where a spreadsheet would compute it.
func TestNoFormulasInCSV(t *testing.T) {
	b := mustOpen(t)
	renderer := duck.NewRenderer([]event.Column{{Name: "text", Kind: event.String}})
	for text, want := range map[string]string{"=1+1": "'=1+1", "@SUM(1)": "'@SUM(1)", "-cmd": "'-cmd", "\t=1": "'\t=1", "-0.5": "-0.5", "a=1": "a=1", "": ""} {
		rows, err := b.conn.Query(t.Context(), "SELECT "+duck.Quote(text))
		if err != nil || !rows.Next() {
			t.Fatal(text, err)
		}
		renderer.Bind(rows)
		if got := string(renderer.AppendCSV(nil, 0)); got != `"`+want+"\"\r\n" {
			t.Errorf("%q became %q", text, got)
		}
		rows.Close()
	}
}

// Whatever is asked for becomes one text of the statement, a NUL too, at which a statement would end.
func TestQuote(t *testing.T) {
	b := mustOpen(t)
	for _, text := range []string{"", "it's", "a\x00b", "\x00", "';\x00'--"} {
		rows, err := b.conn.Query(context.Background(), "SELECT "+duck.Quote(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !rows.Next() || string(rows.Vector(0).String(0)) != text {
			t.Errorf("%q became another text", text)
		}
		rows.Close()
	}
}

func TestMachineMemory(t *testing.T) {
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		t.Fatal(err)
	}
	all := int64(machine.Totalram) * int64(machine.Unit)
	if got, err := duck.MachineMemory(); err != nil || got < 256<<20 || got > all+all/50 {
		t.Errorf("%d bytes of the machine's %d, %v", got, all, err)
	}
}
