package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"brine/access/private"
)

// snapshotFolder holds what is being backed up, in a data folder: links to what the lake held at one moment, and copies of small files.
const snapshotFolder = "snapshot"

// errSnapshotHeld is a snapshot that a backup at work has.
var errSnapshotHeld = errors.New("another brine backup is at work: wait for its end")

// lockSnapshot keeps a data folder's snapshot for one backup, until unlock or the end of its process.
func lockSnapshot(dataDir string) (unlock func() error, err error) {
	name := filepath.Join(dataDir, snapshotFolder+".lock")
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of backups: %w", err)
	}
	err = errors.Join(private.GiveToOwner(name), private.HourTime(name))
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		err = fmt.Errorf("data folder %s: %w", dataDir, errSnapshotHeld)
	case err != nil:
		err = fmt.Errorf("lock %s: %w (it must be on a file system with locks)", name, err)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock.Close, nil
}

// removeOldSnapshot takes away what a killed backup left: it holds on to what is erased meanwhile. That of one at work stays.
func removeOldSnapshot(dataDir string) error {
	folder := filepath.Join(dataDir, snapshotFolder)
	if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := lockSnapshot(dataDir)
	if errors.Is(err, errSnapshotHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(folder), unlock())
}

// heldBySnapshot says whether a snapshot is there, which may hold what is erased meanwhile: an erasure waits for its end. Why one that is left
// cannot be removed, a purge tells.
func heldBySnapshot(dataDir string) bool {
	if removeOldSnapshot(dataDir) != nil {
		return true
	}
	_, err := os.Lstat(filepath.Join(dataDir, snapshotFolder))
	return !errors.Is(err, fs.ErrNotExist)
}
