package config

import (
	"os"
	"path/filepath"
	"testing"
)

// A salts folder is found in what is backed up, also where it is written otherwise, or behind a link.
func TestSaltsFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("data/policy", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "data/policy", "disk": t.TempDir()} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		dir string
		ok  bool
	}{
		{"data/salts", true}, {"data/salts/brine", true}, {"salts", true}, {"disk/salts", true}, {filepath.Join(here, "data/salts"), true},
		{"data", false}, {"data/receipts", false}, {"data/salts/../policy/salts", false}, {"link/salts", false}, {filepath.Join(here, "data/publish/salts"), false},
	} {
		if err := os.WriteFile("brine.yaml", []byte("data: data\nsalts: {dir: "+c.dir+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load("brine.yaml"); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.dir, err)
		}
	}
}
