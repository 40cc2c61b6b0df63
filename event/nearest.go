package event

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// comparedBytes bounds the names that are compared: the work grows with the product of their lengths.
const comparedBytes = 128

// LikelyFix words the likely fix of an unknown name: the nearest of the known ones, or all of them; "" where there are none.
func LikelyFix(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	if len(name) <= comparedBytes {
		distance := func(other string) int { return levenshtein.ComputeDistance(name, other) }
		nearest := slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
		if distance(nearest) <= max(2, len(name)/2) {
			return "did you mean " + nearest + "?"
		}
	}
	return "known here: " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}

// inBrackets puts a fix behind a message.
func inBrackets(fix string) string {
	if fix == "" {
		return ""
	}
	return " (" + fix + ")"
}
