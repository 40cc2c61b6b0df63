package event

import (
	"cmp"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// problemOf is the first problem, by its path, of those that the schema library found. The
// library's own messages repeat values, so none of them is used.
func problemOf(err error) *Problem {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return refuse(CodeValue, "", "an event of this stream's schema was expected")
	}
	problems := leaves(nil, invalid)
	return slices.MinFunc(problems, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
}

// leaves appends the problems that an error stands for: those it is made of where all of
// them have to be mended, else itself.
func leaves(problems []*Problem, e *jsonschema.ValidationError) []*Problem {
	switch e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			problems = leaves(problems, cause)
		}
		if len(e.Causes) > 0 {
			return problems
		}
	}
	return append(problems, problemOfKind(e))
}

func problemOfKind(e *jsonschema.ValidationError) *Problem {
	path := ""
	for _, part := range e.InstanceLocation {
		path = joinPath(path, part)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return missing(joinPath(path, slices.Min(k.Missing)))
	case *kind.AdditionalProperties:
		return unknownField(path, []byte(slices.Min(k.Properties)))
	case *kind.PropertyNames:
		return refuse(CodeValue, joinPath(path, k.Property), "another name was expected by the schema")
	case *kind.Type:
		return refuse(CodeType, path, "a value of the type "+strings.Join(k.Want, " or ")+" was expected")
	case *kind.FalseSchema:
		return refuse(CodeUnknown, path, "nothing was expected here")
	case *kind.Format:
		return refuse(CodeValue, path, "the format "+k.Want+" was expected")
	case *kind.Pattern:
		return refuse(CodeValue, path, "text that matches "+k.Want+" was expected")
	}
	if limit, ok := limitOf(e.ErrorKind); ok {
		return refuse(limit.code, path, limit.text+" expected")
	}
	return refuse(CodeValue, path, "a value by the schema's "+keyword(e.ErrorKind)+" was expected")
}

type limit struct{ code, text string }

// limitOf words the kinds that count or compare.
func limitOf(k jsonschema.ErrorKind) (limit, bool) {
	length := func(words string, n int, what string) (limit, bool) {
		return limit{CodeLength, words + " " + strconv.Itoa(n) + " " + what + " were"}, true
	}
	value := func(words string, want *big.Rat) (limit, bool) {
		v, _ := want.Float64()
		return limit{CodeValue, "a number " + words + " " + string(appendDouble(nil, v)) + " was"}, true
	}
	switch k := k.(type) {
	case *kind.MinLength:
		return length("at least", k.Want, "characters")
	case *kind.MaxLength:
		return length("at most", k.Want, "characters")
	case *kind.MinItems:
		return length("at least", k.Want, "items")
	case *kind.MaxItems:
		return length("at most", k.Want, "items")
	case *kind.MinProperties:
		return length("at least", k.Want, "fields")
	case *kind.MaxProperties:
		return length("at most", k.Want, "fields")
	case *kind.AdditionalItems:
		return limit{CodeLength, strconv.Itoa(k.Count) + " items fewer were"}, true
	case *kind.Minimum:
		return value("of at least", k.Want)
	case *kind.Maximum:
		return value("of at most", k.Want)
	case *kind.ExclusiveMinimum:
		return value("above", k.Want)
	case *kind.ExclusiveMaximum:
		return value("below", k.Want)
	}
	return limit{}, false
}

// keyword is the schema keyword that a kind of error is about.
func keyword(k jsonschema.ErrorKind) string {
	path := k.KeywordPath()
	if len(path) == 0 {
		return "rules"
	}
	return path[0]
}
