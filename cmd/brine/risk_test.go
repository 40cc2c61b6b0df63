package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/risk"
	"brine/risk/attack"
	"brine/simulate"
)

const riskConfig = `
data: data
schemas: schemas
allowlist: allowlist.yaml
streams:
  app_session: {schema: /simulate/app_session, unit: app_install_id, purpose: "tests"}
`

// brine risk finds the planted install among simulated ones, says what would hide it, prints no pseudonym and no rare value, stores nothing, and is in
// the audit with its purpose. Beside a brine that serves it gives the same.
func TestRisk(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": riskConfig, "schemas/app_session.yaml": string(simulate.AppSchema),
		"allowlist.yaml": "app_session: {app_install_id: hash, primary_language: keep}\n"})
	end := time.Now().Add(-2 * time.Hour).Truncate(time.Hour) // no hour of it closes meanwhile
	var lines bytes.Buffer
	if err := (simulate.Apps{Seed: 5, Days: 1, PerDay: 1500, Installs: 600, Rare: 1, End: end}).Write(&lines); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if code := run([]string{"import", "app_session"}, &globals{t.Context(), &lines, &bytes.Buffer{}, &errs}); code != exitOK {
		t.Fatal(errs.String())
	}
	for _, args := range []string{"salt rotate", "sanitize"} {
		if _, stderr, code := brine(t, strings.Fields(args)...); code != exitOK {
			t.Fatal(args, stderr)
		}
	}
	before := filesBelow(t, "data/lake")
	stdout, stderr, code := brine(t, "risk", "--purpose", "yearly review")
	if code != exitOK {
		t.Fatal(stderr)
	}
	for _, says := range []string{"\napp_session\n", "installs  ", "AMONG FEWER THAN 5", "app_session.primary_language", "What would lower it", "then 0 (0.00 %) unique"} {
		if !strings.Contains(stdout, says) {
			t.Errorf("without %q:\n%s", says, stdout)
		}
	}
	if strings.Contains(stdout, simulate.RareLanguage+`"`) {
		t.Error("the report has the rare value")
	}
	if now := filesBelow(t, "data/lake"); now != before || len(entriesOf(t, "data/tmp")) > 0 {
		t.Errorf("something was stored:\n%s\n%v", now, entriesOf(t, "data/tmp"))
	}
	of := []string{"risk", "--json", "--stream", "app_session", "--to", end.UTC().Format(time.RFC3339)}
	asJSON, stderr, code := brine(t, of...)
	var report risk.Report
	if err := json.Unmarshal([]byte(asJSON), &report); code != exitOK || err != nil || len(report.Parts) != 1 || report.Parts[0].Installs.Unique != 1 {
		t.Error(err, stderr, asJSON)
	}
	stop := serveHere(t)
	if beside, stderr, code := brine(t, of...); code != exitOK || beside != asJSON {
		t.Errorf("beside a brine that serves: %d %s\n%s", code, stderr, beside)
	}
	stop()
	recorded, _, _ := brine(t, "audit", "--json")
	for _, says := range []string{`"route":"brine risk"`, `"purpose":"yearly review"`, `"dataset":"sanitized"`, `"rows":1`, `"stream":"app_session"`} {
		if !strings.Contains(recorded, says) {
			t.Errorf("the audit does not have %s\n%s", says, recorded)
		}
	}
	for line, says := range map[string]string{
		"risk --stream nosuch": "nosuch",
		"risk --attack":        "say --attack --simulated",
		"risk --simulated":     "--simulated is for --attack",
		"risk --attack --simulated --stream app_session":             "makes its own data",
		"risk --attack --simulated --installs 3":                     "at least 20",
		"risk --from 2026-01-02T00:00:00Z --to 2026-01-01T00:00:00Z": "--from is not before --to",
		"risk --from 2999-01-02T00:00:00Z":                           "--from is not before now",
		"risk --to 2020-01-02T00:00:00Z":                             "nothing sanitized lies in this period",
	} {
		if stdout, stderr, code := brine(t, strings.Fields(line)...); code == exitOK || stdout != "" || !strings.Contains(stderr, says) {
			t.Errorf("brine %s: exit code %d\n%s%s", line, code, stdout, stderr)
		}
	}
}

// The attack needs no data folder, prints a table or JSON and writes a plot, the same for the same seed.
func TestRiskAttack(t *testing.T) {
	inFolder(t, nil)
	args := []string{"risk", "--attack", "--simulated", "--installs", "40", "--svg", "plot.svg"}
	table, stderr, code := brine(t, args...)
	if code != exitOK || strings.Count(table, "\n| ") != 10 || !strings.Contains(table, "| destroyed | usual | rotating, 50 % |") {
		t.Errorf("%d %s\n%s", code, stderr, table)
	}
	plot, err := os.ReadFile("plot.svg")
	if err != nil || !bytes.Contains(plot, []byte("coarse, rotating sampling</text>")) || xml.Unmarshal(plot, new(struct{})) != nil {
		t.Error(err, string(plot))
	}
	asJSON, _, _ := brine(t, append(args, "--json")...)
	var result attack.Result
	if err := json.Unmarshal([]byte(asJSON), &result); err != nil || result.Table() != table || result.Installs != 40 {
		t.Error(err, asJSON)
	}
	if other, _, _ := brine(t, append(args, "--seed", "2")...); other == table {
		t.Error("another seed gives the same")
	}
}

// serveHere serves what brine.yaml of the working folder says, with its socket.
func serveHere(t *testing.T) (stop func()) {
	t.Helper()
	cfg, registry, err := load("brine.yaml")
	check(t, err)
	cfg.Public.Addr, cfg.Private.Addr = "127.0.0.1:0", "127.0.0.1:0"
	h, err := openHouse(t.Context(), cfg, registry, newLogger(io.Discard), houseOptions{role: allRoles})
	check(t, err)
	check(t, h.openDoors())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.serve(ctx, func() {}) }()
	return func() {
		cancel()
		check(t, <-done)
		check(t, h.Close())
	}
}

// filesBelow are the names of all files in a folder.
func filesBelow(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

func entriesOf(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}
