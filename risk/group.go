package risk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/lake"
	"brine/lake/duck"
	"brine/sanitize"
)

// measuring is one run of [Measure].
type measuring struct {
	Options
	ctx     context.Context
	conn    *lake.Reader
	streams []*stream
	tables  int // made so far
	done    int
	of      int // steps, about
}

// stream is one stream's rows.
type stream struct {
	name    string
	rows    string // SQL
	unit    string // SQL of its pseudonym; "": it has none
	joins   bool   // equal ids have equal pseudonyms in other streams
	others  int
	columns []*column
	group   *group
}

// column is one partial identifier, as a 64-bit hash in a table: of its name and of what a row, or an install, has of it. 64 bits tell
// ten million apart but for a chance of three in a million.
type column struct {
	stream *stream
	leaf   sanitize.Leaf // of a row
	name   string
	pairs  string          // table of what installs have: u, and x, each different pair once
	values string          // table of what rows have: v, which value is made of; x; and n, how many rows. "": not made yet
	value  sanitize.Leaf   // the leaf, of v
	levels []sanitize.Rule // see [measuring.levels]
}

// group is a table of what is told apart. Its columns: u, a number of each; n, how many it stands for (of rows all that are alike, else 1);
// r, their rows; the hash of each column; and the hashes of what rules that were tried would make of it.
type group struct {
	table    string
	columns  []*column
	coarse   []string // names of the last
	installs bool
}

func (g *group) at(c *column) string { return fmt.Sprintf("x%d", slices.Index(g.columns, c)) }

// step runs a statement, and tells that one more step is done.
func (m *measuring) step(sql string) error {
	err := m.conn.Exec(m.ctx, sql)
	m.done++
	m.Progress(min(m.done, m.of), m.of)
	return err
}

func (m *measuring) newTable() string {
	m.tables++
	return fmt.Sprintf("t%d", m.tables)
}

// hash is that of what a row has of the column, by the SQL of it. Nulls are alike, and an empty array is none. It is hashed twice, with
// the column's name: DuckDB puts several hashes together by operations that undo each other where hashes are added up by xor, and has 0 for 0.
func (c *column) hash(value string) string {
	if c.leaf.List {
		return fmt.Sprintf("hash(hash(%s, len(%s), %[2]s))", duck.Quote(c.name), value)
	}
	return fmt.Sprintf("hash(hash(%s, %s))", duck.Quote(c.name), value)
}

// rowsOf groups the rows of a stream that has no installs.
func (m *measuring) rowsOf(s *stream) (*group, error) {
	g := &group{table: m.newTable(), columns: s.columns}
	selected := []string{"count(*)::BIGINT AS n", "count(*)::BIGINT AS r"}
	for _, c := range s.columns {
		selected = append(selected, c.hash(c.leaf.SQL())+" AS "+g.at(c))
	}
	return g, m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT %s FROM %s GROUP BY ALL", g.table, strings.Join(selected, ", "), s.rows))
}

// installsOf groups the rows of a stream by install, and counts the rows by themselves. Rows without a pseudonym are nobody's. The files are
// read once: into a table of hashes, which is dropped.
func (m *measuring) installsOf(s *stream) (g *group, rows Count, err error) {
	hashed := m.newTable()
	g = &group{table: m.newTable(), columns: s.columns, installs: true}
	s.group = g
	selected := []string{fmt.Sprintf("CASE WHEN %s IS NOT NULL THEN hash(%[1]s) END AS u", s.unit)}
	for _, c := range s.columns {
		selected = append(selected, c.hash(c.leaf.SQL())+" AS "+g.at(c))
	}
	if err = m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT %s FROM %s", hashed, strings.Join(selected, ", "), s.rows)); err != nil {
		return nil, rows, err
	}
	if rows, _, err = m.count(&group{table: "(SELECT *, 1 AS n, 1 AS r FROM " + hashed + ")", columns: s.columns}, g.keys()); err != nil {
		return nil, rows, err
	}
	err = m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT u, 1::BIGINT AS n, count(*)::BIGINT AS r FROM %s WHERE u IS NOT NULL GROUP BY u", g.table, hashed))
	for _, c := range s.columns {
		if err != nil {
			return nil, rows, err
		}
		c.pairs = m.newTable()
		if err = m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT DISTINCT u, %s AS x FROM %s WHERE u IS NOT NULL", c.pairs, g.at(c), hashed)); err != nil {
			return nil, rows, err
		}
		err = m.add(g, g.at(c), "u", sets(c.pairs))
	}
	return g, rows, errors.Join(err, m.conn.Exec(m.ctx, "DROP TABLE "+hashed))
}

// add puts hashes into a group: the x of a table, by its u. What that has nothing of has 0.
func (m *measuring) add(g *group, name, by, table string) error {
	was := g.table
	g.table = m.newTable()
	return m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT g.*, coalesce(f.x, 0) AS %s FROM %s g LEFT JOIN %s f ON g.%s = f.u; DROP TABLE %[3]s", g.table, name, was, table, by))
}

// sets is what each install has of a column: u, and x, of the different values. pairs are those of both.
func sets(pairs string) string {
	return fmt.Sprintf("(SELECT u, bit_xor(x) AS x FROM %s GROUP BY u)", pairs)
}

// valuesOf makes the table of a column's values. There are few beside rows, so that trying a rule looks at no row.
func (m *measuring) valuesOf(c *column) error {
	if c.values != "" {
		return nil
	}
	c.values, c.value = m.newTable(), c.leaf
	c.value.In = "v"
	return m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT v, %s AS x, n FROM (SELECT %s AS v, count(*)::BIGINT AS n FROM %s GROUP BY v)",
		c.values, c.hash(c.value.SQL()), c.leaf.In, c.stream.rows))
}

// join puts the installs of several streams together. Of a stream that has none of an install's rows it has nothing.
func (m *measuring) join(all []*stream) (*group, error) {
	g := &group{table: m.newTable(), installs: true}
	for _, s := range all {
		g.columns = append(g.columns, s.columns...)
	}
	sums := []string{"u", "1::BIGINT AS n", "sum(r)::BIGINT AS r"}
	for _, c := range g.columns {
		sums = append(sums, fmt.Sprintf("coalesce(max(%s), 0) AS %[1]s", g.at(c)))
	}
	var parts []string
	for _, s := range all {
		selected := []string{"u", "r"}
		for _, c := range s.columns {
			selected = append(selected, s.group.at(c)+" AS "+g.at(c))
		}
		parts = append(parts, "SELECT "+strings.Join(selected, ", ")+" FROM "+s.group.table)
	}
	return g, m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT %s FROM (%s) GROUP BY u", g.table, strings.Join(sums, ", "), strings.Join(parts, " UNION ALL BY NAME ")))
}

// keys are the names of all columns' hashes, as they are.
func (g *group) keys() map[*column]string {
	keys := map[*column]string{}
	for _, c := range g.columns {
		keys[c] = g.at(c)
	}
	return keys
}

// count tells apart by hashes. rows are counted by what they belong to.
func (m *measuring) count(g *group, keys map[*column]string) (of, rows Count, err error) {
	key := "0::UBIGINT"
	for _, name := range keys {
		key = fmt.Sprintf("xor(%s, %s)", key, name)
	}
	return m.counted(fmt.Sprintf("SELECT sum(n) AS n, sum(r) AS r FROM %s GROUP BY %s", g.table, key))
}

// counted adds up groups that are alike: n of them, with r rows.
func (m *measuring) counted(groups string) (of, rows Count, err error) {
	var selected []string
	for _, what := range []string{"n", "r"} {
		for _, under := range []string{"true", "n < 2", "n < 5", "n < 10", "n < 50"} {
			selected = append(selected, fmt.Sprintf("coalesce(sum(%s) FILTER (%s), 0)::BIGINT", what, under))
		}
	}
	all, err := m.numbers(fmt.Sprintf("SELECT %s FROM (%s)", strings.Join(selected, ", "), groups), len(selected))
	m.done++
	m.Progress(min(m.done, m.of), m.of)
	if err != nil {
		return of, rows, err
	}
	return Count{all[0], all[1], all[2], all[3], all[4]}, Count{all[5], all[6], all[7], all[8], all[9]}, nil
}

// numbers runs a query that gives one row of so many numbers.
func (m *measuring) numbers(sql string, n int) (all []int64, err error) {
	rows, err := m.conn.Query(m.ctx, sql)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		for i := range n {
			all = append(all, rows.Vector(i).Int64(0))
		}
	}
	return all, rows.Err()
}
