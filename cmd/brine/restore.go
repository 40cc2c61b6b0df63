package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"brine/access/audit"
	"brine/backup"
	"brine/config"
	"brine/event"
	"brine/kpi"
	"brine/lake"
	"brine/lake/store"
	"brine/publish"
)

// restoreCmd makes a data folder of a backup.
type restoreCmd struct {
	dataFlag
	From            string `required:"" placeholder:"FOLDER" help:"A whole backup." type:"path"`
	Since           string `placeholder:"FOLDER" help:"The newest backup that was made with --base of it: it says what may come back." type:"path"`
	WithoutRemovals bool   `help:"Restore without --since: what was purged, erased or tightened after the backup comes back."`
	JSON            bool   `help:"Print JSON."`
}

// Help is shown below the flags.
func (*restoreCmd) Help() string {
	return `Makes the data folder of a backup. It must be empty or not there, so no brine serves from it. Everything is verified before anything is
written, and the folder appears whole or not at all: it is written beside --data, so the user who runs this must be able to write there, and
--data be no mount. Where lake: names an object store the lake is put there, at a prefix that holds none. Events
that retention: no longer permits, and raw events whose window is over, do not come back.

What was purged, erased or tightened since the backup must not come back either. A backup made later with --base knows: give the newest with --since.
Without one, restore refuses. --without-removals says that nothing was removed since, or that all of it is done again before the doors open.

Examples:
  brine restore --from /backup/2026-11-21 --since /backup/2026-11-22 --data /var/lib/brine
  brine restore --from /backup/2026-11-21 --without-removals`
}

// whyRemovals is why a restore that may bring back what was removed is refused.
const whyRemovals = "nothing says what was purged, erased or tightened after this backup, and it would come back: give the newest backup that was made " +
	"with --base of it as --since; or say --without-removals, and erase, purge and tighten again before brine serves"

// Run restores.
func (c *restoreCmd) Run(g *globals) error {
	cfg, registry, err := c.load()
	if err != nil {
		return err
	}
	streams, err := openStreams(cfg, registry)
	if err != nil {
		return err
	}
	if (c.Since == "") != c.WithoutRemovals {
		if c.Since != "" {
			return errors.New("--since and --without-removals exclude each other")
		}
		return errors.New(whyRemovals)
	}
	if err := backup.Room(filepath.Clean(cfg.Data)); err != nil {
		return err
	}
	sources := backup.Sources{From: c.From, Since: c.Since}
	bar := showCount(g, "verifying")
	m, first, err := sources.Check(g.ctx, bar.show)
	bar.done()
	if err != nil {
		return err
	}
	removeCut(g, filepath.Dir(filepath.Clean(cfg.Data)))
	bar = showCount(g, "restoring")
	done, err := sources.Restore(g.ctx, cfg.Data, m, first, expiredBy(cfg, m, time.Now()), c.bucket(cfg, streams), skipPublished, bar.show)
	bar.done()
	if err != nil {
		return err
	}
	if err := recordCommand(cfg, audit.Command, "brine restore", fmt.Sprintf("backup %s of %s; without removals: %t", m.ID, m.Day, c.WithoutRemovals)); err != nil {
		return fmt.Errorf("%s is restored, but that is not in the audit: %w", cfg.Data, err)
	}
	if c.JSON {
		return json.NewEncoder(g.stdout).Encode(done)
	}
	fmt.Fprintf(g.stdout, "%s: %d files restored as of %s; %d were replaced or removed since the first backup, %d are too old\n", cfg.Data, done.Files, m.Day, done.Removed, done.Expired)
	if m.Pending > 0 {
		fmt.Fprintf(g.stdout, "%d erasures were not complete then: have those installs erased again\n", m.Pending)
	}
	return nil
}

// bucket is where the files of the lake go, where that is in an object store; nil where it is in the data folder.
func (c *restoreCmd) bucket(cfg *config.Config, streams map[string]*event.Stream) *backup.Elsewhere {
	if _, remote, err := cfg.LakeAddress(); err != nil || !remote {
		return nil
	}
	return &backup.Elsewhere{
		Is: inLakeFolder,
		Put: func(ctx context.Context, files map[string]string) (err error) {
			var o lake.Options
			if o.Store, o.CacheDir, err = bucketToFill(ctx, cfg); err != nil {
				return err
			}
			defer os.RemoveAll(o.CacheDir)
			o.Tables = tables(streams)
			l, err := lake.Open(ctx, o)
			if err != nil {
				return err
			}
			defer l.Close()
			inLake := map[string]string{}
			for path, at := range files {
				inLake[strings.TrimPrefix(path, lakeFolder+"/")] = at
			}
			err = l.Fill(ctx, slices.DeleteFunc([]string{c.From, c.Since}, func(folder string) bool { return folder == "" }), inLake)
			if errors.Is(err, lake.ErrNotEmpty) {
				err = fmt.Errorf("%w: name another prefix in lake:, one that is empty", err)
			}
			return err
		},
	}
}

// bucketToFill opens the object store, with a folder for what passes through.
func bucketToFill(ctx context.Context, cfg *config.Config) (bucket *store.Bucket, folder string, err error) {
	if bucket, _, err = lakeBucket(ctx, cfg); err != nil {
		return nil, "", err
	}
	if err = bucket.Check(ctx); err == nil {
		folder, err = os.MkdirTemp("", "brine-restore-")
	}
	if err != nil {
		return nil, "", errors.Join(err, bucket.Close())
	}
	return bucket, folder, nil
}

// skipPublished keeps days from being published that may have been before this restore, in a data folder that nobody serves from yet. Where the ledger was never begun, it is begun with that. Where the lake is in an
// object store, the ledger is brought there at the start.
func skipPublished(data string) error {
	ctx := context.Background() // in a folder
	ledger, err := publish.OpenLedger(ctx, filepath.Join(data, publishFolder))
	if err != nil {
		return err
	}
	return ledger.Skip(ctx, kpi.DateOf(time.Now().AddDate(0, 0, 1), time.UTC)) // somewhere it is tomorrow, and what is today here is over
}

// expiredBy says which files of the lake are too old: by the retention in force or, of raw events, by that of the backup.
func expiredBy(cfg *config.Config, m backup.Manifest, now time.Time) func(path string) bool {
	limits := retention(cfg).Limits
	return func(path string) bool {
		rel, inLake := strings.CutPrefix(path, lakeFolder+"/")
		n, err := lake.ParseName(rel)
		if !inLake || err != nil {
			return false
		}
		old := func(age time.Duration) bool { return age > 0 && !n.Hour.Add(age).After(now) }
		isRaw := n.Dataset == lake.Raw || n.Dataset == lake.Quarantine
		return old(limits[n.Dataset].MaxAge) || isRaw && old(m.RawAge)
	}
}
