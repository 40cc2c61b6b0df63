package event

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"iter"
	"regexp"
	"strconv"
)

// A record is one line of the log: which dataset and stream a row belongs to, its key, and the row.
//
//	raw interaction 1795268400000 3f2504e04f8941d39a0c0305e82c3301 {"timestamp":1795268400000,…}
//
// A group is records one after the other; it is what the log stores and acknowledges as one.
type Record struct {
	Dataset string
	Stream  string
	Key     Key
	Row     []byte // JSON in the order of the stream's columns; shares memory with the group
}

// CollectorName is of what a process that collects may be called, in canaries.
var CollectorName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$`)

// AppendRecord appends the record to a group. The row must hold no line break.
func AppendRecord(group []byte, r Record) []byte {
	group = append(group, r.Dataset...)
	group = append(group, ' ')
	group = append(group, r.Stream...)
	group = append(group, ' ')
	group = strconv.AppendInt(group, r.Key.Time, 10)
	group = append(group, ' ')
	group = hex.AppendEncode(group, r.Key.ID[:])
	group = append(group, ' ')
	group = append(group, r.Row...)
	return append(group, '\n')
}

// Records walks the records of a group. A line that is no record is given with an error and its bytes as Row.
func Records(group []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var before Record
		for len(group) > 0 {
			line, rest, _ := bytes.Cut(group, []byte{'\n'})
			group = rest
			r, err := parseRecord(line, before)
			if !yield(r, err) {
				return
			}
			before = r
		}
	}
}

// parseRecord takes the names from the record before where they are the same, as they mostly are.
func parseRecord(line []byte, before Record) (Record, error) {
	dataset, rest, _ := bytes.Cut(line, []byte{' '})
	stream, rest, _ := bytes.Cut(rest, []byte{' '})
	millis, rest, _ := bytes.Cut(rest, []byte{' '})
	id, row, ok := bytes.Cut(rest, []byte{' '})
	r := Record{Dataset: before.Dataset, Stream: before.Stream, Row: row}
	if r.Dataset != string(dataset) {
		r.Dataset = string(dataset)
	}
	if r.Stream != string(stream) {
		r.Stream = string(stream)
	}
	if !ok || len(id) != 2*len(r.Key.ID) {
		return Record{Row: line}, fmt.Errorf("a log line of %d bytes is no record", len(line))
	}
	var err error
	if r.Key.Time, err = strconv.ParseInt(string(millis), 10, 64); err != nil {
		return Record{Row: line}, fmt.Errorf("a record's time is no number")
	}
	if _, err = hex.Decode(r.Key.ID[:], id); err != nil {
		return Record{Row: line}, fmt.Errorf("a record's id is not hexadecimal")
	}
	return r, nil
}
