package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sys/unix"
)

// Cache is copies of objects on a local disk, within a number of bytes. A copy that is held stays; of the others those
// go first that were not used for longest. It begins empty. Its methods may be called from any goroutine.
type Cache struct {
	dir   string
	limit int64
	lock  *os.File // of the folder, held while it is in use

	mu      sync.Mutex
	used    int64 // bytes of all copies, also of those on their way
	copies  map[string]*copied
	idle    *lru.LRU[string, *copied] // those that nobody holds
	changed chan struct{}             // closed when a copy is given back
}

// copied is a copy, or one on its way.
type copied struct {
	size    int64
	holds   int
	ready   chan struct{} // closed when it is there, or cannot be had
	err     error
	dropped bool // goes when nobody holds it
}

// OpenCache makes a folder of its own below dir, and removes what processes left there that are gone.
func OpenCache(dir string, limit int64) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := removeLeft(dir); err != nil {
		return nil, err
	}
	own, err := os.MkdirTemp(dir, "use-")
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(own)
	if err != nil {
		return nil, err
	}
	c := &Cache{dir: own, limit: limit, lock: lock, copies: map[string]*copied{}, changed: make(chan struct{})}
	c.idle, err = lru.NewLRU[string, *copied](1<<30, nil)
	return c, errors.Join(err, coarsen(own), coarsen(dir))
}

// removeLeft removes folders that no process has locked.
func removeLeft(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "use-*"))
	if err != nil {
		return err
	}
	for _, folder := range left {
		lock, err := lockFolder(folder)
		if errors.Is(err, unix.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(folder), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

func lockFolder(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close removes all copies.
func (c *Cache) Close() error { return errors.Join(os.RemoveAll(c.dir), c.lock.Close()) }

// Dir is where the copies lie.
func (c *Cache) Dir() string { return c.dir }

// Path is where the copy of an object lies, while it is held.
func (c *Cache) Path(key string) string {
	return filepath.Join(c.dir, strings.ReplaceAll(key, "/", "~"))
}

// Hold makes sure of a copy until release is called. Where there is none, fetch makes one at the path it is given.
func (c *Cache) Hold(ctx context.Context, key string, size int64, fetch func(ctx context.Context, path string) error) (release func(), err error) {
	c.mu.Lock()
	have := c.copies[key]
	if have != nil && have.dropped { // it is gone, and who reads it still began before
		c.mu.Unlock()
		return nil, fmt.Errorf("%s: %w", key, ErrNotExist)
	}
	if have != nil {
		have.holds++
		c.idle.Remove(key)
		c.mu.Unlock()
		release, err := c.await(ctx, key, have)
		if errors.Is(err, context.Canceled) && ctx.Err() == nil { // of whoever fetched it
			return c.Hold(ctx, key, size, fetch)
		}
		return release, err
	}
	c.mu.Unlock()
	if err := c.makeRoom(ctx, size); err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	c.mu.Lock()
	if have = c.copies[key]; have != nil { // somebody was faster
		c.used -= size
		c.mu.Unlock()
		return c.Hold(ctx, key, size, fetch)
	}
	have = &copied{size: size, holds: 1, ready: make(chan struct{})}
	c.copies[key] = have
	c.mu.Unlock()
	have.err = c.fetch(ctx, key, fetch)
	close(have.ready)
	return c.await(ctx, key, have)
}

// fetch makes the copy appear whole, with a time that tells nothing.
func (c *Cache) fetch(ctx context.Context, key string, fetch func(context.Context, string) error) error {
	aside := c.Path(key) + ".part"
	if err := fetch(ctx, aside); err != nil {
		return err
	}
	if err := coarsen(aside); err != nil {
		return err
	}
	return errors.Join(os.Rename(aside, c.Path(key)), coarsen(c.dir))
}

func (c *Cache) await(ctx context.Context, key string, have *copied) (release func(), err error) {
	var once sync.Once
	release = func() { once.Do(func() { c.giveBack(key, have) }) }
	select {
	case <-have.ready:
	case <-ctx.Done():
		release()
		return nil, ctx.Err()
	}
	if have.err != nil {
		release()
		return nil, have.err
	}
	return release, nil
}

func (c *Cache) giveBack(key string, have *copied) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have.holds--
	if have.holds > 0 {
		return
	}
	if have.err != nil || have.dropped {
		c.forget(key, have)
	} else {
		c.idle.Add(key, have)
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// forget removes a copy that nobody holds.
func (c *Cache) forget(key string, have *copied) {
	os.Remove(c.Path(key)) // where it fails the next start of a process removes it
	c.used -= have.size
	if c.copies[key] == have {
		delete(c.copies, key)
	}
}

// roomWithin is how long a copy waits until others are given back.
const roomWithin = 30 * time.Second

// ErrCacheFull is a read that needs more than the cache may hold.
var ErrCacheFull = errors.New("all of the local cache is in use: raise lake_cache, or read less at once")

// makeRoom takes so many bytes of the limit, for which copies go that nobody holds.
func (c *Cache) makeRoom(ctx context.Context, size int64) error {
	deadline := time.After(roomWithin)
	for {
		c.mu.Lock()
		for c.used+size > c.limit {
			key, have, ok := c.idle.RemoveOldest()
			if !ok {
				break
			}
			c.forget(key, have)
		}
		if c.used+size <= c.limit {
			c.used += size
			c.mu.Unlock()
			return nil
		}
		changed := c.changed
		held := c.used > 0
		c.mu.Unlock()
		if !held {
			return ErrCacheFull
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return ErrCacheFull
		}
	}
}

// Take moves a file that was just written into the cache, where there is room for it at once; else it removes it.
func (c *Cache) Take(key, path string, size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.used+size > c.limit && c.idle.Len() > 0 {
		oldest, have, _ := c.idle.RemoveOldest()
		c.forget(oldest, have)
	}
	if c.copies[key] != nil || c.used+size > c.limit {
		return os.Remove(path)
	}
	if err := errors.Join(coarsen(path), os.Rename(path, c.Path(key)), coarsen(c.dir)); err != nil {
		return err
	}
	have := &copied{size: size, ready: make(chan struct{})}
	close(have.ready)
	c.copies[key] = have
	c.used += size
	c.idle.Add(key, have)
	return nil
}

// Drop removes the copy of an object that is gone, at once or when nobody holds it any more. It says whether it is held.
func (c *Cache) Drop(key string) (held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have := c.copies[key]
	if have == nil {
		return false
	}
	if have.holds > 0 {
		have.dropped = true
		return true
	}
	c.idle.Remove(key)
	c.forget(key, have)
	return false
}

// Keep drops all copies but those whose keys it is told to keep, and says whether one of the others is held.
func (c *Cache) Keep(keep func(key string) bool) (held bool) {
	c.mu.Lock()
	keys := slices.Collect(maps.Keys(c.copies))
	c.mu.Unlock()
	for _, key := range keys {
		if !keep(key) && c.Drop(key) {
			held = true
		}
	}
	return held
}

// Used is how many bytes the copies take.
func (c *Cache) Used() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// coarsen floors times to the hour, so that they do not tell when somebody read or wrote.
func coarsen(path string) error {
	hour := time.Now().Truncate(time.Hour)
	return os.Chtimes(path, hour, hour)
}
