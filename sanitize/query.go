package sanitize

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"brine/event"
	"brine/lake/duck"
)

// Input is what one statement sanitizes: raw rows of one hour.
type Input struct {
	Rows   string        // what SQL can read FROM, like read_parquet([…], union_by_name=true)
	Hour   time.Time     // of the folder: the time of rows that keep none
	Source uint64        // tells the keys of this output's rows from those of others
	Hasher func() Hasher // makes one for each thread; nil: the salt is not there

	Unordered bool // the rows go into no file, and come in any order
}

// ErrNoSalt says that pseudonyms are asked for and there is no salt to make them with.
var ErrNoSalt = errors.New("the allowlist hashes a field, and there is no salt for this hour")

// Select gives the query whose result are the sanitized rows of raw ones, for one statement on the
// connection; done must be called after it. Columns that older files lack are null.
//
// In front of the plan's columns stand [duck.KeyColumns], to page by: the time that the row keeps, and
// its place among those of that time, which says nothing of the raw one.
//
// Rows come ordered by the time that they keep, then by a pseudonym where they have one, then at random: their
// order tells nothing that they do not tell themselves.
func (p *Plan) Select(conn *duck.Conn, in Input) (sql string, done func(), err error) {
	q := &query{stream: p.Stream}
	if p.NeedsSalt() && in.Hasher == nil {
		return "", nil, ErrNoSalt
	}
	if q.uuid, err = conn.UUIDFunction(); err != nil {
		return "", nil, err
	}
	if q.time, err = conn.TimeFunction(); err != nil {
		return "", nil, err
	}
	if q.chance, err = conn.ChanceFunction(); err != nil {
		return "", nil, err
	}
	done, err = q.register(conn, p, in.Hasher)
	if err != nil {
		return "", nil, err
	}
	return q.sql(p, in), done, nil
}

// query writes SQL.
type query struct {
	stream              string
	hash, hashPerStream string // names of functions that hold the key
	uuid                string // name of the function that makes one of halves
	time                string // name of the function that writes one
	chance              string // name of the function that gives some
	depth               int    // of lambdas
}

// register makes the functions that the plan needs.
func (q *query) register(conn *duck.Conn, p *Plan, hasher func() Hasher) (done func(), err error) {
	var all []func()
	done = func() {
		for _, end := range all {
			end()
		}
	}
	for _, f := range []struct {
		kind RuleKind
		name *string
		text func() duck.Text
	}{
		{Hash, &q.hash, func() duck.Text { return hasher().Pseudonym }},
		{HashPerStream, &q.hashPerStream, func() duck.Text {
			h := hasher()
			return func(dst, value []byte) []byte { return h.PseudonymPerStream(dst, p.Stream, value) }
		}},
	} {
		if !p.uses(f.kind) {
			continue
		}
		name, end, err := conn.TextFunction(f.text)
		if err != nil {
			done()
			return nil, err
		}
		*f.name, all = name, append(all, end)
	}
	return done, nil
}

// sql selects and orders the rows. What is wide and can be made of something narrow is made when they are in order.
func (q *query) sql(p *Plan, in Input) string {
	at := duck.Ident(duck.KeyColumns[0].Name)
	values := []string{"NULL AS " + placeholder} // there may be nothing but that there was an event
	outer := []string{at, fmt.Sprintf("%s(%d::UBIGINT, %s) AS %[3]s", q.uuid, in.Source, placeAlias)}
	for _, f := range p.fields {
		name := duck.Ident(f.out.Name)
		values, outer = append(values, q.early(f)+" AS "+name), append(outer, q.late(f)+" AS "+name)
	}
	timed := fmt.Sprintf("SELECT *, %s AS %s, %s AS %s FROM (SELECT %s FROM %s WHERE %t)", p.when(in.Hour), at, q.place(p), placeAlias,
		strings.Join(values, ", "), q.typed(p, in.Rows), p.Listed)
	if in.Unordered {
		return fmt.Sprintf("(SELECT %s FROM (%s))", strings.Join(outer, ", "), timed)
	}
	return fmt.Sprintf("(SELECT %s FROM (FROM (%s) ORDER BY %s))", strings.Join(outer, ", "), timed, order(at))
}

// placeholder is a column that no stream has: [event.Registry] refuses the name.
const placeholder = "hour"

// early is a top-level value as it goes into the sort, and late makes of it what it shall be: times are
// written as text behind it, and only there those out of range are dropped.
func (q *query) early(f *field) string {
	in := duck.Ident(f.in.Name)
	if lateText(f) {
		return roundDown(millis(in), f.rule.Floor)
	}
	return q.value(in, f)
}

func (q *query) late(f *field) string {
	if lateText(f) {
		ms := duck.Ident(f.out.Name)
		return q.time + "(" + ifInRange(ms, ms, "NULL") + ")"
	}
	return duck.Ident(f.out.Name)
}

func lateText(f *field) bool { return f.rule.Kind == Floor && f.out.Kind == event.String }

// placeAlias is the name of a row's place in the inner query; no field can have it.
var placeAlias = duck.Ident(duck.KeyColumns[1].Name)

// place is where a row lies among those of its time: by the first 24 bits of its pseudonym's hash, as equal ones that lie
// together make files a fraction of what they would be, then by 40 bits of chance. It is the lower half of the row's
// id; a row_number() over the sorted rows would cost more.
func (q *query) place(p *Plan) string {
	const chance = 1<<40 - 1
	if pseudonym := p.pseudonym(); pseudonym != "" {
		return fmt.Sprintf("((hash(%s) & %d::UBIGINT) | (%s() & %d::UBIGINT))", pseudonym, uint64(math.MaxUint64&^chance), q.chance, uint64(chance))
	}
	return q.chance + "()"
}

// order is one key, as that sorts in less time than two: the time, then the place.
func order(at string) string {
	return fmt.Sprintf("((%s + %d)::UHUGEINT << 64) | %s::UHUGEINT", at, -minMillis, placeAlias)
}

// typed reads the rows with every column that the plan reads, in the type that it has today.
func (q *query) typed(p *Plan, rows string) string {
	var columns []event.Column
	var casts []string
	for _, f := range p.fields {
		columns = append(columns, f.in)
		casts = append(casts, fmt.Sprintf("TRY_CAST(%s AS %s) AS %[1]s", duck.Ident(f.in.Name), duck.SQLType(f.in)))
	}
	if len(columns) == 0 {
		return rows
	}
	return fmt.Sprintf("(SELECT %s FROM (SELECT %s WHERE false UNION ALL BY NAME FROM %s))", strings.Join(casts, ", "), nulls(columns), rows)
}

func nulls(columns []event.Column) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = fmt.Sprintf("NULL::%s AS %s", duck.SQLType(c), duck.Ident(c.Name))
	}
	return strings.Join(all, ", ")
}

// when is a sanitized row's time in ms, from what it keeps of it, or else the hour.
func (p *Plan) when(hour time.Time) string {
	at := fmt.Sprintf("%d::BIGINT", hour.UnixMilli())
	path := strings.Split(p.time, ".")
	f := find(p.fields, path)
	if f == nil || f.rule.Kind != Keep && f.rule.Kind != Floor || f.out.Kind != event.String && f.out.Kind != event.Int64 {
		return at
	}
	value := member(path)
	if f.out.Kind == event.String && !(lateText(f) && len(path) == 1) {
		value = millis(value)
	}
	return ifInRange(value, value, at)
}

// pseudonym is the first one of a row that stands in no array, "" if there is none.
func (p *Plan) pseudonym() string {
	for _, r := range p.Rules() {
		isHash := r.Hashes()
		if f := find(p.fields, r.Path); isHash && f != nil && f.out.Kind == event.String {
			return member(r.Path)
		}
	}
	return ""
}

// find is the field at a path that leads through no array.
func find(fields []*field, path []string) *field {
	for _, f := range fields {
		if f.out.Name != path[0] {
			continue
		}
		if len(path) == 1 {
			return f
		}
		if f.out.Kind == event.Struct {
			return find(f.fields, path[1:])
		}
	}
	return nil
}

// member is a member of a sanitized row.
func member(path []string) string {
	sql := duck.Ident(path[0])
	for _, name := range path[1:] {
		sql = "struct_extract(" + sql + ", " + duck.Quote(name) + ")"
	}
	return sql
}

// value is what a rule makes of a value.
func (q *query) value(in string, f *field) string {
	switch f.rule.Kind {
	case Hash:
		return q.pseudonym(q.hash, in, f.in)
	case HashPerStream:
		return q.pseudonym(q.hashPerStream, in, f.in)
	case Floor:
		return floorSQL(in, f.in, f.rule.Floor)
	case Bucket:
		return bucketSQL(in, f.in, f.rule.Edges)
	case Only:
		return q.only(in, f.in, f.rule)
	case relabel:
		return relabelSQL(in, f.rule)
	case Fields:
		return q.object(in, f)
	}
	return in
}

// each applies an expression to the elements of an array.
func (q *query) each(array string, expression func(element string) string) string {
	return q.lambda("list_transform", array, expression)
}

func (q *query) lambda(function, array string, expression func(element string) string) string {
	q.depth++
	defer func() { q.depth-- }()
	element := fmt.Sprintf("e%d", q.depth)
	return fmt.Sprintf("%s(%s, lambda %s: %s)", function, array, element, expression(element))
}

func (q *query) pseudonym(function, in string, c event.Column) string {
	switch c.Kind {
	case event.List:
		return q.each(in, func(element string) string { return q.pseudonym(function, element, c.Fields[0]) })
	case event.String:
		return function + "(" + in + ")"
	}
	return function + "(CAST(" + in + " AS VARCHAR))"
}

// object makes an object of the listed members. One that was there is there, even with nothing in it.
func (q *query) object(in string, f *field) string {
	if f.in.Kind == event.List {
		return q.each(in, func(element string) string { return q.members(element, "struct_extract(%s, %s)", f) })
	}
	if f.in.Kind == event.Map {
		return q.members(in, "%s[%s]", f)
	}
	return q.members(in, "struct_extract(%s, %s)", f)
}

func (q *query) members(in, get string, f *field) string {
	members := make([]string, len(f.fields))
	for i, m := range f.fields {
		members[i] = duck.Ident(m.out.Name) + " := " + q.value(fmt.Sprintf(get, in, duck.Quote(m.in.Name)), m)
	}
	return fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN struct_pack(%s) END", in, strings.Join(members, ", "))
}

// only keeps a text, or those elements of an array, that are listed.
func (q *query) only(in string, c event.Column, r Rule) string {
	if c.Kind != event.List {
		return fmt.Sprintf("CASE WHEN %s THEN %s END", listed(in, r.Only), in)
	}
	return q.lambda("list_filter", in, func(element string) string {
		if name := c.Fields[0]; name.Kind != event.String {
			element = "struct_extract(" + element + ", " + duck.Quote(name.Fields[0].Name) + ")"
		}
		return listed(element, r.Only)
	})
}

// listed says whether a text is one of the values or has one of the prefixes.
func listed(text string, only []string) string {
	var values, tests []string
	for _, v := range only {
		if prefix, open := strings.CutSuffix(v, "*"); open {
			tests = append(tests, fmt.Sprintf("starts_with(%s, %s)", text, duck.Quote(prefix)))
		} else {
			values = append(values, duck.Quote(v))
		}
	}
	if len(values) > 0 {
		tests = append(tests, fmt.Sprintf("%s IN (%s)", text, strings.Join(values, ", ")))
	}
	return "(" + strings.Join(tests, " OR ") + ")"
}

// The times that can be floored: from the year 1 to 9999. What is outside is dropped.
const (
	minMillis = -62135596800000
	maxMillis = 253402300799999
)

// floorSQL floors ms since the epoch, or a date-time, which comes out in UTC.
func floorSQL(in string, c event.Column, every time.Duration) string {
	if c.Kind == event.String {
		return timeText(floorMillis(millis(in), every))
	}
	return floorMillis(in, every)
}

func floorMillis(ms string, every time.Duration) string {
	return ifInRange(ms, roundDown(ms, every), "NULL")
}

func ifInRange(ms, then, otherwise string) string {
	return fmt.Sprintf("CASE WHEN %s BETWEEN %d AND %d THEN %s ELSE %s END", ms, minMillis, maxMillis, then, otherwise)
}

// roundDown floors any time that DuckDB has, to a part of a day. It says the time once: a text that is said twice is read twice.
func roundDown(ms string, every time.Duration) string {
	const above = 1e9 * 86_400_000 // whole days, which make it positive: // rounds towards zero
	return fmt.Sprintf("((%s + %d) // %d * %[3]d - %[2]d)", ms, int64(above), every.Milliseconds())
}

func timeText(ms string) string {
	return "strftime(make_timestamp_ms(" + ms + "), '%Y-%m-%dT%H:%M:%SZ')"
}

// millis reads a date-time of RFC 3339. DuckDB knows no leap second and no lower case.
func millis(in string) string {
	return fmt.Sprintf("epoch_ms(coalesce(TRY_CAST(%s AS TIMESTAMPTZ), TRY_CAST(replace(upper(%[1]s), ':60', ':59') AS TIMESTAMPTZ)))", in)
}

// bucketSQL is the label of the bucket that a number is in.
func bucketSQL(in string, c event.Column, edges []float64) string {
	names := labels(edges)
	var b strings.Builder
	fmt.Fprintf(&b, "CASE WHEN %s IS NULL THEN NULL", in)
	for i, e := range edges {
		edge := number(e) + "::DOUBLE"
		if c.Kind != event.Double {
			edge = number(math.Ceil(e)) + "::BIGINT"
		}
		fmt.Fprintf(&b, " WHEN %s < %s THEN %s", in, edge, duck.Quote(names[i]))
	}
	fmt.Fprintf(&b, " ELSE %s END", duck.Quote(names[len(edges)]))
	return b.String()
}

// relabelSQL makes of the labels of finer buckets those of coarser ones.
func relabelSQL(in string, r Rule) string {
	finer, coarser := labels(r.finer), labels(r.Edges)
	var b strings.Builder
	fmt.Fprintf(&b, "CASE %s", in)
	at := 0
	for i, label := range finer {
		if at < len(r.Edges) && i > 0 && r.finer[i-1] == r.Edges[at] {
			at++
		}
		fmt.Fprintf(&b, " WHEN %s THEN %s", duck.Quote(label), duck.Quote(coarser[at]))
	}
	return b.String() + " END"
}
