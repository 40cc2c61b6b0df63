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
		return fmt.Sprintf("No difference that matters: %s. The difference lies between %s and %s, and %s would matter.", fromTo, k.difference(c.Low), k.difference(c.High), k.amount(k.Smallest))
	}
	return "Not enough data yet: " + fromTo + ". " + t.missing(c, k, more)
}

// missing says what it takes for a verdict.
func (t *trial) missing(c contrast, k KPI, more int64) string {
	switch would := wouldDo(k, more); {
	case c.few && t.sideBySide():
		return fmt.Sprintf("It takes at least %d interactions in each branch before anything can be said.%s", fewestDialogs, would)
	case c.few && len(t.after) < stat.FirstLook:
		return fmt.Sprintf("There are %d whole days to look at on each side, and it takes %d before anything can be said.%s", len(t.after), stat.FirstLook, swing(would))
	case c.few:
		return fmt.Sprintf("There are %d pairs of days with data, and it takes %d before anything can be said.%s", c.units, stat.FirstLook, swing(would))
	case math.IsInf(c.Low, 0) && !t.sideBySide():
		return "All days compared have one value on each side, and how much days differ is not known before they do."
	case math.IsInf(c.Low, 0), math.IsInf(c.High, 0):
		return "The difference has no bound yet: a percentile takes the more interactions, the further out it lies." + would
	default:
		if would == "" {
			would = " With more days it will be told whether it matters."
		}
		return fmt.Sprintf("The difference lies between %s and %s.%s", k.difference(c.Low), k.difference(c.High), would)
	}
}

// wouldDo says how many more interactions would do; "" where that is not known.
func wouldDo(k KPI, more int64) string {
	if more == 0 {
		return ""
	}
	return fmt.Sprintf(" About %s more interactions would do to find a difference of %s.", thousands(more), k.amount(k.Smallest))
}

// swing adds what is not known of so few days.
func swing(would string) string {
	if would == "" {
		return ""
	}
	return strings.TrimSuffix(would, ".") + ", and more the more days differ by themselves."
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

// amount is a difference without its sign.
func (k KPI) amount(v float64) string { return strings.TrimLeft(k.difference(v), "+−") }

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
