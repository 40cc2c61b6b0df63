package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"brine/metrics"
)

var metricRow = regexp.MustCompile("(?m)^\\| `brine_.*$")

// metrics.md has a row for each metric that there is, with its type, its labels and what it says, and for none else.
func TestMetricsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, row := range metricRow.FindAllString(string(text), -1) {
		if documented[row] {
			t.Errorf("metrics.md has this twice:\n%s", row)
		}
		documented[row] = true
	}
	for _, f := range metrics.Families() {
		labels := ""
		if len(f.Labels) > 0 {
			labels = "`" + strings.Join(f.Labels, "`, `") + "`"
		}
		row := "| `" + f.Name + "` | " + string(f.Kind) + " | " + labels + " | " + f.Help + " |"
		if !documented[row] {
			t.Errorf("metrics.md lacks\n%s", row)
		}
		delete(documented, row)
	}
	for row := range documented {
		t.Errorf("metrics.md has what is not exported:\n%s", row)
	}
}
