package kpi

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"brine/kpi/stat"
)

// words are the verdict as a sentence or two.
func (t *trial) words(c contrast, k KPI, v stat.Verdict, a, b Figure, more int64) string {
	if a.Value == nil || b.Value == nil {
		why := a.Why
		if a.Value != nil {
			why = b.Why
		}
		return "Not enough data yet: " + map[string]string{NoData: "one side has no data.", TooFew: "one side has too few interactions to be told.", NotOver: "no day is over."}[why]
	}
	fromTo := fmt.Sprintf("%s, from %s to %s", k.Title, k.Text(*a.Value), k.Text(*b.Value))
	switch v {
	case stat.Better, stat.Worse:
		return fmt.Sprintf("%s: %s. The difference is %s, and lies between %s and %s.", capital(string(v)), fromTo, k.difference(c.Estimate), k.difference(c.Low), k.difference(c.High))
	case stat.Same:
		return fmt.Sprintf("No difference that matters: %s. It lies between %s and %s, and %s would matter.", fromTo, k.difference(c.Low), k.difference(c.High), k.difference(k.Smallest))
	}
	return "Not enough data yet: " + fromTo + ". " + t.missing(c, k, more)
}

// missing says what it takes for a verdict.
func (t *trial) missing(c contrast, k KPI, more int64) string {
	switch {
	case !t.sideBySide() && len(t.after) < stat.FirstLook:
		return fmt.Sprintf("There are %d whole days to look at on each side, and it takes %d before anything can be said.", len(t.after), stat.FirstLook)
	case !t.sideBySide() && c.units < stat.FirstLook:
		return fmt.Sprintf("There are %d pairs of days with data, and it takes %d before anything can be said.", c.units, stat.FirstLook)
	case math.IsInf(c.Low, 0) || math.IsNaN(c.Low):
		return fmt.Sprintf("It takes at least %d interactions on each side before anything can be said.", fewestDialogs)
	case more > 0:
		return fmt.Sprintf("The difference lies between %s and %s; about %s more interactions would do to find one of %s.",
			k.difference(c.Low), k.difference(c.High), thousands(more), k.difference(k.Smallest))
	}
	return fmt.Sprintf("The difference lies between %s and %s; with more days it will be told whether it matters.", k.difference(c.Low), k.difference(c.High))
}

// Text is a value of the KPI with its unit, for people.
func (k KPI) Text(v float64) string {
	switch k.Unit() {
	case UnitShare:
		return decimal(100*v, 1) + " %"
	case UnitMillis:
		return millis(v)
	case UnitCount:
		return decimal(v, 0)
	}
	return decimal(v, 2)
}

// difference is a difference of the KPI, with its sign.
func (k KPI) difference(v float64) string {
	sign := "+"
	if v < 0 {
		sign, v = "−", -v
	}
	if k.Unit() == UnitShare {
		return sign + decimal(100*v, 1) + " points"
	}
	return sign + k.Text(v)
}

func millis(v float64) string {
	if v < 1000 {
		return decimal(v, 0) + " ms"
	}
	return decimal(v/1000, 1) + " s"
}

// decimal is a number with so many digits behind its point, fewer where they are 0.
func decimal(v float64, digits int) string {
	if math.IsInf(v, 0) {
		return "anything"
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// thousands writes 12000 as 12,000.
func thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
