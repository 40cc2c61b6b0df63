package sanitize

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RuleKind is what a rule does.
type RuleKind uint8

// The rules of an allowlist.
const (
	Keep          RuleKind = iota + 1 // the value
	KeepAll                           // everything below
	Hash                              // a pseudonym, the same in all streams
	HashPerStream                     // a pseudonym of this stream alone
	Floor                             // a coarser time
	Bucket                            // the label of a range of numbers
	Only                              // the value where it is listed
	Drop                              // nothing
	Fields                            // what is listed of the fields below
	relabel                           // the label of a coarser bucket, for what is in buckets already: only made by Narrow
)

var ruleNames = [...]string{"unreadable", "keep", "keep_all", "hash", "hash_per_stream", "floor", "bucket", "only", "drop", "fields", "bucket"}

// String is the rule's name in an allowlist.
func (k RuleKind) String() string { return ruleNames[k] }

// named are the rules that are written as one word.
var named = map[string]RuleKind{"keep": Keep, "keep_all": KeepAll, "hash": Hash, "hash_per_stream": HashPerStream, "drop": Drop}

// Rule is what becomes of one field.
type Rule struct {
	Kind  RuleKind
	Floor time.Duration // of Floor
	Edges []float64     // of Bucket: where each but the first begins, ascending
	Only  []string      // of Only: values, and prefixes that end in *

	finer []float64 // of relabel: the edges of the buckets that the values are in
}

// floors are the times a floor may have, as they are written.
var floors = []struct {
	text  string
	every time.Duration
}{{"10m", 10 * time.Minute}, {"1h", time.Hour}, {"1d", 24 * time.Hour}}

func floorText(every time.Duration) string {
	for _, f := range floors {
		if f.every == every {
			return f.text
		}
	}
	return every.String()
}

// maxEdge is up to where every integer is a float64 and an int64.
const maxEdge = 1 << 53

// labels name the buckets between edges: <1, 1-4, 5-99, 100+.
func labels(edges []float64) []string {
	all := []string{"<" + number(edges[0])}
	for i := 1; i < len(edges); i++ {
		all = append(all, rangeLabel(edges[i-1], edges[i]))
	}
	return append(all, number(edges[len(edges)-1])+"+")
}

// rangeLabel names the numbers from lo to below hi.
func rangeLabel(lo, hi float64) string {
	switch {
	case lo != math.Trunc(lo) || hi != math.Trunc(hi):
		return number(lo) + "-<" + number(hi)
	case hi == lo+1:
		return number(lo)
	}
	return number(lo) + "-" + number(hi-1)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// String is the rule as it would stand in an allowlist.
func (r Rule) String() string {
	switch r.Kind {
	case Floor:
		return "floor: " + floorText(r.Floor)
	case Bucket, relabel:
		edges := make([]string, len(r.Edges))
		for i, e := range r.Edges {
			edges[i] = number(e)
		}
		return "bucket: [" + strings.Join(edges, ", ") + "]"
	case Only:
		quoted := make([]string, len(r.Only))
		for i, v := range r.Only {
			quoted[i] = strconv.Quote(v)
		}
		return "only: [" + strings.Join(quoted, ", ") + "]"
	}
	return r.Kind.String()
}

// Words say the rule to somebody who has never seen an allowlist.
func (r Rule) Words() string {
	switch r.Kind {
	case Keep:
		return "kept as it is"
	case KeepAll:
		return "kept as it is, with all that is in it"
	case Hash:
		return "replaced by a pseudonym that cannot be turned back, and that changes with each salt period"
	case HashPerStream:
		return "replaced by a pseudonym that cannot be turned back, that changes with each salt period, and that is another one in every other stream"
	case Floor:
		return "made coarser: only which " + map[time.Duration]string{floors[0].every: "10 minutes", floors[1].every: "hour", floors[2].every: "day"}[r.Floor] + " it was in"
	case Bucket, relabel:
		return "made coarser: only which of these it was in: " + strings.Join(labels(r.Edges), ", ")
	case Only:
		return "kept where it is one of these, else left out: " + strings.Join(r.Only, ", ")
	}
	return "not kept"
}

// within says whether all that r gives could be told from what o gives: keeping by r what was
// kept by o takes away, and adds nothing.
func (r Rule) within(o Rule) bool {
	switch {
	case r.Kind == Drop || o.Kind == Keep || o.Kind == KeepAll:
		return true
	case r.Kind == HashPerStream:
		return o.Kind == Hash || o.Kind == HashPerStream
	case r.Kind != o.Kind:
		return false
	}
	switch r.Kind {
	case Hash:
		return true
	case Floor:
		return r.Floor >= o.Floor
	case Bucket:
		return subset(r.Edges, o.Edges)
	case Only:
		return !slices.ContainsFunc(r.Only, func(v string) bool { return !o.admits(v) })
	}
	return false
}

func subset(some, all []float64) bool {
	return !slices.ContainsFunc(some, func(e float64) bool { return !slices.Contains(all, e) })
}

// admits says whether a value or prefix is within those of an Only.
func (r Rule) admits(value string) bool {
	return slices.ContainsFunc(r.Only, func(v string) bool {
		prefix, open := strings.CutSuffix(v, "*")
		return v == value || open && strings.HasPrefix(value, prefix)
	})
}

// parseEdges reads the numbers of a bucket.
func parseEdges(texts []string) ([]float64, error) {
	edges := make([]float64, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil || math.IsNaN(v):
			return nil, fmt.Errorf("%q is no number", text)
		case math.Abs(v) > maxEdge:
			return nil, fmt.Errorf("%s is beyond 2^53, up to which numbers are exact", text)
		case i > 0 && v <= edges[i-1]:
			return nil, fmt.Errorf("%s does not lie above %s", text, texts[i-1])
		}
		edges[i] = v + 0 // no negative zero
	}
	return edges, nil
}
