package sanitize

import (
	"encoding/json"
	"slices"
	"strings"

	"brine/lake"
)

// ReadMeta reads what a sanitized file says of itself. What is not there or not readable is zero.
func ReadMeta(pairs map[string]string) Meta { return parseMeta(pairs) }

// Pairs are the metadata as a file has them.
func (m Meta) Pairs() map[string]string { return m.pairs() }

// Rule is the one that the field at a path was kept by, or what it lies in; ok is false where nothing of it was kept.
func (m Meta) Rule(path []string) (rule Rule, ok bool) {
	var was made
	if json.Unmarshal([]byte(m.Made), &was) != nil || was.Version != 1 {
		return Rule{}, false
	}
	for _, r := range was.Rules {
		if len(r.Path) <= len(path) && slices.Equal(r.Path, path[:len(r.Path)]) {
			rule = r.rule()
			return rule, len(r.Path) == len(path) || rule.Kind == KeepAll
		}
	}
	return Rule{}, false
}

// MadeOf says whether the file was made of these raw files, as they are.
func (m Meta) MadeOf(raw []lake.File) bool { return slices.Equal(m.Inputs, inputsOf(raw)) }

// Hashed are the paths of the fields that became pseudonyms, like meta.id.
func (m Meta) Hashed() (paths []string) {
	var was made
	if json.Unmarshal([]byte(m.Made), &was) != nil {
		return nil
	}
	for _, r := range was.Rules {
		if r.Hashes() {
			paths = append(paths, strings.Join(r.Path, "."))
		}
	}
	return paths
}

// Lacks says whether raw files hold more than the file was made of.
func (m Meta) Lacks(raw []lake.File) bool { return m.lacks(raw) }

// Shrunk is the metadata after rows were taken out of the file, and of the raw file that it was made
// of where that was replaced: was and is are its ranges, zero where it was not.
func (m Meta) Shrunk(rows int64, was, is RawRange) Meta {
	m.RowsIn, m.RowsOut = m.RowsIn-rows, m.RowsOut-rows
	m.Inputs = slices.Clone(m.Inputs)
	for i := range m.Inputs {
		if m.Inputs[i] == was {
			m.Inputs[i] = is
		}
	}
	return m
}

// RangeOf names a raw file as the metadata do.
func RangeOf(f lake.File) RawRange { return RawRange{f.Log, f.First, f.Last, f.Generation} }

// IsBackfill says whether the pseudonyms were made under a salt that was never stored.
func (m Meta) IsBackfill() bool { return m.Backfill || m.Salt == freshSalt }
