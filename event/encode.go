package event

import (
	"bytes"
	"math"
	"slices"
	"strconv"

	"brine/event/scan"
)

// appendValue appends a value as its column's kind wants it. The schema has accepted the value;
// what is left to refuse is what the schema leaves open and the column does not hold.
func (t *tree) appendValue(b []byte, c *Column, at int) ([]byte, *Problem) {
	n := &t.nodes[at]
	switch n.typ {
	case scan.Null:
		t.leaveOut(c)
		return append(b, "null"...), nil
	case scan.Object:
		if c.Kind == Map {
			return t.appendMap(b, &c.Fields[0], at)
		}
		if c.Kind == Struct {
			return t.appendStruct(b, c.Fields, at)
		}
	case scan.Array:
		if c.Kind == List {
			return t.appendList(b, &c.Fields[0], at)
		}
		if c.Kind == Tuple {
			return t.appendTuple(b, c.Fields, at)
		}
	case scan.String:
		if c.Kind == String {
			return AppendString(b, n.value), nil
		}
	case scan.Bool:
		if c.Kind == Bool {
			return append(b, n.value...), nil
		}
		if c.Kind == String {
			return AppendString(b, n.value), nil
		}
	case scan.Number:
		return appendNumber(b, c.Kind, n.value)
	}
	return b, refuse(CodeType, "", "a value of the type "+c.Kind.String()+" was expected")
}

// appendStruct appends the fields that have a column and a value, in the order of the columns.
func (t *tree) appendStruct(b []byte, fields []Column, object int) ([]byte, *Problem) {
	b = append(b, '{')
	n := 0
	for i := range fields {
		at, ok := t.named(object, fields[i].Name)
		if !ok {
			t.leaveOut(&fields[i])
			continue
		}
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(AppendString(b, fields[i].Name), ':')
		var p *Problem
		if b, p = t.appendValue(b, &fields[i], at); p != nil {
			return b, p.below(joinPath("", fields[i].Name))
		}
	}
	return append(b, '}'), nil
}

// appendMap appends the members that are not null, sorted by name.
func (t *tree) appendMap(b []byte, c *Column, object int) ([]byte, *Problem) {
	var members []int
	for i := t.nodes[object].first; i != 0; i = t.nodes[i].next {
		if t.nodes[i].typ != scan.Null {
			members = append(members, i)
		}
	}
	slices.SortFunc(members, func(i, j int) int { return bytes.Compare(t.nodes[i].name, t.nodes[j].name) })
	t.depth++
	defer func() { t.depth-- }()
	b = append(b, '{')
	for n, at := range members {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(AppendString(b, t.nodes[at].name), ':')
		var p *Problem
		if b, p = t.appendValue(b, c, at); p != nil {
			return b, p.below(joinPath("", string(t.nodes[at].name)))
		}
	}
	return append(b, '}'), nil
}

func (t *tree) appendList(b []byte, c *Column, list int) ([]byte, *Problem) {
	t.depth++
	defer func() { t.depth-- }()
	b = append(b, '[')
	n := 0
	for at := t.nodes[list].first; at != 0; at = t.nodes[at].next {
		if n > 0 {
			b = append(b, ',')
		}
		var p *Problem
		if b, p = t.appendValue(b, c, at); p != nil {
			return b, p.below(indexPath("", n))
		}
		n++
	}
	return append(b, ']'), nil
}

// appendTuple appends the members that have a column, without the nulls at the end.
func (t *tree) appendTuple(b []byte, fields []Column, list int) ([]byte, *Problem) {
	b = append(b, '[')
	end, n := len(b), 0 // where the last member that is not null ends
	for at := t.nodes[list].first; at != 0 && n < len(fields); at = t.nodes[at].next {
		if n > 0 {
			b = append(b, ',')
		}
		var p *Problem
		if b, p = t.appendValue(b, &fields[n], at); p != nil {
			return b, p.below(indexPath("", n))
		}
		if n++; t.nodes[at].typ != scan.Null {
			end = len(b)
		}
	}
	for ; n < len(fields); n++ {
		t.leaveOut(&fields[n])
	}
	return append(b[:end], ']'), nil
}

// leaveOut counts the columns that an element has no value of.
func (t *tree) leaveOut(c *Column) {
	if t.depth > 0 {
		t.gaps += width(c)
	}
}

// width is how many columns a value of the column takes, whatever its arrays and maps hold.
func width(c *Column) (n int) {
	if c.Kind != Struct && c.Kind != Tuple {
		return 1
	}
	for i := range c.Fields {
		n += width(&c.Fields[i])
	}
	return n
}

// freeGaps is how many columns the elements of an event's arrays and maps may have no value of, or as many as the event has bytes: "{}," may have
// hundreds, which take memory in whatever reads it.
const freeGaps = 1024

func (t *tree) checkGaps(bytes int) *Problem {
	if most := max(freeGaps, bytes); t.gaps > most {
		return refuse(CodeLength, "", "arrays and maps whose elements leave out fewer fields were expected: "+strconv.Itoa(t.gaps)+
			" values are left out, at most "+strconv.Itoa(most)+" may be (one a byte of the event, or "+strconv.Itoa(freeGaps)+")")
	}
	return nil
}

func appendNumber(b []byte, kind Kind, number []byte) ([]byte, *Problem) {
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

// wholeNumber is the value of an integer within int64.
func wholeNumber(number []byte) (whole int64, ok bool) {
	whole, why := parseInteger(number, math.MinInt64, math.MaxInt64)
	return whole, why == ""
}

// floatOf is the number as a double; reading it has seen that it is one.
func floatOf(number []byte) float64 {
	v, _ := strconv.ParseFloat(string(number), 64)
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

// AppendString appends a string in quotes, with escapes for quotes, backslashes and control
// characters only, so that a row has no line break.
func AppendString[T string | []byte](b []byte, s T) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&0x0f])
		} else {
			b = append(b, '\\', c)
		}
	}
	return append(append(b, s[from:]...), '"')
}
