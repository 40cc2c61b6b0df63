package event

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"brine/event/scan"
)

func TestParseInteger(t *testing.T) {
	tests := []struct {
		raw  string
		want int64
		why  string
	}{
		{"0", 0, ""},
		{"-0", 0, ""},
		{"0.000", 0, ""},
		{"120", 120, ""},
		{"-120.00", -120, ""},
		{"1.20e2", 120, ""},
		{"12000E-2", 120, ""},
		{"0.00012e6", 120, ""},
		{"1.5", 0, CodeType},
		{"0.1e0", 0, CodeType},
		{"1.00000000000000000000000000001", 0, CodeType},
		{"9223372036854775807", math.MaxInt64, ""},
		{"-9223372036854775808", math.MinInt64, ""},
		{"-9223372036854775808.5", 0, CodeType},
		{"9223372036854775808", 0, CodeValue},
		{"-9223372036854775809", 0, CodeValue},
		{"922337203685477580.7e1", math.MaxInt64, ""},
		{"1e19", 0, CodeValue},
		{"18446744073709551617", 0, CodeValue},
		{"1e99999999999999999999", 0, CodeValue},
		{"1e-99999999999999999999", 0, CodeType},
		{"0e99999999999999999999", 0, ""},
	}
	for _, test := range tests {
		t.Run(test.raw, func(t *testing.T) {
			got, why := parseInteger([]byte(test.raw), math.MinInt64, math.MaxInt64)
			if why != test.why || why == "" && got != test.want {
				t.Errorf("%d with %q, want %d with %q", got, why, test.want, test.why)
			}
		})
	}
}

// TestDecimalAgainstBig holds the decimals against fractions of whole numbers.
func TestDecimalAgainstBig(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0001259"[rng.IntN(7)])
		}
		return b.String()
	}
	for range 20_000 {
		raw := strings.TrimLeft(digits(1+rng.IntN(21)), "0")
		if raw == "" {
			raw = "0"
		}
		if rng.IntN(2) == 0 {
			raw += "." + digits(1+rng.IntN(8))
		}
		if rng.IntN(2) == 0 {
			raw += "e" + strconv.Itoa(rng.IntN(50)-25)
		}
		if rng.IntN(3) == 0 {
			raw = "-" + raw
		}
		checkDecimal(t, raw)
	}
}

func checkDecimal(t *testing.T, raw string) {
	s := scan.Scanner{Src: []byte(raw)}
	if _, err := s.Number(); err != nil || s.Close() != nil {
		t.Fatalf("%s is no number: %v", raw, err)
	}
	exact, ok := new(big.Rat).SetString(raw)
	if !ok {
		t.Fatalf("%s is no fraction", raw)
	}
	d := parseDecimal([]byte(raw))
	if d.isInteger() != exact.IsInt() {
		t.Fatalf("%s is an integer: %v", raw, d.isInteger())
	}
	if v, ok := d.int64(); exact.IsInt() && (ok != exact.Num().IsInt64() || ok && v != exact.Num().Int64()) {
		t.Fatalf("%s is %d (%v)", raw, v, ok)
	}
	limit := big.NewRat(100_000, 1)
	if atMost := new(big.Rat).Abs(exact).Cmp(limit) <= 0; d.atMost(100_000) != atMost {
		t.Fatalf("%s is at most 100000: %v", raw, !atMost)
	}
}
