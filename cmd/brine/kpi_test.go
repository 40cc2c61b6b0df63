package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/kpi"
)

// A KPI is printed by day and by a segment, from what is sanitized, and the read is in the audit.
func TestKPIShow(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "data: data"})
	historyUntil(t, 3, time.Now().Add(-2*time.Hour)) // no hour of it closes meanwhile
	for _, args := range []string{"salt rotate", "sanitize"} {
		if _, stderr, code := brine(t, strings.Fields(args)...); code != exitOK {
			t.Fatal(args, stderr)
		}
	}
	for _, c := range []struct {
		args string
		code int
		says []string
	}{
		{"sign_in", exitOK, []string{"Sign-in rate, ", "\nall days", "█", " %", "\nbefore"}},
		{"sign_in --by screen --last 14d", exitOK, []string{"\nmobile ", "\ndesktop ", " of "}},
		{"sign_out", exitUsage, []string{`no KPI is called "sign_out" (did you mean sign_in?)`}},
		{"sign_in --by brwser", exitUsage, []string{"did you mean browser?"}},
		{"sign_in --by nosuch", exitUsage, []string{`no segment is called "nosuch"`}},
		{"sign_in --last 99999d", exitUsage, []string{`--last "99999d" is over 1098 days`}},
		{"sign_in --last week", exitUsage, []string{`--last "week" is no number of days, like 14d`}},
		{"sign_in --from 2026-11-02 --to 2026-11-01", exitUsage, []string{"the range is empty"}},
		{"sign_in --from 2199-11-01 --to 2199-11-02", exitUsage, []string{"these days are still to come (today is 20"}},
	} {
		stdout, stderr, code := brine(t, append([]string{"kpi", "show"}, strings.Fields(c.args)...)...)
		for _, says := range c.says {
			if code != c.code || !strings.Contains(stdout+stderr, says) {
				t.Errorf("%s: exit code %d, without %q\n%s%s", c.args, code, says, stdout, stderr)
			}
		}
	}
	stdout, _, _ := brine(t, "kpi", "show", "interactions", "--json", "--last", "7d")
	var shown struct{ KPI kpi.OverviewKPI }
	if err := json.Unmarshal([]byte(stdout), &shown); err != nil || len(shown.KPI.Days) != 7 || shown.KPI.Now.Interactions == 0 {
		t.Errorf("%v %s", err, stdout)
	}
	if stdout, _, _ := brine(t, "kpi", "show", "sign_in", "--from", "2026-01-05", "--to", "2026-01-08"); !strings.Contains(stdout, "2026-01-07") {
		t.Error(stdout)
	}
	last, _, _ := brine(t, "audit", "--json")
	for _, says := range []string{`"from":"2026-01-05T00:00:00Z","to":"2026-01-08T00:00:00Z"`, `"rows":5`, `compared with 2025-12-29 to 2026-01-01`} {
		if !strings.Contains(last, says) {
			t.Errorf("the audit does not have %s\n%s", says, last)
		}
	}
	if stdout, _, _ := brine(t, "audit"); strings.Count(stdout, "brine kpi show") < 3 || !strings.Contains(stdout, "facts interaction") {
		t.Error(stdout)
	}
}

// A file of facts that cannot be read costs no answer, and is made anew by the command that met it, where nobody serves.
func TestKPIShowMendsFacts(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "data: data"})
	historyUntil(t, 2, time.Now().Add(-2*time.Hour)) // no hour of it closes meanwhile
	for _, args := range []string{"salt rotate", "sanitize", "kpi rebuild"} {
		if _, stderr, code := brine(t, strings.Fields(args)...); code != exitOK {
			t.Fatal(args, stderr)
		}
	}
	const ask = "kpi show sign_in --by browser --last 7d"
	want, stderr, code := brine(t, strings.Fields(ask)...)
	files, err := filepath.Glob("data/lake/rollups/interaction/*/*/*.parquet")
	if code != exitOK || err != nil || len(files) < 10 {
		t.Fatal(files, err, stderr)
	}
	for i, spoil := range []func([]byte) []byte{
		func(file []byte) []byte { return file[:len(file)/2] },
		func(file []byte) []byte { return append(make([]byte, 200), file[200:]...) }, // the footer says that all is well
	} {
		path := files[3+i]
		file, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, spoil(bytes.Clone(file)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, stderr, code := brine(t, strings.Fields(ask)...); code != exitOK || got != want {
			t.Errorf("%d: exit code %d, shown is\n%s%swant\n%s", i, code, got, stderr, want)
		}
		again, err := filepath.Glob(filepath.Dir(path) + "/*.parquet")
		if err != nil || len(again) != 1 {
			t.Fatal(again, err)
		}
		if mended, err := os.ReadFile(again[0]); err != nil || bytes.Equal(mended, spoil(bytes.Clone(file))) || !bytes.HasPrefix(mended, []byte("PAR1")) || !bytes.HasSuffix(mended, []byte("PAR1")) {
			t.Errorf("%d: %s was not made anew: %v", i, again[0], err)
		}
	}
}

// What is broken in the file of KPIs leaves in force what was before it.
func TestBrokenKPIs(t *testing.T) {
	h := mustOpenHouse(t)
	before := h.kpis.Definitions()
	if len(before.KPIs) != len(kpi.Shipped().KPIs) || h.kpis.Err() != nil {
		t.Fatal(h.kpis.Err())
	}
	inFolder(t, map[string]string{"broken.yaml": "kpis: {a: {count: all, beter: more}}", "mended.yaml": "kpis: {a: {count: all, better: more, smallest: 1}}"})
	h.cfg.KPI = "broken.yaml"
	h.kpis.take(h.cfg)
	if err := h.checks()["kpi"](); h.kpis.Definitions() != before || err == nil || !strings.Contains(err.Error(), "did you mean better?") {
		t.Error(err)
	}
	h.cfg.KPI = "mended.yaml"
	h.kpis.take(h.cfg)
	if now := h.kpis.Definitions(); h.kpis.Err() != nil || len(now.KPIs) != 1 || h.board.Source.Definitions() != now {
		t.Error(h.kpis.Err())
	}
}
