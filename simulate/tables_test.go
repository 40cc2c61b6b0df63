package simulate

import (
	"math"
	"testing"
)

func TestSharesSumToOne(t *testing.T) {
	sums := map[string]float64{
		"devices": sum(devices), "languages": sum(languages), "failures": sum(failures),
		"numbersOfEmails": sum(numbersOfEmails), "numbersOfSites": sum(numbersOfSites),
	}
	for _, d := range devices {
		sums[d.value.os+" "+d.value.browser+" versions"] = sum(d.value.versions)
		sums[d.value.os+" "+d.value.browser+" screens"] = sum(d.value.screens)
	}
	for name, got := range sums {
		if math.Abs(got-1) > 1e-9 {
			t.Errorf("the shares of %s sum to %.4f", name, got)
		}
	}
}

func TestRhythmHasMeanOne(t *testing.T) {
	for name, table := range map[string][]float64{"hours": hours[:], "weekdays": weekdays[:]} {
		total := 0.0
		for _, busy := range table {
			total += busy
		}
		if mean := total / float64(len(table)); math.Abs(mean-1) > 0.01 {
			t.Errorf("the mean of %s is %.3f", name, mean)
		}
	}
}

func sum[T any](table []choice[T]) (total float64) {
	for _, c := range table {
		total += c.share
	}
	return total
}
