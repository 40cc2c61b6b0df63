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
		{"", exitUsage, `Commands:`},
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

// What cannot be is wrong use, and the message says what can.
func TestWrongUse(t *testing.T) {
	inFolder(t, map[string]string{"data/lock": ""})
	for line, says := range map[string]string{
		"policy --lang fr":                                                  "--lang fr: no such language (there are en, de)",
		"policy --diff old.yaml --html":                                     "--diff prints text",
		"demo --public 0.0.0.0:1":                                           "--public 0.0.0.0:1: the demo opens its doors on loopback only, like 127.0.0.1:8080",
		"demo --private example.org:1":                                      "--private example.org:1: the demo",
		"simulate --days=-1":                                                "--days=-1: give at least 1",
		"simulate --per-day=0":                                              "--per-day=0: give at least 1",
		"simulate --installs=-2":                                            "--installs=-2: give at least 0",
		"simulate --end now":                                                `"now" is no time: write it like 2026-11-21T13:00:00Z (RFC 3339)`,
		"sanitize --tighten --backfill":                                     "--tighten is for all that is sanitized",
		"token create --owner mira --role bogus":                            `--role: "bogus" is no role: there are viewer`,
		"token create --owner mira --role viewer --expires 1w":              `--expires "1w" is no number of days or hours`,
		"token create --owner mira --role viewer --expires 0d":              `--expires "0d" is no number of days or hours`,
		"token create --owner mira --role viewer --expires 366d":            "--expires 366d is too long: a token lives a year at most, 365d",
		"token create --owner mira --role viewer --expires 8761h":           "--expires 8761h is too long",
		"user add mira --role bogus":                                        `--role: "bogus" is no role`,
		"sanitize --from yesterday":                                         `"yesterday" is no time: write it like 2026-11-21T13:00:00Z (RFC 3339)`,
		"purge --now=2026-11-21":                                            `"2026-11-21" is no time`,
		"salt rotate --now tomorrow":                                        `"tomorrow" is no time: write it like 2026-11-21T13:00:00Z (RFC 3339)`,
		"sanitize --stream nowhere":                                         `no stream "nowhere"; there are: interaction`,
		"import nowhere":                                                    `no stream "nowhere"; there are: interaction`,
		"kpi rebuild --from 2026-11-02T00:00:00Z --to 2026-11-01T00:00:00Z": "--from is not before --to",
		"audit --action reads":                                              "--action reads: there are read-begin, read-end, login",
		"audit --from 2026-11-02T00:00:00Z --to 2026-11-01T00:00:00Z":       "--from lies after --to",
		"read interaction --dataset raw --from 1 --data data":               "a read of raw needs a purpose",
		"read interaction --purpose test --from yesterday --data data":      "from is neither milliseconds since the epoch nor a time like",
		"read interaction --purpose test --from 2 --to 1 --data data":       "from is later than to",
		"sanitize --from 2026-11-02T00:00:00Z --to 2026-11-01T00:00:00Z":    "--from is not before --to",
	} {
		stdout, stderr, code := brine(t, strings.Fields(line)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, says) || strings.Contains(stderr, "parsing time") {
			t.Errorf("brine %s: exit code %d\n%s%s", line, code, stdout, stderr)
		}
	}
}

// An install id that was given where it does not belong is not printed again, for a log keeps what a command prints.
func TestEraseEchoesNoID(t *testing.T) {
	const id = "2d1f9be0a71d4e0f8a3b6c5d7e9f1a2b"
	for _, line := range []string{"erase " + id, "erase --unit=" + id, "erase --unit " + id, "erase --" + id, "erase -- " + id, "erase -x" + id,
		"erase --json=" + id, "erase --data --" + id, "erase --receipt x" + id} {
		stdout, stderr, code := brine(t, strings.Fields(line)...)
		if code == exitOK || stdout != "" || stderr == "" || strings.Contains(stderr, id) {
			t.Errorf("brine %s: exit code %d\n%s%s", line, code, stdout, stderr)
		}
		if !strings.Contains(line, "--receipt") && (code != exitUsage || !strings.Contains(stderr, "standard input")) {
			t.Errorf("brine %s: exit code %d\n%s", line, code, stderr)
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
