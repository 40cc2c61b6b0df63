package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/config"
	"brine/salt"
)

const (
	firstQuarter  = "2027010100_2027040100_2027040300"
	secondQuarter = "2027040100_2027070100_2027070300"
)

// A year of rotations by hand.
func TestSalt(t *testing.T) {
	inFolder(t, nil)
	for _, c := range []struct {
		line string
		code int
		says []string
	}{
		{"salt status", exitFailed, []string{"there is no salt in data/salts", "NOT IN ORDER", "run brine salt rotate"}},
		{"salt rotate --dry-run --now 2027-02-01T00:00:00Z", exitOK, []string{"would make " + firstQuarter}},
		{"salt rotate --now 2027-02-01T00:00:00Z", exitOK, []string{"make " + firstQuarter}},
		{"salt rotate --now 2027-02-01T00:00:00Z", exitOK, []string{"nothing is due"}},
		{"salt rotate --now 2027-03-30T00:00:00Z --json", exitOK, []string{`{"dry_run":false,"steps":[{"do":"make","salt":"` + secondQuarter + `","fingerprint":"`}},
		{"salt status", exitOK, []string{"SALT", firstQuarter + "  ", "2027-07-03 00:00"}},
		{"salt status --json", exitOK, []string{`"manage":"internal"`, `"faults":[]`}},
		{"salt rotate --dry-run --now 2027-04-03T00:00:00Z", exitOK, []string{"would destroy " + firstQuarter}},
		{"salt rotate --now 2027-04-03T00:00:00Z", exitOK, []string{"destroy " + firstQuarter}},
		{"salt destroy " + secondQuarter, exitFailed, []string{"cannot be undone: say --yes"}},
		{"salt destroy " + firstQuarter + " --yes", exitFailed, []string{"no salt " + firstQuarter + "; there are: " + secondQuarter}},
		{"salt destroy " + secondQuarter + " --yes", exitOK, []string{"destroyed " + secondQuarter}},
		{"salt destroy hello --yes", exitUsage, []string{"hello: not a name of a salt"}},
		{"salt destroy --yes", exitUsage, []string{"expected \"<name>\""}},
		{"salt rotate --now yesterday", exitUsage, []string{"--now"}},
		{"salt", exitUsage, []string{"expected one of"}},
		{"salt rotate --help", exitOK, []string{"Examples:"}},
		{"salt status --help", exitOK, []string{"Example:"}},
		{"salt destroy --help", exitOK, []string{"Example:"}},
	} {
		stdout, stderr, code := brine(t, strings.Fields(c.line)...)
		for _, says := range c.says {
			if code != c.code || !strings.Contains(stdout+stderr, says) {
				t.Errorf("brine %s: exit code %d, want %d and %q\n%s%s", c.line, code, c.code, says, stdout, stderr)
			}
		}
	}
}

func TestSaltExternal(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "salts: {manage: external}"})
	for _, line := range []string{"salt rotate", "salt destroy " + firstQuarter + " --yes"} {
		if _, stderr, code := brine(t, strings.Fields(line)...); code != exitFailed || !strings.Contains(stderr, "salts.manage is external") {
			t.Errorf("brine %s: exit code %d, %s", line, code, stderr)
		}
	}
	if _, err := os.Stat("data"); err == nil {
		t.Error("a data folder was made")
	}
}

func TestSaltDestroyWarns(t *testing.T) {
	inFolder(t, nil)
	brine(t, "salt", "rotate", "--now", "2027-02-01T00:00:00Z")
	unsanitizedHours = func(_ *globals, _ *config.Config, p salt.Period) (unsanitized, error) { return unsanitized{7, 2}, nil }
	t.Cleanup(func() { unsanitizedHours = countUnsanitized })
	if _, stderr, code := brine(t, "salt", "destroy", firstQuarter); code != exitFailed || !strings.Contains(stderr, "7 hours of "+firstQuarter+" are not sanitized yet") ||
		!strings.Contains(stderr, "2 hours of "+firstQuarter+" are sanitized in part") {
		t.Error(code, stderr)
	}
}

// check says where the salts lie and what is wrong with them; status tells of them too.
func TestCheckSalts(t *testing.T) {
	inFolder(t, nil)
	if stdout, _, code := brine(t, "check"); code != exitOK || !strings.Contains(stdout, "\nsalts: data/salts is on ") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	brine(t, "salt", "rotate")
	if err := os.WriteFile(filepath.Join("data", "salts", "hello"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, _, code := brine(t, "check"); code != exitFailed || !strings.Contains(stdout, "data/salts/hello: not a name of a salt") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
	stdout, _, _ := brine(t, "status", "--json")
	var st struct{ Salts salt.Status }
	if err := json.Unmarshal([]byte(stdout), &st); err != nil || len(st.Salts.Salts) != 1 || len(st.Salts.Faults) != 1 {
		t.Errorf("%v\n%s", err, stdout)
	}
	if stdout, _, _ := brine(t, "status"); !strings.Contains(stdout, "NOT IN ORDER: ") {
		t.Error(stdout)
	}
}
