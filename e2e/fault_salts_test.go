package e2e

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/salt"
)

// salts are how the salts of this brine stand, as brine status says it.
func (b *brine) salts() (st salt.Status) {
	b.tb.Helper()
	out, errs, _ := b.command(nil, "status", "--json")
	var all struct{ Salts salt.Status }
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		b.tb.Fatalf("brine status: %v\n%s%s", err, out, errs)
	}
	return all.Salts
}

// mustInForce waits until a salt is in force and all are in order, and gives the path of its file.
func (b *brine) mustInForce() (path string) {
	b.tb.Helper()
	b.eventually(30*time.Second, "a salt is in force", func() bool {
		st := b.salts()
		for _, s := range st.Salts {
			if s.State == salt.InForce && len(st.Faults) == 0 {
				path = filepath.Join(st.Dir, s.Salt)
			}
		}
		return path != ""
	})
	return path
}

// Whatever becomes of a salt while brine serves, status tells it by name, and events are taken and read as before.
func TestSaltsSpoiltWhileServing(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := startBrine(t)
	path := b.mustInForce()
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	for _, c := range []struct {
		name  string
		spoil func() error
		says  string
	}{
		{"Mode", func() error { return os.Chmod(path, 0o644) }, "it has mode 0644"},
		{"Changed", func() error { return os.WriteFile(path, []byte(strings.Repeat("0123456789abcdef", 4)), 0o600) }, "it was changed"},
		{"Broken", func() error { return os.WriteFile(path, []byte("abc"), 0o600) }, "it holds 3 bytes"},
		{"Unreadable", func() error { return os.Chmod(path, 0) }, "it has mode 0000"},
		{"Missing", func() error { return os.Remove(path) }, "was here and is not any more: put it back"},
		{"Symlink", func() error { return os.Symlink("/etc/hostname", path) }, "it is a symbolic link"},
		{"Foreign", func() error { return os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600) }, "notes: not a name of a salt"},
		{"FolderMode", func() error { return os.Chmod(dir, 0o755) }, "the salts folder has mode 0755"},
	} {
		if c.name == "Symlink" {
			os.Remove(path)
		}
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		if faults := strings.Join(b.salts().Faults, "\n"); !strings.Contains(faults, c.says) || strings.Contains(faults, string(key[:16])) {
			t.Errorf("%s: status says %q", c.name, faults)
		}
		id := newID()
		b.session().mustStore(t, blob(id))
		if !b.ready() {
			t.Errorf("%s: the heartbeat fails", c.name)
		}
		os.Remove(filepath.Join(dir, "notes"))
		os.Remove(path)
		if err := os.WriteFile(path, key, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		b.mustInForce()
	}
	if n := len(b.readAll("interaction")); n != 8 {
		t.Errorf("%d events are read, want 8", n)
	}
	if strings.Contains(b.output(), string(key[:16])) {
		t.Error("a salt is in the log lines")
	}
	b.restart()
	if again, err := os.ReadFile(b.mustInForce()); err != nil || string(again) != string(key) {
		t.Error("a restart made another salt", err)
	}
}

// A broken salt keeps a starting brine from nothing but hashing.
func TestStartWithBrokenSalts(t *testing.T) {
	b := startBrine(t)
	path := b.mustInForce()
	b.stop()
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.session().mustStore(t, blob(newID()))
	b.eventually(30*time.Second, "the log tells of the salt", func() bool { return strings.Contains(b.output(), "it holds 3 bytes") })
	if res, err := plain.Get(b.public + "/__heartbeat__"); err != nil || res.StatusCode != http.StatusOK {
		t.Error(res, err)
	}
}

// Two `brine salt rotate` are killed at random beside a serving brine, in rounds of half a day
// each: whatever they leave, the next one puts in order, and no salt that is there changes.
func TestSaltRotationKilled(t *testing.T) {
	t.Parallel() // it waits more than it works
	b := startBrine(t, "salts: {period: 12h, grace: 12h}")
	b.mustInForce()
	now, keys := time.Now().UTC(), map[string]string{}
	for range jobRounds(t) {
		now = now.Add(12 * time.Hour)
		args := []string{"salt", "rotate", "--config", b.config, "--now", now.Format(time.RFC3339)}
		var killed []*exec.Cmd
		for range 2 {
			cmd := exec.Command(binary, args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			killed = append(killed, cmd)
		}
		<-time.After(20*time.Millisecond + rand.N(150*time.Millisecond))
		for _, cmd := range killed {
			cmd.Process.Kill()
			cmd.Wait()
		}
		if _, errs, code := runBrine(t, nil, args...); code != 0 {
			t.Fatalf("brine salt rotate after the kill: exit code %d, %s", code, errs)
		}
		if st := b.salts(); len(st.Faults) > 0 {
			t.Fatalf("after the kill: %q", st.Faults)
		}
		b.wantSameKeys(keys)
	}
	for name, key := range keys {
		if _, err := os.Stat(filepath.Join(b.data, "salts", name)); os.IsNotExist(err) {
			b.wantNowhere(name, key)
		}
	}
}

// wantSameKeys wants only whole salts in the folder, each with the key that it had before.
func (b *brine) wantSameKeys(keys map[string]string) {
	b.tb.Helper()
	files, err := filepath.Glob(filepath.Join(b.data, "salts", "*"))
	if err != nil || len(files) == 0 {
		b.tb.Fatal(files, err)
	}
	for _, path := range files {
		key, err := os.ReadFile(path)
		if name := filepath.Base(path); err != nil || len(key) != 65 || keys[name] != "" && keys[name] != string(key) {
			b.tb.Fatalf("salt %s has %d bytes, or others than before: %v", name, len(key), err)
		}
		keys[filepath.Base(path)] = string(key)
	}
}

// wantNowhere wants a salt that was destroyed in no file of the data folder.
func (b *brine) wantNowhere(name, key string) {
	b.tb.Helper()
	err := filepath.WalkDir(b.data, func(path string, d os.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && !d.Type().IsRegular() {
			return nil // swept while we walked, or no file
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), key[:64]) {
			b.tb.Errorf("%s holds the destroyed salt %s", path, name)
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		b.tb.Fatal(err)
	}
}
