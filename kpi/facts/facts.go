// Package facts makes facts of sanitized interactions, adds them up, and gives the sums to package kpi.
//
// A [Job] makes two narrow files of each sanitized file of a closed hour: the facts, thousands of one day a row, and the
// roll-up, one row a day of event time, whose cells are what the facts add up to: for all, and for each value of each
// segment. A [Source] answers questions from roll-ups, so that the cost of a question grows with hours and not with
// events; only a question about one segment within another reads facts. What no file holds yet, as the open hour, passes the
// same allowlist in memory and adds to the answer; it is never written.
//
// It imports event, kpi, lake with lake/duck, and sanitize.
package facts

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"brine/event"
	"brine/kpi"
	"brine/lake"
	"brine/sanitize"
)

// Tables are the datasets that this package fills, as far as the lake has to know their columns: which there are else
// hangs on the definitions.
func Tables() []lake.Table { return []lake.Table{table(lake.Facts), table(lake.Rollups)} }

func table(dataset string) lake.Table {
	return lake.Table{Dataset: dataset, Stream: stream, Columns: []event.Column{{Name: columnTime, Kind: event.Int64}}, Time: columnTime}
}

// The keys of the metadata of both files.
const (
	keyFormat      = "brine.format"      // of both files
	keyDefinitions = "brine.definitions" // [kpi.Definitions.Digest]
	keyInput       = "brine.input"       // the sanitized file
	keyDays        = "brine.days"        // of event time that it has rows of
	keyRows        = "brine.rows"        // interactions
	keyFacts       = "brine.facts"       // of a roll-up: the generation of the file of facts that was made with it
)

// format is raised when the same definitions come to be written otherwise: files of another one are stale.
const format = "5"

// meta is what a roll-up or a file of facts says of itself.
type meta struct {
	digest string
	input  string // as JSON
	days   []kpi.Date
	facts  int
}

func (m meta) pairs(rows int64) map[string]string {
	days := make([]string, len(m.days))
	for i, d := range m.days {
		days[i] = string(d)
	}
	return map[string]string{keyFormat: format, keyDefinitions: m.digest, keyInput: m.input, keyDays: strings.Join(days, ","),
		keyRows: strconv.FormatInt(rows, 10), keyFacts: strconv.Itoa(m.facts)}
}

// parseMeta reads the metadata; what is not there or not readable is zero, which no file is current by.
func parseMeta(pairs map[string]string) meta {
	if pairs[keyFormat] != format {
		return meta{}
	}
	m := meta{digest: pairs[keyDefinitions], input: pairs[keyInput]}
	m.facts, _ = strconv.Atoi(pairs[keyFacts])
	if days := pairs[keyDays]; days != "" {
		for _, d := range strings.Split(days, ",") {
			m.days = append(m.days, kpi.Date(d))
		}
	}
	return m
}

// inputOf names a sanitized file as the metadata do.
func inputOf(f lake.File) string {
	text, err := json.Marshal(sanitize.RangeOf(f))
	if err != nil {
		panic(err) // a name and numbers
	}
	return string(text)
}

// source is the files that hold the events of one log, or one import, in one hour.
type source struct {
	sanitized, facts, rollup *lake.File
	raw                      []lake.File
	meta                     meta // of the roll-up
}

// current says whether facts and roll-up are what the definitions make of the sanitized file today.
func (s *source) current(digest string) bool {
	return s.sanitized != nil && s.facts != nil && s.rollup != nil && s.meta.digest == digest &&
		s.meta.input == inputOf(*s.sanitized) && s.meta.facts == s.facts.Generation
}

// orphan says whether there is something that was made of a sanitized file that is gone.
func (s *source) orphan() bool { return s.sanitized == nil && (s.facts != nil || s.rollup != nil) }

// sourceKey is the hour and the log of a source.
type sourceKey struct {
	hour int64
	log  string
}

// stream is the one that there are facts of.
const stream = event.Interaction

// sources are all that the lake has of a stream, with the metadata of roll-ups.
func sources(l *lake.Lake, metaOf func([]lake.File) (map[lake.Name]map[string]string, error), withRaw bool) (map[sourceKey]*source, error) {
	all := map[sourceKey]*source{}
	of := func(f lake.File) *source {
		k := sourceKey{f.Hour.Unix(), f.Log}
		if all[k] == nil {
			all[k] = &source{}
		}
		return all[k]
	}
	rollups := l.List(lake.Rollups, stream)
	metas, err := metaOf(rollups)
	if err != nil {
		return nil, err
	}
	for _, f := range rollups {
		s := of(f)
		s.rollup, s.meta = &f, parseMeta(metas[f.Name])
	}
	for _, f := range l.List(lake.Facts, stream) {
		of(f).facts = &f
	}
	for _, f := range l.List(lake.Sanitized, stream) {
		of(f).sanitized = &f
	}
	if withRaw {
		for _, f := range l.List(lake.Raw, stream) {
			s := of(f)
			s.raw = append(s.raw, f)
		}
	}
	return all, nil
}

// sortedKeys are the sources by hour, then by log.
func sortedKeys(all map[sourceKey]*source) []sourceKey {
	keys := make([]sourceKey, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b sourceKey) int {
		if a.hour != b.hour {
			return int(a.hour - b.hour)
		}
		return strings.Compare(a.log, b.log)
	})
	return keys
}
