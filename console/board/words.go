package board

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"brine/kpi"
)

// The units of values, as [kpi.KPIInfo] has them.
const (
	share  = "share"
	ms     = "ms"
	count  = "count"
	amount = "number"
)

// space stands between a number and its unit, on one line.
const space = "\u00a0"

// valueText is a figure as people read it, or why there is none.
func valueText(f kpi.Figure, unit string) string {
	if f.Value == nil {
		return whyText(f)
	}
	return measure(*f.Value, unit)
}

func whyText(f kpi.Figure) string {
	if f.Why == "" {
		return kpi.NoData
	}
	return f.Why
}

func measure(v float64, unit string) string {
	switch unit {
	case share:
		return decimals(100*v, 1) + space + "%"
	case ms:
		return duration(v)
	case count:
		return humanize.Comma(int64(math.Round(v)))
	}
	return significant(v)
}

// duration is a time in ms, in the unit that suits it.
func duration(v float64) string {
	switch size := math.Abs(v); {
	case size < 1_000:
		return decimals(v, 0) + space + "ms"
	case size < 120_000:
		return decimals(v/1_000, 1) + space + "s"
	case size < 7_200_000:
		return decimals(v/60_000, 1) + space + "min"
	}
	return decimals(v/3_600_000, 1) + space + "h"
}

func decimals(v float64, n int) string { return minus(strconv.FormatFloat(v, 'f', n, 64)) }

func significant(v float64) string {
	if math.Abs(v) >= 1_000 {
		return minus(humanize.Comma(int64(math.Round(v))))
	}
	return minus(strconv.FormatFloat(v, 'g', 3, 64))
}

// minus is a sign as wide as a plus. What rounds to nothing has none.
func minus(text string) string {
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return "−" + rest
	}
	return text
}

// differenceText is a difference with its sign; of shares in points.
func differenceText(f kpi.Figure, unit string) string {
	if f.Value == nil {
		return whyText(f)
	}
	return difference(*f.Value, unit)
}

func difference(v float64, unit string) string {
	if unit == share {
		return signed(decimals(100*v, 1), v) + space + "points"
	}
	return signed(measure(v, unit), v)
}

// amountText is a difference without its sign.
func amountText(v float64, unit string) string {
	return strings.TrimLeft(difference(v, unit), "+−±")
}

func signed(text string, v float64) string {
	switch {
	case strings.Trim(text, "−-0.%msinh"+space) == "":
		return "±" + strings.TrimLeft(text, "−-")
	case v > 0:
		return "+" + text
	}
	return minus(text)
}

// sentence begins with a capital letter.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// intervalText is from where to where a difference may lie.
func intervalText(f kpi.Figure, unit string) string {
	switch {
	case f.Low == nil && f.High == nil && f.Value != nil:
		return "not known yet"
	case f.Low == nil && f.High == nil:
		return ""
	case f.Low == nil:
		return "anything to " + difference(*f.High, unit)
	case f.High == nil:
		return difference(*f.Low, unit) + " to anything"
	}
	return bound(*f.Low, unit) + " to " + difference(*f.High, unit)
}

// rangeText is from where to where a figure's truth may lie; "" where that is not known.
func rangeText(f kpi.Figure, unit string) string {
	if f.Low == nil || f.High == nil {
		return ""
	}
	return strings.TrimSuffix(measure(*f.Low, unit), space+"%") + " to " + measure(*f.High, unit)
}

// bound is a difference without the name of its unit, where that follows.
func bound(v float64, unit string) string {
	return strings.TrimSuffix(difference(v, unit), space+"points")
}

// dayText is a day as people read it.
func dayText(d kpi.Date) string {
	if d == "" {
		return "–"
	}
	return d.Start(time.UTC).Format("2 Jan 2006")
}

// spanText is days as people read them, the last one included.
func spanText(s kpi.Span) string {
	last := s.To.Plus(-1)
	if s.From >= last {
		return dayText(s.From)
	}
	return dayText(s.From) + " – " + dayText(last)
}

// countText is how many there are of a thing.
func countText(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(n) + " " + many
}
