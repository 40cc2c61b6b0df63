// Package sanitize is the allowlist: what of an event may be kept for years, and the query that
// turns raw rows into those that may.
//
// The text of an allowlist comes in ([Parse]), is compiled against the schemas of a stream
// ([Compile]), and goes out as a [Plan]: the columns of the sanitized rows, the rule of each field
// for the policy page, and SQL that DuckDB runs from Parquet to Parquet. Ids become pseudonyms in a
// Go function that holds the key, so that the key is in no query. [Check], [Joins] and [Diff] tell an
// operator what a list does before it does it.
//
// A [Job] runs plans over the closed hours of the lake, each with the salt of its hour.
//
// It imports event, lake with lake/duck, mistake, and salt.
package sanitize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Hasher makes pseudonyms with the key of one salt. It serves one goroutine at a time. Both append
// 64 lower-case hex digits to dst.
type Hasher interface {
	Pseudonym(dst, value []byte) []byte                                // HMAC-SHA-256(salt, value)
	PseudonymPerStream(dst []byte, stream string, value []byte) []byte // over stream name, a NUL byte, value
}

// Finding is one thing about a line of an allowlist, a mistake or a warning.
type Finding struct {
	File string
	Line int    // 0 where no line is to blame
	Path string // stream and field, like app_session.meta.dt
	What string
	Fix  string // the likely one
}

// String is the finding in one line: allowlist.yaml:12: s.appInstalId: no schema of this stream has it (did you mean app_install_id?)
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Path != "" {
		b.WriteString(": " + f.Path)
	}
	b.WriteString(": " + f.What)
	if f.Fix != "" {
		b.WriteString(" (" + f.Fix + ")")
	}
	return b.String()
}

// Findings are several, in the order of their lines.
type Findings []Finding

// Error is one finding a line.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func (fs Findings) sorted() Findings {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(fs)
}

// nearest is the known name that was most likely meant, "" if none. Spellings that differ by case
// and by _ or - are taken for the same.
func nearest(name string, known []string) string {
	best, least := "", 2 // short names are near to each other without meaning it
	if len(name) > 3 {
		least = max(2, len(name)/3) + 1
	}
	for _, k := range known {
		if d := levenshtein.ComputeDistance(plain(name), plain(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

// didYouMean is the fix that suggests the nearest known name, or else lists them.
func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) == 0 || len(known) > 40 {
		return ""
	}
	return "there are " + strings.Join(known, ", ")
}
