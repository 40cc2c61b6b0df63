package event

import (
	"crypto/sha256"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"brine/event/scan"
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

// Append reads the one JSON value that src begins with, checks it, and appends it to dst as a
// row with the stream's columns. What it returns is as of [AppendInteraction].
func (s *Stream) Append(dst, src []byte, a *Arrival) (row []byte, key Key, n int, p *Problem) {
	if s.Name == Interaction {
		return AppendInteraction(dst, src, a)
	}
	e := appEvents.Get().(*AppEvent)
	defer appEvents.Put(e)
	if n, p = e.Read(src); p != nil {
		return dst, Key{}, n, p
	}
	if row, key, p = s.AppendEvent(dst, e, a); p != nil {
		return dst, Key{}, n, p
	}
	return row, key, n, nil
}

var appEvents = sync.Pool{New: func() any { return new(AppEvent) }}

// AppendEvent checks an event and appends it to dst as a row with the stream's columns. It
// changes the event.
//
// A client's address and headers are removed, but for those that the config keeps. An event of a
// schema with meta gets meta.id and meta.dt where it lacks them. Fields that no schema of the
// stream describes, where the schema lets them pass, are not kept.
func (s *Stream) AppendEvent(dst []byte, e *AppEvent, a *Arrival) ([]byte, Key, *Problem) {
	schema, p := s.schemaOf(e, a)
	if p != nil {
		return dst, Key{}, p
	}
	e.removeClientFields(root, s.keep)
	e.removeAddress(schema)
	s.fill(e, a)
	if p := schema.check(&e.tree); p != nil {
		return dst, Key{}, p
	}
	key, p := s.key(e, a)
	if p != nil {
		return dst, Key{}, p
	}
	e.set(root, "received", scan.Number, strconv.AppendInt(nil, FloorMillis(a.Now.UnixMilli()), 10))
	row, p := e.appendStruct(dst, s.Columns, root)
	return row, key, p
}

var schemaPath = []string{"$schema"}

// schemaOf is the version that the event names in $schema, which only an import may leave to be the newest.
func (s *Stream) schemaOf(e *AppEvent, a *Arrival) (*Schema, *Problem) {
	at, named := e.at(schemaPath)
	switch {
	case !named && a.AnyAge:
		return s.Schemas[0], nil
	case !named:
		return nil, missing("/$schema")
	}
	id := e.nodes[at].value
	for _, v := range s.Schemas {
		if v.ID == string(id) {
			return v, nil
		}
	}
	var ids []string
	for _, v := range s.Schemas {
		ids = append(ids, v.ID)
	}
	return nil, refuse(CodeValue, "/$schema", "the $id of a schema of this stream was expected"+inBrackets(LikelyFix(string(id), ids)))
}

// removeAddress takes out what only says where an event belongs: $schema and meta, where the
// schema has no such field. They are no part of the event then.
func (e *AppEvent) removeAddress(schema *Schema) {
	for _, name := range []string{"$schema", "meta"} {
		if !schema.has(name) {
			e.remove(root, name)
		}
	}
}

// fill gives meta the id and the time that the server makes where the client has not.
func (s *Stream) fill(e *AppEvent, a *Arrival) {
	meta, ok := e.named(root, "meta")
	if !ok || e.nodes[meta].typ != scan.Object {
		return
	}
	if _, ok := e.named(meta, "id"); !ok && s.hasText("meta.id") {
		e.set(meta, "id", scan.String, appendUUID(nil, a.NewID()))
	}
	if _, ok := e.named(meta, "dt"); !ok && s.hasText("meta.dt") {
		e.set(meta, "dt", scan.String, time.UnixMilli(FloorMillis(a.Now.UnixMilli())).UTC().AppendFormat(nil, time.RFC3339))
	}
}

func (s *Stream) hasText(path string) bool {
	c, ok := columnAt(s.Columns, path)
	return ok && c.Kind == String
}

// key makes the event's key of its time and its id.
func (s *Stream) key(e *AppEvent, a *Arrival) (Key, *Problem) {
	at, ok := e.at(s.paths.time)
	if !ok {
		return Key{}, missing(pointerTo(s.Time))
	}
	ms, ok := millis(&e.nodes[at])
	if !ok {
		return Key{}, refuse(CodeValue, pointerTo(s.Time), "a time from 1970 to 9999 was expected, in ms or by RFC 3339")
	}
	if s.MaxAge > 0 && !a.AnyAge && a.Now.Sub(time.UnixMilli(ms)) > s.MaxAge {
		return Key{}, refuse(CodeTime, pointerTo(s.Time), "a time not older than "+s.MaxAge.String()+" was expected")
	}
	return Key{Time: ms, ID: s.keyID(e, a)}, nil
}

// pointerTo is the JSON pointer for a path of names, separated by points.
func pointerTo(path string) string { return "/" + strings.ReplaceAll(path, ".", "/") }

// millis is a time in ms since the epoch, from such an integer or from a date-time.
func millis(n *node) (ms int64, ok bool) {
	switch n.typ {
	case scan.Number:
		ms, why := parseInteger(n.value, 0, maxMillis)
		return ms, why == ""
	case scan.String:
		t, err := time.Parse(time.RFC3339, string(n.value))
		ms = t.UnixMilli()
		return ms, err == nil && ms >= 0 && ms <= maxMillis
	}
	return 0, false
}

func (s *Stream) keyID(e *AppEvent, a *Arrival) [16]byte {
	if id, ok := e.textAt(s.paths.id); ok {
		return KeyID(id)
	}
	return a.NewID()
}

// UnitOf is the text of an event's unit, an integer's in decimal; "" where it has none.
func (s *Stream) UnitOf(e *AppEvent) string {
	text, _ := e.textAt(s.paths.unit)
	return text
}

// textAt is the text of a string, or of an integer in decimal.
func (t *tree) textAt(path []string) (text string, ok bool) {
	at, ok := t.at(path)
	if !ok {
		return "", false
	}
	n := &t.nodes[at]
	switch n.typ {
	case scan.String:
		return string(n.value), true
	case scan.Number:
		if whole, ok := wholeNumber(n.value); ok {
			return strconv.FormatInt(whole, 10), true
		}
	}
	return "", false
}

// KeyID is the id of a [Key] for the text of an event's id, an integer's in decimal: the bytes of a UUID, or else the
// first 16 bytes of the text's SHA-256.
func KeyID(text string) [16]byte {
	if id, ok := parseUUID([]byte(text)); ok {
		return id
	}
	sum := sha256.Sum256([]byte(text))
	return [16]byte(sum[:16])
}
