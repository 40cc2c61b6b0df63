package erasure

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"brine/event"
	"brine/lake"
	"brine/lake/duck"
	"brine/salt"
	"brine/sanitize"
)

// marks are the values whose rows go, each with its request's place in the batch. They stay in Go: SQL
// calls a function that tells which request a row is of.
type marks map[string]int

// hits are how many rows were found, by the request's place in the batch.
type hits map[int]int64

func (h hits) sum() (n int64) {
	for _, rows := range h {
		n += rows
	}
	return n
}

// none is what the functions give for a row that stays.
const none = "-"

// text tells which request a value is of.
func (m marks) text(dst, value []byte) []byte {
	if i, ok := m[string(value)]; ok {
		return strconv.AppendInt(dst, int64(i), 10)
	}
	return append(dst, none...)
}

// line tells which request a line of the log is of, as text or in base64: one that could not be read.
func (m marks) line(dst, value []byte) []byte {
	decoded, err := base64.StdEncoding.DecodeString(string(value))
	for id, i := range m {
		if holds(value, id) || err == nil && holds(decoded, id) {
			return strconv.AppendInt(dst, int64(i), 10)
		}
	}
	return append(dst, none...)
}

// telling is how long an id is that nothing else looks like.
const telling = 16

var decimal = regexp.MustCompile(`^-?[0-9]+$`)

// holds says whether a line holds an id as a value of its JSON or, where the id is long enough to be nothing
// else, anywhere.
func holds(line []byte, id string) bool {
	if len(id) >= telling && bytes.Contains(line, []byte(id)) {
		return true
	}
	if bytes.Contains(line, event.AppendString(nil, id)) {
		return true
	}
	number := []byte(":" + id)
	return decimal.MatchString(id) && (bytes.Contains(line, append(number, ',')) || bytes.Contains(line, append(number, '}')))
}

// asTheyAre is the rows of a file with the columns that it has.
func asTheyAre(rows string) string { return rows }

// take counts the rows of a file that the function tells of a request, by a text of each, and rewrites
// the file without them. meta gives what the new file says of itself when so many rows are out.
func (p *pass) take(ctx context.Context, h *lake.Hour, f lake.File, typed func(rows string) string, text string, of duck.Text,
	meta func(rows int64) map[string]string) (made lake.File, found hits, err error) {
	name, end, err := p.r.Conn().TextFunction(func() duck.Text { return of })
	if err != nil {
		return made, nil, err
	}
	defer end()
	hit := fmt.Sprintf("%s(%s)", name, text)
	files := []lake.File{f}
	rows, err := h.From(ctx, files)
	if err != nil {
		return made, nil, err
	}
	if found, err = p.count(ctx, typed(rows), hit); err != nil || len(found) == 0 {
		return made, nil, err
	}
	w := lake.Rewrite{Table: lake.Table{Dataset: f.Dataset, Stream: f.Stream}, Inputs: files, Plain: p.e.o.Plain,
		SQL: fmt.Sprintf("SELECT * FROM %s WHERE coalesce(%s, '%s') = '%[3]s'", rows, hit, none)}
	if meta != nil {
		w.Meta = meta(found.sum())
	}
	p.e.o.Point("rows-found")
	if made, err = h.Rewrite(ctx, w); err != nil {
		return made, nil, err
	}
	p.add(f.Dataset, f.Stream, h.Start, found)
	return made, found, nil
}

func (p *pass) count(ctx context.Context, from, hit string) (hits, error) {
	rows, err := p.r.Conn().Query(ctx, fmt.Sprintf("SELECT hit::INTEGER, count(*) FROM (SELECT %s AS hit FROM %s) WHERE hit <> '%s' GROUP BY ALL", hit, from, none))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := hits{}
	for rows.Next() {
		for i := range rows.Len() {
			found[int(rows.Vector(0).Int32(i))] += rows.Vector(1).Int64(i)
		}
	}
	return found, rows.Err()
}

// text is the SQL of the id of a row, as text. Its column must be as this file, or [unit.typed], has it.
func (u unit) text() string {
	sql := duck.Ident(u.path[0])
	for _, name := range u.path[1:] {
		sql = fmt.Sprintf("struct_extract(%s, %s)", sql, duck.Quote(name))
	}
	return "CAST(" + sql + " AS VARCHAR)"
}

// typed reads rows with the unit's column as it is today: older files may lack it, or some of it.
func (u unit) typed(rows string) string {
	name, kind := duck.Ident(u.column.Name), duck.SQLType(u.column)
	return fmt.Sprintf("(SELECT TRY_CAST(%s AS %s) AS %[1]s FROM (SELECT NULL::%[2]s AS %[1]s WHERE false UNION ALL BY NAME FROM %[3]s))", name, kind, rows)
}

// pseudonyms are the marks of one salt, and of one stream where a rule tells streams apart. Hours come in
// order, so that those of a period share them.
type pseudonyms struct {
	salt, stream string
	marks        marks
}

// marksOf are the values by which a sanitized file's rows are found; why says that they cannot be.
func (p *pass) marksOf(h *lake.Hour, u unit, meta sanitize.Meta) (set marks, why string, err error) {
	rule, kept := meta.Rule(u.path)
	switch {
	case meta.Made == "":
		return nil, "", errors.New("a sanitized file does not say what it was made by: move it away, or sanitize the hour anew")
	case !kept:
		return nil, whyNoIdentifier, nil
	}
	switch rule.Kind {
	case sanitize.Keep, sanitize.KeepAll, sanitize.Only:
		return p.ids, "", nil
	case sanitize.Hash, sanitize.HashPerStream:
		return p.hashed(h, rule.Kind, meta)
	}
	return nil, whyCoarse, nil
}

func (p *pass) hashed(h *lake.Hour, kind sanitize.RuleKind, meta sanitize.Meta) (set marks, why string, err error) {
	if meta.IsBackfill() {
		return nil, whyBackfill, nil
	}
	key, err := p.e.o.Salts(h.Start)
	if errors.Is(err, salt.ErrForgotten) {
		return nil, whySaltGone, nil
	}
	if err != nil {
		return nil, "", err
	}
	if key.Period.Name() != meta.Salt {
		return nil, whySaltGone, nil
	}
	stream := ""
	if kind == sanitize.HashPerStream {
		stream = h.Stream
	}
	if p.salted.marks == nil || p.salted.salt != meta.Salt || p.salted.stream != stream {
		p.salted = pseudonyms{meta.Salt, stream, p.ids.under(key, stream)}
	}
	return p.salted.marks, "", nil
}

// under are the pseudonyms of ids; stream is "" where they are the same in all streams.
func (m marks) under(key *salt.Salt, stream string) marks {
	hasher := key.Hasher()
	hashed := make(marks, len(m))
	for id, i := range m {
		var name []byte
		if stream == "" {
			name = hasher.Pseudonym(nil, []byte(id))
		} else {
			name = hasher.PseudonymPerStream(nil, stream, []byte(id))
		}
		hashed[string(name)] = i
	}
	return hashed
}
