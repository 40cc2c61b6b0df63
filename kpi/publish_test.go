package kpi

import (
	"encoding/json"
	"testing"
)

// An epsilon is exact: what is written is what is read, and sums are sums.
func TestEpsilon(t *testing.T) {
	for text, want := range map[string]Epsilon{"0.1": 1000, "1": 10_000, "1.0": 10_000, "0.0001": 1, "365": 3_650_000, "12.3456": 123_456, "1000000": 10_000_000_000} {
		got, err := ParseEpsilon(text)
		var back Epsilon
		encoded, _ := json.Marshal(got)
		if err != nil || got != want || json.Unmarshal(encoded, &back) != nil || back != want {
			t.Errorf("%s is %d, %s, and %d again: %v", text, got, encoded, back, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "0.00001", "1e3", "1/3", "0x1", "1_0", "inf", "NaN", "1000001", "1.00000000000000000000000000000001"} {
		if got, err := ParseEpsilon(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	for e, want := range map[Epsilon]string{0: "0", 1: "0.0001", 10_000: "1", 15_000: "1.5", 100_000: "10", 1_000_000: "100"} {
		if e.String() != want {
			t.Errorf("%d is %s, want %s", e, e, want)
		}
	}
	var none Epsilon
	if err := json.Unmarshal([]byte("0"), &none); err != nil {
		t.Error(err)
	}
}
