package policy

import (
	"slices"
	"time"
)

// Document is a policy in the words of one language.
type Document struct {
	Title    string    `json:"title"`
	Lead     string    `json:"lead"`
	Sections []Section `json:"sections"`
	Columns  Columns   `json:"columns"` // of the tables of fields
}

// Section is what is said of one matter.
type Section struct {
	ID         string      `json:"id"`
	Heading    string      `json:"heading"`
	Part       bool        `json:"part,omitempty"` // of the section before it that is none
	Statements []Statement `json:"statements,omitempty"`
	Fields     []FieldText `json:"fields,omitempty"`
}

// Statement is one sentence or two that hold by themselves. Its id is the same in all languages and policies.
type Statement struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// FieldText is a row of a table of fields.
type FieldText struct {
	Path    string `json:"path"`
	What    string `json:"what"`
	Purpose string `json:"purpose"`
	After   string `json:"after,omitempty"` // "" where the policy has no reduced copy
}

// Columns are the headings of the tables of fields, by what is below them.
type Columns struct {
	Field   string `json:"field"`
	What    string `json:"what"`
	Purpose string `json:"purpose"`
	After   string `json:"after,omitempty"`
}

// SayNextTurn adds on which day the salts turn next. It is apart from the policy, which a turn does not change. Where the
// document does not speak of salts, and of the zero time, it adds nothing.
func (d *Document) SayNextTurn(l *Language, next time.Time) {
	speaksOfSalts := func(s Section) bool {
		return slices.ContainsFunc(s.Statements, func(s Statement) bool { return s.ID == "salts" })
	}
	i := slices.IndexFunc(d.Sections, speaksOfSalts)
	if i >= 0 && !next.IsZero() {
		s := &d.Sections[i]
		s.Statements = append(s.Statements, Statement{"salts_next", l.text("salts_next", "day", next.UTC().Format(time.DateOnly))})
	}
}
