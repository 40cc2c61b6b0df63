package event

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
)

// appendValue appends a decoded value as its column's kind wants it. The schema has
// accepted the value; what is left to refuse is what the schema leaves open and the column
// does not hold.
func appendValue(b []byte, c *Column, value any) ([]byte, *Problem) {
	if value == nil {
		return append(b, "null"...), nil
	}
	switch v := value.(type) {
	case map[string]any:
		if c.Kind == Map {
			return appendMap(b, &c.Fields[0], v)
		}
		if c.Kind == Struct {
			return appendStruct(b, c.Fields, v)
		}
	case []any:
		if c.Kind == List {
			return appendList(b, &c.Fields[0], v)
		}
		if c.Kind == Tuple {
			return appendTuple(b, c.Fields, v)
		}
	case string:
		if c.Kind == String {
			return appendString(b, v), nil
		}
	case bool:
		if c.Kind == Bool {
			return strconv.AppendBool(b, v), nil
		}
		if c.Kind == String {
			return appendString(b, strconv.FormatBool(v)), nil
		}
	case json.Number:
		return appendNumber(b, c.Kind, v)
	}
	return b, refuse(CodeType, "", "a value of the type "+c.Kind.String()+" was expected")
}

// appendStruct appends the fields that have a column and a value, in the order of the columns.
func appendStruct(b []byte, fields []Column, object map[string]any) ([]byte, *Problem) {
	b = append(b, '{')
	n := 0
	for i := range fields {
		value := object[fields[i].Name]
		if value == nil {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, fields[i].Name), ':')
		var p *Problem
		if b, p = appendValue(b, &fields[i], value); p != nil {
			return b, p.below(joinPath("", fields[i].Name))
		}
	}
	return append(b, '}'), nil
}

// appendMap appends the members that are not null, sorted by name.
func appendMap(b []byte, c *Column, object map[string]any) ([]byte, *Problem) {
	b = append(b, '{')
	n := 0
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if object[name] == nil {
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		var p *Problem
		if b, p = appendValue(b, c, object[name]); p != nil {
			return b, p.below(joinPath("", name))
		}
	}
	return append(b, '}'), nil
}

func appendList(b []byte, c *Column, list []any) ([]byte, *Problem) {
	b = append(b, '[')
	for i, value := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var p *Problem
		if b, p = appendValue(b, c, value); p != nil {
			return b, p.below(indexPath("", i))
		}
	}
	return append(b, ']'), nil
}

// appendTuple appends the members that have a column, without the nulls at the end.
func appendTuple(b []byte, fields []Column, list []any) ([]byte, *Problem) {
	list = list[:min(len(list), len(fields))]
	for len(list) > 0 && list[len(list)-1] == nil {
		list = list[:len(list)-1]
	}
	b = append(b, '[')
	for i, value := range list {
		if i > 0 {
			b = append(b, ',')
		}
		var p *Problem
		if b, p = appendValue(b, &fields[i], value); p != nil {
			return b, p.below(indexPath("", i))
		}
	}
	return append(b, ']'), nil
}

func appendNumber(b []byte, kind Kind, number json.Number) ([]byte, *Problem) {
	whole, fits := wholeNumber(number)
	switch kind {
	case Int32, Int64:
		if !fits || kind == Int32 && whole != int64(int32(whole)) {
			return b, refuse(CodeValue, "", "an integer within the column's bits was expected")
		}
		return strconv.AppendInt(b, whole, 10), nil
	case String:
		b = append(b, '"')
		if fits {
			b = strconv.AppendInt(b, whole, 10)
		} else {
			b = appendDouble(b, floatOf(number))
		}
		return append(b, '"'), nil
	case Double:
		return appendDouble(b, floatOf(number)), nil
	}
	return b, refuse(CodeType, "", "a value of the type "+kind.String()+" was expected")
}

// floatOf is the number as a double; [decodeNumber] has seen that it is one.
func floatOf(number json.Number) float64 {
	v, _ := number.Float64()
	return v
}

// appendDouble appends a finite number: the shortest text that reads back the same, with an
// exponent only for the very large and the very small.
func appendDouble(b []byte, v float64) []byte {
	if v == 1 { // what most sample rates are
		return append(b, '1')
	}
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendString appends a string in quotes, with escapes for quotes, backslashes and control
// characters only, so that a row has no line break.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&0x0f])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
