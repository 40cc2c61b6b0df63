package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A file of the lake that is damaged is told by name, and neither missing in a backup nor taken for one that replaced it.
func TestBackupOfADamagedLake(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": ""})
	history(t, 1)
	mustRun(t, "backup", "--raw", "--to", "first")
	files, err := filepath.Glob("data/lake/raw/*/*/*/*.parquet")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	check(t, err)
	turned := append([]byte(nil), whole...)
	turned[len(turned)/2] ^= 0xff // its ends are as they were, so that nobody has met it
	for what, content := range map[string][]byte{"truncated": whole[:20], "turned": turned} {
		check(t, os.WriteFile(files[0], content, 0o600))
		if _, stderr, code := brine(t, "backup", "--raw", "--to", "second", "--base", "first"); code != exitFailed || !strings.Contains(stderr, filepath.Base(files[0])) {
			t.Errorf("%s: exit code %d\n%s", what, code, stderr)
		}
	}
	check(t, os.WriteFile(files[0], whole, 0o600))
	mustRun(t, "backup", "--raw", "--to", "second", "--base", "first")
}

// One backup is made at a time, as all share one snapshot; what one that was killed left goes when nobody has it, and is waited for by an
// erasure until then.
func TestOneBackupAtATime(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": ""})
	history(t, 1)
	left := filepath.Join("data", snapshotFolder, "left")
	leave := func() {
		t.Helper()
		check(t, errors.Join(os.MkdirAll(filepath.Dir(left), 0o700), os.WriteFile(left, nil, 0o600)))
	}
	leave()
	unlock, err := lockSnapshot("data")
	check(t, err)
	if _, stderr, code := brine(t, "backup", "--to", "b"); code != exitFailed || !strings.Contains(stderr, "another brine backup is at work") {
		t.Errorf("a second backup: exit code %d\n%s", code, stderr)
	}
	stop := serveHere(t) // a start, and then a purge, that leave it alone
	mustRun(t, "purge")
	if _, err := os.Stat(left); err != nil || !heldBySnapshot("data") {
		t.Error("what a backup at work has is gone, or not held:", err)
	}
	check(t, unlock())
	mustRun(t, "purge")
	if _, err := os.Stat(left); err == nil {
		t.Error("a purge leaves what a backup left that was killed")
	}
	leave()
	if heldBySnapshot("data") {
		t.Error("an erasure waits for a backup that was killed")
	}
	mustRun(t, "backup", "--to", "b")
	stop()
	lock := filepath.Join("data", "snapshot.lock")
	info, err := os.Stat(lock)
	check(t, err)
	if info.Mode().Perm() != 0o600 || !info.ModTime().Equal(info.ModTime().Truncate(time.Hour)) {
		t.Errorf("%s: %s, of %s", lock, info.Mode(), info.ModTime())
	}
}

// Where a data folder cannot be restored to is said before the backup is looked at.
func TestRestoreWithoutRoom(t *testing.T) {
	inFolder(t, map[string]string{"brine.yaml": ""})
	if _, stderr, code := brine(t, "restore", "--from", "none", "--without-removals", "--data", "/proc"); code != exitFailed || !strings.Contains(stderr, "/proc is a mount") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
