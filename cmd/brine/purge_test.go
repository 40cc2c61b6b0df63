package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/simulate"
)

// history imports simulated interactions of some days up to now.
func history(t *testing.T, days int) {
	t.Helper()
	var lines strings.Builder
	if err := (simulate.Config{Seed: 1, Days: days, PerDay: 48, End: time.Now()}).Write(&lines); err != nil {
		t.Fatal(err)
	}
	g := &globals{t.Context(), strings.NewReader(lines.String()), &strings.Builder{}, os.Stderr}
	if code := run([]string{"import", "interaction"}, g); code != exitOK {
		t.Fatalf("import: exit code %d", code)
	}
}

func TestPurge(t *testing.T) {
	inFolder(t, nil)
	if _, stderr, code := brine(t, "purge"); code != exitFailed || !strings.Contains(stderr, "no data folder at data") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	history(t, 3)
	spill := filepath.Join("data", "tmp", "old.spool")
	in := func(d time.Duration) string { return " --now " + time.Now().Add(d).UTC().Format(time.RFC3339) }
	const day = 24 * time.Hour
	for _, c := range []struct {
		line string
		code int
		says []string
	}{
		{"purge", exitOK, []string{"nothing went"}},
		{"purge --dry-run" + in(88*day), exitOK, []string{"raw", "interaction", "age", "would go", "are not sanitized, and the first goes on"}},
		{"purge --dry-run" + in(200*day), exitOK, []string{"nothing would go", "stopped by the guard"}},
		{"purge" + in(200*day), exitFailed, []string{"nothing went", "100 % of it) would go at once"}},
		{"purge --json" + in(200*day), exitFailed, []string{`"dropped":[]`, `"stopped":[{"dataset":"raw","hours":`, `"share":1}]`}},
		{"status", exitOK, []string{"oldest raw event: 20", "next purge of an hour: 20"}},
		{"purge --yes" + in(200*day), exitOK, []string{"never sanitized: nothing of them is kept", " went", "receipt: data/receipts/purge-"}},
		{"purge --yes" + in(200*day), exitOK, []string{"nothing went"}},
		{"status --json", exitOK, []string{`"purge":{"bytes":{},"problems":[]}`}},
		{"purge --now yesterday", exitUsage, []string{"--now"}},
	} {
		stdout, stderr, code := brine(t, strings.Fields(c.line)...)
		for _, says := range c.says {
			if code != c.code || !strings.Contains(stdout+stderr, says) {
				t.Errorf("brine %s: exit code %d, want %d and %q\n%s%s", c.line, code, c.code, says, stdout, stderr)
			}
		}
	}
	checkReceipt(t)
	if err := os.WriteFile(spill, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * day)
	if err := os.Chtimes(spill, old, old); err != nil {
		t.Fatal(err)
	}
	if err := removeOldSpill(filepath.Join("data", "tmp")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(spill); !os.IsNotExist(err) {
		t.Error("old spill is still there")
	}
}

// checkReceipt wants one receipt, of one day, with no time finer than that.
func checkReceipt(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob("data/receipts/*")
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Kind, Day string
		What      []struct{ Dataset, From, To string }
	}
	info, statErr := os.Stat(paths[0])
	if err := json.Unmarshal(text, &r); err != nil || statErr != nil || r.Kind != "purge" || len(r.What) != 1 || r.What[0].Dataset != "raw" {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, day := range []string{r.Day, r.What[0].From, r.What[0].To} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			t.Error(err)
		}
	}
	if at := info.ModTime().UTC(); !at.Equal(at.Truncate(24*time.Hour)) || info.Mode().Perm() != 0o600 {
		t.Errorf("the receipt has the time %s and the mode %s", at, info.Mode())
	}
}

// What is older than the raw window by the hour is not imported; what is younger stays.
func TestImportKeepsTheRawWindow(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": "retention: {raw: {max_age: 2d}, guard: 1}"})
	var lines, out strings.Builder
	if err := (simulate.Config{Seed: 1, Days: 4, PerDay: 48, End: time.Now()}).Write(&lines); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"import", "interaction", "--json"}, &globals{t.Context(), strings.NewReader(lines.String()), &out, os.Stderr}); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	var r struct {
		Stored int
		TooOld int `json:"too_old"`
	}
	if err := json.Unmarshal([]byte(out.String()), &r); err != nil || r.Stored < 10 || r.TooOld < 10 {
		t.Errorf("%v\n%s", err, out.String())
	}
	if out, _, code := brine(t, "purge"); code != exitOK || !strings.Contains(out, "nothing went") && !strings.Contains(out, " 1 hours,") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
