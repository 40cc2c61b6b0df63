package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"brine/config"
	"brine/event"
	"brine/eventlog"
	"brine/lake"
)

// ownLake is the lake of a command that has the data folder for itself. It has the log open, as
// only the log tells which files were never committed.
type ownLake struct {
	log  *eventlog.Log
	lake *lake.Lake
}

func openOwnLake(ctx context.Context, cfg *config.Config, data *dataDir, streams map[string]*event.Stream) (*ownLake, error) {
	if cfg.Log.Replicated() {
		return nil, errors.New("the log lies on several nodes, of which one owns the lake: start brine here, and ask it")
	}
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: data.log()})
	if err != nil {
		return nil, err
	}
	l, err := openLake(ctx, cfg, lake.Options{Temp: data.tmp(), Tables: tables(streams), Log: log})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &ownLake{log, l}, nil
}

func (o *ownLake) close() error {
	o.lake.Close()
	return o.log.Close()
}

// openOwnSanitizer is [openOwnLake] with what the allowlist and the salts make of it. It says nothing in a log.
func openOwnSanitizer(ctx context.Context, cfg *config.Config, data *dataDir, streams map[string]*event.Stream) (*ownLake, *sanitizer, error) {
	salts, err := openSalts(cfg, time.Now)
	if err != nil {
		return nil, nil, err
	}
	own, err := openOwnLake(ctx, cfg, data, streams)
	if err != nil {
		return nil, nil, err
	}
	return own, newSanitizer(cfg, streams, own.lake, salts, slog.New(slog.DiscardHandler)), nil
}

// inDataDir does work in a data folder that nobody serves; where one does, that one is asked.
func inDataDir(cfg *config.Config, ask func() error, work func(*dataDir) error) error {
	data, err := openDataDir(cfg.Data)
	if errors.Is(err, errLocked) {
		return ask()
	}
	if err != nil {
		return err
	}
	return errors.Join(work(data), data.Close())
}
