package intake_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"brine/intake"
)

func TestLoadCSRFKeyMakesOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "csrf.key")
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range keys { // as many collectors that start at once
		wg.Go(func() {
			var err error
			if keys[i], err = intake.LoadCSRFKey(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if len(key) != 64 || !bytes.Equal(key, keys[0]) {
			t.Fatalf("keys of %d bytes, or not the same", len(key))
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if names, _ := os.ReadDir(filepath.Dir(path)); len(names) != 1 {
		t.Error("files left:", names)
	}
}

func TestLoadCSRFKeyRefuses(t *testing.T) {
	good := strings.Repeat("k", 32) + "\n"
	tests := map[string]struct {
		put  func(path string) error
		want string
	}{
		"Mode":    {func(p string) error { return os.WriteFile(p, []byte(good), 0o640) }, "chmod 600"},
		"Short":   {func(p string) error { return os.WriteFile(p, []byte("secret\n"), 0o600) }, "has 6 bytes"},
		"Empty":   {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "has 0 bytes"},
		"Folder":  {func(p string) error { return os.Mkdir(p, 0o700) }, "not a regular file"},
		"Symlink": {func(p string) error { return os.Symlink("elsewhere", p) }, "symbolic link"},
		"NoDir":   {func(p string) error { return os.Remove(filepath.Dir(p)) }, "making the CSRF key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys", "csrf.key")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := test.put(path); err != nil {
				t.Fatal(err)
			}
			_, err := intake.LoadCSRFKey(path)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q and the path", err, test.want)
			}
		})
	}
}

func TestLoadCSRFKeyReadsOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "csrf.key")
	want := strings.Repeat("k", 32)
	if err := os.WriteFile(path, []byte(want+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := intake.LoadCSRFKey(path); err != nil || string(key) != want {
		t.Errorf("got %d bytes, %v", len(key), err)
	}
}
