package sanitize

import (
	"fmt"
	"slices"

	"brine/event"
)

// unfit is why a rule does not fit a field, with the likely fix; what is "" where it fits.
type unfit struct{ what, fix string }

// fits says of a rule and a field that has no fields of its own listed whether they go together.
// isTime is whether a schema says that the text is a time.
func fits(r Rule, c event.Column, isTime bool) unfit {
	switch r.Kind {
	case Keep:
		if holdsObjects(c) {
			return unfit{"keep fits a value, and this is " + kindName(c), "list the fields of it that may stay"}
		}
	case KeepAll:
		if !holdsObjects(c) {
			return unfit{"keep_all fits objects, and this is " + kindName(c), "say keep"}
		}
	case Hash, HashPerStream:
		if !hashable(c) {
			return unfit{fmt.Sprintf("%s fits strings, integers and arrays of them, and this is %s", r.Kind, kindName(c)), hashFix(c)}
		}
	case Floor:
		if c.Kind != event.Int64 && !(c.Kind == event.String && isTime) {
			return unfit{"floor fits times, and this is " + kindName(c) + timeHint(c), floorFix(c)}
		}
	case Bucket:
		if c.Kind != event.Int32 && c.Kind != event.Int64 && c.Kind != event.Double {
			return unfit{"bucket fits numbers, and this is " + kindName(c), "say keep, hash, only or drop"}
		}
	case Only:
		if !namesIn(c) {
			return unfit{"only fits strings, arrays of strings, and arrays of tuples that begin with a string, and this is " + kindName(c), "say keep, bucket or drop"}
		}
	}
	return unfit{}
}

func timeHint(c event.Column) string {
	if c.Kind == event.String {
		return " of which no schema says format: date-time"
	}
	return ""
}

func floorFix(c event.Column) string {
	switch c.Kind {
	case event.String:
		return "say so in the schema, or say keep, hash, only or drop"
	case event.Int32, event.Double:
		return "say bucket: [1, 10, 100]"
	}
	return "say keep or drop"
}

func hashFix(c event.Column) string {
	switch {
	case holdsObjects(c):
		return "list the fields below it, each with its rule"
	case c.Kind == event.Double:
		return "say bucket: [1, 10, 100], keep or drop"
	}
	return "say keep or drop"
}

// holdsObjects says whether there are fields with names below a column that nobody has listed.
func holdsObjects(c event.Column) bool {
	switch c.Kind {
	case event.Struct, event.Map:
		return true
	case event.List, event.Tuple:
		return slices.ContainsFunc(c.Fields, holdsObjects)
	}
	return false
}

func hashable(c event.Column) bool {
	switch c.Kind {
	case event.String, event.UUID, event.Int32, event.Int64:
		return true
	case event.List:
		return hashable(c.Fields[0])
	}
	return false
}

// namesIn says whether a column holds what [Only] judges by.
func namesIn(c event.Column) bool {
	if c.Kind == event.List {
		c = c.Fields[0]
		if c.Kind == event.Tuple && !holdsObjects(c) {
			c = c.Fields[0]
		}
	}
	return c.Kind == event.String
}

// below are the fields that a column has below it, in arrays too; free says that any name is one.
func below(c event.Column) (fields []event.Column, free bool) {
	switch c.Kind {
	case event.Struct:
		return c.Fields, false
	case event.Map:
		return nil, true
	case event.List:
		if c.Fields[0].Kind == event.Struct {
			return c.Fields[0].Fields, false
		}
	}
	return nil, false
}

// result is the column that a rule without fields makes of one.
func result(r Rule, c event.Column) event.Column {
	switch r.Kind {
	case Hash, HashPerStream:
		return hashed(c)
	case Bucket, relabel:
		return event.Column{Name: c.Name, Kind: event.String}
	}
	return c
}

func hashed(c event.Column) event.Column {
	if c.Kind == event.List {
		return event.Column{Name: c.Name, Kind: event.List, Fields: []event.Column{hashed(c.Fields[0])}}
	}
	return event.Column{Name: c.Name, Kind: event.String}
}

// kindName is a column's type with its article.
func kindName(c event.Column) string {
	switch c.Kind {
	case event.List:
		switch c.Fields[0].Kind {
		case event.Struct, event.Map:
			return "an array of objects"
		case event.Tuple:
			return "an array of tuples"
		case event.List:
			return "an array of arrays"
		}
		return "an array of " + c.Fields[0].Kind.String() + "s"
	case event.Int32, event.Int64:
		return "an integer"
	case event.Struct:
		return "an object"
	}
	return "a " + c.Kind.String()
}
