package risk

import (
	"context"
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
	leaf   sanitize.Leaf
	name   string
	levels []sanitize.Rule   // see [measuring.levels]
	coarse map[string]string // tables of what rules would make of it, by rule and by what they are joined on
}

// group is a table of what is told apart. Its columns: u, a number of each; n, how many it stands for (of rows all that are alike, else 1);
// r, their rows; and the hash of each column.
type group struct {
	table    string
	columns  []*column
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

// installsOf groups the rows of a stream by install. Rows without a pseudonym are nobody's.
func (m *measuring) installsOf(s *stream) (*group, error) {
	g := &group{table: m.newTable(), columns: s.columns, installs: true}
	s.group = g
	err := m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT hash(%s) AS u, 1::BIGINT AS n, count(*)::BIGINT AS r FROM %s WHERE %[2]s IS NOT NULL GROUP BY ALL", g.table, s.unit, s.rows))
	for _, c := range s.columns {
		if err != nil {
			return nil, err
		}
		next := m.newTable()
		err = m.step(fmt.Sprintf("CREATE TEMP TABLE %s AS SELECT %s.*, f.x AS %s FROM %[2]s JOIN %[4]s f USING (u); DROP TABLE %[2]s", next, g.table, g.at(c), c.sets(c.leaf.SQL())))
		g.table = next
	}
	return g, err
}

// sets is what each install has of a column: u, and x, of the different values.
func (c *column) sets(value string) string {
	return fmt.Sprintf("(SELECT u, bit_xor(h) AS x FROM (SELECT DISTINCT hash(%s) AS u, %s AS h FROM %s WHERE %[1]s IS NOT NULL) GROUP BY u)",
		c.stream.unit, c.hash(value), c.stream.rows)
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

// keys are all columns as they are.
func (g *group) keys() map[*column]string {
	keys := map[*column]string{}
	for _, c := range g.columns {
		keys[c] = ""
	}
	return keys
}

// count tells apart by columns, each as it is or, where a table is named, by what that has of it. rows are counted by what they belong to.
func (m *measuring) count(g *group, keys map[*column]string) (of, rows Count, err error) {
	key, from := "0::UBIGINT", g.table+" g"
	for _, c := range g.columns {
		table, ok := keys[c]
		if !ok {
			continue
		}
		x := "g." + g.at(c)
		if table != "" {
			on := "u"
			if !g.installs {
				on = g.at(c)
			}
			from += fmt.Sprintf(" LEFT JOIN %s ON g.%s = %[1]s.u", table, on)
			x = fmt.Sprintf("coalesce(%s.x, 0)", table)
		}
		key = fmt.Sprintf("xor(%s, %s)", key, x)
	}
	return m.counted(fmt.Sprintf("SELECT sum(n) AS n, sum(r) AS r FROM %s GROUP BY %s", from, key))
}

// countRows counts the rows of a stream by themselves.
func (m *measuring) countRows(s *stream) (Count, error) {
	key := "0::UBIGINT"
	for _, c := range s.columns {
		key = fmt.Sprintf("xor(%s, %s)", key, c.hash(c.leaf.SQL()))
	}
	of, _, err := m.counted(fmt.Sprintf("SELECT count(*) AS n, count(*) AS r FROM %s GROUP BY %s", s.rows, key))
	return of, err
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
