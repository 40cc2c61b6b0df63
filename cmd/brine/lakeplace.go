package main

import (
	"context"
	"path/filepath"

	"brine/config"
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
	o.CacheDir, o.CacheBytes = filepath.Join(cfg.Data, cacheFolder), int64(cfg.LakeCache)
	return lake.Open(ctx, o)
}

// checkLake asks the object store whether a lake can be kept there.
func (r *report) checkLake(ctx context.Context, cfg *config.Config) {
	address, remote, err := cfg.LakeAddress()
	if err != nil || !remote {
		return // a mistake of the config is told already
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
