package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"brine/event"
	"brine/kpi"
	"brine/lake/duck"
)

// interactions makes facts of sanitized rows.
type interactions struct {
	walker *kpi.Walker
	fields []string // SQL of the text of each field that the walker asks for; "" where the rows cannot have it
	name   int      // places of these in an entry of the event stream; -1: there are no events
	offset int
	absent []int    // bits of the fields whose absence is selected
	always uint64   // bits of those that are always absent
	sql    []string // what is selected before the fields

	fact    kpi.Fact
	missing []uint64 // by row of a chunk
}

// The columns that are selected before the fields.
const (
	selectTime = iota
	selectRate
	selectEvents
	selectAbsent
)

// newInteractions reads rows of these columns: those of a sanitized file, or of a plan. What is hashed, by its path, is
// looked at in neither.
func newInteractions(defs *kpi.Definitions, columns []event.Column, hashed []string) *interactions {
	columns = slices.DeleteFunc(slices.Clone(columns), func(c event.Column) bool { return slices.Contains(hashed, c.Name) })
	in := &interactions{walker: defs.Walker(), name: -1, offset: -1}
	rate, events := "1::DOUBLE", "NULL::INTEGER[]"
	if c := find(columns, "sample_rate"); c != nil {
		rate = "TRY_CAST(sample_rate AS DOUBLE)"
	}
	if c := find(columns, "event_stream"); c != nil && c.Kind == event.List {
		in.name, in.offset = place(c.Fields[0], "name", event.String), place(c.Fields[0], "offset_ms", event.Int32)
		if in.name >= 0 && in.offset >= 0 {
			events = "event_stream"
		}
	}
	absent, bits, always := absences(columns)
	in.sql = append([]string{duck.Ident(duck.KeyColumns[0].Name), rate, events}, absent...)
	in.absent, in.always = bits, always
	for i, path := range in.walker.Fields() {
		sql := ""
		if !slices.Contains(hashed, path) {
			sql = text(columns, strings.Split(path, "."), in.walker.Number(i))
		}
		in.fields = append(in.fields, sql)
	}
	return in
}

func find(columns []event.Column, name string) *event.Column {
	i := slices.IndexFunc(columns, func(c event.Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &columns[i]
}

func place(entry event.Column, name string, kind event.Kind) int {
	return slices.IndexFunc(entry.Fields, func(c event.Column) bool { return c.Name == name && c.Kind == kind })
}

// absences are the SQL of whether fields are absent, and the bits of each; always are the bits of those that the rows cannot have.
func absences(columns []event.Column) (sql []string, bits []int, always uint64) {
	for i, name := range kpi.Fields {
		if find(columns, name) == nil {
			always |= 1 << i
			continue
		}
		sql, bits = append(sql, duck.Ident(name)+" IS NULL"), append(bits, i)
	}
	return sql, bits, always
}

// text is the SQL of what the field at a path holds, as text; "" where no column can hold it, a number also where the column has the labels of an
// older allowlist's buckets.
func text(columns []event.Column, path []string, number bool) string {
	c := find(columns, path[0])
	if c == nil {
		return ""
	}
	sql := duck.Ident(c.Name)
	for i, name := range path[1:] {
		switch c.Kind {
		case event.Struct:
			if c = find(c.Fields, name); c == nil {
				return ""
			}
			sql = fmt.Sprintf("struct_extract(%s, %s)", sql, duck.Quote(name))
		case event.Map: // the rest of the path is the key, as keys may have dots
			return mapped(sql, c.Fields[0], strings.Join(path[i+1:], "."))
		default:
			return ""
		}
	}
	if number && c.Kind == event.String {
		return ""
	}
	return scalar(sql, *c)
}

func mapped(sql string, value event.Column, key string) string {
	return scalar(fmt.Sprintf("%s[%s]", sql, duck.Quote(key)), value)
}

func scalar(sql string, c event.Column) string {
	switch c.Kind {
	case event.String:
		return sql
	case event.Bool, event.Int32, event.Int64, event.Double:
		return sql + "::VARCHAR"
	}
	return ""
}

// selected is what facts are made of.
func (in *interactions) selected() []string {
	selected := slices.Clone(in.sql)
	for _, sql := range in.fields {
		if sql != "" {
			selected = append(selected, sql)
		}
	}
	return selected
}

func (in *interactions) query(from string) string {
	return "SELECT " + strings.Join(in.selected(), ", ") + " FROM " + from
}

// chunk is some of the rows that were selected.
type chunk interface {
	Len() int
	Vector(i int) duck.Vector
}

// each gives the facts of a chunk. A fact is good until the next.
func (in *interactions) each(rows chunk, use func(*kpi.Fact)) {
	times, rates, events := rows.Vector(selectTime), rows.Vector(selectRate), rows.Vector(selectEvents)
	var entries, names, offsets duck.Vector
	if in.name >= 0 && in.offset >= 0 {
		entries = events.Elements()
		names, offsets = entries.Field(in.name), entries.Field(in.offset)
	}
	fields, vectors := in.bind(rows)
	in.miss(rows)
	for row := range rows.Len() {
		for i, v := range vectors {
			if !v.Null(row) {
				in.walker.Field(fields[i], v.String(row))
			}
		}
		if in.name >= 0 && in.offset >= 0 && !events.Null(row) {
			from, to := events.List(row)
			for e := from; e < to; e++ {
				if !names.Null(e) && !offsets.Null(e) {
					in.walker.Event(names.String(e), offsets.Int32(e))
				}
			}
		}
		in.fact.Time, in.fact.Weight, in.fact.Missing = times.Int64(row), 1, in.missing[row]
		if !rates.Null(row) && rates.Double(row) > 0 {
			in.fact.Weight = 1 / rates.Double(row)
		}
		in.walker.Finish(&in.fact)
		use(&in.fact)
	}
}

// miss says which fields the rows of a chunk lack.
func (in *interactions) miss(rows chunk) {
	in.missing = in.missing[:0]
	for range rows.Len() {
		in.missing = append(in.missing, in.always)
	}
	for i, bit := range in.absent {
		absent := rows.Vector(selectAbsent + i)
		for row := range in.missing {
			if absent.Bool(row) {
				in.missing[row] |= 1 << bit
			}
		}
	}
}

// bind gives the vectors of the fields that the rows have, and which of the walker's fields each is.
func (in *interactions) bind(rows chunk) (fields []int, vectors []duck.Vector) {
	for i, sql := range in.fields {
		if sql != "" {
			fields, vectors = append(fields, i), append(vectors, rows.Vector(len(in.sql)+len(vectors)))
		}
	}
	return fields, vectors
}

// read adds up the facts of rows.
func (in *interactions) read(ctx context.Context, conn *duck.Conn, from string, use func(*kpi.Fact)) error {
	rows, err := conn.Query(ctx, in.query(from))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		in.each(rows, use)
	}
	return rows.Err()
}
