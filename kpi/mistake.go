package kpi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong in kpi.yaml.
type Mistake struct {
	File string
	Line int    // 0 where no line is to blame
	Path string // key, like kpis.sign_in.smallest; "" for the whole file
	What string // what is wrong
	Fix  string // the likely fix; "" where there is none to guess
}

// Error is the mistake in one line: kpi.yaml:7: kpis.sign_in.betr: unknown key (did you mean better?)
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

// Mistakes are all that are wrong in a file, in the order of its lines.
type Mistakes []Mistake

// Error is one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.Error()
	}
	return strings.Join(lines, "\n")
}

func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Path, b.Path)) })
	return ms
}
