package attack

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// docs/privacy.md has the table and the plot that the command makes.
func TestDocs(t *testing.T) {
	result, err := Simulate(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), result.Table()) {
		t.Errorf("docs/privacy.md has another table than brine risk --attack --simulated prints:\n%s", result.Table())
	}
	if plot, err := os.ReadFile("../../docs/linking.svg"); err != nil || !bytes.Equal(plot, result.SVG()) {
		t.Error("docs/linking.svg is another plot than brine risk --attack --simulated --svg writes", err)
	}
}
