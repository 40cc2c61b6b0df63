// Package collectors is who may write at the receipt door: a file with the hash of each collector's token.
//
// It imports access/tokens, which makes and hashes tokens. A token comes in; the collector's name goes out. A line of the file
// is a name and a SHA-256 in hexadecimal. Taking a line out ends the token at once: the file is read again when it has changed.
package collectors

import (
	"bufio"
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/access/tokens"
)

// ErrUnknown is the error of a token that no collector has.
var ErrUnknown = errors.New("no collector has this token: it was never made, or it was removed")

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// File is the file of collectors. Its methods may be called from several goroutines.
type File struct {
	path string

	mu   sync.Mutex
	read stamp
	all  []collector
}

type collector struct{ name, hash string }

// stamp tells whether the file is the one that was read.
type stamp struct {
	info    fs.FileInfo
	size    int64
	changed time.Time
}

// Open makes the handle of a file, which need not be there yet.
func Open(path string) *File { return &File{path: path} }

// Find is the name of the collector that has this token. An error that is not [ErrUnknown] says why the file cannot be read.
func (f *File) Find(token string) (name string, err error) {
	all, err := f.load()
	if err != nil {
		return "", err
	}
	hash := []byte(tokens.Hash(token))
	for _, c := range all { // all of them, so that the time tells nothing
		if subtle.ConstantTimeCompare(hash, []byte(c.hash)) == 1 {
			name = c.name
		}
	}
	if name == "" {
		return "", ErrUnknown
	}
	return name, nil
}

// Names are those of all collectors, in the order of the file.
func (f *File) Names() (names []string, err error) {
	all, err := f.load()
	for _, c := range all {
		names = append(names, c.name)
	}
	return names, err
}

// Add makes a token for a new collector. The text is given this once.
func (f *File) Add(name string) (token string, err error) {
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a collector: use a to z, 0 to 9 and . _ -, at most 64", name)
	}
	all, err := f.load()
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(all, func(c collector) bool { return c.name == name }) {
		return "", fmt.Errorf("there is a collector %s already: remove it first, which ends its token", name)
	}
	token = tokens.New()
	return token, f.write(append(slices.Clone(all), collector{name, tokens.Hash(token)}))
}

// Remove ends a collector's token.
func (f *File) Remove(name string) error {
	all, err := f.load()
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(all), func(c collector) bool { return c.name == name })
	if len(left) == len(all) {
		return fmt.Errorf("there is no collector %q", name)
	}
	return f.write(left)
}

func (f *File) load() ([]collector, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.read, f.all = stamp{}, nil
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the collectors: %w", err)
	}
	if f.read.info != nil && os.SameFile(info, f.read.info) && info.Size() == f.read.size && info.ModTime().Equal(f.read.changed) {
		return f.all, nil
	}
	content, err := os.ReadFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("read the collectors: %w", err)
	}
	all, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	f.read, f.all = stamp{info, info.Size(), info.ModTime()}, all
	return all, nil
}

func parse(content []byte) (all []collector, err error) {
	lines := bufio.NewScanner(bytes.NewReader(content))
	for number := 1; lines.Scan(); number++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 || !nameForm.MatchString(fields[0]) || len(fields[1]) != len(tokens.Hash("")) {
			return nil, fmt.Errorf("line %d is not a collector's name and the hash of its token: brine collector add makes such lines", number)
		}
		all = append(all, collector{fields[0], fields[1]})
	}
	return all, lines.Err()
}

// write replaces the file, whole or not at all.
func (f *File) write(all []collector) error {
	var content bytes.Buffer
	for _, c := range all {
		fmt.Fprintf(&content, "%s %s\n", c.name, c.hash)
	}
	aside, err := os.CreateTemp(filepath.Dir(f.path), ".collectors.*")
	if err != nil {
		return err
	}
	defer os.Remove(aside.Name()) // after the rename it is gone already
	_, err = aside.Write(content.Bytes())
	if err = errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return err
	}
	return os.Rename(aside.Name(), f.path)
}
