package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"brine/access/audit"
	"brine/backup"
	"brine/config"
	"brine/erasure"
	"brine/event"
	"brine/lake"
	"brine/lake/store"
	"brine/publish"
)

// backupCmd writes a backup.
type backupCmd struct {
	dataFlag
	To   string `required:"" placeholder:"FOLDER" help:"Where it goes: a folder that is not there yet." type:"path"`
	Base string `placeholder:"FOLDER" help:"A whole backup to go on from: only what it lacks is written, and what was removed since is known to restore." type:"path"`
	Raw  bool   `help:"Raw events too. They expire with the raw window, also in the backup."`
	JSON bool   `help:"Print JSON."`
}

// Help is shown below the flags.
func (*backupCmd) Help() string {
	return `Writes what is held for years to a folder: sanitized and rejected events, the audit, receipts, the history of the policy, published totals, changes,
and the records of salts; with --raw raw events too. Never salts, tokens, passwords or keys. Facts are not in it: they are made anew. A brine that serves
goes on meanwhile. Every file is in manifest.json and SHA256SUMS. Where the lake is in an object store its objects are copied from there.

With --base it is small and says what was removed since that backup: make one after each erasure and each day, and keep it apart. brine restore
asks for it.

Examples:
  brine backup --to /backup/2026-11-21
  brine backup --to /backup/2026-11-22 --base /backup/2026-11-21`
}

// backedUp is what a backup holds.
type backedUp struct {
	Folder  string `json:"folder"`
	ID      string `json:"id"`
	Base    string `json:"base,omitempty"`
	Files   int    `json:"files"`   // that it names
	Written int    `json:"written"` // of these, into its folder
	Bytes   int64  `json:"bytes"`   // of these
	Pending int    `json:"pending"` // erasures that are not complete
}

// Run writes a backup, of what the brine that serves holds at one moment.
func (c *backupCmd) Run(g *globals) error {
	cfg, streams, err := c.loadExisting()
	if err != nil {
		return err
	}
	var base *backup.Manifest
	if c.Base != "" {
		m, err := backup.Read(c.Base)
		if err != nil {
			return err
		}
		if m.Base != "" || m.Raw != c.Raw {
			return fmt.Errorf("%s cannot be gone on from: --base needs a whole backup, with --raw like this one", c.Base)
		}
		base = &m
	}
	unlock, err := lockSnapshot(cfg.Data)
	if err != nil {
		return err
	}
	defer unlock()
	if err := recordCommand(cfg, audit.Command, "brine backup", "to "+c.To); err != nil {
		return err
	}
	removeCut(g, filepath.Dir(c.To))
	bucket, closeBucket, err := lakeBucket(g.ctx, cfg)
	if err != nil {
		return err
	}
	defer closeBucket()
	defer os.RemoveAll(filepath.Join(cfg.Data, snapshotFolder))
	take := func(ctx context.Context) (backup.Source, error) {
		shot, err := c.snapshot(ctx, cfg, streams)
		return backup.Source{Folder: filepath.Join(cfg.Data, snapshotFolder), Fixed: inLakeFolder, Objects: objectsOf(bucket, shot.Objects), Pending: shot.Pending}, err
	}
	bar := showCount(g, "writing")
	m, err := backup.Write(g.ctx, take, c.To, backup.Manifest{Day: time.Now().UTC().Format(time.DateOnly), Version: version,
		Raw: c.Raw, RawAge: cfg.Retention.Raw.MaxAge, Config: cfg.Digests()}, base, bar.show)
	bar.done()
	if err != nil {
		return err
	}
	return c.tell(g.stdout, m)
}

// inLakeFolder says whether a file of a backup is one of the lake's, which are written once.
func inLakeFolder(path string) bool { return strings.HasPrefix(path, lakeFolder+"/") }

// removeCut removes what killed ones left in a folder: raw events may be in it, past their window.
func removeCut(g *globals, folder string) {
	removed, err := backup.RemoveCut(folder)
	for _, path := range removed {
		fmt.Fprintf(g.stderr, "%s is removed: a backup or restore that was killed left it\n", path)
	}
	if err != nil {
		fmt.Fprintf(g.stderr, "what a backup or restore that was killed left is not all removed: %v\n", err)
	}
}

func (c *backupCmd) tell(out io.Writer, m backup.Manifest) error {
	done := backedUp{Folder: c.To, ID: m.ID, Base: m.Base, Files: len(m.Files), Pending: m.Pending}
	for _, f := range m.Files {
		if f.In == m.ID {
			done.Written++
			done.Bytes += f.Size
		}
	}
	if c.JSON {
		return json.NewEncoder(out).Encode(done)
	}
	fmt.Fprintf(out, "%s: %d files, %d of them written, %d bytes\n", done.Folder, done.Files, done.Written, done.Bytes)
	if done.Pending > 0 {
		fmt.Fprintf(out, "%d erasures are not complete: what their installs sent until now is not in the backup; make the next one when they are, with --base, so that what came in while it was made goes too\n", done.Pending)
	}
	return nil
}

// objectsOf are files of a lake in an object store, as a backup takes them.
func objectsOf(bucket *store.Bucket, files []lake.Object) []backup.Object {
	all := make([]backup.Object, len(files))
	for i, f := range files {
		all[i].File = backup.File{Path: lakeFolder + "/" + f.Path, Size: f.Size, SHA256: f.SHA256}
		if n, err := lake.ParseName(f.Path); err == nil {
			all[i].Time = n.Hour
		}
		all[i].Fetch = func(ctx context.Context, to string) error {
			var sum store.Sum
			if n, err := hex.Decode(sum[:], []byte(f.SHA256)); err != nil || n != len(sum) {
				return fmt.Errorf("%q is no SHA-256", f.SHA256)
			}
			err := bucket.Fetch(ctx, f.Path, to, f.Size, sum)
			if errors.Is(err, store.ErrNotExist) {
				err = fmt.Errorf("%w: %w", backup.ErrGone, err)
			}
			return err
		}
	}
	return all
}

// snapshotWork is what is asked for through the socket.
type snapshotWork struct {
	Raw bool `json:"raw"`
}

// snapshotTaken is what was found.
type snapshotTaken struct {
	Pending int           `json:"pending"` // erasures that are not complete
	Objects []lake.Object `json:"objects"` // the lake's files, where it lies in an object store
}

func (c *backupCmd) snapshot(ctx context.Context, cfg *config.Config, streams map[string]*event.Stream) (shot snapshotTaken, err error) {
	work := snapshotWork{Raw: c.Raw}
	err = inDataDir(cfg, func() error {
		return askWork(ctx, cfg.Data, "/snapshot", work, func(int, int) {}, &shot)
	}, func(data *dataDir) error {
		own, s, err := openOwnSanitizer(ctx, cfg, data, streams)
		if err != nil {
			return err
		}
		erasures, err := openErasures(cfg, own.log, s, func(audit.Record) error { return nil }, nil, s.logger)
		if err == nil {
			err = withLedger(ctx, cfg, func(ledger *publish.Ledger) error {
				shot, err = takeSnapshot(ctx, cfg, own.lake, erasures, ledger, work)
				return err
			})
		}
		return errors.Join(err, own.close())
	})
	return shot, err
}

func (h *house) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	serveWork(w, r, func(ctx context.Context, work snapshotWork, _ func(done, of int)) (snapshotTaken, error) {
		return takeSnapshot(ctx, h.cfg, h.lake, h.erasures, h.totals.Ledger, work)
	})
}

// oneSnapshot lets one be taken at a time: that of a backup that was killed may not be done.
var oneSnapshot sync.Mutex

// inBackup are the small files and folders of a data folder that go into a backup. The heads of the audit go before its lines: it takes on
// lines that they do not know.
var inBackup = []string{filepath.Join(auditFolder, "head"), auditFolder, receiptsFolder, policyFolder, publishFolder, "changes.json", saltRecords, "sampling.json"}

// takeSnapshot files what the log holds and takes out what is to be erased, and then holds on to what there is.
func takeSnapshot(ctx context.Context, cfg *config.Config, l *lake.Lake, erasures *erasure.Erasures, ledger *publish.Ledger, work snapshotWork) (shot snapshotTaken, err error) {
	oneSnapshot.Lock()
	defer oneSnapshot.Unlock()
	folder := filepath.Join(cfg.Data, snapshotFolder)
	if err := os.RemoveAll(folder); err != nil {
		return shot, err
	}
	err = errors.Join(l.Flush(ctx), erasures.Step(ctx), erasures.Again(ctx))
	if errors.Is(err, lake.ErrNotOwner) {
		return shot, errors.New("this node does not lead, so that it cannot take out first what is to be erased: back up on the one that does (brine cluster status)")
	}
	if err != nil {
		return shot, err
	}
	st := erasures.Status()
	if st.Accepted > 0 || st.Error != "" {
		return shot, errors.New("erasures are not done yet, and what they take out must not be in a backup: see brine status")
	}
	shot.Pending = st.Removed
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return shot, err
	}
	datasets := map[string]bool{lake.Sanitized: true, lake.Rejected: true, lake.Raw: work.Raw, lake.Quarantine: work.Raw}
	shot.Objects, err = l.Link(filepath.Join(folder, lakeFolder), func(n lake.Name) bool { return datasets[n.Dataset] })
	if ledger.Shared() {
		err = errors.Join(err, ledger.Export(ctx, filepath.Join(folder, publishFolder)))
	}
	for _, name := range inBackup {
		err = errors.Join(err, copyTree(filepath.Join(cfg.Data, name), filepath.Join(folder, name)))
	}
	return shot, err
}

// copyTree copies a file or a folder where there is one. What is there already stays.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := os.Lstat(target); err == nil {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return errors.Join(os.WriteFile(target, content, 0o600), os.Chtimes(target, info.ModTime(), info.ModTime()))
	})
}
