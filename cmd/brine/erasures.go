package main

import (
	"context"
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
		Held:   func() bool { return heldBySnapshot(cfg.Data) },
		Shared: cfg.Log.Replicated(),
		Complete: func(r erasure.Receipt) {
			if err := record.erased("", r); err != nil {
				logger.Error("an erasure is not in the audit", "err", err)
			}
		},
	})
}

// acceptErasure is [erasure.Erasures.Accept]; where there are several nodes, a majority has the request when it returns.
func (h *house) acceptErasure(ctx context.Context, unit string, quiet bool) (number string, err error) {
	number, err = h.erasures.Accept(unit, quiet)
	if err == nil && h.peers != nil {
		err = h.peers.erasures.Spread(ctx, number)
	}
	return number, err
}

// erasureReceipt is the receipt of a request, as this node or another has it.
func (h *house) erasureReceipt(ctx context.Context, number string) (erasure.Receipt, error) {
	receipt, err := h.erasures.Receipt(number)
	if errors.Is(err, erasure.ErrNoReceipt) && h.peers != nil {
		return h.peers.erasures.Receipt(ctx, number)
	}
	return receipt, err
}

// forget is a request of the public door.
func (h *house) forget(unit string) error {
	_, err := h.acceptErasure(context.Background(), unit, true) // of which each question to a node has a limit
	return err
}

// postErasure takes a request to erase: the body is the install id, and nothing else. The answer is the receipt as it stands.
func (h *house) postErasure(w http.ResponseWriter, r *http.Request) {
	unit, err := io.ReadAll(http.MaxBytesReader(w, r.Body, erasure.MaxUnit+1))
	if err != nil {
		writeSocketError(w, erasure.ErrUnit)
		return
	}
	number, err := h.acceptErasure(r.Context(), string(unit), false)
	if err != nil {
		writeSocketError(w, err)
		return
	}
	h.writeReceipt(w, r, number)
}

func (h *house) getErasure(w http.ResponseWriter, r *http.Request) {
	h.writeReceipt(w, r, r.PathValue("receipt"))
}

func (h *house) writeReceipt(w http.ResponseWriter, r *http.Request, number string) {
	receipt, err := h.erasureReceipt(r.Context(), number)
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
