package sanitize

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"brine/event"
)

// Plan is what an allowlist says of one stream.
type Plan struct {
	Stream  string
	Listed  bool           // false: the stream gives no rows
	Columns []event.Column // of its sanitized rows, in the order of the stream's own

	time   string // path of the time field
	fields []*field
}

func newPlan(stream *event.Stream, listed bool, fields []*field) *Plan {
	p := &Plan{Stream: stream.Name, Listed: listed, time: stream.Time, fields: fields}
	for _, f := range fields {
		p.Columns = append(p.Columns, f.out)
	}
	return p
}

// FieldRule is the rule of one field, as files and the policy page have it.
type FieldRule struct {
	Path  []string  `json:"path"` // names from the stream down; what is in an array has the array's path
	Rule  string    `json:"rule"` // as in an allowlist: keep, keep_all, hash, hash_per_stream, floor, bucket, only
	Floor string    `json:"floor,omitempty"`
	Edges []float64 `json:"bucket,omitempty"`
	Only  []string  `json:"only,omitempty"`
	Words string    `json:"-"` // the rule in plain words; see [Rule.Words]
}

// Hashes says whether the field becomes a pseudonym.
func (r FieldRule) Hashes() bool { return r.Rule == Hash.String() || r.Rule == HashPerStream.String() }

// Rules are those of all fields that stay, in the order of the columns.
func (p *Plan) Rules() []FieldRule { return flatten(p.fields) }

func flatten(fields []*field) (rules []FieldRule) {
	for _, f := range ends(fields) {
		rule := f.rule
		if f.made != nil {
			rule = *f.made
		}
		r := FieldRule{Path: f.path, Rule: rule.Kind.String(), Edges: rule.Edges, Only: rule.Only, Words: rule.Words()}
		if rule.Kind == Floor {
			r.Floor = floorText(rule.Floor)
		}
		rules = append(rules, r)
	}
	return rules
}

// ends are the fields that have a rule of their own.
func ends(fields []*field) (all []*field) {
	for _, f := range fields {
		if f.rule.Kind == Fields {
			all = append(all, ends(f.fields)...)
		} else {
			all = append(all, f)
		}
	}
	return all
}

// made is what a sanitized file says of the rules it was made by.
type made struct {
	Version int         `json:"version"` // of the meaning of rules: 1
	Stream  string      `json:"stream"`
	Listed  bool        `json:"listed"`
	Rules   []FieldRule `json:"rules"`
}

// Made is the plan as text, for a sanitized file's metadata: what [Narrow] needs to know of the file.
func (p *Plan) Made() string {
	text, err := json.Marshal(made{1, p.Stream, p.Listed, p.Rules()})
	if err != nil {
		panic(err) // strings and finite numbers
	}
	return string(text)
}

// Digest is the SHA-256 of [Plan.Made], in hex. It changes with what is kept of this stream, and with
// nothing else: not with comments, the order of lines, other streams, or defaults that it does not have.
func (p *Plan) Digest() string {
	sum := sha256.Sum256([]byte(p.Made()))
	return hex.EncodeToString(sum[:])
}

// NeedsSalt says whether some field becomes a pseudonym.
func (p *Plan) NeedsSalt() bool {
	return p.uses(Hash) || p.uses(HashPerStream)
}

func (p *Plan) uses(kind RuleKind) bool {
	return slices.ContainsFunc(ends(p.fields), func(f *field) bool { return f.rule.Kind == kind })
}

// WithoutPseudonyms is the plan less the fields that become pseudonyms: it needs no salt.
func (p *Plan) WithoutPseudonyms() *Plan {
	bare := &Plan{Stream: p.Stream, Listed: p.Listed, time: p.time, fields: withoutPseudonyms(p.fields)}
	for _, f := range bare.fields {
		bare.Columns = append(bare.Columns, f.out)
	}
	return bare
}

func withoutPseudonyms(fields []*field) (rest []*field) {
	for _, f := range fields {
		if f.rule.Kind == Hash || f.rule.Kind == HashPerStream {
			continue
		}
		if f.rule.Kind == Fields {
			bare := *f
			if bare.fields = withoutPseudonyms(f.fields); len(bare.fields) == 0 {
				continue
			}
			bare.setOut()
			f = &bare
		}
		rest = append(rest, f)
	}
	return rest
}
