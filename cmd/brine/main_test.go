package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// brine runs a command line in this process and gives what a shell would see of it.
func brine(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(args, &globals{t.Context(), strings.NewReader(""), &out, &errs})
	return out.String(), errs.String(), code
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{"", exitUsage, `expected one of`},
		{"chek", exitUsage, `did you mean "check"?`},
		{"check --confg brine.yaml", exitUsage, `did you mean "--config"?`},
		{"check brine.yaml", exitUsage, `unexpected argument`},
		{"--help", exitOK, "Commands:"},
		{"check --help", exitOK, "Examples:"},
		{"version --help", exitOK, "Example:"},
		{"version", exitOK, "brine dev"},
		{"version --json", exitOK, `"version":"dev"`},
	} {
		stdout, stderr, code := brine(t, strings.Fields(c.line)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) || (code == exitOK) != (stderr == "") {
			t.Errorf("brine %s: exit code %d\n%s%s", c.line, code, stdout, stderr)
		}
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	help, _, _ := brine(t, "--help")
	_, commands, _ := strings.Cut(help, "Commands:\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	for line := range strings.Lines(commands) {
		command := strings.Fields(line)[0]
		if out, _, _ := brine(t, command, "--help"); !strings.Contains(out, "Example") {
			t.Errorf("brine %s --help has no example", command)
		}
	}
}

// inFolder makes a working folder with these files.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
