package sanitize

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/event"
	"brine/lake/duck"
)

// someSalt is 64 hex characters, as Brine makes them.
const someSalt = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// plainHMAC is the shortest Hasher there is.
type plainHMAC struct{ key string }

func (h plainHMAC) Pseudonym(dst, value []byte) []byte {
	mac := hmac.New(sha256.New, []byte(h.key))
	mac.Write(value)
	return hex.AppendEncode(dst, mac.Sum(nil))
}

func (h plainHMAC) PseudonymPerStream(dst []byte, stream string, value []byte) []byte {
	return h.Pseudonym(dst, append([]byte(stream+"\x00"), value...))
}

// withSalt makes Hashers of one salt.
func withSalt(salt string) func() Hasher { return func() Hasher { return plainHMAC{salt} } }

// bench is a DuckDB and a folder for its files.
type bench struct {
	tb   testing.TB
	conn *duck.Conn
	dir  string
}

func newBench(tb testing.TB, o duck.Options) *bench {
	tb.Helper()
	b := &bench{tb: tb, dir: tb.TempDir()}
	o.Folders = []string{b.dir}
	db, err := duck.Open(o)
	if err != nil {
		tb.Fatal(err)
	}
	if b.conn, err = db.Conn(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { b.conn.Close(); db.Close() })
	return b
}

// exec runs a statement.
func (b *bench) exec(sql string) {
	b.tb.Helper()
	if err := b.conn.Exec(b.tb.Context(), sql); err != nil {
		b.tb.Fatal(told(err), "\n", sql)
	}
}

// told is an error with what DuckDB said, which [duck.Error] keeps to itself.
func told(err error) string {
	if e, ok := err.(*duck.Error); ok {
		return e.Message
	}
	return err.Error()
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// raw writes rows into a Parquet file as the flush would, and gives what SQL reads it FROM.
func (b *bench) raw(name string, columns []event.Column, rows []map[string]any) string {
	b.tb.Helper()
	feed := duck.NewFeed(columns, false)
	for _, row := range rows {
		if err := feed.Add(event.Key{}, encodeRow(columns, row)); err != nil {
			b.tb.Error(err)
		}
	}
	table, done, err := b.conn.Feed(feed)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer done()
	b.exec(fmt.Sprintf("COPY (FROM %s()) TO %s (FORMAT parquet)", table, duck.Quote(b.path(name))))
	return b.read(name)
}

// read is what SQL reads files FROM.
func (b *bench) read(names ...string) string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = b.path(name)
	}
	return "read_parquet(" + duck.List(paths) + ", union_by_name=true)"
}

var someHour = time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)

// sanitize runs a plan from Parquet to Parquet.
func (b *bench) sanitize(p *Plan, in Input, out string) error {
	b.tb.Helper()
	if in.Hour.IsZero() {
		in.Hour = someHour
	}
	sql, done, err := p.Select(b.conn, in)
	if err != nil {
		return err
	}
	defer done()
	b.exec(fmt.Sprintf("COPY %s TO %s (FORMAT parquet, COMPRESSION uncompressed)", sql, duck.Quote(b.path(out))))
	return nil
}

// rows reads rows back as JSON, sorted, as order means nothing.
func (b *bench) rows(columns []event.Column, from string) []string {
	b.tb.Helper()
	names := []string{}
	for _, c := range columns {
		names = append(names, duck.Ident(c.Name))
	}
	rows, err := b.conn.Query(context.Background(), "SELECT "+strings.Join(append(names, "1"), ", ")+" FROM "+from)
	if err != nil {
		b.tb.Fatal(told(err))
	}
	defer rows.Close()
	render := duck.NewRenderer(columns)
	var all []string
	for rows.Next() {
		render.Bind(rows)
		for i := range rows.Len() {
			all = append(all, canonical(b.tb, render.Append(nil, i)))
		}
	}
	if rows.Err() != nil {
		b.tb.Fatal(told(rows.Err()))
	}
	slices.Sort(all)
	return all
}

// canonical is JSON with sorted keys and without nulls in objects, which are the same as absent.
func canonical(tb testing.TB, text []byte) string {
	tb.Helper()
	value := decode(tb, text)
	out, err := json.Marshal(withoutNulls(value))
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func decode(tb testing.TB, text []byte) (value any) {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		tb.Fatal(err)
	}
	return value
}

func withoutNulls(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
			} else {
				v[name] = withoutNulls(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return value
}

// encodeRow writes a row in Brine's own encoding: members in the order of the columns.
func encodeRow(columns []event.Column, row map[string]any) []byte {
	return encodeObject(nil, columns, row)
}

func encodeObject(dst []byte, columns []event.Column, row map[string]any) []byte {
	dst = append(dst, '{')
	for _, c := range columns {
		if value := row[c.Name]; value != nil {
			if dst[len(dst)-1] != '{' {
				dst = append(dst, ',')
			}
			name, _ := json.Marshal(c.Name)
			dst = append(append(dst, name...), ':')
			dst = encodeValue(dst, c, value)
		}
	}
	return append(dst, '}')
}

func encodeValue(dst []byte, c event.Column, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		columns := c.Fields
		if c.Kind == event.Map {
			columns = nil
			for name := range v {
				column := c.Fields[0]
				column.Name = name
				columns = append(columns, column)
			}
		}
		return encodeObject(dst, columns, v)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			column := c.Fields[0]
			if c.Kind == event.Tuple {
				column = c.Fields[i]
			}
			dst = encodeValue(dst, column, item)
		}
		return append(dst, ']')
	}
	text := new(bytes.Buffer)
	e := json.NewEncoder(text)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err)
	}
	return append(dst, bytes.TrimSpace(text.Bytes())...)
}

// mustStream is a stream of one schema, given as YAML or JSON without $schema.
func mustStream(tb testing.TB, name, schema string) *event.Stream {
	tb.Helper()
	s, err := event.ParseSchema(name+".yaml", []byte(schema))
	if err != nil {
		tb.Fatal(err)
	}
	columns, err := event.Columns(s)
	if err != nil {
		tb.Fatal(err)
	}
	return &event.Stream{Name: name, Time: "dt", Schemas: []*event.Schema{s}, Columns: columns}
}
