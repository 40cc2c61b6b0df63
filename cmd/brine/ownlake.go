package main

import (
	"context"
	"errors"

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

func openOwnLake(ctx context.Context, data *dataDir, streams map[string]*event.Stream) (*ownLake, error) {
	log, err := eventlog.Open(ctx, eventlog.Options{Dir: data.log()})
	if err != nil {
		return nil, err
	}
	l, err := lake.Open(ctx, lake.Options{Dir: data.lake(), Temp: data.tmp(), Tables: tables(streams), Log: log})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return &ownLake{log, l}, nil
}

func (o *ownLake) close() error {
	o.lake.Close()
	return o.log.Close()
}
