package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"brine/access/private"
)

// Copy is what a store publishes, for a door that has no ledger. Where no store answers it is the last that was known, which a file keeps. Its fields are set before it
// works and not changed after.
type Copy struct {
	Path   string // of the file
	Logger *slog.Logger

	// Fetch asks a store for its edition, by the tag of the one that is known: the same tag is no other. [ErrNothing] where it publishes nothing.
	Fetch func(ctx context.Context, known string) (text []byte, tag string, err error)

	mu      sync.Mutex
	edition *Edition
	tag     string
	told    string
}

// ErrNothing is the answer of a store that publishes nothing.
var ErrNothing = errors.New(nothingHere)

// Open reads the file, where there is one. One that cannot be read is no trouble: a store has it all.
func (c *Copy) Open() {
	e := &Edition{}
	if err := readJSON(c.Path, e); err == nil {
		c.edition = e
	} else if !errors.Is(err, fs.ErrNotExist) {
		c.Logger.Warn("the last published totals that were known cannot be read: a store is asked", "err", err)
	}
}

// Edition is what is published, as far as is known; nil for nothing.
func (c *Copy) Edition() *Edition {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.edition
}

// Run refreshes it every so often, until the context ends.
func (c *Copy) Run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.Refresh(ctx)
		}
	}
}

// Refresh asks a store. What is in the way of it is logged once.
func (c *Copy) Refresh(ctx context.Context) {
	told := ""
	if err := c.refresh(ctx); err != nil && ctx.Err() == nil {
		if told = err.Error(); told != c.told {
			c.Logger.Warn("published totals cannot be refreshed: the last that are known stay", "err", err)
		}
	}
	c.told = told
}

func (c *Copy) refresh(ctx context.Context) error {
	text, tag, err := c.Fetch(ctx, c.tag)
	var e *Edition
	switch {
	case errors.Is(err, ErrNothing):
		if err = os.Remove(c.Path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		text, tag = nil, ""
	case err != nil:
		return err
	case tag != "" && tag == c.tag:
		return nil
	default:
		e = &Edition{}
		if err := json.Unmarshal(text, e); err != nil {
			return fmt.Errorf("what a store says of published totals: %w", err)
		}
		err = private.Replace(c.Path, text)
	}
	c.mu.Lock()
	c.edition, c.tag = e, tag
	c.mu.Unlock()
	return err
}
