package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Change is what two documents say differently of one thing.
type Change struct {
	Section string `json:"section"` // its heading
	ID      string `json:"id"`      // of the statement, or the path of the field
	Before  string `json:"before"`  // "": it was not said
	After   string `json:"after"`   // "": it is no longer said
}

// Diff is all that changes for people from one document to another of the same language, section by section.
func Diff(before, after *Document) []Change {
	old, now := said(before), said(after)
	changes := []Change{}
	for _, c := range now.order {
		if c.Before = old.text[c.key()]; c.Before != c.After {
			changes = append(changes, c)
		}
	}
	for _, c := range old.order {
		if _, still := now.text[c.key()]; !still {
			changes = append(changes, Change{c.Section, c.ID, c.After, ""})
		}
	}
	sections := append(now.sections, old.sections...)
	slices.SortStableFunc(changes, func(a, b Change) int {
		return slices.Index(sections, a.Section) - slices.Index(sections, b.Section)
	})
	return changes
}

func (c Change) key() string { return c.Section + "\x00" + c.ID }

// sayings are all that a document says.
type sayings struct {
	sections []string // their headings
	order    []Change // with After alone
	text     map[string]string
}

func said(d *Document) sayings {
	all := sayings{text: map[string]string{}}
	add := func(section, id, text string) {
		c := Change{section, id, "", text}
		all.order = append(all.order, c)
		all.text[c.key()] = text
	}
	for _, s := range d.Sections {
		all.sections = append(all.sections, s.Heading)
		for _, statement := range s.Statements {
			add(s.Heading, statement.ID, statement.Text)
		}
		for _, f := range s.Fields {
			add(s.Heading, f.Path, d.field(f))
		}
	}
	return all
}

// field is a row of a table in one line.
func (d *Document) field(f FieldText) string {
	text := fmt.Sprintf("%s: %s (%s: %s", f.Path, f.What, d.Columns.Purpose, f.Purpose)
	if f.After != "" {
		text += fmt.Sprintf("; %s: %s", d.Columns.After, f.After)
	}
	return text + ")"
}

// DiffText says the changes to people, grouped by section.
func (l *Language) DiffText(changes []Change) string {
	if len(changes) == 0 {
		return l.text("diff_none") + "\n"
	}
	var b strings.Builder
	b.WriteString(l.text("diff_title") + "\n")
	section := ""
	for _, c := range changes {
		if c.Section != section {
			section = c.Section
			fmt.Fprintf(&b, "\n%s\n", section)
		}
		switch {
		case c.Before == "":
			fmt.Fprintf(&b, "  %s\n", l.text("diff_new", "text", c.After))
		case c.After == "":
			fmt.Fprintf(&b, "  %s\n", l.text("diff_gone", "text", c.Before))
		default:
			fmt.Fprintf(&b, "  %s\n  %s\n", l.text("diff_before", "text", c.Before), l.text("diff_after", "text", c.After))
		}
	}
	return b.String()
}
