package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"brine/access/private"
)

// File is the file of tokens. A file that is not there holds none. Its methods may be called from any goroutine, and by several
// processes.
type File struct {
	path string
	now  func() time.Time

	mu    sync.Mutex
	stamp stamp
	held  *content
	tried map[int]string // the day on which the use of a token was noted last
}

// content is what the file holds.
type content struct {
	Last   int     `json:"last"` // the highest number ever given
	Tokens []Token `json:"tokens"`

	byHash map[string]int
}

// Open makes a File of a path. Nothing is read yet. now is the clock, time.Now but in tests.
func Open(path string, now func() time.Time) *File {
	return &File{path: path, now: now, tried: map[int]string{}}
}

func (c *content) at(number int) int {
	return slices.IndexFunc(c.Tokens, func(t Token) bool { return t.Number == number })
}

func (c *content) working(now time.Time) (n int) {
	for _, t := range c.Tokens {
		if t.State(now) == "works" {
			n++
		}
	}
	return n
}

// forget leaves out what has not worked for a year.
func (c *content) forget(now time.Time) {
	c.Tokens = slices.DeleteFunc(c.Tokens, func(t Token) bool {
		ended := t.Expires
		if !t.Revoked.IsZero() && t.Revoked.Before(ended) {
			ended = t.Revoked
		}
		return now.Sub(ended) > MaxAge
	})
}

// stamp tells one version of the file from another. A change makes a new file, and a new file has its own time of
// change, which nobody can set.
type stamp struct {
	inode   uint64
	size    int64
	changed unix.Timespec
}

func stampOf(st *unix.Stat_t) stamp { return stamp{st.Ino, st.Size, st.Ctim} }

// read gives what the file holds, reading it only where it has changed.
func (f *File) read() (*content, error) {
	var st unix.Stat_t
	err := unix.Stat(f.path, &st)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.held != nil && f.stamp == stampOf(&st) {
		return f.held, nil
	}
	held, stamp, err := load(f.path)
	if err != nil {
		f.held = nil
		return nil, err
	}
	f.held, f.stamp = held, stamp
	return held, nil
}

// load reads the file, and refuses one that others may read or write.
func load(path string) (c *content, s stamp, err error) {
	c = &content{byHash: map[string]int{}}
	file, err := private.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, s, nil
	}
	if err != nil {
		return nil, s, fmt.Errorf("read the tokens: %w", err)
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return nil, s, fmt.Errorf("read the tokens: %s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, s, fmt.Errorf("read the tokens: %s: %w", path, err)
	}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, s, fmt.Errorf("%s is broken, so no token works: move it away and make new ones", path)
	}
	for i, t := range c.Tokens {
		c.byHash[t.Hash] = i
	}
	return c, stampOf(&st), nil
}

const maxFile = 16 << 20

// change makes a change under the lock that all processes take, and makes it durable.
func (f *File) change(change func(*content) error) error {
	unlock, err := private.Lock(f.path)
	if err != nil {
		return fmt.Errorf("change the tokens: %w", err)
	}
	defer unlock()
	c, _, err := load(f.path)
	if err != nil {
		return err
	}
	if err := change(c); err != nil {
		return err
	}
	c.forget(f.now())
	if err := f.write(c); err != nil {
		return fmt.Errorf("write the tokens: %w", err)
	}
	return nil
}

func (f *File) write(c *content) error {
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	return private.Replace(f.path, append(text, '\n'))
}
