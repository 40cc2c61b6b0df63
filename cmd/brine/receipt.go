package main

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// receiptsFolder holds what was taken away for good, and when: a file for each time, by the day.
const receiptsFolder = "receipts"

// receipt is one of these files.
type receipt struct {
	Kind string `json:"kind"` // like tighten
	Day  string `json:"day"`
	What any    `json:"what"`
}

// writeReceipt makes a receipt durable and gives its path. It tells the day and nothing finer.
func writeReceipt(dataDir, kind string, now time.Time, what any) (string, error) {
	day := now.UTC().Format(time.DateOnly)
	text, err := json.MarshalIndent(receipt{kind, day, what}, "", "  ")
	if err != nil {
		return "", err
	}
	folder := filepath.Join(dataDir, receiptsFolder)
	if err := makeFolder(folder); err != nil {
		return "", err
	}
	path := filepath.Join(folder, kind+"-"+day+"-"+rand.Text()[:8]+".json")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Write(append(text, '\n')); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	midnight := now.UTC().Truncate(24 * time.Hour)
	if err := os.Chtimes(path, midnight, midnight); err != nil {
		return "", err
	}
	if err := syncFolder(folder); err != nil {
		return "", err
	}
	return path, hourTimes(folder)
}
