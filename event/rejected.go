package event

// DatasetRaw and DatasetRejected are the datasets that a door writes: the events that were
// accepted, and of those that were refused a row each that has none of their values.
const (
	DatasetRaw      = "raw"
	DatasetRejected = "rejected"
)

// RejectedColumns are the columns of the rejected dataset, the same for every stream.
func RejectedColumns() []Column {
	return []Column{
		{Name: "received", Kind: Int64}, // server time, ms, floored to Slot; the row's key has the same
		{Name: "stream", Kind: String},
		{Name: "code", Kind: String},  // as of Problem
		{Name: "path", Kind: String},  // pointer in the schema: * for an index, ? for a name that it does not have
		{Name: "size", Kind: Int64},   // bytes of the event as it came
		{Name: "shape", Kind: String}, // JSON text: the keys that the schema knows, with the JSON types they had
	}
}
