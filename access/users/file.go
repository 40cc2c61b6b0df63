package users

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"brine/access"
)

// line is one line of the file: a person, or something that is kept as it stands.
type line struct {
	name  string // "" for a comment, or a line that names nobody
	roles access.Roles
	hash  hash
	raw   string // what was read, "" for a line that is to be written anew
	fault *Fault // why nobody gets in by it
}

func (l line) String() string {
	if l.raw != "" || l.name == "" {
		return l.raw
	}
	return l.name + ":" + strings.ReplaceAll(l.roles.String(), " ", "") + ":" + l.hash.String()
}

const (
	maxSize  = 1 << 20
	lockWait = 10 * time.Second // another command holds the lock for some milliseconds
	header   = "# Who may read. Change it with brine user. name:roles:hash"
)

// read is the file's lines; none where there is no file. The error says what keeps all of it from being believed.
func (f *File) read() ([]line, error) {
	content, err := f.content()
	if err != nil || len(content) == 0 {
		return nil, err
	}
	var lines []line
	for i, text := range strings.Split(strings.TrimSuffix(content, "\n"), "\n") {
		l, err := parseLine(text)
		if err != nil {
			l.fault = &Fault{f.path, i + 1, err.Error()}
		}
		lines = append(lines, l)
	}
	f.refuseTwins(lines)
	return lines, nil
}

func (f *File) content() (string, error) {
	// Without O_NONBLOCK a named pipe would keep us waiting for its writer.
	file, err := os.OpenFile(f.path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, unix.ELOOP):
		return "", fmt.Errorf("%s is a symbolic link: it must be the file itself", f.path)
	case err != nil:
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if err := f.checkInfo(info); err != nil {
		return "", err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if len(content) > maxSize {
		return "", fmt.Errorf("%s is larger than %d bytes", f.path, maxSize)
	}
	return string(content), err
}

// checkInfo refuses a file that somebody else could have written or could read: whoever reads it may guess
// passwords at leisure.
func (f *File) checkInfo(info fs.FileInfo) error {
	sys := info.Sys().(*syscall.Stat_t)
	me := uint32(os.Geteuid())
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", f.path)
	case info.Mode().Perm() != 0o600:
		return fmt.Errorf("%s has mode %04o, and must have 0600 (chmod 600 %s)", f.path, info.Mode().Perm(), f.path)
	case sys.Uid != me && sys.Uid != 0 && me != 0:
		return fmt.Errorf("%s belongs to another user (chown it to who runs brine)", f.path)
	case sys.Nlink > 1: // it is 0 where the file was replaced just now
		return fmt.Errorf("%s has another name too, by a hard link (remove one)", f.path)
	}
	return nil
}

// parseLine reads a line. Its error says nothing of the hash.
func parseLine(text string) (line, error) {
	l := line{raw: text}
	if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
		return l, nil
	}
	name, rest, _ := strings.Cut(text, ":")
	if !nameForm.MatchString(name) {
		return l, errors.New("no line of the form name:roles:hash, or its name is none (brine user list shows who is in order)")
	}
	l.name = name
	roles, hash, _ := strings.Cut(rest, ":")
	var rolesErr, hashErr error
	l.roles, rolesErr = access.ParseRoles(strings.Split(roles, ","))
	l.hash, hashErr = parseHash(hash)
	if err := cmp.Or(rolesErr, hashErr); err != nil {
		return l, fmt.Errorf("%s: %w (remove %s with brine user remove, and add it anew)", name, err, name)
	}
	return l, nil
}

// refuseTwins lets nobody in by a name that is there twice.
func (f *File) refuseTwins(lines []line) {
	first := map[string]int{}
	for i, l := range lines {
		j, twin := first[l.name]
		switch {
		case l.name == "":
		case twin:
			lines[i].fault, lines[j].fault = f.twin(l.name, i, j), f.twin(l.name, j, i)
		default:
			first[l.name] = i
		}
	}
}

func (f *File) twin(name string, at, other int) *Fault {
	return &Fault{f.path, at + 1, fmt.Sprintf("%s is in line %d too (remove it with brine user remove, and add it anew)", name, other+1)}
}

// change replaces the file by what becomes of its lines, while no other command can.
func (f *File) change(do func([]line) ([]line, error)) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	lines, err := f.read()
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		lines = []line{{raw: header}}
	}
	if lines, err = do(lines); err != nil {
		return err
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.String() + "\n")
	}
	return f.replace(b.String())
}

// lock keeps every other change waiting, in this process and others, until unlock. The file cannot be its own lock, as it is replaced.
func (f *File) lock() (unlock func(), err error) {
	name := f.path + ".lock"
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the users file: %w", err)
	}
	if err := errors.Join(giveToOwner(name), hourTime(name)); err != nil {
		lock.Close()
		return nil, err
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		busy := errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR)
		switch {
		case err == nil:
			return func() { lock.Close() }, nil
		case busy && time.Since(began) < lockWait:
		case busy:
			lock.Close()
			return nil, fmt.Errorf("another command has held %s for %s (does one hang?)", name, lockWait)
		default:
			lock.Close()
			return nil, fmt.Errorf("lock %s: %w (it must be on a file system with locks)", name, err)
		}
	}
}

// replace has the new content there whole or not at all, and on the disk when it returns.
func (f *File) replace(content string) error {
	aside := f.path + ".new"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a command that was killed
		return err
	}
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err := errors.Join(err, file.Chmod(0o600), giveToOwner(aside), hourTime(aside), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(aside, f.path); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	folder := filepath.Dir(f.path)
	return errors.Join(hourTime(folder), syncFolder(folder))
}

// hourTime sets a file's time to its hour: nothing in a data folder but the log tells finer when something was.
func hourTime(path string) error {
	hour := time.Now().Truncate(time.Hour)
	err := os.Chtimes(path, hour, hour)
	if errors.Is(err, fs.ErrPermission) { // the folder may be somebody else's
		return nil
	}
	return err
}

// giveToOwner hands what root has made to the owner of the folder around it: a server that is not root must be able to read it.
func giveToOwner(path string) error {
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

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
