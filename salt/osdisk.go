package salt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// osDisk is the real file system. What it syncs gets the times of the hour in which it was changed,
// as nothing that Brine stores tells finer than its hour when something was.
type osDisk struct{}

// lockWait is how long another process may hold the folder: each holds it for some milliseconds.
const lockWait = 10 * time.Second

func (osDisk) lock(folder string) (unlock func(), err error) {
	f, err := os.OpenFile(folder, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		busy := errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case busy && time.Since(began) < lockWait:
		case busy:
			f.Close()
			return nil, fmt.Errorf("another process has held %s for %s (does a brine hang?)", folder, lockWait)
		default:
			f.Close()
			return nil, fmt.Errorf("lock %s: %w (it must be on a file system with locks)", folder, err)
		}
	}
}

func (osDisk) stat(path string) (info, error) {
	i, err := os.Lstat(path)
	if err != nil {
		return info{}, err
	}
	return infoOf(i), nil
}

func infoOf(i fs.FileInfo) info {
	sys := i.Sys().(*syscall.Stat_t)
	return info{i.Name(), i.Mode(), int(sys.Uid), int(sys.Nlink), int(i.Size())}
}

func (osDisk) list(folder string) (all []info, err error) {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		i, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another tool has just taken it away
		}
		if err != nil {
			return nil, err
		}
		all = append(all, infoOf(i))
	}
	return all, err
}

func (osDisk) read(path string, max int) ([]byte, error) {
	// Without O_NONBLOCK a named pipe would keep us waiting for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(max)))
}

func (osDisk) mkdir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, 0o700), giveToOwner(path))
}

func (osDisk) create(path string, content []byte) error {
	return write(path, os.O_CREATE|os.O_EXCL, content)
}

func (osDisk) append(path string, content []byte) error {
	return write(path, os.O_CREATE|os.O_APPEND, content)
}

func (osDisk) overwrite(path string, content []byte) error { return write(path, 0, content) }

func write(path string, flag int, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW|flag, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil && flag&os.O_CREATE != 0 {
		err = errors.Join(os.Chmod(path, 0o600), giveToOwner(path))
	}
	return err
}

// giveToOwner hands what root has made, as a cron job may, to the owner of the folder around it:
// a server that is not root must be able to read it.
func giveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	i, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	owner := i.Sys().(*syscall.Stat_t)
	return os.Lchown(path, int(owner.Uid), int(owner.Gid))
}

func (osDisk) truncate(path string, size int) error { return os.Truncate(path, int64(size)) }
func (osDisk) rename(from, to string) error         { return os.Rename(from, to) }
func (osDisk) remove(path string) error             { return os.Remove(path) }

func (osDisk) sync(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return err
	}
	hour := i.ModTime().Truncate(time.Hour)
	if err := os.Chtimes(path, hour, hour); err != nil && !errors.Is(err, fs.ErrPermission) { // a mount of root's
		return err
	}
	return f.Sync()
}
