package event

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"sync"
	"time"

	"brine/event/scan"
)

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
	e.gaps = 0
	row, p := e.appendStruct(dst, s.Columns, root)
	if p == nil {
		p = e.checkGaps(len(row) - len(dst))
	}
	if p != nil {
		return dst, Key{}, p
	}
	return row, key, nil
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
