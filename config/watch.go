package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must stay the same before it is read: an editor may write it in parts.
const settle = 50 * time.Millisecond

// Watch calls changed with the new config when the content of the file, or of the allowlist, the KPIs or the certificates that it
// names, or the mode of a certificate's file, changes, on every SIGHUP, and once at the start where there is one of those. A file with mistakes, or none, is told to broken, once, and the old config stays in force.
// Both are called from one goroutine; stop ends it and waits for it.
//
// An error means that the folder of a file cannot be watched.
func (c *Config) Watch(changed func(*Config), broken func(error)) (stop func(), err error) {
	folders, err := c.watchFolders()
	if err != nil {
		return nil, err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	// What the other files said when they were read is not known here: where there is one, changed is called once.
	w := &watch{folders: folders, path: c.path, allowlist: c.Allowlist, kpi: c.KPI, pairs: c.pairs(), settled: contents{c.content, read(c.Allowlist), read(c.KPI), hashOf(c.pairs())},
		applied: contents{config: c.content}, changed: changed, broken: broken}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer signal.Stop(hangup)
		defer folders.Close()
		w.run(ctx, hangup)
	}()
	return func() { cancel(); <-done }, nil
}

// watchFolders watches the folders, not the files: editors and Kubernetes put a new file in a file's place.
func (c *Config) watchFolders() (*fsnotify.Watcher, error) {
	folders, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the config file: %w", err)
	}
	for _, file := range append([]string{c.path, c.Allowlist, c.KPI}, c.pairs()...) {
		if file == "" {
			continue
		}
		if err := folders.Add(filepath.Dir(file)); err != nil {
			folders.Close()
			return nil, fmt.Errorf("watch %s: %w", file, err)
		}
	}
	return folders, nil
}

// watch is the state of one [Config.Watch].
type watch struct {
	folders   *fsnotify.Watcher
	path      string
	allowlist string
	kpi       string
	pairs     []string // files of certificates and keys
	settled   contents // as read last
	applied   contents // as given last to changed or broken
	changed   func(*Config)
	broken    func(error)
}

// contents are those of the files that are watched; nil where there is none. Of certificates and keys it is their hash, with their modes: a
// key that others may read is refused, so that chmod alone can mend it.
type contents struct{ config, allowlist, kpi, pairs []byte }

func (c contents) equal(o contents) bool {
	return bytes.Equal(c.config, o.config) && bytes.Equal(c.allowlist, o.allowlist) && bytes.Equal(c.kpi, o.kpi) && bytes.Equal(c.pairs, o.pairs)
}

// pairs are the files of certificates and keys, and of those that vouch for others.
func (c *Config) pairs() (files []string) {
	for _, t := range []TLS{c.Public.TLS, c.Private.TLS, c.Store.TLS.Pair(), c.Forward.TLS, {c.Log.TLS.Cert, c.Log.TLS.Key}} {
		if t.On() {
			files = append(files, t.Cert, t.Key)
		}
	}
	for _, ca := range []string{c.Store.TLS.ClientCA, c.Forward.CA, c.Log.TLS.CA} {
		if ca != "" {
			files = append(files, ca)
		}
	}
	return files
}

// hashOf is a hash over files that may not be there, and their modes; nil for no files.
func hashOf(files []string) []byte {
	if len(files) == 0 {
		return nil
	}
	h := sha256.New()
	for _, f := range files {
		content := read(f)
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(modeOf(f))))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(content))))
		h.Write(content)
		clear(content) // it may be a key
	}
	return h.Sum(nil)
}

// modeOf is the mode of a file, 0 where there is none.
func modeOf(path string) fs.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Mode()
}

// read is the content of a file that may not be there.
func read(path string) []byte {
	content, _ := os.ReadFile(path) // whoever takes it on tells what is wrong with it
	return content
}

func (w *watch) run(ctx context.Context, hangup <-chan os.Signal) {
	// The file may have changed between Load and Watch.
	look := time.After(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			w.apply(w.read())
		case <-w.folders.Events:
			if look == nil {
				look = time.After(settle)
			}
		case err := <-w.folders.Errors:
			w.broken(fmt.Errorf("watch the config file %s: %w (send SIGHUP after a change)", w.path, err))
		case <-look:
			look = w.look()
		}
	}
}

// look applies the file once two readings in a row agree; until then it asks for another look.
func (w *watch) look() <-chan time.Time {
	now, err := w.read()
	if !now.equal(w.settled) {
		w.settled = now
		return time.After(settle)
	}
	if !now.equal(w.applied) {
		w.apply(now, err)
	}
	return nil
}

// read is the content of the files; the error is of the config file.
func (w *watch) read() (now contents, err error) {
	if w.path != "" {
		now.config, err = os.ReadFile(w.path)
	}
	now.allowlist, now.kpi, now.pairs = read(w.allowlist), read(w.kpi), hashOf(w.pairs)
	return now, err
}

func (w *watch) apply(now contents, err error) {
	w.settled, w.applied = now, now
	if err != nil {
		w.broken(fmt.Errorf("read the config file: %w", err))
		return
	}
	next, err := parse(w.path, now.config)
	if err != nil {
		w.broken(err)
		return
	}
	if next.KPI == "" && w.kpi == filepath.Join(filepath.Dir(w.path), defaultKPI) {
		next.KPI = w.kpi // it is there without being named, and away now: that is told, rather than to measure nothing
	}
	if w.kpi = next.KPI; w.kpi != "" {
		if err := w.folders.Add(filepath.Dir(w.kpi)); err != nil {
			w.broken(fmt.Errorf("watch %s: %w (send SIGHUP after a change)", w.kpi, err))
		}
	}
	w.settled.kpi, w.applied.kpi = read(w.kpi), read(w.kpi)
	w.changed(next)
}
