package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"brine/config"
	"brine/salt"
)

// saltsFound is what check found of the salts.
type saltsFound struct {
	Dir        string      `json:"dir"`
	FileSystem salt.Medium `json:"file_system"`
}

// String is the one in a line.
func (s *saltsFound) String() string {
	return fmt.Sprintf("salts: %s is on %s: %s", s.Dir, s.FileSystem.Name, s.FileSystem.Advice)
}

// checkSalts says on what file system the salts lie, and what is not in order with them. A folder that is not there yet is no mistake.
func (r *report) checkSalts(cfg *config.Config) error {
	medium, err := salt.MediumOf(cfg.SaltsPath())
	if err != nil {
		return err
	}
	r.Salts = &saltsFound{cfg.SaltsPath(), medium}
	if _, err := os.Lstat(cfg.SaltsPath()); errors.Is(err, os.ErrNotExist) && !cfg.Salts.External() {
		return nil
	}
	folder, err := openSalts(cfg, time.Now)
	if err != nil {
		return err
	}
	for _, fault := range folder.Status().Faults {
		r.Mistakes = append(r.Mistakes, config.Mistake{File: cfg.SaltsPath(), What: fault})
	}
	return nil
}
