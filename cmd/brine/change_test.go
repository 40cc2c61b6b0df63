package main

import (
	"os"
	"strings"
	"testing"
)

func TestChange(t *testing.T) {
	inFolder(t, map[string]string{"data/.keep": "",
		"kpi.yaml": "timezone: Europe/Berlin\nsegments: {banner: {experiment: banner}}\nkpis: {all: {count: all, better: more, smallest: 10}}\nchanges: {first: {at: 2026-11-01, moves: all}}"})
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"add form --at 2026-11-16 --moves all", exitOK, ""},
		{"add v2 --release 2.0 --moves all --title Two", exitOK, ""},
		{"add form --at 2026-11-16 --moves all", exitUsage, "there is a change form"},
		{"add first --at 2026-11-16 --moves all", exitUsage, "first stands in the file of KPIs"},
		{"add other --at 2026-11-16 --moves al", exitUsage, "did you mean all?"},
		{"add other --moves all", exitUsage, "it does not say when it was"},
		{"add other --at soon --moves all", exitUsage, "no time"},
		{"add other --at 2026-11-16 --moves all --link javascript:alert(1)", exitUsage, "the link is no web address"},
		{"add banner --experiment banner --moves all", exitUsage, "which branches"},
		{"add banner --experiment banner --moves all --branches control=0.9,banner=much", exitUsage, "no share"},
		{"add banner --experiment banner --moves all --branches control=0.9,banner=0.1", exitOK, ""},
		{"list --json", exitOK, `"experiment":"banner","branches":["control","banner"],"shares":[0.9,0.1]`},
		{"remove banner", exitOK, ""},
		{"remove first", exitUsage, "stands in the file of KPIs"},
		{"remove none", exitUsage, `no change "none" was added`},
		{"list", exitOK, "NAME   WHEN                  MOVES  TITLE\nfirst  2026-11-01 00:00 CET  all    first\nform   2026-11-16 00:00 CET  all    form\nv2     release 2.0           all    Two\n"},
		{"remove form", exitOK, ""},
		{"list --json", exitOK, `"changes":[{"name":"first","title":"first","at":"2026-11-01T00:00:00+01:00","moves":"all"},{"name":"v2","title":"Two","release":"2.0","moves":"all","added":true}]`},
	} {
		stdout, stderr, code := brine(t, append([]string{"change"}, strings.Fields(c.args)...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit code %d\n%s%s", c.args, code, stdout, stderr)
		}
	}
	if info, err := os.Stat("data/changes.json"); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := os.WriteFile("data/changes.json", []byte(`[{"name":"x"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := brine(t, "change", "add", "y", "--at", "2026-11-16", "--moves", "all"); code != exitFailed || !strings.Contains(stderr, "no JSON") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
