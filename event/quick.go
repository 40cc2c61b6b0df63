package event

import (
	"cmp"
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// quick is a schema that is made ready to accept what is plainly valid. The schema library walks
// a schema by general rules, with fractions for numbers and a record of where it is; here each node has just
// the keywords that most schemas have, and the answer is yes or not sure. Whatever quick is not
// sure of, the library decides and words, so that the two cannot disagree on what is refused;
// FuzzQuick holds that quick accepts nothing that the library refuses.
type quick struct {
	types      typeSet // 0: any
	values     []any   // of enum or const, those that are no arrays and objects
	listed     bool    // whether it must be one of values
	format     func(any) error
	pattern    jsonschema.Regexp
	minLength  int
	maxLength  int // -1: none; so below
	minimum    *bound
	maximum    *bound
	required   []string
	properties map[string]*quick
	names      *quick
	additional *quick // nil: anything
	closed     bool   // nothing but properties
	minItems   int
	maxItems   int
	prefix     []*quick
	items      *quick // behind prefix; nil: anything
	noItems    bool   // nothing behind prefix
	all        []*quick
	any        []*quick
}

type typeSet uint8

const (
	typeNull typeSet = 1 << iota
	typeBoolean
	typeInteger
	typeNumber
	typeString
	typeArray
	typeObject
)

var typeSets = map[string]typeSet{"null": typeNull, "boolean": typeBoolean, "integer": typeInteger,
	"number": typeNumber | typeInteger, "string": typeString, "array": typeArray, "object": typeObject}

// bound is a minimum or maximum.
type bound struct {
	whole   int64
	isWhole bool
	exact   *big.Rat
}

func boundOf(exact *big.Rat) *bound {
	if exact == nil {
		return nil
	}
	b := &bound{exact: exact}
	if b.isWhole = exact.IsInt() && exact.Num().IsInt64(); b.isWhole {
		b.whole = exact.Num().Int64()
	}
	return b
}

// newQuick is nil where the schema has a keyword that quick does not know.
func newQuick(s *jsonschema.Schema) *quick {
	c := quickCompiler{}
	root := c.node(s)
	if c.beyond {
		return nil
	}
	return root
}

type quickCompiler struct {
	open   map[*jsonschema.Schema]bool // those being compiled: a $ref may lead back to one
	beyond bool                        // something that quick does not know was met
}

func (c *quickCompiler) node(s *jsonschema.Schema) *quick {
	if s == nil {
		return nil
	}
	q := &quick{}
	if c.open[s] || isBeyondQuick(s) {
		c.beyond = true
		return q
	}
	if c.open == nil {
		c.open = map[*jsonschema.Schema]bool{}
	}
	c.open[s] = true
	defer delete(c.open, s)
	c.scalars(q, s)
	c.object(q, s)
	c.array(q, s)
	if s.Ref != nil {
		q.all = append(q.all, c.node(s.Ref))
	}
	for _, part := range s.AllOf {
		q.all = append(q.all, c.node(part))
	}
	for _, option := range s.AnyOf {
		q.any = append(q.any, c.node(option))
	}
	return q
}

// isBeyondQuick says whether a schema has a keyword that quick does not know.
func isBeyondQuick(s *jsonschema.Schema) bool {
	return s.Bool != nil && !*s.Bool ||
		s.RecursiveRef != nil || s.DynamicRef != nil ||
		s.Not != nil || len(s.OneOf) > 0 || s.If != nil ||
		s.MinProperties != nil || s.MaxProperties != nil || len(s.PatternProperties) > 0 ||
		len(s.Dependencies)+len(s.DependentRequired)+len(s.DependentSchemas) > 0 ||
		s.UnevaluatedProperties != nil || s.UnevaluatedItems != nil ||
		s.UniqueItems || s.Contains != nil || s.MultipleOf != nil ||
		s.ContentEncoding != nil || s.ContentMediaType != nil || s.ContentSchema != nil ||
		len(s.Extensions) > 0
}

func (c *quickCompiler) scalars(q *quick, s *jsonschema.Schema) {
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			q.types |= typeSets[name]
		}
	}
	if s.Enum != nil {
		q.listed, q.values = true, s.Enum.Values
	}
	if s.Const != nil {
		if q.listed { // both: nobody writes that
			c.beyond = true
		}
		q.listed, q.values = true, []any{*s.Const}
	}
	if s.Format != nil {
		q.format = s.Format.Validate
		c.beyond = c.beyond || s.Format.Name == "regex"
	}
	q.pattern = s.Pattern
	q.minLength, q.maxLength = limitsOf(s.MinLength, s.MaxLength)
	q.minimum, q.maximum = boundOf(s.Minimum), boundOf(s.Maximum)
	if s.ExclusiveMinimum != nil || s.ExclusiveMaximum != nil {
		c.beyond = true
	}
}

func limitsOf(low, high *int) (least, most int) {
	most = -1
	if low != nil {
		least = *low
	}
	if high != nil {
		most = *high
	}
	return least, most
}

func (c *quickCompiler) object(q *quick, s *jsonschema.Schema) {
	q.required = s.Required
	q.names = c.node(s.PropertyNames)
	q.properties = make(map[string]*quick, len(s.Properties))
	for name, property := range s.Properties {
		q.properties[name] = c.node(property)
	}
	q.additional, q.closed = c.rest(s.AdditionalProperties)
}

func (c *quickCompiler) array(q *quick, s *jsonschema.Schema) {
	q.minItems, q.maxItems = limitsOf(s.MinItems, s.MaxItems)
	if s.DraftVersion >= 2020 {
		for _, item := range s.PrefixItems {
			q.prefix = append(q.prefix, c.node(item))
		}
		if s.Items2020 != nil {
			q.items, q.noItems = c.rest(s.Items2020)
		}
		return
	}
	switch items := s.Items.(type) {
	case *jsonschema.Schema:
		q.items = c.node(items)
	case []*jsonschema.Schema:
		for _, item := range items {
			q.prefix = append(q.prefix, c.node(item))
		}
		q.items, q.noItems = c.rest(s.AdditionalItems)
	}
}

// rest is what may stand beside what is named: anything (nil), nothing, or what a schema says.
func (c *quickCompiler) rest(what any) (q *quick, nothing bool) {
	switch what := what.(type) {
	case bool:
		return nil, !what
	case *jsonschema.Schema:
		if what.Bool != nil {
			return nil, !*what.Bool
		}
		return c.node(what), false
	}
	return nil, false
}

// accepts says whether a decoded value is valid; false says that it may not be.
func (q *quick) accepts(value any) bool {
	if q.listed && !q.lists(value) {
		return false
	}
	if !q.acceptsType(value) {
		return false
	}
	for _, part := range q.all {
		if !part.accepts(value) {
			return false
		}
	}
	return len(q.any) == 0 || slices.ContainsFunc(q.any, func(option *quick) bool { return option.accepts(value) })
}

// lists compares what can be compared plainly.
func (q *quick) lists(value any) bool {
	switch value.(type) {
	case nil, string, bool:
		return slices.ContainsFunc(q.values, func(v any) bool {
			switch v.(type) {
			case nil, string, bool:
				return v == value
			}
			return false
		})
	}
	return false
}

func (q *quick) acceptsType(value any) bool {
	switch v := value.(type) {
	case nil:
		return q.takes(typeNull)
	case bool:
		return q.takes(typeBoolean)
	case string:
		return q.takes(typeString) && q.acceptsText(v)
	case json.Number:
		return q.acceptsNumber(v)
	case []any:
		return q.takes(typeArray) && q.acceptsArray(v)
	case map[string]any:
		return q.takes(typeObject) && q.acceptsObject(v)
	}
	return false
}

func (q *quick) takes(t typeSet) bool { return q.types == 0 || q.types&t != 0 }

func (q *quick) acceptsText(text string) bool {
	if q.minLength > 0 || q.maxLength >= 0 {
		if n := utf8.RuneCountInString(text); n < q.minLength || q.maxLength >= 0 && n > q.maxLength {
			return false
		}
	}
	if q.pattern != nil && !q.pattern.MatchString(text) {
		return false
	}
	return q.format == nil || q.format(text) == nil
}

func (q *quick) acceptsNumber(number json.Number) bool {
	whole, isWhole := wholeNumber(number)
	switch {
	case q.takes(typeNumber):
	case isWhole && q.takes(typeInteger):
	default:
		return false
	}
	return (q.minimum == nil || q.minimum.compare(number, whole, isWhole) >= 0) &&
		(q.maximum == nil || q.maximum.compare(number, whole, isWhole) <= 0)
}

// wholeNumber is the value of an integer within int64.
func wholeNumber(number json.Number) (whole int64, ok bool) {
	whole, why := parseInteger([]byte(number), math.MinInt64, math.MaxInt64)
	return whole, why == ""
}

// compare is below 0 where the number is below the bound, above 0 where it is above.
func (b *bound) compare(number json.Number, whole int64, isWhole bool) int {
	if isWhole && b.isWhole {
		return cmp.Compare(whole, b.whole)
	}
	exact, _ := new(big.Rat).SetString(string(number)) // decodeNumber has seen that it is one, and not huge
	return exact.Cmp(b.exact)
}

func (q *quick) acceptsArray(list []any) bool {
	if len(list) < q.minItems || q.maxItems >= 0 && len(list) > q.maxItems {
		return false
	}
	for i, value := range list {
		switch {
		case i < len(q.prefix):
			if !q.prefix[i].accepts(value) {
				return false
			}
		case q.noItems:
			return false
		case q.items != nil && !q.items.accepts(value):
			return false
		}
	}
	return true
}

func (q *quick) acceptsObject(object map[string]any) bool {
	for _, name := range q.required {
		if _, ok := object[name]; !ok {
			return false
		}
	}
	for name, value := range object {
		if q.names != nil && !q.names.accepts(name) {
			return false
		}
		property, named := q.properties[name]
		switch {
		case named:
			if !property.accepts(value) {
				return false
			}
		case q.closed:
			return false
		case q.additional != nil && !q.additional.accepts(value):
			return false
		}
	}
	return true
}
