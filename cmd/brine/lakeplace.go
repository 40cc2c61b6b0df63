package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"brine/access/private"
	"brine/config"
	"brine/door"
	"brine/lake"
	"brine/lake/store"
)

// cacheFolder is where copies lie of what is in use of a lake in an object store.
const cacheFolder = "cache"

// openLake opens the lake where the config has it.
func openLake(ctx context.Context, cfg *config.Config, o lake.Options) (*lake.Lake, error) {
	address, remote, err := cfg.LakeAddress()
	if err != nil {
		return nil, err
	}
	if !remote {
		o.Dir = filepath.Join(cfg.Data, lakeFolder)
		return lake.Open(ctx, o)
	}
	if o.Store, err = store.Open(ctx, address); err != nil {
		return nil, err
	}
	if o.ID, err = readLakeID(cfg); err != nil {
		return nil, errors.Join(err, o.Store.Close())
	}
	o.CacheDir, o.CacheBytes = filepath.Join(cfg.Data, cacheFolder), int64(cfg.LakeCache)
	l, err := lake.Open(ctx, o)
	if err != nil {
		return nil, otherLake(cfg, err)
	}
	if err := rememberLake(cfg, l); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// lakeBucket opens the object store that the lake lies in, without the lake; nil where it lies in a folder.
func lakeBucket(ctx context.Context, cfg *config.Config) (bucket *store.Bucket, closeIt func() error, err error) {
	address, remote, err := cfg.LakeAddress()
	if err != nil || !remote {
		return nil, func() error { return nil }, err
	}
	if bucket, err = store.Open(ctx, address); err != nil {
		return nil, nil, err
	}
	return bucket, bucket.Close, nil
}

// lakeIDFile ties a data folder to the lake in an object store that it belongs to: the log's ranges and the positions of outlets mean
// nothing for another.
const lakeIDFile = "lake.id"

func readLakeID(cfg *config.Config) (string, error) {
	text, err := os.ReadFile(filepath.Join(cfg.Data, lakeIDFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// rememberLake ties the data folder to a lake that this process owns.
func rememberLake(cfg *config.Config, l *lake.Lake) error {
	known, err := readLakeID(cfg)
	if err != nil || known != "" || !l.Owned() || l.ID() == "" {
		return err
	}
	path := filepath.Join(cfg.Data, lakeIDFile)
	return errors.Join(private.Replace(path, []byte(l.ID()+"\n")), private.HourTime(path))
}

// otherLake says what to do about a lake that is not that of the data folder.
func otherLake(cfg *config.Config, err error) error {
	if !errors.Is(err, lake.ErrOtherLake) {
		return err
	}
	return fmt.Errorf("%w: name its own bucket and prefix in lake:, or if this one is meant, move %s away", err, filepath.Join(cfg.Data, lakeIDFile))
}

// checkLake asks the object store whether a lake can be kept there.
func (r *report) checkLake(ctx context.Context, cfg *config.Config) {
	address, remote, err := cfg.LakeAddress()
	if err != nil || !remote {
		return // a mistake of the config is told already
	}
	if u, err := url.Parse(address.Endpoint); err == nil && u.Scheme == "http" && !door.IsLoopback(u.Hostname()) {
		r.Warnings = append(r.Warnings, cfg.Mistake("lake", "its endpoint is not loopback, and without TLS events can be read and changed on the way", "like https://s3.example.org"))
	}
	bucket, err := store.Open(ctx, address)
	if err == nil {
		defer bucket.Close()
		err = bucket.Check(ctx)
	}
	if err != nil {
		r.Mistakes = append(r.Mistakes, cfg.Mistake("lake", err.Error(), "see docs/operations.md, An object store"))
	}
}
