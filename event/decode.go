package event

import (
	"encoding/json"
	"math"
	"strconv"

	"brine/event/scan"
)

// decodeEvent reads the one JSON object that src begins with, for the streams that the
// schema library checks: objects as map[string]any, numbers as json.Number. It refuses what
// encoding/json would let pass: repeated keys, lone surrogates, numbers that no column holds.
//
// n is as of [AppendInteraction].
func decodeEvent(src []byte) (event map[string]any, n int, p *Problem) {
	d := scan.Scanner{Src: src}
	if t := d.Peek(); t != scan.Object && t != scan.End && t != scan.Invalid {
		p = refuse(CodeType, "", "an object was expected")
	} else if event, p = decodeObject(&d, 1); p == nil {
		return event, d.Pos, nil
	}
	whole := scan.Scanner{Src: src}
	if whole.Skip() != nil {
		return nil, -1, malformed()
	}
	return nil, whole.Pos, p
}

// decodeValue reads a value that stands in depth arrays and objects. The path of a problem
// is made on the way back, each level putting itself before it.
func decodeValue(d *scan.Scanner, depth int) (any, *Problem) {
	switch d.Peek() {
	case scan.Object:
		return decodeObject(d, depth+1)
	case scan.Array:
		return decodeArray(d, depth+1)
	case scan.String:
		return decodeText(d)
	case scan.Number:
		return decodeNumber(d)
	case scan.Bool:
		if v, err := d.Bool(); err == nil {
			return v, nil
		}
	case scan.Null:
		if d.Null() == nil {
			return nil, nil
		}
	}
	return nil, malformed()
}

func decodeObject(d *scan.Scanner, depth int) (map[string]any, *Problem) {
	if depth > scan.MaxDepth || d.Open('{') != nil {
		return nil, malformed()
	}
	object := make(map[string]any)
	for n := 0; ; n++ {
		more, err := d.More(n, '}')
		if err != nil {
			return nil, malformed()
		}
		if !more {
			return object, nil
		}
		raw, escaped, err := d.Key()
		if err != nil {
			return nil, malformed()
		}
		name := plainText(raw, escaped)
		if _, repeated := object[name]; repeated {
			return nil, repeatedKey("", []byte(name))
		}
		value, p := decodeValue(d, depth)
		if p != nil {
			return nil, p.below(joinPath("", name))
		}
		object[name] = value
	}
}

func decodeArray(d *scan.Scanner, depth int) ([]any, *Problem) {
	if depth > scan.MaxDepth || d.Open('[') != nil {
		return nil, malformed()
	}
	list := []any{}
	for n := 0; ; n++ {
		more, err := d.More(n, ']')
		if err != nil {
			return nil, malformed()
		}
		if !more {
			return list, nil
		}
		value, p := decodeValue(d, depth)
		if p != nil {
			return nil, p.below(indexPath("", n))
		}
		list = append(list, value)
	}
}

func decodeText(d *scan.Scanner) (any, *Problem) {
	raw, escaped, err := d.Text()
	if err != nil {
		return nil, malformed()
	}
	return plainText(raw, escaped), nil
}

func plainText(raw []byte, escaped bool) string {
	if escaped {
		raw = scan.Unescape(nil, raw)
	}
	return string(raw)
}

// maxPoint bounds the numbers that are handed to the schema library, which computes with
// fractions of whole numbers as large as the exponent says. Doubles reach from 10^-324 to 10^308.
const maxPoint = 330

func decodeNumber(d *scan.Scanner) (any, *Problem) {
	raw, err := d.Number()
	if err != nil {
		return nil, malformed()
	}
	if _, plain := parseDigits(raw); plain {
		return json.Number(raw), nil
	}
	exact := parseDecimal(raw)
	if exact.n == 0 {
		return json.Number("0"), nil
	}
	if _, err := strconv.ParseFloat(string(raw), 64); err != nil || math.Abs(float64(exact.point)) > maxPoint {
		return nil, refuse(CodeValue, "", "a number within the range of 64-bit floats was expected")
	}
	return json.Number(raw), nil
}
