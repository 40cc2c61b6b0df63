package policy

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 25, 12, 34, 56, 789, time.UTC)

func mustOpen(tb testing.TB, dir string) *History {
	tb.Helper()
	h, err := OpenHistory(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func (h *History) mustKeep(tb testing.TB, p *Policy, now time.Time, want bool) {
	tb.Helper()
	added, err := h.Keep(NewEdition(p, now))
	if err != nil || added != want {
		tb.Fatalf("added %v: %v", added, err)
	}
}

// What was in force is kept once, also over restarts, with the words of then and the day alone.
func TestHistory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policy")
	h := mustOpen(t, dir)
	if names := h.Names(); len(names) != 0 {
		t.Fatal(names)
	}
	h.mustKeep(t, full(), noon, true)
	h.mustKeep(t, full(), noon.AddDate(0, 0, 1), false)
	h = mustOpen(t, dir)
	h.mustKeep(t, full(), noon.AddDate(0, 0, 2), false)
	for range 11 { // and back: each was in force for a time
		h.mustKeep(t, plain(), noon.AddDate(0, 0, 2), true)
		h.mustKeep(t, full(), noon.AddDate(0, 0, 2), true)
	}
	h = mustOpen(t, dir)
	names := h.Names()
	if len(names) != 23 || names[0] != "2026-11-27.22" || names[21] != "2026-11-27" || names[22] != "2026-11-25" {
		t.Fatalf("%v", names)
	}
	e, err := h.Edition(names[22])
	if err != nil {
		t.Fatal(err)
	}
	wanted := full().Document(languages[1])
	kept := e.Documents["de"]
	if e.Since != "2026-11-25" || len(Diff(&wanted, &kept)) > 0 || e.Policy.Operator != "Example Foundation" {
		t.Errorf("%+v", e)
	}
	mustBeCoarse(t, dir)
}

// mustBeCoarse wants modes for nobody else, and no time finer than the day.
func mustBeCoarse(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 || !info.ModTime().Equal(info.ModTime().Truncate(24*time.Hour)) {
			t.Errorf("%s: %s %s", path, info.Mode(), info.ModTime())
		}
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil || strings.Contains(string(text), "12:34") || strings.Contains(string(text), "T12") {
				t.Errorf("%s tells the time: %v", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A history that was hurt costs what was hurt and nothing else.
func TestHistoryHurt(t *testing.T) {
	dir := t.TempDir()
	h := mustOpen(t, dir)
	h.mustKeep(t, plain(), noon, true)
	for name, content := range map[string]string{
		"2026-11-26.json": "{", ".aside-123": "half", "notes.txt": "mine", "2026-11-26.0.json": "{}", "2026-11-25.json.bak": "{}",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h = mustOpen(t, dir)
	if names := h.Names(); !slices.Equal(names, []string{"2026-11-26", "2026-11-25"}) {
		t.Fatal(names)
	}
	if _, err := h.Edition("2026-11-26"); err == nil || errors.Is(err, ErrNoEdition) || !strings.Contains(err.Error(), "2026-11-26.json") {
		t.Error(err)
	}
	for _, name := range []string{"2026-11-24", "", "..", "../2026-11-25", "2026-11-25.json", "2026-11-25.0", "notes", strings.Repeat("9", 1000)} {
		if _, err := h.Edition(name); !errors.Is(err, ErrNoEdition) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, ".aside-123")); !errors.Is(err, os.ErrNotExist) {
		t.Error("what was never whole is still there")
	}
	h.mustKeep(t, plain(), noon.AddDate(0, 0, 1), true) // the latest cannot be read, so this one is kept
	if names := h.Names(); names[0] != "2026-11-26.2" {
		t.Error(names)
	}
}

// Where the folder cannot be written, nothing is taken for kept, and it is kept once it can.
func TestHistoryUnwritable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policy")
	h := mustOpen(t, dir)
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Keep(NewEdition(plain(), noon)); err == nil || len(h.Names()) != 0 {
		t.Errorf("%v, %v", err, h.Names())
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	h.mustKeep(t, plain(), noon, true)
	if _, err := OpenHistory(filepath.Join(dir, "2026-11-25.json")); err == nil {
		t.Error("a file is taken for a folder")
	}
}
