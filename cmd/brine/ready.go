package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"brine/lake"
)

// readiness knows whether events can be stored now. Asking it costs nothing: disks are looked at
// once a second.
type readiness struct {
	log     groupLog
	lake    *lake.Lake
	logger  *slog.Logger
	minFree int64 // bytes
	folders []string
	disk    atomic.Pointer[error] // why a disk is too full; nil when it is not
	told    string                // the reason that the log holds last, "" for none
}

func newReadiness(log groupLog, lake *lake.Lake, logger *slog.Logger, minFree int64, folders ...string) *readiness {
	r := &readiness{log: log, lake: lake, logger: logger, minFree: minFree, folders: folders}
	r.look()
	return r
}

// Err is nil when events can be stored, else why not and what to do.
func (r *readiness) Err() error {
	if err := r.log.Err(); err != nil {
		return err
	}
	if err := r.lake.Err(); err != nil {
		return fmt.Errorf("the lake cannot be written: %w", err)
	}
	if err := r.disk.Load(); err != nil {
		return *err
	}
	return nil
}

// short says whether a disk is too full.
func (r *readiness) short() bool { return r.disk.Load() != nil }

func (r *readiness) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		r.tell(r.Err())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.look()
		}
	}
}

// tell writes a change of readiness into the log, once.
func (r *readiness) tell(err error) {
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	switch {
	case reason == r.told:
	case reason == "":
		r.logger.Warn("events can be stored again")
	default:
		r.logger.Warn("events cannot be stored now", "reason", reason)
	}
	r.told = reason
}

// freeBytes is how much the disk of a folder can still take.
func freeBytes(folder string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return 0, fmt.Errorf("look at the disk of %s: %w", folder, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

func (r *readiness) look() {
	for _, folder := range r.folders {
		free, err := freeBytes(folder)
		if err != nil {
			r.disk.Store(&err)
			return
		}
		if free < r.minFree {
			err := fmt.Errorf("the disk of %s has less than %s free (retention.min_free): make room",
				folder, humanize.Bytes(uint64(r.minFree)))
			r.disk.Store(&err)
			return
		}
	}
	r.disk.Store(nil)
}
