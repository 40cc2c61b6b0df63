// Package mistake says what is wrong in a file that an operator writes: which file, which line, which key, and the likely
// fix, in one line. It imports nothing of the house; config, kpi and sanitize read their YAML with its help.
package mistake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong in a config, schema or other file that an operator writes.
type Mistake struct {
	File string `json:"file"`           // as it was named, "defaults" where no file was
	Line int    `json:"line,omitempty"` // 0 where no line is to blame
	Path string `json:"path,omitempty"` // key, like public.addr; "" for the whole file
	What string `json:"what"`           // what is wrong
	Fix  string `json:"fix,omitempty"`  // the likely fix
}

// Error is the mistake in one line: brine.yaml:7: public.adr: unknown key (did you mean addr?)
func (m Mistake) Error() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d", m.Line)
	}
	if m.Path != "" {
		b.WriteString(": " + m.Path)
	}
	b.WriteString(": " + m.What)
	if m.Fix != "" {
		b.WriteString(" (" + m.Fix + ")")
	}
	return b.String()
}

// Mistakes are all the mistakes of a file, in the order of its lines.
type Mistakes []Mistake

// Error is one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

// Sort puts the mistakes of one file in the order of its lines.
func (ms Mistakes) Sort() {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path))
	})
}
