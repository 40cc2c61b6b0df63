package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
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
	path := filepath.Join(dataDir, receiptsFolder, kind+"-"+day+"-"+rand.Text()[:8]+".json")
	return path, addToReceipt(path, now, append(text, '\n'))
}

// appendReceipt is [writeReceipt] for what happens many times a day: one file a day holds them, a line each.
func appendReceipt(dataDir, kind string, now time.Time, what any) (string, error) {
	day := now.UTC().Format(time.DateOnly)
	text, err := json.Marshal(receipt{kind, day, what})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dataDir, receiptsFolder, kind+"-"+day+".ndjson")
	return path, addToReceipt(path, now, append(text, '\n'))
}

func addToReceipt(path string, now time.Time, text []byte) error {
	folder := filepath.Dir(path)
	if err := makeFolder(folder); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	midnight := now.UTC().Truncate(24 * time.Hour)
	if err := os.Chtimes(path, midnight, midnight); err != nil {
		return err
	}
	return errors.Join(f.Sync(), syncFolder(folder), hourTimes(folder))
}
