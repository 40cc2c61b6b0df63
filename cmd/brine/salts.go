package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"brine/config"
	"brine/eventlog"
	"brine/salt"
)

// saltRecords is the file in the data folder that says what became of each salt.
const saltRecords = "salts.ndjson"

// openSalts makes the handle of the salts folder, as a command has it.
func openSalts(cfg *config.Config, now func() time.Time) (*salt.Folder, error) {
	if sharesSalts(cfg) {
		return openSaltsAs(cfg, now, &salt.Shared{Make: func() error { return errLeaderMakes }})
	}
	return openSaltsAs(cfg, now, nil)
}

func openSaltsAs(cfg *config.Config, now func() time.Time, shared *salt.Shared) (*salt.Folder, error) {
	periods, err := cfg.Salts.Periods()
	if err != nil {
		return nil, err
	}
	return salt.Open(cfg.SaltsPath(), salt.Options{Periods: periods, Records: filepath.Join(cfg.Data, saltRecords),
		External: cfg.Salts.External(), Shared: shared, Now: now})
}

// sharesSalts is whether one node of several makes the salts of all.
func sharesSalts(cfg *config.Config) bool { return cfg.Log.Replicated() && !cfg.Salts.External() }

// errLeaderMakes is of a command: only a brine that serves can know what the other nodes have.
var errLeaderMakes = errors.New("the brine that leads the nodes makes the salts of all, and hands them out")

// openSalts wires the salts into the house: a rotator keeps them.
func (h *house) openSalts() (err error) {
	if sharesSalts(h.cfg) {
		err = h.shareSalts()
	} else {
		h.salts, err = openSalts(h.cfg, time.Now)
	}
	if err != nil {
		return err
	}
	h.rotator = &salt.Rotator{Folder: h.salts, Logger: h.logger, Done: func(steps []salt.Step) {
		h.tellAudit(recorderTo(h.audit).saltSteps("", steps))
	}, Hold: func() error {
		if err := h.log.Err(); errors.Is(err, eventlog.ErrClock) {
			return err
		}
		return nil
	}}
	return nil
}

// epoch is the sampling epoch of a time.
func (h *house) epoch(t time.Time) string { return h.periods.At(t).Epoch() }

// saltsStatus is how the salts stand, for brine status.
type saltsStatus struct {
	salt.Status
	Error string `json:"error,omitempty"` // of the last rotation by the server; it is tried again every minute
}

func (s *saltsStatus) print(g *globals) {
	fmt.Fprintln(g.stdout)
	printSalts(g.stdout, s.Status)
	if s.Error != "" && len(s.Faults) == 0 { // else it is one of them
		fmt.Fprintf(g.stdout, "SALTS DO NOT ROTATE: %s\n", s.Error)
	}
}

func (h *house) saltsStatus() *saltsStatus {
	st := &saltsStatus{Status: h.salts.Status()}
	if err := h.rotator.Err(); err != nil {
		st.Error = err.Error()
	}
	return st
}
