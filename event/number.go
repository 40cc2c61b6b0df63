package event

import (
	"bytes"
	"math"
)

// decimal is a JSON number taken apart without rounding: 0.DDD × 10^point, where the digits D
// are n in number, neither the first nor the last of them 0. Zero has none.
type decimal struct {
	neg    bool
	digits []byte // as in the source, with zeros around and perhaps a point among them
	n      int
	point  int
}

// exponents beyond this are all alike: no number of bytes that fits into memory reaches back.
const farExponent = 1 << 40

// parseDecimal takes a number apart that [scan.Scanner.Number] has read.
func parseDecimal(raw []byte) decimal {
	var d decimal
	d.neg = raw[0] == '-'
	if d.neg {
		raw = raw[1:]
	}
	exponent := 0
	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		exponent = parseExponent(raw[i+1:])
		raw = raw[:i]
	}
	whole := bytes.IndexByte(raw, '.')
	if whole < 0 {
		whole = len(raw)
	}
	d.trim(raw, whole)
	d.point += exponent
	return d
}

// trim finds the digits of raw that count; whole of its bytes stand before the point.
func (d *decimal) trim(raw []byte, whole int) {
	first := 0
	for first < len(raw) && (raw[first] == '0' || raw[first] == '.') {
		first++
	}
	last := len(raw)
	for last > first && (raw[last-1] == '0' || raw[last-1] == '.') {
		last--
	}
	d.digits = raw[first:last]
	d.n = last - first
	if first < whole && whole < last {
		d.n--
	}
	d.point = whole - first
	if first > whole {
		d.point++
	}
}

func parseExponent(raw []byte) int {
	neg := raw[0] == '-'
	if neg || raw[0] == '+' {
		raw = raw[1:]
	}
	n := 0
	for _, c := range raw {
		n = min(n*10+int(c-'0'), farExponent)
	}
	if neg {
		return -n
	}
	return n
}

// isInteger says whether the number has no fraction, as in 1.0 or 1.5e1.
func (d *decimal) isInteger() bool { return d.n == 0 || d.n <= d.point }

// truncated is the number without its fraction and sign; ok is false beyond int64.
func (d *decimal) truncated() (v int64, ok bool) {
	if d.n == 0 || d.point <= 0 {
		return 0, true
	}
	if d.point > 19 {
		return 0, false
	}
	var u uint64
	place := 0
	for _, c := range d.digits {
		if c == '.' {
			continue
		}
		if place == d.point {
			break
		}
		u = u*10 + uint64(c-'0')
		place++
	}
	for ; place < d.point; place++ {
		u *= 10
	}
	return int64(u), u <= math.MaxInt64
}

// int64 is the value of an integer; ok is false beyond int64.
func (d *decimal) int64() (v int64, ok bool) {
	v, ok = d.truncated()
	if !ok {
		// The one integer whose magnitude does not fit.
		return math.MinInt64, d.neg && d.isInteger() && v == math.MinInt64
	}
	if d.neg {
		v = -v
	}
	return v, true
}

// atMost compares the magnitude with a limit of at least 0.
func (d *decimal) atMost(limit int64) bool {
	v, ok := d.truncated()
	return ok && (v < limit || v == limit && d.isInteger())
}

// parseInteger reads a whole number from lo to hi. why is "" or the code of what is wrong.
func parseInteger(raw []byte, lo, hi int64) (n int64, why string) {
	n, ok := parseDigits(raw)
	if !ok {
		d := parseDecimal(raw)
		if !d.isInteger() {
			return 0, CodeType
		}
		if n, ok = d.int64(); !ok {
			return 0, CodeValue
		}
	}
	if n < lo || n > hi {
		return 0, CodeValue
	}
	return n, ""
}

// parseDigits is the quick way for what nearly every number is: up to 18 digits.
func parseDigits(raw []byte) (n int64, ok bool) {
	if len(raw) > 18 {
		return 0, false
	}
	for _, c := range raw {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}
