package duck

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"

	"brine/event"
)

// Renderer writes rows of a result as JSON objects in Brine's own encoding, the inverse of
// [Feed]: absent and null columns are left out. The result's columns must be the tree's, in order.
type Renderer struct {
	cols []column
}

// NewRenderer makes a renderer for results with these columns.
func NewRenderer(cols []event.Column) *Renderer { return &Renderer{cols: newColumns(cols)} }

type column struct {
	kind   event.Kind
	key    []byte // `"name":`
	vec    Vector
	fields []column
}

func newColumns(cols []event.Column) []column {
	out := make([]column, len(cols))
	for i, col := range cols {
		out[i] = column{kind: col.Kind, key: append(appendText(nil, []byte(col.Name)), ':'), fields: newColumns(col.Fields)}
	}
	return out
}

// Bind takes the present chunk of a result.
func (r *Renderer) Bind(rows *Rows) {
	for i := range r.cols {
		r.cols[i].bind(rows.Vector(i))
	}
}

func (col *column) bind(v Vector) {
	col.vec = v
	switch col.kind {
	case event.Struct, event.Tuple:
		for i := range col.fields {
			col.fields[i].bind(v.Field(i))
		}
	case event.List:
		col.fields[0].bind(v.Elements())
	case event.Map:
		col.fields[0].bind(v.Elements().Field(1))
	}
}

// Append appends one row of the present chunk.
func (r *Renderer) Append(dst []byte, row int) []byte { return appendObject(dst, r.cols, row) }

func appendObject(dst []byte, cols []column, row int) []byte {
	dst = append(dst, '{')
	first := true
	for i := range cols {
		if cols[i].vec.Null(row) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, cols[i].key...)
		dst = cols[i].append(dst, row)
	}
	return append(dst, '}')
}

func (col *column) append(dst []byte, row int) []byte {
	switch col.kind {
	case event.Bool:
		return strconv.AppendBool(dst, col.vec.Bool(row))
	case event.Int32:
		return strconv.AppendInt(dst, int64(col.vec.Int32(row)), 10)
	case event.Int64:
		return strconv.AppendInt(dst, col.vec.Int64(row), 10)
	case event.Double:
		return appendDouble(dst, col.vec.Double(row))
	case event.String:
		return appendText(dst, col.vec.String(row))
	case event.UUID:
		return appendUUID(dst, col.vec.UUID(row))
	case event.Struct:
		return appendObject(dst, col.fields, row)
	case event.Tuple:
		return appendTuple(dst, col.fields, row)
	case event.List:
		return col.appendList(dst, row)
	default: // event.Map
		return col.appendMap(dst, row)
	}
}

func appendTuple(dst []byte, fields []column, row int) []byte {
	n := len(fields)
	for n > 0 && fields[n-1].vec.Null(row) {
		n--
	}
	dst = append(dst, '[')
	for i := range fields[:n] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = fields[i].appendOrNull(dst, row)
	}
	return append(dst, ']')
}

func (col *column) appendOrNull(dst []byte, row int) []byte {
	if col.vec.Null(row) {
		return append(dst, "null"...)
	}
	return col.append(dst, row)
}

func (col *column) appendList(dst []byte, row int) []byte {
	dst = append(dst, '[')
	from, to := col.vec.List(row)
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ',')
		}
		dst = col.fields[0].appendOrNull(dst, i)
	}
	return append(dst, ']')
}

func (col *column) appendMap(dst []byte, row int) []byte {
	keys := col.vec.Elements().Field(0)
	dst = append(dst, '{')
	from, to := col.vec.List(row)
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ',')
		}
		dst = appendText(dst, keys.String(i))
		dst = append(dst, ':')
		dst = col.fields[0].appendOrNull(dst, i)
	}
	return append(dst, '}')
}

func appendDouble(dst []byte, v float64) []byte {
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, 64)
}

func appendUUID(dst []byte, id [16]byte) []byte {
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		} else {
			dst = append(dst, '"')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return append(dst, '"')
}

// appendText writes a JSON string.
func appendText(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, ch := range s {
		if escaped[ch] {
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, ch)
			from = i + 1
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// escaped are the bytes that a JSON string spells with an escape.
var escaped = func() (table [256]bool) {
	for ch := range ' ' {
		table[ch] = true
	}
	table['"'], table['\\'] = true, true
	return table
}()

func appendEscape(dst []byte, ch byte) []byte {
	switch ch {
	case '"', '\\':
		return append(dst, '\\', ch)
	case '\n':
		return append(dst, `\n`...)
	case '\t':
		return append(dst, `\t`...)
	case '\r':
		return append(dst, `\r`...)
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', digits[ch>>4], digits[ch&15])
}

// AppendCSV appends one row of the present chunk as a line of CSV (RFC 4180): a null is an empty
// field, and whatever is no scalar is JSON.
func (r *Renderer) AppendCSV(dst []byte, row int) []byte {
	for i := range r.cols {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !r.cols[i].vec.Null(row) {
			dst = r.cols[i].appendCSV(dst, row)
		}
	}
	return append(dst, '\r', '\n')
}

func (col *column) appendCSV(dst []byte, row int) []byte {
	switch col.kind {
	case event.Bool, event.Int32, event.Int64, event.Double:
		return col.append(dst, row)
	case event.String:
		return AppendCSVField(dst, Plain(col.vec.String(row)))
	case event.UUID:
		quoted := appendUUID(nil, col.vec.UUID(row))
		return append(dst, quoted[1:len(quoted)-1]...)
	}
	return AppendCSVField(dst, col.append(nil, row))
}

// Plain keeps a spreadsheet from taking a text in CSV for a formula: an apostrophe leads what begins like one. A number that begins with a
// sign stays one.
func Plain(text []byte) []byte {
	if len(text) == 0 || bytes.IndexByte([]byte("=+-@\t\r"), text[0]) < 0 {
		return text
	}
	if _, err := strconv.ParseFloat(string(text), 64); err == nil {
		return text
	}
	return append([]byte{'\''}, text...)
}

// AppendCSVField appends text as one field, quoted.
func AppendCSVField(dst, s []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, bytes.ReplaceAll(s, []byte{'"'}, []byte{'"', '"'})...)
	return append(dst, '"')
}
