package event

import (
	"cmp"
	"math/big"
	"slices"
	"unicode/utf8"

	"brine/event/scan"
)

// accepts says whether a value is valid; false says that it may not be.
func (q *quick) accepts(t *tree, at int) bool {
	if q.listed && !q.lists(&t.nodes[at]) {
		return false
	}
	if !q.acceptsType(t, at) {
		return false
	}
	for _, part := range q.all {
		if !part.accepts(t, at) {
			return false
		}
	}
	return len(q.any) == 0 || slices.ContainsFunc(q.any, func(option *quick) bool { return option.accepts(t, at) })
}

// lists compares what can be compared plainly.
func (q *quick) lists(n *node) bool {
	return slices.ContainsFunc(q.values, func(v any) bool {
		switch v := v.(type) {
		case nil:
			return n.typ == scan.Null
		case string:
			return n.typ == scan.String && string(n.value) == v
		case bool:
			return n.typ == scan.Bool && n.value[0] == 't' == v
		}
		return false
	})
}

func (q *quick) acceptsType(t *tree, at int) bool {
	n := &t.nodes[at]
	switch n.typ {
	case scan.Null:
		return q.takes(typeNull)
	case scan.Bool:
		return q.takes(typeBoolean)
	case scan.String:
		return q.takes(typeString) && q.acceptsText(n.value)
	case scan.Number:
		return q.acceptsNumber(n.value)
	case scan.Array:
		return q.takes(typeArray) && q.acceptsArray(t, n)
	case scan.Object:
		return q.takes(typeObject) && q.acceptsObject(t, at)
	}
	return false
}

func (q *quick) takes(t typeSet) bool { return q.types == 0 || q.types&t != 0 }

func (q *quick) acceptsText(text []byte) bool {
	if q.minLength > 0 || q.maxLength >= 0 {
		if n := utf8.RuneCount(text); n < q.minLength || q.maxLength >= 0 && n > q.maxLength {
			return false
		}
	}
	if q.pattern != nil && !q.pattern.Match(text) {
		return false
	}
	return q.format == nil || q.isTime && isPlainTime(text) || q.format(string(text)) == nil
}

// isPlainTime says whether a text is a date-time as nearly all are, like 2026-11-21T13:45:01.500Z.
// It is not sure of the last days of a month and of leap seconds.
func isPlainTime(text []byte) bool {
	const form = "0000-00-00T00:00:00"
	if len(text) <= len(form) || text[len(text)-1] != 'Z' {
		return false
	}
	for i, c := range []byte(form) {
		if c == '0' && text[i]-'0' > 9 || c != '0' && text[i] != c {
			return false
		}
	}
	two := func(i int) int { return int(text[i]-'0')*10 + int(text[i+1]-'0') }
	month, day, hour, minute, second := two(5), two(8), two(11), two(14), two(17)
	fits := month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour < 24 && minute < 60 && second < 60
	fraction := text[len(form) : len(text)-1]
	return fits && (len(fraction) == 0 || fraction[0] == '.' && isDigits(fraction[1:]))
}

func isDigits(text []byte) bool {
	return len(text) > 0 && len(text) <= 9 && !slices.ContainsFunc(text, func(c byte) bool { return c-'0' > 9 })
}

func (q *quick) acceptsNumber(number []byte) bool {
	whole, isWhole := wholeNumber(number)
	if !q.takes(typeNumber) && !(isWhole && q.takes(typeInteger)) {
		return false
	}
	return (q.minimum == nil || q.minimum.compare(number, whole, isWhole) >= 0) &&
		(q.maximum == nil || q.maximum.compare(number, whole, isWhole) <= 0)
}

// compare is below 0 where the number is below the bound, above 0 where it is above.
func (b *bound) compare(number []byte, whole int64, isWhole bool) int {
	if isWhole && b.isWhole {
		return cmp.Compare(whole, b.whole)
	}
	exact, _ := new(big.Rat).SetString(string(number)) // reading it has seen that it is one, and not huge
	return exact.Cmp(b.exact)
}

func (q *quick) acceptsArray(t *tree, list *node) bool {
	n := 0
	for at := list.first; at != 0; at = t.nodes[at].next {
		switch {
		case n < len(q.prefix):
			if !q.prefix[n].accepts(t, at) {
				return false
			}
		case q.noItems:
			return false
		case q.items != nil && !q.items.accepts(t, at):
			return false
		}
		n++
	}
	return n >= q.minItems && (q.maxItems < 0 || n <= q.maxItems)
}

func (q *quick) acceptsObject(t *tree, object int) bool {
	required := 0
	for at := t.nodes[object].first; at != 0; at = t.nodes[at].next {
		name := t.nodes[at].name
		if q.names != nil && !(q.names.takes(typeString) && q.names.acceptsText(name)) {
			return false
		}
		property, named := q.properties[string(name)]
		switch {
		case named:
			if property.required {
				required++
			}
			if !property.accepts(t, at) {
				return false
			}
		case q.closed:
			return false
		case q.additional != nil && !q.additional.accepts(t, at):
			return false
		}
	}
	return required == q.required
}
