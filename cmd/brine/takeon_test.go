package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/access/audit"
	"brine/config"
	"brine/event"
)

// Where the allowlist lies waits for a restart, as is said: until then the one before is in force, and follows its file. Where
// that is away it stays as it was.
func TestAllowlistElsewhere(t *testing.T) {
	dir := t.TempDir()
	write := func(name, rule string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("interaction: {language: "+rule+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	here, there := write("allowlist.yaml", "keep"), write("there.yaml", "drop")
	h := mustOpenHouseWith(t, func(cfg *config.Config) { cfg.Allowlist = here })
	keepsLanguage := func() bool {
		plans, err := h.sanitizer.inForce()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range plans[event.Interaction].Columns {
			if c.Name == "language" {
				return true
			}
		}
		return false
	}
	inAudit := &configRecorder{record: func(audit.Record) error { return nil }, seen: h.cfg.Digests()}
	takeOn := func(path string) {
		next := *h.cfg
		next.Allowlist = path
		h.takeOn(&next, inAudit)
	}

	takeOn(there)
	if !keepsLanguage() || h.sanitizer.Err() != nil {
		t.Errorf("the allowlist that waits for a restart is in force (%v)", h.sanitizer.Err())
	}
	write("allowlist.yaml", "drop")
	takeOn(there)
	if keepsLanguage() {
		t.Error("the one before does not follow its file")
	}
	write("allowlist.yaml", "keep")
	takeOn(here)
	if err := os.Remove(here); err != nil {
		t.Fatal(err)
	}
	takeOn("") // as the config has it then, where it names none
	if err := h.sanitizer.Err(); !keepsLanguage() || err == nil || !strings.Contains(err.Error(), here) {
		t.Errorf("without its file nothing is kept (%v)", err)
	}
}
