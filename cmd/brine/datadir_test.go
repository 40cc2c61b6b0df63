package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mustOpenDataDir(t *testing.T, path string) *dataDir {
	t.Helper()
	d, err := openDataDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestOpenDataDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "not", "there", "yet")
	mustOpenDataDir(t, path)
	for name, want := range map[string]fs.FileMode{
		"":     fs.ModeDir | 0o700,
		"log":  fs.ModeDir | 0o700,
		"lake": fs.ModeDir | 0o700,
		"tmp":  fs.ModeDir | 0o700,
		"lock": 0o600,
	} {
		if got := mustStat(t, filepath.Join(path, name)).Mode(); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

func TestOpenDataDirAgain(t *testing.T) {
	path := t.TempDir()
	d := mustOpenDataDir(t, path)
	mustWriteFile(t, filepath.Join(d.tmp(), "spill"))
	mustWriteFile(t, filepath.Join(d.lake(), "row"))

	_, err := openDataDir(path)
	if !errors.Is(err, errLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("a held folder: %v", err)
	}
	mustStat(t, filepath.Join(d.tmp(), "spill")) // only the owner of the lock empties tmp

	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpenDataDir(t, path)
	mustStat(t, filepath.Join(d.lake(), "row"))
	if _, err := os.Stat(filepath.Join(d.tmp(), "spill")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("tmp still holds its file: %v", err)
	}
}

func TestOpenDataDirOnAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	mustWriteFile(t, path)
	if _, err := openDataDir(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestHourTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	mustWriteFile(t, path)
	changed := time.Date(2026, 11, 21, 13, 47, 11, 42, time.UTC)
	if err := os.Chtimes(path, changed, changed); err != nil {
		t.Fatal(err)
	}
	if err := hourTimes(path); err != nil {
		t.Fatal(err)
	}
	if got := mustStat(t, path).ModTime(); !got.Equal(changed.Truncate(time.Hour)) {
		t.Error(got)
	}
}

func TestSocket(t *testing.T) {
	for name, path := range map[string]string{
		"Short": shortTempDir(t),
		"Long":  filepath.Join(t.TempDir(), strings.Repeat("long/", 30)),
	} {
		t.Run(name, func(t *testing.T) {
			d := mustOpenDataDir(t, path)
			first, err := listenUnix(d.path) // as of a process that was killed: its file stays
			if err != nil {
				t.Fatal(err)
			}
			first.Close()

			l, err := d.listen()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(path, "brine.sock")
			if got := mustStat(t, file); got.Mode() != fs.ModeSocket|0o600 || got.ModTime().Truncate(time.Hour) != got.ModTime() {
				t.Errorf("the socket is %s of %s", got.Mode(), got.ModTime())
			}
			talk(t, l, path)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket outlives its listener: %v", err)
			}
		})
	}
}

// talk sends a byte from a client of the folder's socket to the listener.
func talk(t *testing.T, l net.Listener, path string) {
	t.Helper()
	client, err := dialSocket(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if _, err := client.Write([]byte{42}); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1)
	if _, err := server.Read(got); err != nil || got[0] != 42 {
		t.Error(got, err)
	}
}

func TestSocketInTheWay(t *testing.T) {
	d := mustOpenDataDir(t, t.TempDir())
	mustWriteFile(t, filepath.Join(d.path, "brine.sock"))
	if _, err := d.listen(); err == nil || !strings.Contains(err.Error(), "in the way") {
		t.Error(err)
	}
}

func TestDialSocketNobody(t *testing.T) {
	path := t.TempDir()
	if _, err := dialSocket(t.Context(), path); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

// shortTempDir is a folder whose path leaves room for a socket.
func shortTempDir(t *testing.T) string {
	t.Helper()
	path, err := os.MkdirTemp("", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(path) })
	return path
}

func mustStat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func mustWriteFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
}
