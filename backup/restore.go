package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Read reads the manifest of a backup, and looks at nothing else.
func Read(folder string) (m Manifest, err error) {
	content, err := os.ReadFile(filepath.Join(folder, manifestFile))
	if err != nil {
		return m, fmt.Errorf("%s is not a backup: %w", folder, err)
	}
	if json.Unmarshal(content, &m) != nil || m.ID == "" {
		return m, fmt.Errorf("%s is damaged: it is no manifest", filepath.Join(folder, manifestFile))
	}
	if m.Format != 1 {
		return m, fmt.Errorf("%s has format %d, and this Brine reads 1: use a newer one", filepath.Join(folder, manifestFile), m.Format)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(f.Path) || filepath.ToSlash(filepath.Clean(f.Path)) != f.Path {
			return m, fmt.Errorf("%s names a file outside of it", filepath.Join(folder, manifestFile))
		}
	}
	return m, nil
}

// Verify reads a backup whole: every file is there and is as the manifest has it, and none is more. All that is wrong is told, by name.
func Verify(ctx context.Context, folder string, progress Progress) (m Manifest, err error) {
	if m, err = Read(folder); err != nil {
		return m, err
	}
	paths, err := filesIn(folder)
	if err != nil {
		return m, err
	}
	var errs []error
	known := map[string]bool{manifestFile: true, sumsFile: true}
	for i, f := range m.Files {
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		progress(i, len(m.Files))
		if f.In != m.ID {
			continue
		}
		known[f.Path] = true
		if size, digest, err := sum(filepath.Join(folder, f.Path)); err != nil {
			errs = append(errs, fmt.Errorf("%s is missing or cannot be read", f.Path))
		} else if size != f.Size || digest != f.SHA256 {
			errs = append(errs, fmt.Errorf("%s is damaged: it is not as the manifest has it", f.Path))
		}
	}
	progress(len(m.Files), len(m.Files))
	for _, path := range paths {
		if !known[path] {
			errs = append(errs, fmt.Errorf("%s is not in the manifest: move it away", path))
		}
	}
	errs = append(errs, checkSums(folder))
	if err := errors.Join(errs...); err != nil {
		return m, fmt.Errorf("the backup %s cannot be used:\n%w", folder, err)
	}
	return m, nil
}

// checkSums finds a manifest that is not the one that was written.
func checkSums(folder string) error {
	sums, err := os.ReadFile(filepath.Join(folder, sumsFile))
	if err != nil {
		return fmt.Errorf("%s is missing or cannot be read", sumsFile)
	}
	_, digest, err := sum(filepath.Join(folder, manifestFile))
	if err != nil || !slices.Contains(strings.Split(string(sums), "\n"), digest+"  "+manifestFile) {
		return fmt.Errorf("%s is damaged: it is not as %s has it", manifestFile, sumsFile)
	}
	return nil
}

// Sources are the backups that a restore reads: one that is whole, and one that goes on from it, or "".
type Sources struct{ From, Since string }

// Restored is what a restore did.
type Restored struct {
	Files   int `json:"files"`
	Removed int `json:"removed"` // files of the first backup that the second no longer has as they were
	Expired int `json:"expired"` // files that are too old to come back
}

// Check verifies the backups, and gives the manifest that says what may come back.
func (s Sources) Check(ctx context.Context, progress Progress) (m Manifest, first Manifest, err error) {
	if first, err = Verify(ctx, s.From, progress); err != nil {
		return m, first, err
	}
	if first.Base != "" {
		return m, first, fmt.Errorf("%s goes on from another backup: give that one with --from, and this one with --since", s.From)
	}
	if s.Since == "" {
		return first, first, nil
	}
	if m, err = Verify(ctx, s.Since, progress); err != nil {
		return m, first, err
	}
	if m.Base != first.ID {
		return m, first, fmt.Errorf("%s does not go on from %s: it was made with another --base", s.Since, s.From)
	}
	return m, first, nil
}

// Elsewhere is where files go that do not go into the folder.
type Elsewhere struct {
	Is  func(path string) bool
	Put func(ctx context.Context, files map[string]string) error // by the path in the manifest: where each lies now
}

// Restore makes a folder of what the backups hold, as m says, but for what expired does not let back. The folder must not be there or
// be empty; it appears whole or not at all, after all is put that goes elsewhere, nil for none, and with what finish does in it. Every file is verified
// once more as it is copied.
func (s Sources) Restore(ctx context.Context, to string, m, first Manifest, expired func(path string) bool, elsewhere *Elsewhere, finish func(folder string) error, progress Progress) (done Restored, err error) {
	if err := Room(to); err != nil { // what was asked before may have taken long
		return done, err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return done, err
	}
	aside, release, err := makeAside(to)
	if err != nil {
		return done, err
	}
	defer release()
	if done, err = s.copyTo(ctx, aside, m, first, expired, elsewhere, progress); err == nil {
		err = finish(aside)
	}
	if err == nil {
		err = os.Rename(aside, to)
	}
	if err != nil {
		return done, errors.Join(err, os.RemoveAll(aside))
	}
	return done, syncFolder(filepath.Dir(to))
}

func (s Sources) copyTo(ctx context.Context, to string, m, first Manifest, expired func(path string) bool, elsewhere *Elsewhere, progress Progress) (done Restored, err error) {
	kept, others := map[string]bool{}, map[string]string{}
	for i, f := range m.Files {
		if ctx.Err() != nil {
			return done, ctx.Err()
		}
		progress(i, len(m.Files))
		folder := s.From
		if f.In != first.ID {
			folder = s.Since
		} else {
			kept[f.Path] = true
		}
		if expired(f.Path) {
			done.Expired++
			continue
		}
		from := filepath.Join(folder, f.Path)
		var size int64
		var digest string
		if elsewhere != nil && elsewhere.Is(f.Path) {
			others[f.Path] = from
			size, digest, err = sum(from)
		} else {
			size, digest, err = copyFile(from, filepath.Join(to, f.Path))
		}
		if err != nil {
			return done, err
		}
		if size != f.Size || digest != f.SHA256 {
			return done, fmt.Errorf("%s changed while it was copied", f.Path)
		}
		done.Files++
	}
	for _, f := range first.Files {
		if !kept[f.Path] {
			done.Removed++
		}
	}
	if elsewhere != nil {
		if err := elsewhere.Put(ctx, others); err != nil {
			return done, err
		}
	}
	progress(len(m.Files), len(m.Files))
	return done, syncFolder(to)
}
