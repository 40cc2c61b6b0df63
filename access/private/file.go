// Package private is for small files that nobody but their owner may read, which several processes share: it reads, locks, syncs and replaces them.
//
// It imports nothing of the house. Contents come in and go out as they are; what is in them is for access/users, access/tokens, access/audit
// and salt.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Open opens a file to read it, and refuses one that somebody else could have written or could read. The error is
// [fs.ErrNotExist] where there is none, and else says what to do.
func Open(path string) (*os.File, error) {
	// Without O_NONBLOCK a named pipe would keep us waiting for its writer.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: it must be the file itself", path)
	}
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = check(path, info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func check(path string, info fs.FileInfo) error {
	sys := info.Sys().(*syscall.Stat_t)
	me := uint32(os.Geteuid())
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm() != 0o600:
		return fmt.Errorf("%s has mode %04o, and must have 0600 (chmod 600 %s)", path, info.Mode().Perm(), path)
	case sys.Uid != me && sys.Uid != 0 && me != 0:
		return fmt.Errorf("%s belongs to another user (chown it to who runs brine)", path)
	case sys.Nlink > 1: // it is 0 where the file was replaced just now
		return fmt.Errorf("%s has another name too, by a hard link (remove one)", path)
	}
	return nil
}

// How long a change waits for another one, which takes some milliseconds: of a file, and of a folder, whose changes are also synced.
const (
	fileWait   = 5 * time.Second
	folderWait = 10 * time.Second
)

// Lock keeps every other change of the file waiting, in this process and others, until unlock. The file cannot be its own
// lock, as it is replaced. The error says so where another command holds the lock for 5 s.
func Lock(path string) (unlock func(), err error) {
	name := path + ".lock"
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err = errors.Join(GiveToOwner(name), HourTime(name)); err == nil {
		err = wait(lock, fileWait)
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return func() { lock.Close() }, nil
}

// LockFolder is Lock for a whole folder, which is its own lock. The error says so where another process holds it for 10 s.
func LockFolder(path string) (unlock func(), err error) {
	folder, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := wait(folder, folderWait); err != nil {
		folder.Close()
		return nil, err
	}
	return func() { folder.Close() }, nil
}

func wait(lock *os.File, longest time.Duration) error {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		busy := errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
		switch {
		case err == nil:
			return nil
		case busy && time.Since(began) < longest:
		case busy:
			return fmt.Errorf("another process has held %s for %s (does a brine hang?)", lock.Name(), longest)
		default:
			return fmt.Errorf("lock %s: %w (it must be on a file system with locks)", lock.Name(), err)
		}
	}
}

// Replace has the new content there whole or not at all, and on the disk when it returns. What root makes belongs to the owner of
// the folder.
func Replace(path string, content []byte) error {
	aside := path + ".new"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a command that was killed
		return err
	}
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Chmod(0o600), GiveToOwner(aside), HourTime(aside), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(aside, path); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	return Sync(filepath.Dir(path))
}

// HourTime sets a file's time to the hour in which it was changed: nothing in a data folder but the log tells finer when something was.
func HourTime(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	hour := info.ModTime().Truncate(time.Hour)
	err = os.Chtimes(path, hour, hour)
	if errors.Is(err, fs.ErrPermission) { // the folder may be somebody else's
		return nil
	}
	return err
}

// GiveToOwner hands what root has made, as a cron job may, to the owner of the folder around it: a server that is not root must be able to
// go on with it.
func GiveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

// Sync makes a file or a folder durable, with the time of its hour.
func Sync(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := HourTime(path); err != nil {
		return err
	}
	return f.Sync()
}
