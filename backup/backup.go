// Package backup writes and reads backups: folders that plain tools can read, with a manifest that names every file.
//
// A backup is whole by itself, or goes on from a base: then its manifest names what was held when it was written, and its folder holds
// only the files that the base lacks. So the newer one says of each file of the base whether it may come back: what was purged, erased or
// tightened between the two is in files that the newer manifest does not name.
//
// It imports nothing of the house. A folder of files comes in, and objects of a store, and a backup goes out, or the other way.
package backup

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Manifest says what a backup holds.
type Manifest struct {
	Format  int               `json:"format"`         // 1
	ID      string            `json:"id"`             // random
	Base    string            `json:"base,omitempty"` // ID of the backup that it goes on from
	Day     string            `json:"day"`            // on which it was written, like 2026-11-21 (UTC)
	Version string            `json:"version"`        // of Brine
	Raw     bool              `json:"raw"`            // raw and quarantined events are in it
	RawAge  time.Duration     `json:"raw_max_age"`    // ns: raw hours that are as old are never restored; 0: no end
	Pending int               `json:"pending"`        // erasures that were not complete, so that events of theirs may have come in after the last pass
	Config  map[string]string `json:"config"`         // digests of the config's keys
	Files   []File            `json:"files"`          // by path
}

// File is one file that was held.
type File struct {
	Path   string `json:"path"` // below the data folder, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	In     string `json:"in"` // ID of the backup whose folder holds it
}

// The files of a backup's folder beside those that it holds.
const (
	manifestFile = "manifest.json"
	sumsFile     = "SHA256SUMS" // of all others, for sha256sum -c
)

// Source is what was held at one moment.
type Source struct {
	Folder  string                 // its files are in the backup, but for those of Objects
	Fixed   func(path string) bool // which of these never change once they are written; nil for none
	Objects []Object               // what lies elsewhere
	Pending int                    // see [Manifest.Pending]
}

// Object is a file that lies elsewhere, and never changes.
type Object struct {
	File
	Time  time.Time                                  // that the copy gets
	Fetch func(ctx context.Context, to string) error // copies it to a path where nothing is, and verifies it; the error wraps [ErrGone] where it is there no more
}

// ErrGone is an object that was removed since it was held.
var ErrGone = errors.New("it was removed meanwhile")

// Progress is told how many files of how many are done.
type Progress func(done, of int)

// Write makes a backup at a path where nothing is. take says what is held now, and is asked again where an object of that is gone before it was
// copied. m gives what the backup says of itself; base is nil for a whole one. It appears whole or not at all.
func Write(ctx context.Context, take func(context.Context) (Source, error), to string, m Manifest, base *Manifest, progress Progress) (Manifest, error) {
	if _, err := os.Lstat(to); err == nil {
		return m, fmt.Errorf("%s is there already: name a folder that is not", to)
	}
	aside, done, err := makeAside(to)
	if err != nil {
		return m, fmt.Errorf("make the backup: %w", err)
	}
	defer done()
	m.Format, m.ID = 1, newID()
	if base != nil {
		m.Base = base.ID
	}
	err = fill(ctx, take, aside, &m, base, progress)
	if err == nil {
		err = os.Rename(aside, to)
	}
	if err != nil {
		return m, errors.Join(fmt.Errorf("write the backup: %w", err), os.RemoveAll(aside))
	}
	return m, syncFolder(filepath.Dir(to))
}

func newID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}

// asideEnd ends the names of folders that are being written.
const asideEnd = ".brine.partial"

// asideOf is where a folder is written before it is there.
func asideOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+asideEnd)
}

// makeAside makes the folder in which another is written, in place of what one that was cut off left, and keeps others from it until done.
func makeAside(path string) (aside string, done func() error, err error) {
	aside = asideOf(path)
	if lock, busy, err := claim(aside); err == nil {
		if errors.Is(busy, unix.EWOULDBLOCK) {
			return "", nil, errors.Join(fmt.Errorf("%s is being written by another backup or restore", aside), lock.Close())
		}
		if err := errors.Join(os.RemoveAll(aside), lock.Close()); err != nil {
			return "", nil, err
		}
	}
	if err := os.Mkdir(aside, 0o700); err != nil {
		return "", nil, err
	}
	lock, _, err := claim(aside)
	if err != nil {
		return "", nil, err
	}
	return aside, lock.Close, nil
}

// claim opens a folder and locks it until it is closed, or this process ends. busy says why it is not locked: another has it, or the file system
// locks no folders, as some of a network do not.
func claim(folder string) (lock *os.File, busy, err error) {
	if lock, err = os.Open(folder); err != nil {
		return nil, nil, err
	}
	return lock, unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB), nil
}

// RemoveCut removes what backups and restores that were killed left in a folder, beside what they were to make, and says what. What may be
// written now stays.
func RemoveCut(folder string) (removed []string, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // whoever writes there tells
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), asideEnd) {
			continue
		}
		path := filepath.Join(folder, e.Name())
		lock, busy, openErr := claim(path)
		if openErr != nil {
			err = errors.Join(err, openErr)
			continue
		}
		if busy == nil {
			err = errors.Join(err, os.RemoveAll(path))
			removed = append(removed, path)
		}
		lock.Close()
	}
	return removed, err
}

// takes is how often what is held is asked for: while objects are copied the newest hours go on.
const takes = 20

func fill(ctx context.Context, take func(context.Context) (Source, error), to string, m *Manifest, base *Manifest, progress Progress) (err error) {
	held := map[string]File{}
	if base != nil {
		for _, f := range base.Files {
			held[f.Path] = f
		}
	}
	fetched := map[string]File{}
	var from Source
	for try := 0; ; try++ {
		if from, err = take(ctx); err != nil {
			return err
		}
		m.Files, m.Pending = []File{}, from.Pending
		err = m.fetch(ctx, from.Objects, to, held, fetched, progress)
		if !errors.Is(err, ErrGone) || try == takes {
			break
		}
	}
	if err == nil {
		err = m.copy(ctx, from, to, held, progress)
	}
	if err != nil {
		return err
	}
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return writeLists(to, *m)
}

// fetch copies objects, but for those that are in the base or were fetched before. What was fetched and is held no more is removed.
func (m *Manifest) fetch(ctx context.Context, objects []Object, to string, held, fetched map[string]File, progress Progress) error {
	now := map[string]bool{}
	for _, o := range objects {
		now[o.Path] = true
	}
	for path := range fetched {
		if !now[path] {
			if err := os.Remove(filepath.Join(to, path)); err != nil {
				return err
			}
			delete(fetched, path)
		}
	}
	for i, o := range objects {
		progress(i, len(objects))
		if was, ok := held[o.Path]; ok && was.Size == o.Size && was.SHA256 == o.SHA256 {
			m.Files = append(m.Files, was)
			continue
		}
		f := o.File
		f.In = m.ID
		if fetched[o.Path] != f {
			if err := o.copy(ctx, filepath.Join(to, o.Path)); err != nil {
				return fmt.Errorf("%s: %w", o.Path, err)
			}
			fetched[o.Path] = f
		}
		m.Files = append(m.Files, f)
	}
	return ctx.Err()
}

func (o Object) copy(ctx context.Context, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := o.Fetch(ctx, to); err != nil {
		return err
	}
	f, err := os.Open(to)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), os.Chtimes(to, o.Time, o.Time))
}

// copy copies the files of a folder, but for those that are in the base.
func (m *Manifest) copy(ctx context.Context, source Source, to string, held map[string]File, progress Progress) error {
	from := source.Folder
	paths, err := filesIn(from)
	if err != nil {
		return err
	}
	for i, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress(i, len(paths))
		f := File{Path: path, In: m.ID}
		if was, ok := held[path]; ok {
			if f.Size, f.SHA256, err = sum(filepath.Join(from, path)); err != nil {
				return err
			}
			if f.Size == was.Size && f.SHA256 == was.SHA256 {
				m.Files = append(m.Files, was)
				continue
			}
			if source.Fixed != nil && source.Fixed(path) {
				return fmt.Errorf("%s is not as the base has it, and is written once: one of the two is damaged, or it was made anew. Look whether the base is whole (sha256sum -c %s): if the file was damaged here, copy it from there; else make a backup without --base", path, sumsFile)
			}
		}
		if f.Size, f.SHA256, err = copyFile(filepath.Join(from, path), filepath.Join(to, path)); err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	progress(len(paths), len(paths))
	return nil
}

// writeLists writes the manifest and the sums, and makes all folders durable.
func writeLists(to string, m Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, f := range m.Files {
		if f.In == m.ID {
			fmt.Fprintf(&sums, "%s  %s\n", f.SHA256, f.Path)
		}
	}
	digest := sha256.Sum256(append(text, '\n'))
	fmt.Fprintf(&sums, "%x  %s\n", digest, manifestFile)
	if err := errors.Join(writeFile(filepath.Join(to, manifestFile), append(text, '\n')), writeFile(filepath.Join(to, sumsFile), []byte(sums.String()))); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncFolder(path)
	})
}

func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// filesIn are the paths of all files below a folder, with slashes, sorted. What is no plain file is an error.
func filesIn(root string) (paths []string, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err == nil && !d.Type().IsRegular() {
			err = fmt.Errorf("%s is not a plain file", path)
		}
		paths = append(paths, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(paths)
	return paths, err
}

func sum(path string) (size int64, digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	hash := sha256.New()
	size, err = io.Copy(hash, f)
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

// copyFile copies a file, 0600 in folders of 0700, durably, with the hour of its time.
func copyFile(from, to string) (size int64, digest string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return 0, "", err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return 0, "", err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, "", err
	}
	hash := sha256.New()
	size, err = io.Copy(io.MultiWriter(out, hash), in)
	hour := info.ModTime().Truncate(time.Hour)
	err = errors.Join(err, out.Sync(), out.Close(), os.Chtimes(to, hour, hour))
	return size, hex.EncodeToString(hash.Sum(nil)), err
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
