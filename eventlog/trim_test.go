package eventlog

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Trimmed to the last entry a log is empty, nothing is left of it on disk, and its sequence numbers go on,
// here and after a restart.
func TestTrimToLast(t *testing.T) {
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "one", "two")
	info := log.Logs()[0]
	if !onDisk(t, dir, "two") {
		t.Fatal("the test does not find a group on disk")
	}
	if err := log.Trim(t.Context(), info.Name, info.Last); err != nil {
		t.Fatal(err)
	}
	if got := log.Logs()[0]; got.First != 4 || got.Last != 3 || len(readAll(t, log, got)) != 0 {
		t.Errorf("trimmed: %+v", got)
	}
	eventually(t, 5*time.Second, "nothing left on disk", func() bool { return !onDisk(t, dir, "two") })

	log.Close()
	log = mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "three")
	entries := readAll(t, log, log.Logs()[0])
	if log.Logs()[0].Name != info.Name || entries[0].Seq != 4 || entries[len(entries)-1].Seq != 5 {
		t.Errorf("after the restart: %+v, %+v", log.Logs(), entries)
	}
}

// What a kill leaves behind right after a trim is a copy of the folder.
func TestTrimThenKill(t *testing.T) {
	dir, killed := t.TempDir(), t.TempDir()
	log := mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "one", "two")
	info := log.Logs()[0]
	if err := log.Trim(t.Context(), info.Name, info.Last); err != nil {
		t.Fatal(err)
	}
	eventually(t, 5*time.Second, "a copy of a folder at rest", func() bool {
		os.RemoveAll(killed)
		return os.CopyFS(killed, os.DirFS(dir)) == nil
	})
	log = mustOpen(t, Options{Dir: killed})
	mustAppend(t, log, "three")
	if got := log.Logs()[0]; got.Name != info.Name || got.Last != info.Last+2 {
		t.Errorf("after the kill: %+v, before %+v", got, info)
	}
}

func TestTrimToMiddle(t *testing.T) {
	for name, tail := range map[string]int{"memory": 1 << 20, "disk": 1} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			log := mustOpen(t, Options{Dir: dir, TailBytes: tail})
			mustAppend(t, log, "one", "two", "three")
			info := log.Logs()[0]
			if err := log.Trim(t.Context(), info.Name, 3); err != nil {
				t.Fatal(err)
			}
			if err := log.Trim(t.Context(), info.Name, 2); err != nil {
				t.Errorf("trim to before what is trimmed: %v", err)
			}
			check := func() {
				if got := log.Logs()[0]; got.First != 4 || got.Last != 4 {
					t.Errorf("trimmed: %+v", got)
				}
				entries, err := log.Read(t.Context(), info.Name, 1, 1<<20)
				if err != nil || !slices.Equal(texts(entries), []string{"three"}) {
					t.Errorf("read %q, %v", texts(entries), err)
				}
			}
			check()
			log.Close()
			log = mustOpen(t, Options{Dir: dir, TailBytes: tail})
			check()
		})
	}
}

func TestTrimErrors(t *testing.T) {
	log := mustOpen(t, Options{Dir: t.TempDir()})
	name := log.Logs()[0].Name
	if err := log.Trim(t.Context(), name, 2); !errors.Is(err, ErrSequence) {
		t.Errorf("beyond the end: %v, want ErrSequence", err)
	}
	if err := log.Trim(t.Context(), "20200101xabcdef", 1); !errors.Is(err, ErrUnknown) {
		t.Errorf("unknown log: %v, want ErrUnknown", err)
	}
}

func TestDelete(t *testing.T) {
	clock := clockAt("2026-11-21 23:30")
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir, Clock: clock})
	mustAppend(t, log, "yesterday")
	clock.pass(time.Hour)
	mustAppend(t, log, "today")
	logs := log.Logs()

	if err := log.Delete(t.Context(), logs[1].Name); !errors.Is(err, ErrCurrent) {
		t.Errorf("the current log: %v, want ErrCurrent", err)
	}
	if err := log.Delete(t.Context(), logs[0].Name); err != nil {
		t.Fatal(err)
	}
	if err := log.Delete(t.Context(), logs[0].Name); !errors.Is(err, ErrUnknown) {
		t.Errorf("deleted before: %v, want ErrUnknown", err)
	}
	eventually(t, 5*time.Second, "nothing left on disk", func() bool { return !onDisk(t, dir, "yesterday") })
	log.Close()
	log = mustOpen(t, Options{Dir: dir, Clock: clock})
	if got := log.Logs(); len(got) != 1 || got[0].Name != logs[1].Name {
		t.Errorf("logs: %+v", got)
	}
}

// A group whose bytes were changed on disk is left out and logged; the others are read.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "one", "damaged", "three")
	log.Close()
	for _, name := range files(t, dir) {
		if content, err := os.ReadFile(name); err == nil && bytes.Contains(content, []byte("damaged")) {
			os.WriteFile(name, bytes.Replace(content, []byte("damaged"), []byte("DAMAGED"), 1), 0o600)
		}
	}
	var out safeBuffer
	log = mustOpen(t, Options{Dir: dir, Logger: out.logger()})
	log.patience = 0
	if got := texts(readAll(t, log, log.Logs()[0])); !slices.Equal(got, []string{"mark", "one", "three"}) {
		t.Errorf("read %q", got)
	}
	if text := out.String(); !bytes.Contains([]byte(text), []byte("damaged on disk")) {
		t.Errorf("logged: %s", text)
	}
	mustAppend(t, log, "four")
}

// Entries whose file cannot be read for a moment, as where the process has too many open, are not taken for damaged.
func TestUnreadableForAMoment(t *testing.T) {
	dir := t.TempDir()
	var out safeBuffer
	log := mustOpen(t, Options{Dir: dir, TailBytes: 1, Logger: out.logger()})
	group := strings.Repeat("x", MaxGroup*5/8)
	mustAppend(t, log, group, group) // each in a file of its own
	info := log.Logs()[0]
	all := files(t, dir)
	block := all[slices.IndexFunc(all, func(name string) bool { return strings.HasSuffix(name, info.Name+"/msgs/1.blk") })]
	if err := errors.Join(os.Rename(block, block+".away"), os.Mkdir(block, 0o700)); err != nil {
		t.Fatal(err)
	}
	read := make(chan int, 1)
	go func() {
		entries, err := log.Read(t.Context(), info.Name, 1, 4*MaxGroup)
		if err != nil {
			t.Error(err)
		}
		read <- len(entries)
	}()
	eventually(t, 10*time.Second, "it was asked for", func() bool { return strings.Contains(out.String(), "asked for again") })
	if err := errors.Join(os.Remove(block), os.Rename(block+".away", block)); err != nil {
		t.Fatal(err)
	}
	if n := <-read; n != 3 {
		t.Errorf("read %d entries, want a mark and 2 groups; logged: %s", n, out.String())
	}
}

// A log that JetStream cannot open is not passed over.
func TestOpenUnreadableLog(t *testing.T) {
	dir := t.TempDir()
	log := mustOpen(t, Options{Dir: dir})
	mustAppend(t, log, "one")
	name := log.Logs()[0].Name
	log.Close()
	for _, file := range files(t, dir) {
		if strings.HasSuffix(file, name+"/meta.inf") {
			os.WriteFile(file, []byte("{}"), 0o600)
		}
	}
	_, err := Open(t.Context(), Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("open: %v, want an error that names %s", err, name)
	}
}

func onDisk(tb testing.TB, dir, text string) bool {
	return slices.ContainsFunc(files(tb, dir), func(name string) bool {
		content, err := os.ReadFile(name)
		return err == nil && bytes.Contains(content, []byte(text))
	})
}

// files lists the files below a folder; what goes away meanwhile is left out.
func files(tb testing.TB, dir string) (names []string) {
	filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, name)
		}
		return nil
	})
	return names
}
