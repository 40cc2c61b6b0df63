package sanitize

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"

	"brine/lake"
)

// Meta is what a sanitized file says of itself, as Parquet key-value metadata.
type Meta struct {
	Salt      string     // name of the salt's period; fresh for a backfill; "" where no field is hashed
	Allowlist string     // [Plan.Digest] of what made it
	Made      string     // [Plan.Made] of the same
	Inputs    []RawRange // the raw file it was made of
	RowsIn    int64
	RowsOut   int64
	Backfill  bool
	Sources   []string // of a backfill: all sources of the hour, which were to be hashed with the same salt
}

// freshSalt stands for the salt of a backfill, which has no period.
const freshSalt = "fresh"

// RawRange names a raw file of the same hour.
type RawRange struct {
	Log        string `json:"log"`
	First      uint64 `json:"first"`
	Last       uint64 `json:"last"`
	Generation int    `json:"generation"`
}

// The keys of the metadata.
const (
	keySalt      = "brine.salt"
	keyAllowlist = "brine.allowlist"
	keyMade      = "brine.made"
	keyInputs    = "brine.inputs"
	keyRowsIn    = "brine.rows_in"
	keyRowsOut   = "brine.rows_out"
	keyBackfill  = "brine.backfill"
	keySources   = "brine.backfill_of" // parted by spaces
)

func (m Meta) pairs() map[string]string {
	inputs, err := json.Marshal(m.Inputs)
	if err != nil {
		panic(err) // names and numbers
	}
	return map[string]string{
		keySalt: m.Salt, keyAllowlist: m.Allowlist, keyMade: m.Made, keyInputs: string(inputs),
		keyRowsIn: strconv.FormatInt(m.RowsIn, 10), keyRowsOut: strconv.FormatInt(m.RowsOut, 10),
		keyBackfill: strconv.FormatBool(m.Backfill), keySources: strings.Join(m.Sources, " "),
	}
}

// parseMeta reads the metadata; what is not there or not readable is zero, which no plan matches.
func parseMeta(pairs map[string]string) Meta {
	m := Meta{Salt: pairs[keySalt], Allowlist: pairs[keyAllowlist], Made: pairs[keyMade], Backfill: pairs[keyBackfill] == "true",
		Sources: strings.Fields(pairs[keySources])}
	if json.Unmarshal([]byte(pairs[keyInputs]), &m.Inputs) != nil {
		m.Inputs = nil
	}
	m.RowsIn, _ = strconv.ParseInt(pairs[keyRowsIn], 10, 64)
	m.RowsOut, _ = strconv.ParseInt(pairs[keyRowsOut], 10, 64)
	return m
}

func inputsOf(files []lake.File) []RawRange {
	ranges := make([]RawRange, len(files))
	for i, f := range files {
		ranges[i] = RawRange{f.Log, f.First, f.Last, f.Generation}
	}
	return ranges
}

// current says whether a sanitized file is what the plan makes of the raw files today.
func current(m Meta, plan *Plan, raw []lake.File) bool {
	return m.Allowlist == plan.Digest() && slices.Equal(m.Inputs, inputsOf(raw))
}

// lacks says whether raw files hold more than the file was made of: an import goes on in hours that are closed.
func (m Meta) lacks(raw []lake.File) bool {
	return len(m.Inputs) > 0 && slices.ContainsFunc(raw, func(f lake.File) bool {
		return !slices.ContainsFunc(m.Inputs, func(in RawRange) bool { return in.First <= f.First && f.Last <= in.Last })
	})
}

// bySource groups the files of an hour by where their events came from.
func bySource(files []lake.File) iter.Seq2[string, []lake.File] {
	groups := map[string][]lake.File{}
	for _, f := range files {
		groups[f.Log] = append(groups[f.Log], f)
	}
	return func(yield func(string, []lake.File) bool) {
		for _, f := range files { // in their order, whatever the map's
			if group := groups[f.Log]; group != nil {
				delete(groups, f.Log)
				if !yield(f.Log, group) {
					return
				}
			}
		}
	}
}

// madeFrom finds what is sanitized of a source.
func madeFrom(done []lake.File, metas map[lake.Name]map[string]string, source string) (Meta, bool) {
	for _, f := range done {
		if f.Log == source {
			return parseMeta(metas[f.Name]), true
		}
	}
	return Meta{}, false
}

// sourcesOf are where the events of an hour's files came from, each once.
func sourcesOf(files []lake.File) (sources []string) {
	for source := range bySource(files) {
		sources = append(sources, source)
	}
	return sources
}

// brokenOff says whether what is sanitized of an hour is a part of what a backfill was to make of it. All of it can be made anew:
// its raw events are there.
func brokenOff(raw, done []lake.File, metas map[lake.Name]map[string]string) (lacks bool) {
	left := sourcesOf(raw)
	for _, f := range done {
		meta := parseMeta(metas[f.Name])
		if !meta.IsBackfill() || !slices.Contains(left, f.Log) {
			return false
		}
		lacks = lacks || slices.ContainsFunc(meta.Sources, func(source string) bool {
			_, made := madeFrom(done, metas, source)
			return !made && slices.Contains(left, source)
		})
	}
	return lacks
}

// salted says whether some of the files hold what a salt made.
func salted(done []lake.File, metas map[lake.Name]map[string]string) bool {
	return slices.ContainsFunc(done, func(f lake.File) bool { return parseMeta(metas[f.Name]).Salt != "" })
}
