// Package policy is the published data collection policy: what is collected of people, what becomes of it, and what
// they can do about it, made from what is enforced.
//
// It imports event alone of the house. A [Policy] comes in, the facts as cmd/brine finds them in the schemas and settings in
// force. It goes out in words, a [Document] in each language, as HTML at /privacy, JSON at /privacy.json and Markdown
// from brine policy; each one that was in force stays in a [History]. There is no text of the policy beside
// the facts: who changes a setting changes what the page says.
package policy

import (
	"slices"
	"strings"

	"brine/event"
)

// Policy is what is enforced. Whatever is not in it the page does not claim.
type Policy struct {
	Operator  string     `json:"operator"` // who answers for the collection; "" where the config does not say
	Contact   string     `json:"contact"`  // where to ask; "" where the config does not say
	OptIn     bool       `json:"opt_in"`   // nothing is collected before a yes; else until a no
	DNT       bool       `json:"dnt"`      // "DNT: 1" counts as a no
	Streams   []Stream   `json:"streams"`
	Kept      []Kept     `json:"kept"`                // what is kept, in the order of the flow
	Reduced   bool       `json:"reduced"`             // an allowlist decides what outlives the raw events
	Guard     float64    `json:"guard,omitempty"`     // share of a dataset that is not deleted at once without a person's word; 0: there is none
	Salts     *Salts     `json:"salts,omitempty"`     // nil: there are none
	Readers   []Reader   `json:"readers"`             // empty: who has a name and a password here
	Stores    []Store    `json:"stores"`              // other stores that receive data
	Published *Published `json:"published,omitempty"` // nil: nothing is shown to everybody
	Forget    bool       `json:"forget"`              // an app can have its installation erased
}

// Stream is what is collected of one kind.
type Stream struct {
	Name       string   `json:"name"`
	Purpose    string   `json:"purpose,omitempty"`
	Unit       string   `json:"unit,omitempty"`  // path of the field that holds an install id
	SampleRate float64  `json:"sample_rate"`     // in force now; 0: nothing is taken
	Until      string   `json:"until,omitempty"` // the last day, 2026-12-31; "" for no end
	Ended      bool     `json:"ended,omitempty"` // that day is over
	Fields     []Field  `json:"fields"`
	Versions   []string `json:"versions"` // $id of the schemas in force, the newest first
}

// Field is one field of a stream.
type Field struct {
	Path        string   `json:"path"` // as of [event.Field]
	Type        string   `json:"type"`
	Values      []string `json:"values,omitempty"` // all that it may hold, where the schema lists them
	Description string   `json:"description"`      // "": not described
	Purpose     string   `json:"purpose"`          // "": that of the stream, or not described
	Rule        *Rule    `json:"rule,omitempty"`   // what the allowlist does with it; nil: it is not kept longer than the raw event
}

// Kept is how long one dataset is kept.
type Kept struct {
	Dataset string `json:"dataset"`             // raw, sanitized, facts, rejected, quarantine, audit or log
	Hours   int    `json:"hours,omitempty"`     // after which it is deleted; 0: no age is too old
	Bytes   int64  `json:"max_bytes,omitempty"` // above which the oldest goes; 0: no size is too large
	Waits   bool   `json:"waits,omitempty"`     // for space, nothing goes that is not sanitized
}

// Salts say how long pseudonyms last.
type Salts struct {
	Quarter      bool `json:"quarter"`       // a period is a calendar quarter
	LongestHours int  `json:"longest_hours"` // of a period; 92 days for quarters
	GraceHours   int  `json:"grace_hours"`   // from a period's end to its salt's destruction
	External     bool `json:"external"`      // another program makes and destroys them
}

// JoinableHours is the longest time within which events of one installation can be joined, 0 for no end, and whether it
// is that of a pseudonym: a salt's period and grace. Else it is that of what bears the install id: the raw events, and the
// sanitized ones where the allowlist keeps it.
func (p *Policy) JoinableHours() (hours int, bySalt bool) {
	hours = p.keptHours("raw")
	hashed, plain := p.units()
	if s := p.keptHours("sanitized"); plain && (s == 0 || hours > 0 && s > hours) {
		hours = s
	}
	if !hashed || p.Salts == nil || hours == 0 {
		return hours, false
	}
	if s := p.Salts.LongestHours + p.Salts.GraceHours; s >= hours {
		return s, true
	}
	return hours, false
}

// keptHours is how long a dataset is kept, 0 for no end.
func (p *Policy) keptHours(dataset string) int {
	i := slices.IndexFunc(p.Kept, func(k Kept) bool { return k.Dataset == dataset })
	if i < 0 {
		return 0
	}
	return p.Kept[i].Hours
}

// units says whether install ids are kept as pseudonyms, and whether some are kept as they are.
func (p *Policy) units() (hashed, plain bool) {
	for _, s := range p.Streams {
		for _, f := range s.Fields {
			if f.Path == s.Unit && f.Rule != nil {
				hashed, plain = hashed || f.Rule.hashes(), plain || !f.Rule.hashes()
			}
		}
	}
	return hashed, plain
}

// hasUnits says whether something that is collected bears an install id.
func (p *Policy) hasUnits() bool {
	return slices.ContainsFunc(p.Streams, func(s Stream) bool { return s.Unit != "" })
}

// pseudonyms says whether some are made.
func (p *Policy) pseudonyms() bool {
	return slices.ContainsFunc(p.Streams, func(s Stream) bool {
		return slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Rule != nil && f.Rule.hashes() })
	})
}

// Reader is a role and who has it.
type Reader struct {
	Role    string   `json:"role"`               // viewer, analyst, raw or privacy
	Groups  []string `json:"groups"`             // of the directory; none: nobody has it
	MinCell int      `json:"min_cell,omitempty"` // of viewer: the fewest events a figure rests on
}

// Published is what everybody is shown, with noise.
type Published struct {
	Totals []string `json:"totals"`      // their titles
	Day    float64  `json:"epsilon_day"` // how much a day may tell
	All    float64  `json:"epsilon_all"` // and all days together
}

// Store is another store that receives data.
type Store struct {
	Name    string `json:"name"`    // its kind, like CouchDB
	Dataset string `json:"dataset"` // what it receives
}

// Words are what the config says of a field that its schema does not describe.
type Words struct{ Description, Purpose string }

// Fields are those of a stream, each with the config's words where there are some.
func Fields(described []event.Field, words map[string]Words) []Field {
	var fields []Field
	for _, f := range described {
		w := words[f.Path]
		field := Field{Path: f.Path, Type: f.Type, Values: f.Values, Description: f.Description, Purpose: f.Purpose}
		if w.Description != "" {
			field.Description = w.Description
		}
		if w.Purpose != "" {
			field.Purpose = w.Purpose
		}
		fields = append(fields, field)
	}
	return fields
}

// Undescribed is a field of which the policy cannot say what it is or what it is for.
type Undescribed struct {
	Stream, Field string
	Lacks         string // description, purpose, or "description and purpose"
	Kept          bool   // the allowlist keeps something of it
}

// Undescribed are the fields that lack words. A purpose of the stream is one of all its fields. Of an app's stream, an object
// that only holds other fields needs none, and a map speaks for what is in it.
func (p *Policy) Undescribed() (lacking []Undescribed) {
	for _, s := range p.Streams {
		for _, f := range s.Fields {
			if s.Name != event.Interaction && (f.Type == "object" || strings.HasSuffix(f.Path, ".*")) {
				continue
			}
			var lacks []string
			if f.Description == "" {
				lacks = append(lacks, "description")
			}
			if f.Purpose == "" && s.Purpose == "" {
				lacks = append(lacks, "purpose")
			}
			if lacks != nil {
				lacking = append(lacking, Undescribed{s.Name, f.Path, strings.Join(lacks, " and "), f.Rule != nil})
			}
		}
	}
	return lacking
}
