package main

import (
	"encoding/json"
	"strings"
	"testing"

	"brine/access/audit"
)

// audited are the entries of an action, the newest first.
func audited(t *testing.T, action audit.Action) (all []audit.Entry) {
	t.Helper()
	stdout, stderr, code := brine(t, "audit", "--json", "--limit", "0", "--action", string(action))
	if code != exitOK {
		t.Fatalf("brine audit: exit code %d\n%s", code, stderr)
	}
	for lines := json.NewDecoder(strings.NewReader(stdout)); lines.More(); {
		var e audit.Entry
		if err := lines.Decode(&e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// Commands that change what is stored are recorded before they do, and how they went after.
func TestCommandsAreRecorded(t *testing.T) {
	inFolder(t, nil)
	history(t, 2)
	for _, args := range [][]string{{"sanitize", "--stream", "interaction"}, {"sanitize", "--dry-run"}, {"purge", "--dry-run"}} {
		if _, stderr, code := brine(t, args...); code != exitOK {
			t.Fatalf("brine %v: exit code %d\n%s", args, code, stderr)
		}
	}
	entries := audited(t, audit.Command)
	if len(entries) != 4 {
		t.Fatalf("there are %d entries: %+v", len(entries), entries)
	}
	for n, want := range []struct{ route, dataset, outcome, note string }{
		{"brine sanitize", "sanitized", "ok", " events sanitized"},
		{"brine sanitize", "sanitized", "asked for", ""},
		{"brine import", "raw", "ok", " stored, 0 known already"},
		{"brine import", "raw", "asked for", ""},
	} {
		e := entries[n]
		if e.Route != want.route || e.Dataset != want.dataset || e.Stream != "interaction" || e.Outcome != want.outcome || !strings.Contains(e.Note, want.note) || e.Who != osUser() {
			t.Errorf("entry %d is %+v, want %+v", n, e.Record, want)
		}
	}
	stdout, _, _ := brine(t, "audit", "--action", "command")
	if !strings.Contains(stdout, "brine sanitize") || !strings.Contains(stdout, "brine import") {
		t.Errorf("the list tells no routes:\n%s", stdout)
	}
}

// An import that cannot be recorded is none.
func TestImportIsRefusedWithoutAudit(t *testing.T) {
	inFolder(t, map[string]string{"data/audit": "not a folder"})
	_, stderr, code := brine(t, "import", "interaction")
	if code != exitFailed || !strings.Contains(stderr, "open the audit") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
