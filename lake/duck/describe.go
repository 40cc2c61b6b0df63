package duck

import (
	"context"
	"fmt"

	c "github.com/duckdb/duckdb-go-bindings"

	"brine/event"
)

// Columns are those of what SQL can read FROM, like read_parquet(…). Whether an array by position was
// stored is not to be seen: it comes as a Struct.
func (x *Conn) Columns(ctx context.Context, from string) ([]event.Column, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := x.interruptWith(ctx)
	defer stop()
	var res c.Result
	state := c.Query(x.conn, "FROM "+from+" LIMIT 0", &res)
	defer c.DestroyResult(&res)
	if state != c.StateSuccess {
		return nil, queryError(ctx, c.ResultError(&res))
	}
	columns := make([]event.Column, c.ColumnCount(&res))
	for i := range columns {
		logical := c.ColumnLogicalType(&res, c.IdxT(i))
		column, err := columnOf(c.ColumnName(&res, c.IdxT(i)), logical)
		c.DestroyLogicalType(&logical)
		if err != nil {
			return nil, err
		}
		columns[i] = column
	}
	return columns, nil
}

// columnOf is the inverse of [logicalType].
func columnOf(name string, logical c.LogicalType) (event.Column, error) {
	column := event.Column{Name: name}
	child := func(name string, logical c.LogicalType) error {
		defer c.DestroyLogicalType(&logical)
		field, err := columnOf(name, logical)
		column.Fields = append(column.Fields, field)
		return err
	}
	switch t := c.GetTypeId(logical); t {
	case c.TypeList:
		column.Kind = event.List
		return column, child("", c.ListTypeChildType(logical))
	case c.TypeMap:
		column.Kind = event.Map
		return column, child("", c.MapTypeValueType(logical))
	case c.TypeStruct:
		column.Kind = event.Struct
		for i := range c.StructTypeChildCount(logical) {
			if err := child(c.StructTypeChildName(logical, i), c.StructTypeChildType(logical, i)); err != nil {
				return column, err
			}
		}
		return column, nil
	default:
		for kind, s := range scalars {
			if s.typ == t {
				column.Kind = kind
				return column, nil
			}
		}
		return column, fmt.Errorf("column %s has a type that no event has", name)
	}
}
