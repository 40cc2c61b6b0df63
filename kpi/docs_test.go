package kpi

import (
	"os"
	"strings"
	"testing"
)

// The example of the documentation is a file without mistakes.
func TestDocsExample(t *testing.T) {
	page, err := os.ReadFile("../docs/kpi.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "    timezone:")
	example, _, found := strings.Cut("    timezone:"+rest, "\n## ")
	if !found {
		t.Fatal("no example")
	}
	d, mistakes := Parse("docs/kpi.md", []byte(strings.ReplaceAll("\n"+example, "\n    ", "\n")))
	if mistakes = append(mistakes, d.Check(keptByDefault)...); len(mistakes) > 0 || len(d.KPIs) != 5 || len(d.Changes) != 3 {
		t.Errorf("%d KPIs, %d changes\n%s", len(d.KPIs), len(d.Changes), mistakes)
	}
}
