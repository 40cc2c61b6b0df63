package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"brine/config"
	"brine/erasure"
	"brine/lake"
	"brine/outlet"
	"brine/outlet/couchdb"
)

// outletsFolder holds the position of each outlet, in a data folder.
const outletsFolder = "outlets"

// outlets are the copies that the config asks for.
type outlets []*outlet.Follower

func openOutlets(cfg *config.Config, l *lake.Lake, logger *slog.Logger) (outlets, error) {
	c := cfg.Outlets.CouchDB
	if c.URL == "" {
		return nil, nil
	}
	db, err := couchdb.New(couchdb.Options{URL: c.URL, User: c.User, PasswordFile: c.PasswordFile, CAFile: c.CAFile})
	if err != nil {
		return nil, fmt.Errorf("open the outlet couchdb: %w", err)
	}
	return outlets{{Name: "couchdb", Dataset: c.Dataset, Streams: c.Streams, Lake: l, Peer: db,
		Path: filepath.Join(cfg.Data, outletsFolder, "couchdb.json"), Logger: logger}}, nil
}

// run lets all follow until the context ends, as long as holds says that it is this node's turn.
func (all outlets) run(ctx context.Context, holds func() error, jobs *sync.WaitGroup) {
	for _, o := range all {
		jobs.Go(func() { o.Run(ctx, holds) })
	}
}

func (all outlets) status() (status []outlet.Status) {
	for _, o := range all {
		status = append(status, o.Status())
	}
	return status
}

// checks are what the heartbeat tells of them, by name.
func (all outlets) checks() map[string]func() error {
	checks := map[string]func() error{}
	for _, o := range all {
		checks["outlet "+o.Name] = o.Err
	}
	return checks
}

// copies tell how each stands, for the receipt of an erasure whose rows were removed here by a time.
func (all outlets) copies(removed time.Time) (copies []erasure.Copy) {
	for _, o := range all {
		state := erasure.CopyBehind
		if o.Followed(removed) {
			if state = erasure.CopyFollowed; !o.Status().Removes {
				state = erasure.CopyDeleted
			}
		}
		copies = append(copies, erasure.Copy{Outlet: o.Name, State: state})
	}
	return copies
}

func printOutlets(out io.Writer, all []outlet.Status) {
	for _, s := range all {
		fmt.Fprintf(out, "\noutlet %s: ", s.Name)
		if s.Behind == 0 {
			fmt.Fprintln(out, "all closed hours are written")
		} else {
			fmt.Fprintf(out, "%d hours of streams (%d files) behind, since %s\n", s.Behind, s.Files, minute(s.Oldest.UnixMilli()))
		}
		if s.Lost > 0 {
			fmt.Fprintf(out, "OUTLET %s: %d hours were purged before they were written there\n", s.Name, s.Lost)
		}
		if s.Error != "" {
			fmt.Fprintf(out, "OUTLET %s DOES NOT GET ON: %s\n", s.Name, s.Error)
		}
	}
}
