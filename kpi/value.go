package kpi

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// valuer gives a segment's value for what the field holds.
type valuer struct {
	segment Segment
	known   map[string]*valued // seen before; bounded
	last    [lastTexts]*valued // seen lately, by placeOf
}

// valued is what a field held, and the value.
type valued struct{ held, value string }

func newValuer(s Segment) *valuer { return &valuer{segment: s, known: map[string]*valued{}} }

// of is the value for a text of the field.
func (v *valuer) of(text []byte) string {
	last := &v.last[placeOf(text)]
	if *last == nil || (*last).held != string(text) {
		*last = v.find(text)
	}
	return (*last).value
}

func (v *valuer) find(text []byte) *valued {
	if known, ok := v.known[string(text)]; ok {
		return known
	}
	held := string(text)
	made := &valued{held, v.segment.value(held)}
	if len(v.known) < mostNames {
		v.known[held] = made
	}
	return made
}

// Listed says whether the segment has no values but those in its order, [Other] and [Unknown].
func (s Segment) Listed() bool { return len(s.Values) > 0 || len(s.Buckets) > 0 }

// Has says whether an interaction can have the value.
func (s Segment) Has(value string) bool {
	return !s.Listed() || value == Other && len(s.Buckets) == 0 || value == Unknown || slices.Contains(s.Order, value)
}

// value is the segment's value for what the field holds, as text: a number in decimal digits, or the label of its
// bucket in an allowlist.
func (s Segment) value(held string) string {
	switch {
	case held == "", held == Unknown:
		return Unknown
	case len(s.Buckets) > 0:
		return s.bucket(held)
	case len(s.Values) > 0:
		return s.alias(held)
	}
	return held
}

// alias is the value whose aliases name the text best: as it stands, else by the longest prefix.
func (s Segment) alias(held string) string {
	best, length := Other, -1
	for value, aliases := range s.Values {
		for _, a := range aliases {
			prefix, open := strings.CutSuffix(a, "*")
			switch {
			case a == held:
				return value
			case open && strings.HasPrefix(held, prefix) && len(prefix) > length:
				best, length = value, len(prefix)
			}
		}
	}
	return best
}

// bucket is the value of a number, or of an allowlist's bucket that lies within one of the segment's. One that
// lies across two, as from an older allowlist, is Unknown.
func (s Segment) bucket(held string) string {
	low, high, ok := bounds(held)
	if !ok {
		return Unknown
	}
	value := s.bucketOf(low)
	if value != s.bucketOf(high) {
		return Unknown
	}
	return value
}

// bucketOf is the bucket of a number; the first has all below it, too.
func (s Segment) bucketOf(v float64) string {
	value := s.Buckets[0].Value
	for _, b := range s.Buckets[1:] {
		if v >= b.From {
			value = b.Value
		}
	}
	return value
}

// bounds reads the lowest and the highest number that an allowlist's label stands for: 5, <1, 1-4, 0.5-<2, 100+.
func bounds(label string) (low, high float64, ok bool) {
	if v, err := strconv.ParseFloat(label, 64); err == nil {
		return v, v, true
	}
	if below, found := strings.CutPrefix(label, "<"); found {
		v, err := strconv.ParseFloat(below, 64)
		return math.Inf(-1), math.Nextafter(v, math.Inf(-1)), err == nil
	}
	if from, found := strings.CutSuffix(label, "+"); found {
		v, err := strconv.ParseFloat(from, 64)
		return v, math.Inf(1), err == nil
	}
	return rangeBounds(label)
}

func rangeBounds(label string) (low, high float64, ok bool) {
	for i := 1; i < len(label); i++ { // the first may be a sign
		if label[i] != '-' {
			continue
		}
		to, open := strings.CutPrefix(label[i+1:], "<")
		low, err := strconv.ParseFloat(label[:i], 64)
		high, errTo := strconv.ParseFloat(to, 64)
		if err != nil || errTo != nil {
			continue
		}
		if open {
			high = math.Nextafter(high, math.Inf(-1))
		}
		return low, high, true
	}
	return 0, 0, false
}
