package kpi

import (
	"slices"
	"strings"
)

// names are the patterns of all definitions, each list of them as one bit, so that an event's name is looked at once
// and not once for each of them.
type names struct {
	lists [][]string       // by bit
	known map[string]*name // seen before; bounded, as clients make names up
	last  [lastTexts]*name // seen lately, by placeOf
}

// lastTexts is how many texts that were seen lately have a place where they are found without hashing them.
const lastTexts = 64

// placeOf tells apart most texts of a field.
func placeOf(text []byte) int {
	n := len(text)
	if n == 0 {
		return 0
	}
	return (n + int(text[0]) + 5*int(text[n/2]) + 11*int(text[n-1])) % lastTexts
}

// mostNames bounds the names that are remembered. Beyond it each is looked at anew.
const mostNames = 4096

// name is an event's name and the lists that name it.
type name struct {
	text string
	in   bits
}

// bits is a set of lists of patterns: as many as flows, steps and KPIs can have.
type bits [(mostFlows*(mostSteps+1) + mostKPIs + 63) / 64]uint64

func (b *bits) set(i int)      { b[i/64] |= 1 << (i % 64) }
func (b *bits) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }

func (b *bits) add(o *bits) {
	for i := range b {
		b[i] |= o[i]
	}
}

// add makes a list of patterns known, and gives its bit.
func (n *names) add(patterns []string) int {
	n.lists = append(n.lists, patterns)
	return len(n.lists) - 1
}

// of is what the name is in.
func (n *names) of(text []byte) *name {
	last := &n.last[placeOf(text)]
	if *last == nil || (*last).text != string(text) {
		*last = n.find(text)
	}
	return *last
}

func (n *names) find(text []byte) *name {
	if known, ok := n.known[string(text)]; ok {
		return known
	}
	made := name{text: string(text)}
	for i, patterns := range n.lists {
		if matches(patterns, made.text) {
			made.in.set(i)
		}
	}
	if len(n.known) < mostNames {
		n.known[made.text] = &made
	}
	return &made
}

// matches says whether one of the patterns names the text.
func matches(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		prefix, open := strings.CutSuffix(p, "*")
		return p == text || open && strings.HasPrefix(text, prefix)
	})
}
