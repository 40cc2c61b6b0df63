package salt

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"brine/access/private"
)

// osDisk is the real file system. What it syncs gets the times of the hour in which it was changed,
// as nothing that Brine stores tells finer than its hour when something was.
type osDisk struct{}

func (osDisk) lock(folder string) (unlock func(), err error) { return private.LockFolder(folder) }

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
	return errors.Join(os.Chmod(path, 0o700), private.GiveToOwner(path))
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
		err = errors.Join(os.Chmod(path, 0o600), private.GiveToOwner(path))
	}
	return err
}

func (osDisk) truncate(path string, size int) error { return os.Truncate(path, int64(size)) }
func (osDisk) rename(from, to string) error         { return os.Rename(from, to) }
func (osDisk) remove(path string) error             { return os.Remove(path) }

func (osDisk) sync(path string) error { return private.Sync(path) }
