package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The names in a data folder.
const (
	logFolder  = "log"
	lakeFolder = "lake"
	tmpFolder  = "tmp"
	lockFile   = "lock"
	socketFile = "brine.sock"

	policyFolder = "policy"
)

// errLocked is in the error of [openDataDir] where another process has the folder: a command that
// only adds or asks may then go through the socket of that process.
var errLocked = errors.New("another brine is using it")

// dataDir is a data folder that belongs to this process until Close.
type dataDir struct {
	path   string
	lock   *os.File
	cancel context.CancelFunc // ends keepCoarse
	coarse sync.WaitGroup
}

// mustExist is the error of commands that only look at a data folder, where there is none.
func mustExist(dataDir string) error {
	if _, err := os.Stat(dataDir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no data folder at %s (is --data right?)", dataDir)
	}
	return nil
}

// openDataDir takes the folder for this process alone, makes what is missing in it, and empties
// its tmp. A folder that is there keeps its mode; all that is made is 0700 and 0600.
func openDataDir(path string) (*dataDir, error) {
	return openFolders(path, logFolder, lakeFolder, tmpFolder)
}

// openFolders is [openDataDir] where these folders are all that is in it. tmp is one of them.
func openFolders(path string, folders ...string) (*dataDir, error) {
	if err := makeFolder(path); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &dataDir{path: path, cancel: cancel}
	if err := d.takeLock(); err != nil {
		cancel()
		return nil, err
	}
	if err := d.makeFolders(folders); err != nil {
		d.Close()
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	d.coarse.Go(func() { d.keepCoarse(ctx) })
	return d, nil
}

func (d *dataDir) takeLock() error {
	name := filepath.Join(d.path, lockFile)
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the lock of the data folder: %w", err)
	}
	switch err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		lock.Close()
		return fmt.Errorf("data folder %s: %w; stop that one first, or give this one a folder of its own (data: in the config)", d.path, errLocked)
	case err != nil:
		lock.Close()
		return fmt.Errorf("lock the data folder %s: %w (it must be on a file system with locks)", d.path, err)
	}
	d.lock = lock
	return hourTimes(name)
}

func (d *dataDir) makeFolders(names []string) error {
	for _, name := range names {
		path := filepath.Join(d.path, name)
		if err := makeFolder(path); err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(path, 0o700), hourTimes(path)); err != nil {
			return err
		}
	}
	return errors.Join(emptyFolder(d.tmp()), removeOldSnapshot(d.path))
}

// makeFolder makes a folder and those above it that are missing, and syncs the one above each:
// a folder that a power cut takes away would take stored events with it.
func makeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeFolder(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return syncFolder(above)
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// emptyFolder removes what is in a folder but not the folder, which may be a mount.
func emptyFolder(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(path, e.Name())); err != nil {
			return err
		}
	}
	return hourTimes(path)
}

func (d *dataDir) log() string  { return filepath.Join(d.path, logFolder) }
func (d *dataDir) lake() string { return filepath.Join(d.path, lakeFolder) }
func (d *dataDir) tmp() string  { return filepath.Join(d.path, tmpFolder) }

func (d *dataDir) policy() string { return filepath.Join(d.path, policyFolder) }

// Close gives the folder free. What listens on its socket is closed before.
func (d *dataDir) Close() error {
	d.cancel()
	d.coarse.Wait()
	return d.lock.Close()
}

// keepCoarse takes the times of the folder and of its tmp down to the hour. Whatever makes or
// removes a file there changes them, and spilling is not in this program's hands; so it is done
// now and again, and once more at the end.
func (d *dataDir) keepCoarse(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		// A folder that another user owns, like a mount, cannot be changed: it keeps its time.
		_ = errors.Join(hourTimes(d.path), hourTimes(d.tmp()))
	}
}

// hourTimes sets the times of a file to the start of the hour in which it was changed: nothing in
// the data folder says finer than its hour when something was.
func hourTimes(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	hour := info.ModTime().Truncate(time.Hour)
	if info.ModTime().Equal(hour) {
		return nil
	}
	return os.Chtimes(path, hour, hour)
}

// listen opens brine.sock, for this user only. A socket that a killed process left is removed: the
// lock says that nobody is behind it.
func (d *dataDir) listen() (net.Listener, error) {
	path := filepath.Join(d.path, socketFile)
	if err := removeSocket(path); err != nil {
		return nil, err
	}
	l, err := listenUnix(d.path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	s := &socket{Listener: l, path: path}
	if err := errors.Join(os.Chmod(path, 0o600), hourTimes(path)); err != nil {
		s.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return s, nil
}

func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is in the way: it is not a socket (move it away)", path)
	}
	return os.Remove(path)
}

// socket is a listener that removes its own file by the file's real path.
type socket struct {
	net.Listener
	path string
}

func (s *socket) Close() error {
	if err := s.Listener.Close(); err != nil {
		return err
	}
	return os.Remove(s.path)
}

// dialSocket connects to the brine that has the data folder.
func dialSocket(ctx context.Context, dataDir string) (net.Conn, error) {
	var conn net.Conn
	err := withSocketPath(dataDir, func(path string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask the brine that uses the data folder %s: %w (is it still starting?)", dataDir, err)
	}
	return conn, nil
}

func listenUnix(dataDir string) (net.Listener, error) {
	var l *net.UnixListener
	err := withSocketPath(dataDir, func(path string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // its path may have been a detour that is gone by then
	return l, nil
}

// maxSocketPath is how long a socket's path may be everywhere: Linux takes 107 bytes, others 103.
const maxSocketPath = 103

// withSocketPath calls use with a path to the folder's socket that is short enough, which is a
// detour over an open folder where the real one is too long.
func withSocketPath(dataDir string, use func(path string) error) error {
	if path := filepath.Join(dataDir, socketFile); len(path) <= maxSocketPath {
		return use(path)
	}
	folder, err := os.Open(dataDir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return use(filepath.Join("/proc/self/fd", strconv.Itoa(int(folder.Fd())), socketFile))
}
