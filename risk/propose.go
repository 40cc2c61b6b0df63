package risk

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"brine/event"
	"brine/sanitize"
)

// The bounds of a proposal.
const (
	mostFields = 8  // that rules are proposed for
	mostSteps  = 30 // of the work, about: for the progress
	mostListed = 32 // values in an only
	common     = 50 // how many share a value that is listed
)

// found is what a field does, and the rules that would make it coarser, the mildest first; the last is drop.
type found struct {
	Field
	column *column
	few    int64 // how many would hide among fewer than 50 if it were the only field
	levels []sanitize.Rule
	level  int // of the rule that is tried; 0: the one in force
}

// fields finds what each column does, the most identifying first.
func (m *measuring) fields(g *group) (all []*found, err error) {
	for _, c := range g.columns {
		f := &found{Field: Field{Name: c.name, Rule: ruleText(c.leaf.Rule)}, column: c}
		alone, _, err := m.count(g, map[*column]string{c: g.at(c)})
		if err != nil {
			return nil, err
		}
		rest := g.keys()
		delete(rest, c)
		without, _, err := m.count(g, rest)
		if err != nil {
			return nil, err
		}
		f.Alone, f.Without, f.few = alone.Unique, without.Unique, alone.Under50
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b *found) int {
		return cmp.Or(cmp.Compare(b.Alone, a.Alone), cmp.Compare(a.Without, b.Without), cmp.Compare(b.few, a.few))
	})
	return all, nil
}

// propose looks for rules after which nothing is unique. It makes the fields coarser one after the other, mildly first, takes back what turned
// out not to be needed, and measures after each rule that is left.
func (m *measuring) propose(g *group, fields []*found, now Count) ([]Step, error) {
	fields = fields[:min(len(fields), mostFields)]
	after := now
	for more := true; more && after.Unique > 0; {
		more = false
		for _, f := range fields {
			levels, err := m.levels(f)
			if err != nil {
				return nil, err
			}
			if after.Unique == 0 || f.level == len(levels) {
				continue
			}
			f.level, more = f.level+1, true
			if after, err = m.after(g, fields); err != nil {
				return nil, err
			}
		}
	}
	if err := m.relax(g, fields, after.Unique); err != nil {
		return nil, err
	}
	return m.steps(g, fields)
}

// relax makes rules milder, or takes them back, as long as no more are unique; those of the least identifying fields first.
func (m *measuring) relax(g *group, fields []*found, unique int64) error {
	for _, f := range slices.Backward(fields) {
		for f.level > 0 {
			f.level--
			after, err := m.after(g, fields)
			if err != nil {
				return err
			}
			if after.Unique > unique {
				f.level++
				break
			}
		}
	}
	return nil
}

func (m *measuring) steps(g *group, fields []*found) (steps []Step, err error) {
	steps = []Step{}
	for i, f := range fields {
		if f.level == 0 {
			continue
		}
		after, err := m.after(g, fields[:i+1])
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{Field: f.Name, Rule: ruleText(f.levels[f.level-1]), Was: f.Rule, After: after})
	}
	return steps, nil
}

// after counts as it would be by the rules that are tried.
func (m *measuring) after(g *group, fields []*found) (Count, error) {
	keys := g.keys()
	for _, f := range fields {
		if f.level == 0 {
			continue
		}
		if f.levels[f.level-1].Kind == sanitize.Drop {
			delete(keys, f.column)
			continue
		}
		name, err := m.coarse(g, f.column, f.level)
		if err != nil {
			return Count{}, err
		}
		keys[f.column] = name
	}
	of, _, err := m.count(g, keys)
	return of, err
}

// coarse is the name of the hashes of what a rule would make of a column, which are made where the group has none yet. Of streams joined they
// come from the stream alone.
func (m *measuring) coarse(g *group, c *column, level int) (name string, err error) {
	if name = fmt.Sprintf("%s_%d", g.at(c), level); slices.Contains(g.coarse, name) {
		return name, nil
	}
	g.coarse = append(g.coarse, name)
	if alone := c.stream.group; g.installs && g != alone {
		x, err := m.coarse(alone, c, level)
		if err != nil {
			return "", err
		}
		return name, m.add(g, name, "u", fmt.Sprintf("(SELECT u, %s AS x FROM %s)", x, alone.table))
	}
	if err := m.valuesOf(c); err != nil {
		return "", err
	}
	rule := c.levels[level-1]
	value, ok := c.value.Coarser(rule)
	if !ok {
		return "", fmt.Errorf("%s cannot be made of what is there", ruleText(rule))
	}
	made := fmt.Sprintf("(SELECT DISTINCT x AS u, %s AS x FROM %s)", c.hash(value), c.values)
	if !g.installs {
		return name, m.add(g, name, g.at(c), made)
	}
	return name, m.add(g, name, "u", sets(fmt.Sprintf("(SELECT DISTINCT p.u, f.x FROM %s p JOIN %s f ON p.x = f.u)", c.pairs, made)))
}

// levels are the rules that keep less of a field. All but the last can be made of what is sanitized already.
func (m *measuring) levels(f *found) (_ []sanitize.Rule, err error) {
	if f.levels = f.column.levels; f.levels != nil { // in streams joined they are those of the stream alone
		return f.levels, nil
	}
	leaf := f.column.leaf
	var rules []sanitize.Rule
	switch {
	case leaf.Time:
		rules = floors(leaf.Rule)
	case leaf.Rule.Kind == sanitize.Bucket:
		rules = buckets(leaf.Rule.Edges)
	case leaf.Kind == event.Int32 || leaf.Kind == event.Int64 || leaf.Kind == event.Double:
		var edges []float64
		edges, err = m.quartiles(f.column)
		if len(edges) > 0 {
			rules = append([]sanitize.Rule{{Kind: sanitize.Bucket, Edges: edges}}, buckets(edges)...)
		}
	default:
		rules, err = m.lists(f.column)
	}
	if err != nil {
		return nil, err
	}
	for _, rule := range rules {
		if _, ok := leaf.Coarser(rule); ok && len(rule.Edges)+len(rule.Only)+int(rule.Floor) > 0 {
			f.levels = append(f.levels, rule)
		}
	}
	f.levels = append(f.levels, sanitize.Rule{Kind: sanitize.Drop})
	f.column.levels = f.levels
	return f.levels, nil
}

func floors(now sanitize.Rule) (rules []sanitize.Rule) {
	for _, every := range []time.Duration{time.Hour, 24 * time.Hour} {
		if now.Kind == sanitize.Keep || now.Kind == sanitize.Floor && now.Floor < every {
			rules = append(rules, sanitize.Rule{Kind: sanitize.Floor, Floor: every})
		}
	}
	return rules
}

// buckets are wider ones whose edges are among those given: every second, then the middle one.
func buckets(edges []float64) (rules []sanitize.Rule) {
	if len(edges) > 3 {
		var second []float64
		for i := 1; i < len(edges); i += 2 {
			second = append(second, edges[i])
		}
		rules = append(rules, sanitize.Rule{Kind: sanitize.Bucket, Edges: second})
	}
	if len(edges) > 1 {
		rules = append(rules, sanitize.Rule{Kind: sanitize.Bucket, Edges: edges[len(edges)/2 : len(edges)/2+1]})
	}
	return rules
}

// quartiles are those of a column's values, to one digit; none where too few have a value: one digit of a small number tells all of it.
func (m *measuring) quartiles(c *column) (edges []float64, err error) {
	if c.leaf.List {
		return nil, nil
	}
	value := "(" + c.leaf.SQL() + ")::DOUBLE"
	each := fmt.Sprintf("1 FROM %s WHERE", c.stream.rows)
	if unit := c.stream.unit; unit != "" {
		each = fmt.Sprintf("DISTINCT hash(%s) FROM %s WHERE %[1]s IS NOT NULL AND", unit, c.stream.rows)
	}
	rows, err := m.conn.Query(m.ctx, fmt.Sprintf("SELECT unnest(quantile_disc(v, [0.25, 0.5, 0.75])) FROM (SELECT %s AS v FROM %s) WHERE isfinite(v)"+
		" AND (SELECT count(*) FROM (SELECT %s isfinite(%[1]s) LIMIT %[4]d)) >= %[4]d", value, c.stream.rows, each, common))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		for i := range rows.Len() {
			if v := rows.Vector(0); !v.Null(i) {
				edges = append(edges, oneDigit(v.Double(i)))
			}
		}
	}
	slices.Sort(edges)
	edges = slices.DeleteFunc(slices.Compact(edges), func(e float64) bool { return math.Abs(e) > 1<<53 })
	return edges, rows.Err()
}

func oneDigit(v float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 0, 64), 64)
	if err != nil {
		return v // it is no number that text can tell, and there is none such in a row
	}
	return short
}

// lists are the values that enough share: all of these, then the more common half, the rarer ones of which then lie together.
func (m *measuring) lists(c *column) ([]sanitize.Rule, error) {
	if c.leaf.Rule.Kind != sanitize.Keep && c.leaf.Rule.Kind != sanitize.Only {
		return nil, nil
	}
	if _, ok := c.leaf.Coarser(sanitize.Rule{Kind: sanitize.Only, Only: []string{"a"}}); !ok {
		return nil, nil
	}
	values, all, err := m.shared(c)
	if err != nil {
		return nil, err
	}
	var rules []sanitize.Rule
	if !all {
		rules = append(rules, onlyOf(values))
	}
	return append(rules, onlyOf(values[:len(values)/2])), nil
}

func onlyOf(values []string) sanitize.Rule {
	return sanitize.Rule{Kind: sanitize.Only, Only: slices.Sorted(slices.Values(values))}
}

// shared are the values of a column that enough installs, or else rows, have, the most common first. all says whether there are no others.
func (m *measuring) shared(c *column) (values []string, all bool, err error) {
	if err := m.valuesOf(c); err != nil {
		return nil, false, err
	}
	value := c.value.SQL()
	if c.leaf.List {
		value = "unnest(" + value + ")"
	}
	each := fmt.Sprintf("(SELECT %s AS v, n FROM %s)", value, c.values)
	if c.stream.unit != "" { // an install counts once
		each = fmt.Sprintf("(SELECT DISTINCT u, v, 1 AS n FROM %s JOIN (SELECT DISTINCT x, %s AS v FROM %s) USING (x))", c.pairs, value, c.values)
	}
	rows, err := m.conn.Query(m.ctx, fmt.Sprintf("SELECT CASE WHEN n >= %d THEN v END FROM (SELECT v, sum(n) AS n FROM %s WHERE v IS NOT NULL GROUP BY v ORDER BY n DESC, v LIMIT %d)",
		common, each, mostListed+1))
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	all = true
	for rows.Next() {
		for i := range rows.Len() {
			v := rows.Vector(0)
			if v.Null(i) || len(values) == mostListed || strings.Contains(string(v.String(i)), "*") {
				all = false
				continue
			}
			values = append(values, string(v.String(i)))
		}
	}
	return values, all, rows.Err()
}

// ruleText is a rule as it stands behind a field's name.
func ruleText(r sanitize.Rule) string {
	switch r.Kind {
	case sanitize.Floor, sanitize.Bucket, sanitize.Only:
		return "{" + r.String() + "}"
	}
	return r.String()
}
