package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"brine/config"
	"brine/erasure"
	"brine/event"
)

// erasuresFolder is where erasures that are not complete wait, in a data folder.
const erasuresFolder = "erasures"

// openErasures takes up the erasures that wait in a data folder. Those that found something are recorded when they are
// complete: not when a person asked at the public door, as the audit tells the second.
func openErasures(cfg *config.Config, log groupLog, s *sanitizer, record recorder, copies func(time.Time) []erasure.Copy, logger *slog.Logger) (*erasure.Erasures, error) {
	return erasure.Open(erasure.Options{
		Dir: filepath.Join(cfg.Data, erasuresFolder), Receipts: filepath.Join(cfg.Data, receiptsFolder),
		Lake: s.lake, Log: log, Streams: s.streams, Salts: s.salts.For, Redo: s.job.Redo, Copies: copies, Logger: logger,
		Complete: func(r erasure.Receipt) {
			if err := record.erased("", r); err != nil {
				logger.Error("an erasure is not in the audit", "err", err)
			}
		},
	})
}

// errAskLeader is a request to erase at a node that does not: it would wait there, perhaps for ever.
var errAskLeader = errors.New("another node does the erasing: ask the one that leads (brine cluster status)")

// acceptErasure is [erasure.Erasures.Accept] where the erasing is done.
func (h *house) acceptErasure(unit string, quiet bool) (number string, err error) {
	if h.cluster != nil && !h.cluster.Leading() {
		return "", errAskLeader
	}
	return h.erasures.Accept(unit, quiet)
}

// forget is a request of the public door.
func (h *house) forget(unit string) error {
	_, err := h.acceptErasure(unit, true)
	return err
}

// postErasure takes a request to erase: the body is the install id, and nothing else. The answer is the receipt as it stands.
func (h *house) postErasure(w http.ResponseWriter, r *http.Request) {
	unit, err := io.ReadAll(http.MaxBytesReader(w, r.Body, erasure.MaxUnit+1))
	if err != nil {
		writeSocketError(w, erasure.ErrUnit)
		return
	}
	number, err := h.acceptErasure(string(unit), false)
	if err != nil {
		writeSocketError(w, err)
		return
	}
	h.writeReceipt(w, number)
}

func (h *house) getErasure(w http.ResponseWriter, r *http.Request) {
	h.writeReceipt(w, r.PathValue("receipt"))
}

func (h *house) writeReceipt(w http.ResponseWriter, number string) {
	receipt, err := h.erasures.Receipt(number)
	if err != nil {
		writeSocketError(w, err)
		return
	}
	json.NewEncoder(w).Encode(receipt)
}

// erasuresAtRest counts the erasures that wait in a data folder that nobody serves.
func erasuresAtRest(cfg *config.Config) *erasure.Status {
	st, err := erasure.StatusAtRest(filepath.Join(cfg.Data, erasuresFolder))
	if err != nil {
		st.Error = err.Error()
	}
	return &st
}

// errNoUnit is an erasure where no stream holds an install id.
var errNoUnit = errors.New("no stream of the config has a unit, so nothing holds an install id: set streams.NAME.unit")

func anyUnit(streams map[string]*event.Stream) bool {
	for _, s := range streams {
		if s.Unit != "" {
			return true
		}
	}
	return false
}
