package duck

import (
	"strings"

	c "github.com/duckdb/duckdb-go-bindings"

	"brine/event"
)

// SQLType is the DuckDB type that stores a column.
func SQLType(col event.Column) string {
	switch col.Kind {
	case event.List:
		return SQLType(col.Fields[0]) + "[]"
	case event.Map:
		return "MAP(VARCHAR, " + SQLType(col.Fields[0]) + ")"
	case event.Struct, event.Tuple:
		fields := make([]string, len(col.Fields))
		for i, f := range col.Fields {
			fields[i] = Ident(f.Name) + " " + SQLType(f)
		}
		return "STRUCT(" + strings.Join(fields, ", ") + ")"
	}
	return scalars[col.Kind].sql
}

// SQLColumns is a column list as CREATE TABLE takes it.
func SQLColumns(cols []event.Column) string {
	defs := make([]string, len(cols))
	for i, col := range cols {
		defs[i] = Ident(col.Name) + " " + SQLType(col)
	}
	return strings.Join(defs, ", ")
}

var scalars = map[event.Kind]struct {
	sql string
	typ c.Type
}{
	event.Bool:   {"BOOLEAN", c.TypeBoolean},
	event.Int32:  {"INTEGER", c.TypeInteger},
	event.Int64:  {"BIGINT", c.TypeBigInt},
	event.Double: {"DOUBLE", c.TypeDouble},
	event.String: {"VARCHAR", c.TypeVarchar},
	event.UUID:   {"UUID", c.TypeUUID},
	event.Bytes:  {"BLOB", c.TypeBlob},
}
