package config

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file must stay the same before it is read: an editor may write it in parts.
const settle = 50 * time.Millisecond

// Watch calls changed with the new config when the content of the file changes, and on every
// SIGHUP. A file with mistakes, or none, is told to broken, once, and the old config stays in force.
// Both are called from one goroutine; stop ends it and waits for it.
//
// An error means that the folder of the file cannot be watched.
func (c *Config) Watch(changed func(*Config), broken func(error)) (stop func(), err error) {
	folder, err := c.watchFolder()
	if err != nil {
		return nil, err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	w := &watch{path: c.path, settled: c.content, applied: c.content, changed: changed, broken: broken}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer signal.Stop(hangup)
		defer folder.Close()
		w.run(ctx, folder, hangup)
	}()
	return func() { cancel(); <-done }, nil
}

// watchFolder watches the folder, not the file: editors and Kubernetes put a new file in its place.
func (c *Config) watchFolder() (*fsnotify.Watcher, error) {
	folder, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the config file: %w", err)
	}
	if c.path == "" {
		return folder, nil
	}
	if err := folder.Add(filepath.Dir(c.path)); err != nil {
		folder.Close()
		return nil, fmt.Errorf("watch the config file %s: %w", c.path, err)
	}
	return folder, nil
}

// watch is the state of one [Config.Watch].
type watch struct {
	path    string
	settled []byte // as read last
	applied []byte // as given last to changed or broken
	changed func(*Config)
	broken  func(error)
}

func (w *watch) run(ctx context.Context, folder *fsnotify.Watcher, hangup <-chan os.Signal) {
	// The file may have changed between Load and Watch.
	look := time.After(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			w.apply(w.read())
		case <-folder.Events:
			if look == nil {
				look = time.After(settle)
			}
		case err := <-folder.Errors:
			w.broken(fmt.Errorf("watch the config file %s: %w (send SIGHUP after a change)", w.path, err))
		case <-look:
			look = w.look()
		}
	}
}

// look applies the file once two readings in a row agree; until then it asks for another look.
func (w *watch) look() <-chan time.Time {
	content, err := w.read()
	if !bytes.Equal(content, w.settled) {
		w.settled = content
		return time.After(settle)
	}
	if !bytes.Equal(content, w.applied) {
		w.apply(content, err)
	}
	return nil
}

// read is the content of the file; nothing, with the error, where it cannot be read.
func (w *watch) read() ([]byte, error) {
	if w.path == "" {
		return nil, nil
	}
	return os.ReadFile(w.path)
}

func (w *watch) apply(content []byte, err error) {
	w.settled, w.applied = content, content
	if err != nil {
		w.broken(fmt.Errorf("read the config file: %w", err))
		return
	}
	next, err := parse(w.path, content)
	if err != nil {
		w.broken(err)
		return
	}
	w.changed(next)
}
