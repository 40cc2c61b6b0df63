package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"brine/access/private"
	"brine/lake"
)

// purgingFile says what a purge is about to drop, from before the first hour goes until the receipt is written. A purge that is killed
// leaves it, and the next one tells by it what went.
const purgingFile = "purging.json"

// intend notes what is about to go.
func (p *purger) intend(drops []lake.Drop) error {
	text, err := json.Marshal(drops)
	if err != nil {
		return err
	}
	return private.Replace(filepath.Join(p.cfg.Data, purgingFile), text)
}

// tellDropped puts what went into the audit and a receipt, and only then forgets what was to go.
func (p *purger) tellDropped(who string, dropped []lake.Dropped) (receipt string, err error) {
	if p.audit != nil {
		err = recorderTo(p.audit).purged(who, dropped)
	}
	if len(dropped) > 0 {
		var receiptErr error
		receipt, receiptErr = appendReceipt(p.cfg.Data, "purge", time.Now(), dropped)
		err = errors.Join(err, receiptErr)
	}
	if err != nil {
		return receipt, err
	}
	path := filepath.Join(p.cfg.Data, purgingFile)
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return receipt, nil
	} else if err != nil {
		return receipt, err
	}
	return receipt, private.Sync(p.cfg.Data)
}

// tellKilled tells what a purge dropped that was killed before it told so itself.
func (p *purger) tellKilled() error {
	path := filepath.Join(p.cfg.Data, purgingFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var intended []lake.Drop
	if err := json.Unmarshal(text, &intended); err != nil {
		return fmt.Errorf("%s: it does not say what a purge was to drop (damaged?): move it away: %w", path, err)
	}
	went, err := p.lake.Went(intended)
	if err == nil {
		_, err = p.tellDropped("", went)
	}
	return err
}
