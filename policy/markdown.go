package policy

import (
	"fmt"
	"regexp"
	"strings"
)

// Markdown is the document as a page of Markdown (with the tables of GitHub Flavored Markdown).
func (d *Document) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", escape(d.Title), escape(d.Lead))
	for _, s := range d.Sections {
		level := "##"
		if s.Part {
			level = "###"
		}
		fmt.Fprintf(&b, "\n%s %s\n\n", level, escape(s.Heading))
		for _, statement := range s.Statements {
			fmt.Fprintf(&b, "- %s\n", escape(statement.Text))
		}
		if len(s.Fields) > 0 {
			b.WriteByte('\n')
			d.table(&b, s.Fields)
		}
	}
	return b.String()
}

func (d *Document) table(b *strings.Builder, fields []FieldText) {
	row := func(cells ...string) {
		if d.Columns.After == "" {
			cells = cells[:3]
		}
		for _, cell := range cells {
			b.WriteString("| " + cell + " ")
		}
		b.WriteString("|\n")
	}
	row(escape(d.Columns.Field), escape(d.Columns.What), escape(d.Columns.Purpose), escape(d.Columns.After))
	row("---", "---", "---", "---")
	for _, f := range fields {
		row(escape(f.Path), escape(f.What), escape(f.Purpose), escape(f.After))
	}
}

var marked = regexp.MustCompile("[\\\\`*_\\[\\]<>|#]")

// escape makes text of words, whatever they hold: one line, and nothing that Markdown marks with.
func escape(text string) string {
	return marked.ReplaceAllString(strings.Join(strings.Fields(text), " "), `\$0`)
}
