package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var (
	named   = regexp.MustCompile("`([a-z0-9/]+)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	defined = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
)

// Every test that security.md and privacy.md name is in the tree, in the folder that they say.
func TestControlsAreShown(t *testing.T) {
	for file, least := range map[string]int{"security.md": 50, "privacy.md": 10} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := named.FindAllStringSubmatch(string(text), -1)
		if len(all) < least {
			t.Errorf("%s names %d tests", file, len(all))
		}
		for _, m := range all {
			if !testsOf(t, m[1])[m[2]] {
				t.Errorf("%s names %s.%s, which is no test", file, m[1], m[2])
			}
		}
	}
}

// testsOf are the tests of a folder.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range defined.FindAllSubmatch(text, -1) {
			all[string(m[1])] = true
		}
	}
	return all
}
