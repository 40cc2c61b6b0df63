package event

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Stream is a named kind of event: how its events are checked, keyed and stored.
type Stream struct {
	Name    string
	Time    string        // path of the time field, like timestamp or meta.dt
	ID      string        // path of the id, id or meta.id; "" where events have none
	Unit    string        // path of the unit, the field that holds an install id, like app_install_id; "" where it has none
	MaxAge  time.Duration // older events are refused; 0: none are
	Schemas []*Schema     // its versions, the newest first
	Columns []Column      // of its rows: the time and the id where they are top-level, received, the rest

	keep  []string // the client fields that are not removed, as of plainName
	paths struct{ time, id, unit []string }
}

// StreamConfig is what the operator says of a stream.
type StreamConfig struct {
	Name   string        // [a-z0-9_]{1,64}
	Schema string        // $id, with its version or without, then the newest major
	Time   string        // path of the time field; default: the first there is of dt, timestamp, meta.dt
	Unit   string        // path of the field that holds an install id; default "": it has none
	Keep   []string      // names of fields that are kept although they hold a client's address or headers
	MaxAge time.Duration // older events are refused; default 0: none are
}

// StreamError is what is wrong with the value of a key of a stream's config.
type StreamError struct {
	Key  string // schema, time, unit or keep_fields; "" for the stream itself
	What string
	Fix  string // the likely fix; "" where none is known
}

func (e *StreamError) Error() string {
	return e.What + inBrackets(e.Fix)
}

var streamName = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// InteractionStream is the built-in stream.
func InteractionStream() *Stream {
	return &Stream{
		Name:    Interaction,
		Time:    "timestamp",
		ID:      "id",
		MaxAge:  maxAge,
		Schemas: []*Schema{InteractionSchema()},
		Columns: InteractionColumns(),
	}
}

// Stream makes a stream of the schemas that the configuration names. The error says what
// does not fit, and of which schema file.
func (r *Registry) Stream(c StreamConfig) (*Stream, error) {
	if c.Name == Interaction {
		return nil, errors.New("interaction is built in: take it off the list of streams")
	}
	if !streamName.MatchString(c.Name) {
		return nil, errors.New("a stream's name is 1 to 64 of a-z, 0-9, _")
	}
	schemas, err := r.versions(c.Schema)
	if err != nil {
		return nil, err
	}
	columns, err := Columns(schemas...)
	if err != nil {
		return nil, err
	}
	s := &Stream{Name: c.Name, Unit: c.Unit, MaxAge: c.MaxAge, Schemas: schemas}
	if s.Time, err = timePath(columns, c.Time); err != nil {
		return nil, err
	}
	if err := checkUnit(columns, c.Unit); err != nil {
		return nil, err
	}
	if err := checkKeep(columns, c.Keep); err != nil {
		return nil, err
	}
	for _, name := range c.Keep {
		s.keep = append(s.keep, plainName(name))
	}
	if err := checkRequired(schemas, s.keep); err != nil {
		return nil, err
	}
	s.ID = idPath(columns)
	s.paths.time, s.paths.id, s.paths.unit = names(s.Time), names(s.ID), names(s.Unit)
	s.Columns = s.arrange(columns)
	return s, nil
}

// names are those of a path; none of "".
func names(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '.' })
}

// checkUnit checks the path of the unit, where there is one.
func checkUnit(columns []Column, path string) error {
	if path == "" {
		return nil
	}
	c, ok := columnAt(columns, path)
	switch {
	case !ok:
		return &StreamError{Key: "unit", What: path + ": no schema of this stream has it", Fix: LikelyFix(path, scalarPaths("", columns))}
	case c.Kind != String && c.Kind != Int64 && c.Kind != Int32:
		return &StreamError{Key: "unit", What: path + ": a unit is a string or an integer, and this is a field of the type " + c.Kind.String(), Fix: "name the field that holds the install id"}
	case isClientField(path[strings.LastIndexByte(path, '.')+1:]):
		return &StreamError{Key: "unit", What: path + ": it holds an address or a header, which is no unit", Fix: "name the field that holds the install id"}
	}
	return nil
}

// scalarPaths are the paths of all fields that are a string or an integer.
func scalarPaths(above string, columns []Column) (paths []string) {
	for _, c := range columns {
		switch c.Kind {
		case Struct:
			paths = append(paths, scalarPaths(above+c.Name+".", c.Fields)...)
		case String, Int32, Int64:
			paths = append(paths, above+c.Name)
		}
	}
	return paths
}

// timePath checks the path of the time field, or finds it.
func timePath(columns []Column, path string) (string, error) {
	if path != "" {
		c, ok := columnAt(columns, path)
		if !ok || c.Kind != Int64 && c.Kind != String {
			return "", &StreamError{Key: "time", What: path + ": no field that holds a time: an integer (ms since the epoch) or a string (date-time) was expected",
				Fix: LikelyFix(path, scalarPaths("", columns))}
		}
		return path, nil
	}
	for _, path := range []string{"dt", "timestamp", "meta.dt"} {
		if c, ok := columnAt(columns, path); ok && (c.Kind == Int64 || c.Kind == String) {
			return path, nil
		}
	}
	return "", &StreamError{Key: "time", What: "no field dt, timestamp or meta.dt", Fix: "say which field holds an event's time"}
}

func idPath(columns []Column) string {
	for _, path := range []string{"id", "meta.id"} {
		if c, ok := columnAt(columns, path); ok && (c.Kind == Int64 || c.Kind == String) {
			return path
		}
	}
	return ""
}

// columnAt finds the column at a path of names, separated by points.
func columnAt(columns []Column, path string) (c Column, ok bool) {
	for name := range strings.SplitSeq(path, ".") {
		i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return Column{}, false
		}
		c = columns[i]
		columns = nil
		if c.Kind == Struct {
			columns = c.Fields
		}
	}
	return c, true
}

// arrange puts the time and the id first and received behind them.
func (s *Stream) arrange(columns []Column) []Column {
	var first, rest []Column
	for _, c := range columns {
		if c.Name == s.Time || c.Name == s.ID {
			first = append(first, c)
		} else {
			rest = append(rest, c)
		}
	}
	slices.SortStableFunc(first, func(a, b Column) int {
		return order(b.Name == s.Time) - order(a.Name == s.Time)
	})
	first = append(first, Column{Name: "received", Kind: Int64})
	return append(first, rest...)
}

func order(first bool) int {
	if first {
		return 1
	}
	return 0
}
