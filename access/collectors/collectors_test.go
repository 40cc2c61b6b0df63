package collectors_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brine/access/collectors"
)

// A token works until its collector is removed, in a process that has the file open, too; the file does not hold it.
func TestAddAndRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "collectors")
	door, command := collectors.Open(path), collectors.Open(path)
	token, err := command.Add("web1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := command.Add("web1"); err == nil {
		t.Error("a second collector has the name")
	}
	if content, err := os.ReadFile(path); err != nil || strings.Contains(string(content), token) {
		t.Errorf("the file holds the token (%v)", err)
	}
	if name, err := door.Find(token); name != "web1" || err != nil {
		t.Errorf("found %q, %v", name, err)
	}
	if _, err := door.Find(token + "x"); !errors.Is(err, collectors.ErrUnknown) {
		t.Errorf("a wrong token: %v", err)
	}
	if err := command.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	if _, err := door.Find(token); !errors.Is(err, collectors.ErrUnknown) {
		t.Errorf("a token that was removed: %v", err)
	}
	if err := os.WriteFile(path, []byte("web1 what\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := door.Find(token); err == nil || errors.Is(err, collectors.ErrUnknown) || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a broken file: %v", err)
	}
}
