package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file of the lake that is damaged is told by name, and neither missing in a backup nor taken for one that replaced it.
func TestBackupOfADamagedLake(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": ""})
	history(t, 1)
	mustRun(t, "backup", "--raw", "--to", "first")
	files, err := filepath.Glob("data/lake/raw/*/*/*/*.parquet")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	check(t, err)
	turned := append([]byte(nil), whole...)
	turned[len(turned)/2] ^= 0xff // its ends are as they were, so that nobody has met it
	for what, content := range map[string][]byte{"truncated": whole[:20], "turned": turned} {
		check(t, os.WriteFile(files[0], content, 0o600))
		if _, stderr, code := brine(t, "backup", "--raw", "--to", "second", "--base", "first"); code != exitFailed || !strings.Contains(stderr, filepath.Base(files[0])) {
			t.Errorf("%s: exit code %d\n%s", what, code, stderr)
		}
	}
	check(t, os.WriteFile(files[0], whole, 0o600))
	mustRun(t, "backup", "--raw", "--to", "second", "--base", "first")
}
