package backup_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brine/backup"
)

func quiet(int, int) {}

func never(string) bool { return false }

func nothing(string) error { return nil }

// tree makes a folder of files, by path.
func tree(tb testing.TB, files map[string]string) (root string) {
	tb.Helper()
	root = tb.TempDir()
	for path, content := range files {
		put(tb, filepath.Join(root, path), content)
	}
	return root
}

func put(tb testing.TB, path, content string) {
	tb.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		tb.Fatal(err)
	}
}

// folder is a source of nothing but a folder.
func folder(from string) func(context.Context) (backup.Source, error) {
	return func(context.Context) (backup.Source, error) { return backup.Source{Folder: from}, nil }
}

func write(tb testing.TB, from string, base *backup.Manifest) (to string, m backup.Manifest) {
	tb.Helper()
	to = filepath.Join(tb.TempDir(), "b")
	m, err := backup.Write(tb.Context(), folder(from), to, backup.Manifest{Day: "2026-11-21"}, base, quiet)
	if err != nil {
		tb.Fatal(err)
	}
	return to, m
}

// content is all files below a folder.
func content(tb testing.TB, root string) map[string]string {
	tb.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(root, path)
		all[rel] = string(text)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func restore(tb testing.TB, s backup.Sources, expired func(string) bool) (map[string]string, backup.Restored, error) {
	tb.Helper()
	m, first, err := s.Check(tb.Context(), quiet)
	if err != nil {
		return nil, backup.Restored{}, err
	}
	to := filepath.Join(tb.TempDir(), "data")
	done, err := s.Restore(tb.Context(), to, m, first, expired, nil, nothing, quiet)
	if err != nil {
		return nil, done, err
	}
	return content(tb, to), done, nil
}

// What the second backup no longer names, or has otherwise, does not come back from the first.
func TestRemovedSince(t *testing.T) {
	from := tree(t, map[string]string{"lake/kept": "1", "lake/purged": "2", "lake/erased": "ada bob", "lake/samename": "wide", "old": "x"})
	first, m := write(t, from, nil)
	if err := errors.Join(os.Remove(filepath.Join(from, "lake/purged")), os.Remove(filepath.Join(from, "lake/erased"))); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(from, "lake/erased2"), "bob")
	put(t, filepath.Join(from, "lake/samename"), "slim")
	second, _ := write(t, from, &m)
	if files := content(t, second); len(files) != 4 { // two files, the manifest, the sums
		t.Errorf("the second backup holds %v", files)
	}
	got, done, err := restore(t, backup.Sources{From: first, Since: second}, func(path string) bool { return path == "old" })
	if err != nil || len(got) != 3 || got["lake/kept"] != "1" || got["lake/erased2"] != "bob" || got["lake/samename"] != "slim" {
		t.Errorf("restored %v, %v", got, err)
	}
	if done != (backup.Restored{Files: 3, Removed: 3, Expired: 1}) {
		t.Errorf("it says %+v", done)
	}
	if _, _, err := restore(t, backup.Sources{From: second}, never); err == nil {
		t.Error("what goes on from another backup was restored alone")
	}
	other, _ := write(t, from, nil)
	if _, _, err := restore(t, backup.Sources{From: other, Since: second}, never); err == nil {
		t.Error("backups that do not belong together were restored")
	}
}

// A file that is written once and is not as the base has it is damaged, here or there: no backup says that it was replaced.
func TestDamagedSince(t *testing.T) {
	from := tree(t, map[string]string{"lake/a": "a", "small": "1"})
	_, m := write(t, from, nil)
	put(t, filepath.Join(from, "lake/a"), "garbage")
	put(t, filepath.Join(from, "small"), "2")
	take := func(context.Context) (backup.Source, error) {
		return backup.Source{Folder: from, Fixed: func(path string) bool { return strings.HasPrefix(path, "lake/") }}, nil
	}
	to := filepath.Join(t.TempDir(), "b")
	_, err := backup.Write(t.Context(), take, to, backup.Manifest{}, &m, quiet)
	if err == nil || !strings.Contains(err.Error(), "lake/a is not as the base has it") {
		t.Errorf("it says %v", err)
	}
	put(t, filepath.Join(from, "lake/a"), "a")
	if _, err := backup.Write(t.Context(), take, to, backup.Manifest{}, &m, quiet); err != nil {
		t.Error(err)
	}
}

// Whatever is wrong with a backup is told by name, before anything is written.
func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(folder string) error
		names string
	}{
		"Damaged": {func(f string) error { return os.WriteFile(filepath.Join(f, "lake/a"), []byte("b"), 0o600) }, "lake/a is damaged"},
		"Missing": {func(f string) error { return os.Remove(filepath.Join(f, "lake/a")) }, "lake/a is missing"},
		"Extra":   {func(f string) error { return os.WriteFile(filepath.Join(f, "lake/c"), nil, 0o600) }, "lake/c is not in the manifest"},
		"Link":    {func(f string) error { return os.Symlink("/etc/passwd", filepath.Join(f, "lake/l")) }, "lake/l"},
		"NoList":  {func(f string) error { return os.Remove(filepath.Join(f, "manifest.json")) }, "manifest.json"},
		"NoSums":  {func(f string) error { return os.Remove(filepath.Join(f, "SHA256SUMS")) }, "SHA256SUMS"},
		"OtherAge": {func(f string) error {
			return replace(filepath.Join(f, "manifest.json"), `"raw_max_age": 0`, `"raw_max_age": 9`)
		}, "manifest.json is damaged"},
		"Outside": {func(f string) error { return replace(filepath.Join(f, "manifest.json"), "lake/a", "../a") }, "outside"},
		"Newer":   {func(f string) error { return replace(filepath.Join(f, "manifest.json"), `"format": 1`, `"format": 2`) }, "format 2"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, _ := write(t, tree(t, map[string]string{"lake/a": "a"}), nil)
			if err := c.spoil(folder); err != nil {
				t.Fatal(err)
			}
			if _, _, err := restore(t, backup.Sources{From: folder}, never); err == nil || !strings.Contains(err.Error(), c.names) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func replace(path, old, new string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), old) {
		return errors.New("there is no " + old)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o600)
}

// A backup that is cut off leaves none, and the next one is not in its way. What a kill left beside it goes, whatever its name was, but nothing that is
// being written.
func TestCut(t *testing.T) {
	from := tree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	ctx, cancel := context.WithCancel(t.Context())
	to := filepath.Join(t.TempDir(), "b")
	_, err := backup.Write(ctx, folder(from), to, backup.Manifest{}, nil, func(done, _ int) {
		if done == 1 {
			cancel()
		}
	})
	if entries, _ := os.ReadDir(filepath.Dir(to)); err == nil || len(entries) != 0 {
		t.Fatalf("cut off: %v, and there is %v", err, entries)
	}
	beside := func(name string) string { return filepath.Join(filepath.Dir(to), name, "left") }
	for _, name := range []string{".b.brine.partial", ".a.brine.partial", ".other.partial", "c.brine.partial"} {
		put(t, beside(name), "by a kill")
	}
	_, err = backup.Write(t.Context(), func(context.Context) (backup.Source, error) {
		if removed, err := backup.RemoveCut(filepath.Dir(to)); err != nil || len(removed) != 1 || removed[0] != filepath.Dir(beside(".a.brine.partial")) {
			t.Errorf("removed %q, %v", removed, err)
		}
		if _, err := backup.Write(t.Context(), folder(from), to, backup.Manifest{}, nil, quiet); err == nil || !strings.Contains(err.Error(), "by another") {
			t.Errorf("a second one of the same name: %v", err)
		}
		return backup.Source{}, errors.New("enough")
	}, to, backup.Manifest{}, nil, quiet)
	if entries, _ := os.ReadDir(filepath.Dir(to)); err == nil || len(entries) != 2 {
		t.Errorf("%v, and there is %v", err, entries)
	}
	put(t, beside(".b.brine.partial"), "by a kill")
	if _, err := backup.Write(t.Context(), folder(from), to, backup.Manifest{}, nil, quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Verify(t.Context(), to, quiet); err != nil {
		t.Error(err)
	}
	if _, err := backup.Write(t.Context(), folder(from), to, backup.Manifest{}, nil, quiet); err == nil {
		t.Error("a backup was written over another")
	}
	for _, path := range []string{to, filepath.Join(to, "a"), filepath.Join(to, "manifest.json")} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	m, first, err := backup.Sources{From: to}.Check(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (backup.Sources{From: to}).Restore(t.Context(), from, m, first, never, nil, nothing, quiet); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder that is not empty: %v", err)
	}
}

// object is a file that lies elsewhere, as the text that was held; content is what its store has now.
func object(path, held string, content func() (string, error)) backup.Object {
	sum := sha256.Sum256([]byte(held))
	return backup.Object{File: backup.File{Path: path, Size: int64(len(held)), SHA256: hex.EncodeToString(sum[:])}, Time: time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC),
		Fetch: func(_ context.Context, to string) error {
			text, err := content()
			if err != nil {
				return err
			}
			return os.WriteFile(to, []byte(text), 0o600)
		}}
}

// What lies elsewhere is in a backup, and goes elsewhere again. Where some of it goes while it is copied, what is held then is asked for, and nothing is
// left of what was; what the base has is not fetched.
func TestObjects(t *testing.T) {
	small := tree(t, map[string]string{"audit/lines": "x"})
	fetches := map[string]int{}
	has := func(path, text string) backup.Object {
		return object(path, text, func() (string, error) { fetches[path]++; return text, nil })
	}
	gone := object("lake/c.g1", "c", func() (string, error) { return "", fmt.Errorf("the store: %w", backup.ErrGone) })
	moments := []backup.Source{
		{Folder: small, Objects: []backup.Object{has("lake/a.g1", "a"), has("lake/b.g1", "b"), gone}, Pending: 1},
		{Folder: small, Objects: []backup.Object{has("lake/a.g1", "a"), has("lake/bc.g2", "bc")}},
	}
	take := func(context.Context) (backup.Source, error) {
		now := moments[0]
		moments = moments[1:]
		return now, nil
	}
	first := filepath.Join(t.TempDir(), "first")
	m, err := backup.Write(t.Context(), take, first, backup.Manifest{}, nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if m.Pending != 0 || len(m.Files) != 3 || fetches["lake/a.g1"] != 1 {
		t.Errorf("%+v, fetched %v", m, fetches)
	}
	if info, err := os.Stat(filepath.Join(first, "lake/a.g1")); err != nil || !info.ModTime().Equal(time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)) {
		t.Errorf("its time is %v, %v", info.ModTime(), err)
	}
	moments = []backup.Source{{Folder: small, Objects: []backup.Object{has("lake/a.g1", "a"), has("lake/d.g1", "d")}}}
	second := filepath.Join(t.TempDir(), "second")
	if _, err := backup.Write(t.Context(), take, second, backup.Manifest{}, &m, quiet); err != nil || fetches["lake/a.g1"] != 1 || fetches["lake/d.g1"] != 1 {
		t.Errorf("fetched %v, %v", fetches, err)
	}

	sources, put := backup.Sources{From: first, Since: second}, map[string]string{}
	newest, whole, err := sources.Check(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "data")
	elsewhere := &backup.Elsewhere{Is: func(path string) bool { return strings.HasPrefix(path, "lake/") }, Put: func(_ context.Context, files map[string]string) error {
		for path, at := range files {
			text, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			put[path] = string(text)
		}
		return nil
	}}
	done, err := sources.Restore(t.Context(), to, newest, whole, never, elsewhere, nothing, quiet)
	if err != nil || done != (backup.Restored{Files: 3, Removed: 1}) || !maps.Equal(put, map[string]string{"lake/a.g1": "a", "lake/d.g1": "d"}) ||
		!maps.Equal(content(t, to), map[string]string{"audit/lines": "x"}) {
		t.Errorf("%+v, %v: put %v, and in the folder is %v", done, err, put, content(t, to))
	}
	failing := &backup.Elsewhere{Is: elsewhere.Is, Put: func(context.Context, map[string]string) error { return errors.New("the store is gone") }}
	if _, err := sources.Restore(t.Context(), to+"2", newest, whole, never, failing, nothing, quiet); err == nil {
		t.Error("what could not be put elsewhere was restored")
	}
	if _, err := os.Stat(to + "2"); err == nil {
		t.Error("a restore that failed left a folder")
	}
}

// An object that is gone each time ends the backup, and none is left.
func TestObjectsGone(t *testing.T) {
	small := tree(t, map[string]string{"a": "1"})
	takes := 0
	take := func(context.Context) (backup.Source, error) {
		takes++
		return backup.Source{Folder: small, Objects: []backup.Object{object("lake/c.g1", "c", func() (string, error) { return "", backup.ErrGone })}}, nil
	}
	to := filepath.Join(t.TempDir(), "b")
	_, err := backup.Write(t.Context(), take, to, backup.Manifest{}, nil, quiet)
	if entries, _ := os.ReadDir(filepath.Dir(to)); !errors.Is(err, backup.ErrGone) || len(entries) > 0 || takes < 2 {
		t.Errorf("%v after %d takes, and there is %v", err, takes, entries)
	}
}

// What finishes a restore is done before the folder is there: no restore that is cut off leaves one without it.
func TestFinish(t *testing.T) {
	from, _ := write(t, tree(t, map[string]string{"kept": "1"}), nil)
	sources := backup.Sources{From: from}
	m, first, err := sources.Check(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	to, broken := filepath.Join(t.TempDir(), "data"), errors.New("broken")
	for _, want := range []error{broken, nil} {
		_, err := sources.Restore(t.Context(), to, m, first, never, nil, func(folder string) error {
			if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder is there already: %v", err)
			}
			put(t, filepath.Join(folder, "finished"), "2")
			return want
		}, quiet)
		_, there := os.Stat(to)
		if !errors.Is(err, want) || want != nil && !errors.Is(there, fs.ErrNotExist) {
			t.Errorf("%v, %v, want %v", err, there, want)
		}
	}
	if got := content(t, to); len(got) != 2 || got["finished"] != "2" {
		t.Error(got)
	}
}

// A folder that could not be put in its place is refused before anything is verified or written, with what to do.
func TestRoom(t *testing.T) {
	dir := tree(t, map[string]string{"full/a": "1", "file": "2"})
	for to, says := range map[string]string{
		filepath.Join(dir, "new"): "", filepath.Join(dir, "above/new"): "", t.TempDir(): "",
		filepath.Join(dir, "full"): "not empty", filepath.Join(dir, "file"): "no folder", "/proc": "like /proc/restored", "/proc/brine": "run it as one who can",
	} {
		if err := backup.Room(to); says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: it says %v", to, err)
		}
	}
	if left := content(t, dir); len(left) != 2 {
		t.Errorf("there is %v", left)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("there is %v, %v", entries, err)
	}
}
