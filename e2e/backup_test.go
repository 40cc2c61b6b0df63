package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/backup"
	"brine/lake"
	"brine/lake/store/s3test"
)

// everything is what is read of a dataset of app sessions, with nobody serving.
func (b *brine) everything(stream, dataset string) string {
	b.tb.Helper()
	out, stderr, code := b.command(nil, "read", stream, "--dataset", dataset, "--purpose", "a test")
	if code != 0 || strings.Contains(stderr, "left out") {
		b.tb.Fatalf("exit code %d\n%s", code, stderr)
	}
	return out
}

// refuse runs a command that has to fail and say why.
func (b *brine) refuse(says string, args ...string) {
	b.tb.Helper()
	out, stderr, code := b.command(nil, args...)
	if code != 1 || !strings.Contains(stderr, says) {
		b.tb.Errorf("%v: exit code %d, expected 1 and %q\n%s%s", args, code, says, out, stderr)
	}
}

// noSalts wants no salt's bytes in any file of a folder, nor a secret.
func (b *brine) noSalts(folder string) {
	b.tb.Helper()
	salts, err := filepath.Glob(filepath.Join(b.data, "salts", "*"))
	if err != nil || len(salts) == 0 {
		b.tb.Fatal("there are no salts to look for", err)
	}
	for _, path := range salts {
		salt, err := os.ReadFile(path)
		if err != nil || len(salt) < 16 {
			continue // the lock
		}
		err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if bytes.Contains(content, bytes.TrimSpace(salt)) || strings.Contains(d.Name(), "tokens") || strings.HasSuffix(d.Name(), ".key") {
				b.tb.Errorf("%s holds a secret", path)
			}
			return err
		})
		if err != nil {
			b.tb.Fatal(err)
		}
	}
}

// All is destroyed, and comes back as it was: not the salts, not what was erased, tightened or purged since, not raw that has expired.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	b := newAppBrine(t)
	b.start()
	ada, bob := newID(), newID()
	b.sendOf(ada, 5)
	b.sendOf(bob, 5)
	b.stop()
	b.importClosed(3) // the oldest is purged, and the second expires
	b.mustRun("sanitize")
	first, second := filepath.Join(b.dir, "first"), filepath.Join(b.dir, "second")
	b.start()
	b.waitFlushed()
	b.mustRun("backup", "--to", first, "--raw")
	b.refuse("is there already", "backup", "--to", first, "--raw")
	b.noSalts(first)
	b.forget(ada)
	b.waitErased()
	b.stop()
	wide := b.everything("interaction", "sanitized")
	b.allow("interaction: {timestamp: keep, event_stream: keep}")
	b.mustRun("sanitize", "--tighten")
	b.mustRun("purge", "--yes", "--now", time.Now().Add(88*24*time.Hour).UTC().Format(time.RFC3339)) // the oldest raw hours
	b.mustRun("backup", "--to", second, "--raw", "--base", first)
	want := map[string]string{}
	for _, stream := range []string{"interaction", "app_session"} {
		want["raw "+stream] = b.everything(stream, "raw")
	}
	want["sanitized"] = b.everything("interaction", "sanitized")
	if strings.Contains(want["raw app_session"], ada) || !strings.Contains(want["raw app_session"], bob) ||
		strings.Contains(want["sanitized"], `"language"`) || !strings.Contains(wide, `"language"`) {
		t.Fatal("the test has nothing to look for")
	}
	destroyed := b.data + ".destroyed"
	if err := os.Rename(b.data, destroyed); err != nil {
		t.Fatal(err)
	}
	b.refuse("--without-removals", "restore", "--from", first)
	b.refuse("goes on from another", "restore", "--from", second, "--without-removals")
	if _, err := os.Stat(b.data); err == nil {
		t.Error("a restore that was refused made a data folder")
	}
	b.mustRun("restore", "--from", first, "--since", second)
	for name, text := range want {
		dataset, stream, _ := strings.Cut(name, " ")
		if stream == "" {
			stream = "interaction"
		}
		if got := b.everything(stream, dataset); got != text {
			t.Errorf("%s: %d bytes are read, and it were %d", name, len(got), len(text))
		}
	}
	b.checkErased([]string{ada})
	if _, err := os.Stat(filepath.Join(b.data, "salts")); err == nil {
		t.Error("salts came back")
	}
	b.verified()
	b.refuse("is not empty", "restore", "--from", first, "--since", second)
	b.checkExpired(first, second)
	b.start()
	b.sendOf(bob, 1)
	if n := len(b.readAll("app_session")); n != strings.Count(want["raw app_session"], "\n")+1 {
		t.Errorf("the restored brine has %d app sessions", n)
	}
}

// checkExpired restores under a shorter raw window, as no clock can be set here: what is past it does not come back.
func (b *brine) checkExpired(first, second string) {
	b.tb.Helper()
	text, err := os.ReadFile(b.config)
	if err != nil {
		b.tb.Fatal(err)
	}
	b.configure(string(text), "retention: {raw: {max_age: 24h}}")
	defer b.writeConfig(string(text))
	folder := filepath.Join(b.dir, "expired")
	var done struct{ Files, Removed, Expired int }
	out, stderr, code := b.command(nil, "restore", "--from", first, "--since", second, "--data", folder, "--json")
	if code != 0 || json.Unmarshal([]byte(out), &done) != nil || done.Expired == 0 || done.Removed == 0 {
		b.tb.Errorf("exit code %d: %s%s", code, out, stderr)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "lake/raw/*/*/*/*.parquet"))
	if err != nil || len(paths) == 0 {
		b.tb.Fatal("no raw event came back", err)
	}
	for _, path := range paths {
		rel, err := filepath.Rel(filepath.Join(folder, "lake"), path)
		if err != nil {
			b.tb.Fatal(err)
		}
		n, err := lake.ParseName(rel)
		if err != nil || time.Since(n.Hour) > 24*time.Hour {
			b.tb.Errorf("%s came back: %v", rel, err)
		}
	}
}

// A backup that is killed leaves none, whether or not a brine serves; the next one is whole, and nothing of either stays in the data folder.
func TestBackupKilled(t *testing.T) {
	t.Parallel()
	b := newBrine(t)
	b.importClosed(4)
	to := filepath.Join(b.dir, "backup")
	for round := range 6 {
		if round == 3 {
			b.start()
		}
		killed := exec.Command(binary, "backup", "--raw", "--to", to, "--config", b.config)
		if err := killed.Start(); err != nil {
			t.Fatal(err)
		}
		<-time.After(50*time.Millisecond + rand.N(400*time.Millisecond)) // any moment will do
		killed.Process.Kill()
		if err := killed.Wait(); err == nil { // it was done before
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := os.Stat(to); err == nil {
			if _, err := backup.Verify(t.Context(), to, func(int, int) {}); err != nil {
				t.Fatalf("a backup that was killed is there: %v", err)
			}
			if err := os.RemoveAll(to); err != nil {
				t.Fatal(err)
			}
		}
	}
	b.mustRun("backup", "--raw", "--to", to)
	if _, err := backup.Verify(t.Context(), to, func(int, int) {}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(b.data, "snapshot")); err == nil {
		t.Error("what was backed up is still held")
	}
}

// A lake in an object store is backed up while brine serves, destroyed, and restored to another place there, to a folder, and from a folder to
// a place there again: what is read is the same each time, and what was erased after the first backup is not there.
func TestBackupOfAnObjectStore(t *testing.T) {
	t.Parallel()
	b, s3 := newAppBrine(t), s3test.Start(t)
	lakeIn := func(prefix string) { b.configure(fmt.Sprintf("lake: %q", s3.Address("brine", prefix))) }
	lakeIn("lake")
	b.importClosed(1)
	b.mustRun("sanitize")
	b.start()
	ada, bob := newID(), newID()
	b.sendOf(ada, 5)
	b.sendOf(bob, 5)
	first, second := filepath.Join(b.dir, "first"), filepath.Join(b.dir, "second")
	b.mustRun("backup", "--to", first, "--raw")
	b.noSalts(first)
	b.forget(ada)
	b.waitErased()
	b.mustRun("backup", "--to", second, "--raw", "--base", first)
	b.stop()
	want := b.allRead()
	if !strings.Contains(want["raw app_session"], bob) || strings.Contains(want["raw app_session"], ada) || want["sanitized interaction"] == "" {
		t.Fatal("the test has nothing to look for")
	}
	restored := func(what string, args ...string) {
		t.Helper()
		if err := os.Rename(b.data, filepath.Join(b.dir, "destroyed "+what)); err != nil {
			t.Fatal(err)
		}
		b.mustRun(append([]string{"restore"}, args...)...)
		if got := b.allRead(); !maps.Equal(got, want) {
			for name := range want {
				t.Errorf("%s, %s: %d bytes are read, and it were %d", what, name, len(got[name]), len(want[name]))
			}
		}
		b.start() // it goes on
		b.stop()
	}
	lakeIn("again")
	restored("to another place", "--from", first, "--since", second)
	b.refuse("there is a lake already", "restore", "--from", first, "--since", second, "--data", filepath.Join(b.dir, "other"))
	if _, err := os.Stat(filepath.Join(b.dir, "other")); err == nil {
		t.Error("a restore that was refused made a data folder")
	}
	b.configure(`lake: ""`)
	restored("to a folder", "--from", first, "--since", second)
	folder := filepath.Join(b.dir, "folder")
	b.mustRun("backup", "--to", folder, "--raw")
	lakeIn("third")
	restored("from a folder", "--from", folder, "--without-removals")
}

// allRead is what is read of each dataset and stream, with nobody serving.
func (b *brine) allRead() map[string]string {
	b.tb.Helper()
	all := map[string]string{}
	for _, name := range []string{"raw interaction", "raw app_session", "sanitized interaction"} {
		dataset, stream, _ := strings.Cut(name, " ")
		all[name] = b.everything(stream, dataset)
	}
	return all
}
