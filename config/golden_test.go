package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the answers in testdata anew")

// TestMistakes loads every brine.yaml of testdata and compares what is said of it. A case is a
// brine.yaml, a line of dashes, and the answer; cases stand apart by an empty line.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			golden(t, file)
		})
	}
}

func golden(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	file, err = filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	var out []string
	for c := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		input, want, _ := strings.Cut("\n"+c+"\n", "\n----\n")
		input, want = strings.TrimPrefix(input, "\n"), strings.TrimSpace(want)
		got := verdict(t, input)
		if got != want && !*rewrite {
			t.Errorf("\n%s\n---- got\n%s\n---- want\n%s", input, got, want)
		}
		out = append(out, strings.TrimPrefix(input+"\n----\n"+got, "\n"))
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// verdict is what Load says of a brine.yaml with this content.
func verdict(t *testing.T, content string) string {
	t.Helper()
	if err := os.WriteFile("brine.yaml", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load("brine.yaml"); err != nil {
		return err.Error()
	}
	return "ok"
}
