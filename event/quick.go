package event

import (
	"math/big"
	"regexp"
	"slices"

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
	isTime     bool // the format is date-time
	pattern    *regexp.Regexp
	minLength  int
	maxLength  int // -1: none; so below
	minimum    *bound
	maximum    *bound
	required   int // how many of properties are required
	properties map[string]property
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

// property is a named member of an object.
type property struct {
	*quick
	required bool
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
		q.isTime = s.Format.Name == "date-time"
		c.beyond = c.beyond || s.Format.Name == "regex"
	}
	if s.Pattern != nil { // the library's is Go's own too, but takes no bytes
		q.pattern = regexp.MustCompile(s.Pattern.String())
	}
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
	if q.names = c.node(s.PropertyNames); q.names != nil {
		c.beyond = c.beyond || q.names.listed || len(q.names.all)+len(q.names.any) > 0
	}
	q.properties = make(map[string]property, len(s.Properties))
	for name, below := range s.Properties {
		q.properties[name] = property{c.node(below), slices.Contains(s.Required, name)}
	}
	for _, name := range s.Required {
		if _, ok := s.Properties[name]; !ok {
			c.beyond = true
		}
	}
	q.required = countOf(s.Required)
	q.additional, q.closed = c.rest(s.AdditionalProperties)
}

// countOf is how many different names there are.
func countOf(names []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(names))))
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
