package event

// Kind is the type of a stored column.
type Kind uint8

// The kinds of columns. In a row of Brine's own encoding each is the JSON that stands beside it.
const (
	Bool   Kind = iota + 1 // true, false
	Int32                  // an integer within int32
	Int64                  // an integer within int64
	Double                 // a finite number
	String                 // a string
	UUID                   // a string, lower case, with dashes
	List                   // an array; Fields[0] is the element
	Struct                 // an object; Fields are its members, absent ones are null
	Map                    // an object with free keys; Fields[0] is the value
	Tuple                  // an array by position; Fields are its members, trailing ones may be absent
	Bytes                  // of no stream: what Brine makes for itself
)

// Column is one column of a stream, or one node below it. A stream's row is a JSON object
// that has each column at most once, in this order, without white space; null ones are left out.
type Column struct {
	Name   string
	Kind   Kind
	Fields []Column
}

// String names the kind as a reader of schemas would.
func (k Kind) String() string {
	names := [...]string{"none", "boolean", "integer", "integer", "number", "string", "UUID", "list", "object", "map", "tuple", "bytes"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}
